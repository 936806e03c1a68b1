//! A new value of a secret: one that an operator gives, or one that is made here.

use std::fmt;
use std::ops::RangeInclusive;

use oml_common::text::problem::Problem;
use oml_common::text::secret_text::SecretText;
use oml_daemon::env::Random;
use zeroize::Zeroizing;

use super::Result;

/// The lengths of a generated value, in characters.
pub const GENERATED_LEN: RangeInclusive<u32> = 8..=256;
/// The length of a generated value if none is wanted; more than 190 bits.
pub const GENERATED_LEN_DEFAULT: u32 = 32;

const SYMBOLS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The value that a secret should get.
#[derive(Clone)]
pub enum NewValue {
    Given(Zeroizing<String>),
    /// Letters and digits, of this length.
    Generated(u32),
}

/// Says where the value comes from, and not which it is.
impl fmt::Debug for NewValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(_) => f.write_str("Given(..)"),
            Self::Generated(length) => write!(f, "Generated({length})"),
        }
    }
}

impl NewValue {
    /// Returns the value, which is made now if it should be generated.
    pub(in crate::ops) fn read(&self, random: &Random) -> Result<SecretText> {
        let text = match self {
            Self::Given(text) => text.clone(),
            Self::Generated(length) if GENERATED_LEN.contains(length) => {
                generated(*length, random)?
            }
            Self::Generated(length) => {
                let (least, most) = (GENERATED_LEN.start(), GENERATED_LEN.end());
                let message = format!("a generated value has {least} to {most} characters");
                let hint = format!("{length} was asked for");
                return Err(Problem::new("length", message).hint(hint).into());
            }
        };
        SecretText::read(text).map_err(|error| Problem::new("value", error.to_string()).into())
    }
}

/// Makes a text of letters and digits, each as likely as any other.
fn generated(length: u32, random: &Random) -> Result<Zeroizing<String>> {
    // Above the greatest multiple of 62 some symbols would be more likely.
    const FAIR: u8 = 248;
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let mut text = Zeroizing::new(String::with_capacity(length));
    while text.len() < length {
        let bytes = Zeroizing::new(random.bytes::<64>()?);
        let fair = bytes.iter().filter(|byte| **byte < FAIR);
        let symbols = fair.map(|byte| char::from(SYMBOLS[usize::from(*byte) % SYMBOLS.len()]));
        let missing = length - text.len();
        text.extend(symbols.take(missing));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(length: u32) -> String {
        NewValue::Generated(length).read(&Random::system()).unwrap().reveal().to_owned()
    }

    #[test]
    fn a_generated_value_has_the_length_that_is_wanted_and_only_letters_and_digits() {
        for length in [8, 32, 65, 256] {
            let text = made(length);
            assert_eq!(text.len(), length as usize);
            assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{length}");
        }
        assert_ne!(made(32), made(32));
        let many: String = (0..200).map(|_| made(256)).collect();
        for symbol in SYMBOLS {
            let times = many.bytes().filter(|byte| byte == symbol).count();
            assert!((600..1_100).contains(&times), "{} {times}", char::from(*symbol));
        }
    }

    #[test]
    fn a_value_is_not_shown_for_debugging() {
        let given = NewValue::Given(Zeroizing::new("s3cret".to_owned()));
        assert_eq!(format!("{given:?}"), "Given(..)");
    }

    #[test]
    fn a_length_out_of_bounds_is_refused() {
        for length in [0, 7, 257, u32::MAX] {
            let error = NewValue::Generated(length).read(&Random::system()).unwrap_err();
            assert!(error.to_string().contains("8 to 256 characters"), "{error}");
        }
    }
}
