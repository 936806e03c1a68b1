//! Reads a certificate and its key from files or from standard input.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::{Path, PathBuf};

use oml_common::text::error::chain;
use oml_common::text::problem::Problem;
use oml_proto::v1::NewSecretValue;
use zeroize::Zeroizing;

use crate::error::CommandError;

/// The longest text that the controller reads, in bytes.
const PEM_BYTES_MAX: usize = 64 << 10;

/// Where the certificate and its key are.
#[derive(Debug)]
pub(in crate::verb) enum PemFiles {
    /// Both on standard input.
    Input,
    /// In files, of which one may be standard input.
    Files { certificate: PathBuf, key: PathBuf },
}

/// A certificate and its key as texts, which nothing prints.
#[derive(Debug)]
pub(super) struct ReadPem {
    pub(super) certificate: NewSecretValue,
    pub(super) key: NewSecretValue,
}

impl PemFiles {
    pub(super) fn of(
        certificate: Option<PathBuf>,
        key: Option<PathBuf>,
    ) -> Result<Self, CommandError> {
        let Some((certificate, key)) = certificate.zip(key) else { return Ok(Self::Input) };
        if is_input(&certificate) && is_input(&key) {
            let problem = Problem::new("", "both are read from standard input");
            let hint = "leave --certificate and --key out, and give both in one text";
            return Err(CommandError::usage(&problem.hint(hint)));
        }
        Ok(Self::Files { certificate, key })
    }

    /// Reads both texts.
    pub(super) fn read(self) -> Result<ReadPem, CommandError> {
        match self {
            Self::Input if io::stdin().is_terminal() => {
                let problem = Problem::new("", "no certificate is given");
                let hint = "write --certificate FILE --key FILE, or give both on standard input";
                Err(CommandError::usage(&problem.hint(hint)))
            }
            Self::Input => {
                let text = of_input()?;
                Ok(ReadPem { certificate: text.clone(), key: text })
            }
            Self::Files { certificate, key } => match (of_file(&certificate), of_file(&key)) {
                (Ok(certificate), Ok(key)) => Ok(ReadPem { certificate, key }),
                (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
                (Err(of_certificate), Err(of_key)) => {
                    let both = [of_certificate, of_key].map(|error| chain(&error));
                    Err(CommandError::Usage(both.join("\n")))
                }
            },
        }
    }
}

fn is_input(path: &Path) -> bool {
    path == Path::new("-")
}

fn of_input() -> Result<NewSecretValue, CommandError> {
    value("standard input", &mut io::stdin().lock()).map_err(|error| match error {
        Unread::Input(source) => CommandError::Input(source),
        Unread::Text(problem) => CommandError::usage(&problem),
    })
}

fn of_file(path: &Path) -> Result<NewSecretValue, CommandError> {
    if is_input(path) {
        return of_input();
    }
    let failed = |source| CommandError::File { doing: "read", path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    value(&path.display().to_string(), &mut file).map_err(|error| match error {
        Unread::Input(source) => failed(source),
        Unread::Text(problem) => CommandError::usage(&problem),
    })
}

/// Why a text cannot be sent.
enum Unread {
    Input(io::Error),
    Text(Problem),
}

/// Reads a text to its end, as far as the controller reads one.
fn value(name: &str, input: &mut impl Read) -> Result<NewSecretValue, Unread> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(PEM_BYTES_MAX + 1));
    input.take(PEM_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(Unread::Input)?;
    if bytes.len() > PEM_BYTES_MAX {
        let message = format!("{name} is larger than {} KiB", PEM_BYTES_MAX >> 10);
        return Err(Unread::Text(Problem::new("", message)));
    }
    let Ok(text) = std::str::from_utf8(&bytes) else {
        let problem = Problem::new("", format!("{name} is not text in PEM"));
        let hint = "convert it: openssl x509 -inform der, openssl pkey -inform der";
        return Err(Unread::Text(problem.hint(hint)));
    };
    Ok(NewSecretValue { value: text.to_owned(), generate_length: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<String, String> {
        match value("key.pem", &mut &*bytes) {
            Ok(value) => Ok(value.value),
            Err(Unread::Text(problem)) => Err(problem.to_string()),
            Err(Unread::Input(error)) => Err(error.to_string()),
        }
    }

    #[test]
    fn a_text_is_read_as_it_is_and_no_further_than_the_controller_reads() {
        assert_eq!(read(b"-----BEGIN\r\n").as_deref(), Ok("-----BEGIN\r\n"));
        let error = read(&[b'x'; PEM_BYTES_MAX + 1]).unwrap_err();
        assert_eq!(error, "key.pem is larger than 64 KiB");
        let error = read(&[0x30, 0x82, 0xff]).unwrap_err();
        assert!(error.starts_with("key.pem is not text in PEM (convert it: "), "{error}");
    }
}
