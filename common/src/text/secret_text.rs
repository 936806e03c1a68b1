//! The value of a secret in memory. It is never shown, and is overwritten when it is dropped.

use std::fmt;

use zeroize::Zeroizing;

use super::printable::{is_hidden, name_of};

/// The longest value of a secret of the controller, in bytes: a private key with its chain.
pub const SECRET_BYTES_MAX: usize = 16 << 10;

/// The value of a secret. It has no form for people: neither messages nor logs can contain it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(Zeroizing<String>);

/// Why a text cannot be the value of a secret. The message never contains the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidValue {
    #[error("the value is empty")]
    Empty,
    #[error("the value has {0} bytes (maximum {SECRET_BYTES_MAX})")]
    TooLong(usize),
    /// A character that is neither typed into a password nor part of a text of several lines.
    #[error("the value contains {0}")]
    Hidden(String),
}

impl SecretText {
    /// Reads a value as it was typed or came from a file. The line end after a single line is no
    /// part of it; a text of several lines stays as it is.
    ///
    /// # Errors
    /// Returns why the text cannot be a value.
    pub fn read(text: Zeroizing<String>) -> Result<Self, InvalidValue> {
        let line = text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n'));
        let line = line.unwrap_or(&text);
        let text = match line.contains('\n') {
            true => text,
            false => Zeroizing::new(line.to_owned()),
        };
        if text.is_empty() {
            return Err(InvalidValue::Empty);
        }
        if text.len() > SECRET_BYTES_MAX {
            return Err(InvalidValue::TooLong(text.len()));
        }
        let is_wrong = |c: char| (is_hidden(c) && c != '\n') || c == '\u{feff}';
        match text.chars().find(|c| is_wrong(*c)) {
            Some(c) => Err(InvalidValue::Hidden(name_of(c))),
            None => Ok(Self(text)),
        }
    }

    /// Whether the value has several lines, so that it cannot be in an environment.
    #[must_use]
    pub fn has_lines(&self) -> bool {
        self.0.contains('\n')
    }

    /// Returns the value. No other function shows it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Says that there is a value, and not which.
impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<SecretText, InvalidValue> {
        SecretText::read(Zeroizing::new(text.to_owned()))
    }

    #[test]
    fn a_line_loses_its_end_and_a_text_of_several_lines_stays_as_it_is() {
        for text in ["s3cret", "s3cret\n", "s3cret\r\n"] {
            let value = read(text).unwrap();
            assert_eq!((value.reveal(), value.has_lines()), ("s3cret", false), "{text:?}");
        }
        let key = "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n";
        let value = read(key).unwrap();
        assert_eq!((value.reveal(), value.has_lines()), (key, true));
    }

    #[test]
    fn what_cannot_be_a_value_is_refused_without_being_shown() {
        let long = "x".repeat(SECRET_BYTES_MAX + 1);
        for (text, why) in [
            ("", "the value is empty"),
            ("\n", "the value is empty"),
            ("a\0b", "the value contains a zero byte (U+0000)"),
            ("a\rb", "the value contains a carriage return (U+000D)"),
            ("\u{feff}a", "the value contains a byte order mark (U+FEFF)"),
            (long.as_str(), "the value has 16385 bytes (maximum 16384)"),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), why);
        }
        assert!(read(&long[1..]).is_ok());
    }

    #[test]
    fn a_value_is_not_shown_for_debugging() {
        assert_eq!(format!("{:?}", read("s3cret").unwrap()), "SecretText(..)");
    }
}
