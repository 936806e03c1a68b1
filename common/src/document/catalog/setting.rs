//! The settings of a catalog: what a tenant may choose, of which type it is, and what it means.

use core::net::IpAddr;

use crate::id::Address;
use crate::text::printable::shortened;
use crate::text::problem::{Problem, nearest};
use crate::time::parse_duration_ms;

mod pattern;
mod read;
mod unit;
mod url;

pub use self::pattern::TextPattern;
pub(super) use self::read::read_all;
pub(crate) use self::unit::size_bytes;

/// The length at which a value is cut in a message.
const SHOWN_MAX: usize = 80;

/// A setting of a catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub kind: SettingKind,
    /// The value of a tenant that gives none. Without one, every tenant must give a value.
    pub default: Option<String>,
    /// Whether an empty value is valid, which means that there is none.
    pub may_be_empty: bool,
    /// What the setting is for, in one sentence; empty if the catalog does not say.
    pub means: String,
}

/// The type of a setting's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingKind {
    /// Any text, or one that matches a pattern.
    Text(Option<TextPattern>),
    /// A whole number.
    Number(NumberRange),
    Bool,
    /// One of these, in the order in which the catalog lists them.
    Choice(Vec<SettingChoice>),
    /// An IP address.
    Address,
    /// A host name or an IP address.
    Host,
    /// A port number from 1 to 65535.
    Port(NumberRange),
    /// A duration such as `30s`.
    Duration,
    /// A number of bytes such as `512MiB`.
    Size,
    /// A URL with a scheme and a host.
    Url,
}

/// One value of a choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingChoice {
    pub value: String,
    /// What follows from it, in one sentence.
    pub means: String,
}

/// The bounds of a number, both of which are valid values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberRange {
    pub min: Option<i64>,
    pub max: Option<i64>,
}

/// Why a text is not a value of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    pub message: String,
    /// What to write instead, if that is known.
    pub hint: Option<String>,
}

impl Setting {
    /// Checks that a text is a value of this setting.
    ///
    /// # Errors
    /// Returns what is wrong with it, and what may be meant.
    pub fn check(&self, value: &str) -> Result<(), Mismatch> {
        if value.is_empty() {
            let message = format!("is empty, and must be {}", self.kind.noun());
            return if self.may_be_empty { Ok(()) } else { Err(mismatch(message)) };
        }
        self.kind.check(value)
    }
}

impl SettingKind {
    /// Returns the word for the type in a catalog.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Number(_) => "number",
            Self::Bool => "bool",
            Self::Choice(_) => "choice",
            Self::Address => "address",
            Self::Host => "host",
            Self::Port(_) => "port",
            Self::Duration => "duration",
            Self::Size => "size",
            Self::Url => "url",
        }
    }

    /// Whether its values are numbers, which have an order.
    #[must_use]
    pub fn is_number(&self) -> bool {
        match self {
            Self::Number(_) | Self::Port(_) => true,
            Self::Text(_)
            | Self::Bool
            | Self::Choice(_)
            | Self::Address
            | Self::Host
            | Self::Duration
            | Self::Size
            | Self::Url => false,
        }
    }

    /// Returns what its values are, in words.
    fn noun(&self) -> String {
        match self {
            Self::Text(None) => "a text".to_owned(),
            Self::Text(Some(pattern)) => format!("a text that matches {}", pattern.as_str()),
            Self::Number(range) => range.noun(i64::MIN, i64::MAX),
            Self::Bool => "true or false".to_owned(),
            Self::Choice(choices) => {
                let values: Vec<&str> = choices.iter().map(|choice| &*choice.value).collect();
                format!("one of {}", values.join(", "))
            }
            Self::Address => "an IP address".to_owned(),
            Self::Host => "a host name or an IP address".to_owned(),
            Self::Port(range) => range.noun(1, i64::from(u16::MAX)),
            Self::Duration => "a duration such as 500ms, 10s, 5m, 2h or 1d".to_owned(),
            Self::Size => "a size such as 512MiB or 2GiB".to_owned(),
            Self::Url => "a URL such as https://s3.example.com".to_owned(),
        }
    }

    fn check(&self, value: &str) -> Result<(), Mismatch> {
        let is_valid = match self {
            Self::Text(None) => true,
            Self::Text(Some(pattern)) => pattern.matches(value),
            Self::Number(range) => return range.check(value, i64::MIN, i64::MAX),
            Self::Port(range) => return range.check(value, 1, i64::from(u16::MAX)),
            Self::Bool => matches!(value, "true" | "false"),
            Self::Choice(choices) => choices.iter().any(|choice| choice.value == value),
            Self::Address => value.parse::<IpAddr>().is_ok(),
            Self::Host => value.parse::<Address>().is_ok(),
            Self::Duration => parse_duration_ms(value).is_ok(),
            Self::Size => size_bytes(value).is_some(),
            Self::Url => return url::check(value).map_err(|message| self.refuse(value, message)),
        };
        if is_valid { Ok(()) } else { Err(self.refuse(value, "")) }
    }

    /// Says that a text is none of its values, and why if that needs more words.
    fn refuse(&self, value: &str, because: &str) -> Mismatch {
        let because = if because.is_empty() { String::new() } else { format!(": {because}") };
        let shown = shortened(value, SHOWN_MAX);
        let message = format!("{shown:?} is not {}{because}", self.noun());
        Mismatch { message, hint: self.meant(value).map(|near| format!("did you mean {near}?")) }
    }

    /// Returns the value that was probably meant.
    fn meant(&self, value: &str) -> Option<String> {
        match self {
            Self::Bool => match value.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Some("true".to_owned()),
                "false" | "no" | "off" | "0" => Some("false".to_owned()),
                _ => None,
            },
            Self::Choice(choices) => {
                let known: Vec<&str> = choices.iter().map(|choice| &*choice.value).collect();
                nearest(value, &known).map(str::to_owned)
            }
            Self::Text(_)
            | Self::Number(_)
            | Self::Address
            | Self::Host
            | Self::Port(_)
            | Self::Duration
            | Self::Size
            | Self::Url => None,
        }
    }
}

impl NumberRange {
    /// The range of all numbers.
    pub const ALL: Self = Self { min: None, max: None };

    /// Whether a number is within the range.
    #[must_use]
    pub fn contains(self, number: i64) -> bool {
        self.min.is_none_or(|min| number >= min) && self.max.is_none_or(|max| number <= max)
    }

    /// Returns what its numbers are; `least` and `most` are the bounds that always hold.
    fn noun(self, least: i64, most: i64) -> String {
        let min = self.min.or((least > i64::MIN).then_some(least));
        let max = self.max.or((most < i64::MAX).then_some(most));
        match (min, max) {
            (None, None) => "a whole number".to_owned(),
            (Some(min), None) => format!("a whole number of at least {min}"),
            (None, Some(max)) => format!("a whole number of at most {max}"),
            (Some(min), Some(max)) => format!("a whole number from {min} to {max}"),
        }
    }

    fn check(self, value: &str, least: i64, most: i64) -> Result<(), Mismatch> {
        let number = value.parse::<i64>().ok();
        let is_valid = number.is_some_and(|n| n >= least && n <= most && self.contains(n));
        // A number is passed on as it was written, and 010 is another number to some programs.
        let plain = number.map(|number| number.to_string());
        if is_valid && plain.as_deref() == Some(value) {
            return Ok(());
        }
        let shown = shortened(value, SHOWN_MAX);
        let message = format!("{shown:?} is not {}", self.noun(least, most));
        let hint = plain.filter(|_| is_valid).map(|plain| format!("write {plain}"));
        Err(Mismatch { message, hint })
    }
}

impl Mismatch {
    /// Makes a problem of it at the place that `at` names.
    #[must_use]
    pub fn problem(self, at: impl FnOnce(String) -> Problem) -> Problem {
        let problem = at(self.message);
        self.hint.into_iter().fold(problem, Problem::hint)
    }
}

fn mismatch(message: String) -> Mismatch {
    Mismatch { message, hint: None }
}

#[cfg(test)]
mod tests;
