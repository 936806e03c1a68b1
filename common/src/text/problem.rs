//! An operator's mistake: where it is, what is wrong, what to do.
//!
//! Checks collect every problem they can find; none stops at the first.

use std::fmt;

use serde::{Deserialize, Serialize};

/// More problems than this are counted, not listed.
pub const PROBLEMS_SHOWN_MAX: usize = 50;

/// One mistake in what an operator wrote.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// Field path, such as `components.asterisk.version`; empty for the whole document.
    pub path: String,
    /// Line in the document, counted from 1, where one is known.
    pub line: Option<u32>,
    /// One sentence: what is wrong.
    pub message: String,
    /// What would make it right, where that can be told.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem at `path`.
    #[must_use]
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), line: None, message: message.into(), hint: None }
    }

    /// Adds the line of the document.
    #[must_use]
    pub fn at_line(mut self, line: u32) -> Self {
        self.line = Some(line);
        self
    }

    /// Adds what would make it right.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds "did you mean …?" when one of `known` is close to `word`, else the list of them.
    #[must_use]
    pub fn suggest<'a>(self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        match nearest(word, &known) {
            Some(near) => self.hint(format!("did you mean {near}?")),
            None if known.is_empty() => self,
            None => {
                let shown = known.iter().take(20).copied().collect::<Vec<_>>().join(", ");
                let more = if known.len() > 20 { ", …" } else { "" };
                self.hint(format!("known are: {shown}{more}"))
            }
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", printable(&self.path))?;
        }
        f.write_str(&printable(&self.message))?;
        if let Some(hint) = &self.hint {
            write!(f, " ({})", printable(hint))?;
        }
        Ok(())
    }
}

/// Every problem of one document, in the order of its lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{}", self.summary())]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// `value` when nothing was found, else all of them, ordered and cut to the limit.
    ///
    /// # Errors
    /// The problems themselves.
    pub fn into_result<T>(self, value: T) -> Result<T, Problems> {
        if self.0.is_empty() { Ok(value) } else { Err(self.sorted()) }
    }

    /// Orders by line, then path, and cuts what exceeds [`PROBLEMS_SHOWN_MAX`].
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.0.sort_by(|a, b| {
            let line = |p: &Problem| p.line.unwrap_or(u32::MAX);
            line(a).cmp(&line(b)).then_with(|| a.cmp(b))
        });
        self.0.dedup();
        let hidden = self.0.len().saturating_sub(PROBLEMS_SHOWN_MAX);
        if hidden > 0 {
            self.0.truncate(PROBLEMS_SHOWN_MAX);
            self.0.push(Problem::new("", format!("{hidden} more problems are not shown")));
        }
        self
    }

    fn summary(&self) -> String {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        lines.join("\n")
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl FromIterator<Problem> for Problems {
    fn from_iter<I: IntoIterator<Item = Problem>>(iter: I) -> Self {
        Self(iter.into_iter().collect())
    }
}

/// The known word a person most likely meant.
#[must_use]
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let score = |candidate: &str| strsim::jaro_winkler(word, candidate);
    known
        .iter()
        .map(|candidate| (score(candidate), *candidate))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// Text as it may reach a terminal or a log: control characters are escaped
/// and an overlong text is cut.
#[must_use]
pub fn printable(text: &str) -> String {
    const SHOWN_MAX: usize = 400;
    let mut shown = String::with_capacity(text.len().min(SHOWN_MAX));
    for (count, c) in text.chars().enumerate() {
        if count == SHOWN_MAX {
            shown.push('…');
            break;
        }
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests;
