//! Reads a secret from the text of a file: a password, a key, a token.

use super::printable::{is_hidden, name_of};

/// Why a text cannot be a secret. The message follows the name of the file and never
/// contains the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecret {
    /// There is nothing in the file but a line end.
    #[error("is empty")]
    Empty,
    /// A character that is not typed into a password, which an editor or a copy has left.
    #[error("contains {0}; write the value alone, on one line")]
    Hidden(String),
}

/// Returns the secret that a file holds, without the line end (LF or CR LF) that editors add.
/// Every program that reads a secret uses this function, so that all of them read the same.
///
/// # Errors
/// Returns why the rest cannot be a secret.
pub fn secret(text: &str) -> Result<&str, InvalidSecret> {
    let value = text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).unwrap_or(text);
    if value.is_empty() {
        return Err(InvalidSecret::Empty);
    }
    match value.chars().find(|c| is_hidden(*c) || *c == '\u{feff}') {
        Some(c) => Err(InvalidSecret::Hidden(name_of(c))),
        None => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_not_part_of_a_secret() {
        for text in ["s3cret", "s3cret\n", "s3cret\r\n"] {
            assert_eq!(secret(text), Ok("s3cret"), "{text:?}");
        }
        assert_eq!(secret(" two words "), Ok(" two words "));
    }

    #[test]
    fn an_empty_file_is_no_secret() {
        for text in ["", "\n", "\r\n"] {
            assert_eq!(secret(text), Err(InvalidSecret::Empty), "{text:?}");
        }
    }

    #[test]
    fn a_hidden_character_is_refused_by_its_name_and_the_secret_is_not_shown() {
        for (text, name) in [
            ("a\r", "a carriage return (U+000D)"),
            ("a\r\n\r\n", "a carriage return (U+000D)"),
            ("a\nb\n", "a line feed (U+000A)"),
            ("a\tb", "a tab (U+0009)"),
            ("a\0", "a zero byte (U+0000)"),
            ("\u{feff}a", "a byte order mark (U+FEFF)"),
            ("a\u{1b}[D", "an escape character (U+001B)"),
        ] {
            let error = secret(text).unwrap_err();
            let expected = format!("contains {name}; write the value alone, on one line");
            assert_eq!(error.to_string(), expected);
        }
    }
}
