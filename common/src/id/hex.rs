//! Numbers of certificates and hashes of keys, written as hexadecimal digits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The serial number of a certificate. A later certificate of the same holder has a
/// higher one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Serial(pub u128);

/// The SHA-256 hash of a certificate, a public key or a secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(pub [u8; 32]);

/// The error of a text that is not a hexadecimal number of the right length.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not {digits} lower-case hexadecimal digits")]
pub struct InvalidHex {
    digits: usize,
}

impl Fingerprint {
    /// Hashes `bytes` with SHA-256 (FIPS 180-4).
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Serial {
    type Err = InvalidHex;
    fn from_str(text: &str) -> Result<Self, InvalidHex> {
        Ok(Self(u128::from_be_bytes(unhex(text)?)))
    }
}

impl FromStr for Fingerprint {
    type Err = InvalidHex;
    fn from_str(text: &str) -> Result<Self, InvalidHex> {
        unhex(text).map(Self)
    }
}

fn unhex<const N: usize>(text: &str) -> Result<[u8; N], InvalidHex> {
    let invalid = InvalidHex { digits: 2 * N };
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if text.len() != 2 * N || !text.bytes().all(is_hex) {
        return Err(invalid);
    }
    let mut bytes = [0; N];
    for (n, byte) in bytes.iter_mut().enumerate() {
        let digits = &text[2 * n..2 * n + 2];
        *byte = u8::from_str_radix(digits, 16).map_err(|_checked_above| invalid.clone())?;
    }
    Ok(bytes)
}

macro_rules! hex_text {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = InvalidHex;
            fn try_from(text: String) -> Result<Self, InvalidHex> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

hex_text!(Serial);
hex_text!(Fingerprint);
