//! Patterns of texts: regular expressions that take linear time.

use regex::{Regex, RegexBuilder};

/// The most memory of a compiled pattern, in bytes.
const COMPILED_BYTES_MAX: usize = 256 << 10;

/// A regular expression that a whole text must match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextPattern(String);

impl TextPattern {
    /// Makes a pattern.
    ///
    /// # Errors
    /// Returns why the text is no regular expression, in one line.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        match compile(text) {
            Ok(_regex) => Ok(Self(text.to_owned())),
            // The message has several lines, of which the last says what is wrong.
            Err(error) => {
                let message = error.to_string();
                let last = message.lines().last().unwrap_or_default().trim();
                Err(last.trim_start_matches("error: ").to_owned())
            }
        }
    }

    /// Returns the pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the pattern matches the whole of a text.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        // One that cannot be compiled was refused when it was read.
        compile(&self.0).is_ok_and(|regex| regex.is_match(text))
    }
}

fn compile(text: &str) -> Result<Regex, regex::Error> {
    // It must be one by itself, before anything is written around it.
    RegexBuilder::new(text).size_limit(COMPILED_BYTES_MAX).build()?;
    RegexBuilder::new(&format!(r"\A(?:{text})\z")).size_limit(COMPILED_BYTES_MAX).build()
}
