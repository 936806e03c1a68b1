//! Reads the value of a secret: what is typed at a terminal, without showing it, or standard input.

use std::io::{self, IsTerminal as _, Read};

use console::Term;
use oml_common::text::problem::Problem;
use oml_common::text::secret_text::{SECRET_BYTES_MAX, SecretText};
use oml_proto::v1::NewSecretValue;
use zeroize::Zeroizing;

use crate::error::CommandError;

/// Reads the value of a secret.
///
/// # Errors
/// Returns a usage error for a value that cannot be one, and never shows it.
pub(super) fn read(name: &str) -> Result<NewSecretValue, CommandError> {
    let text = match io::stdin().is_terminal() {
        true => typed(&Term::stderr(), name)?,
        false => whole(&mut io::stdin().lock())?,
    };
    let value = SecretText::read(text).map_err(|error| refused(error.to_string()))?;
    Ok(NewSecretValue { value: value.reveal().to_owned(), generate_length: 0 })
}

/// Asks for a value twice, because nobody sees what is typed.
fn typed(terminal: &Term, name: &str) -> Result<Zeroizing<String>, CommandError> {
    let ask = |question: &str| -> Result<Zeroizing<String>, CommandError> {
        terminal.write_str(question).map_err(CommandError::Input)?;
        terminal.read_secure_line().map(Zeroizing::new).map_err(CommandError::Input)
    };
    let first = ask(&format!("value of secret {name} (not shown): "))?;
    let second = ask("once more: ")?;
    match *first == *second {
        true => Ok(first),
        false => Err(refused("the two values differ".to_owned())),
    }
}

/// Reads the input to its end, as far as a value may be long.
fn whole(input: &mut impl Read) -> Result<Zeroizing<String>, CommandError> {
    // One more for the line end, and one by which a longer text is noticed.
    let limit = SECRET_BYTES_MAX + 3;
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit));
    input.take(limit as u64).read_to_end(&mut bytes).map_err(CommandError::Input)?;
    let text = std::str::from_utf8(&bytes);
    let text = text.map_err(|_not_text| refused("the value is not text (UTF-8)".to_owned()))?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn refused(message: String) -> CommandError {
    CommandError::usage(&Problem::new("", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_is_read_to_its_end_and_no_further_than_a_value_is_long() {
        assert_eq!(*whole(&mut "s3cret\n".as_bytes()).unwrap(), "s3cret\n");
        let text = whole(&mut io::repeat(b'x')).unwrap();
        assert!(SecretText::read(text).is_err());
        let error = whole(&mut [0xff].as_slice()).unwrap_err().to_string();
        assert_eq!(error, "the value is not text (UTF-8)");
    }
}
