//! Parses arguments of the form `key=value`.

use std::fmt;
use std::str::FromStr;

use oml_common::text::printable::printable;
use oml_common::text::problem::{Problem, nearest};

use crate::error::CommandError;

/// The pairs of one command line, in the order in which they were given.
#[derive(Debug)]
pub(crate) struct Pairs {
    given: Vec<(String, String)>,
}

impl Pairs {
    /// Parses pairs and refuses keys that are not in `known`.
    pub(crate) fn parse(words: &[String], known: &[&str]) -> Result<Self, CommandError> {
        if let Some(error) = bare_word(words, known) {
            return Err(error);
        }
        let pairs = Self::open(words)?;
        let unknown = pairs.given.iter().map(|(key, _)| key.as_str()).find(|k| !known.contains(k));
        match unknown {
            Some(key) => {
                let problem = Problem::new(key, "unknown key");
                Err(CommandError::usage(&problem.suggest(key, known.iter().copied())))
            }
            None => Ok(pairs),
        }
    }

    /// Parses pairs with any keys and refuses duplicates.
    pub(crate) fn open(words: &[String]) -> Result<Self, CommandError> {
        if let Some(error) = bare_word(words, &[]) {
            return Err(error);
        }
        let mut given: Vec<(String, String)> = Vec::with_capacity(words.len());
        for word in words {
            let (key, value) = split(word)?;
            if given.iter().any(|(other, _)| other == key) {
                return Err(CommandError::usage(&Problem::new(key, "given twice")));
            }
            given.push((key.to_owned(), value.to_owned()));
        }
        Ok(Self { given })
    }

    /// Takes the value of a required key. The message for a missing key shows `example`.
    pub(crate) fn need<T>(&mut self, key: &str, example: &str) -> Result<T, CommandError>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        match self.optional(key)? {
            Some(value) => Ok(value),
            None => {
                let given: Vec<&str> = self.given.iter().map(|(key, _)| key.as_str()).collect();
                let hint = match nearest(key, &given) {
                    Some(near) => format!("did you mean {key}= instead of {near}=?"),
                    None => format!("for example {key}={example}"),
                };
                let problem = Problem::new("", format!("{key}= is missing"));
                Err(CommandError::usage(&problem.hint(hint)))
            }
        }
    }

    /// Takes the value of an optional key.
    pub(crate) fn optional<T>(&mut self, key: &str) -> Result<Option<T>, CommandError>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        match self.given.iter().position(|(other, _)| other == key) {
            Some(at) => {
                let (key, value) = self.given.remove(at);
                value_of(&key, &value).map(Some)
            }
            None => Ok(None),
        }
    }

    /// Returns the pairs that were not taken, as names and values. The error has a line for every pair
    /// that is wrong.
    pub(crate) fn rest<K, V>(self) -> Result<Vec<(K, V)>, CommandError>
    where
        K: FromStr,
        K::Err: fmt::Display,
        V: FromStr,
        V::Err: fmt::Display,
    {
        let (mut read, mut wrong) = (Vec::new(), Vec::new());
        for (key, value) in &self.given {
            let name: Result<K, K::Err> = key.parse();
            match (name, value_of(key, value)) {
                (Ok(name), Ok(value)) => read.push((name, value)),
                (name, value) => {
                    wrong.extend(name.err().map(|error| shown(&error)));
                    wrong.extend(value.err().map(|error| shown(&error)));
                }
            }
        }
        match wrong.len() {
            0 => Ok(read),
            1 => Err(CommandError::Usage(wrong.concat())),
            _ => Err(CommandError::Problems(
                wrong.into_iter().map(|message| Problem::new("", message)).collect(),
            )),
        }
    }
}

/// The number of a revision, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number(pub(crate) u64);

/// The error of a text that is not the number of a revision.
#[derive(Debug, thiserror::Error)]
#[error("must be a revision number: 1, 2, 3, …")]
pub(crate) struct InvalidNumber;

impl FromStr for Number {
    type Err = InvalidNumber;

    fn from_str(text: &str) -> Result<Self, InvalidNumber> {
        text.parse().ok().filter(|n| *n > 0).map(Number).ok_or(InvalidNumber)
    }
}

/// A list with commas, as it is typed: `voice,app`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct List<T>(pub(crate) Vec<T>);

impl<T: FromStr> FromStr for List<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        text.split(',').map(str::parse).collect::<Result<_, _>>().map(List)
    }
}

/// Returns an error for the first word that is not a pair, with a hint at the pair that was
/// most likely meant. If `known` is empty, every key except `tenant` is a component.
pub(crate) fn bare_word(words: &[String], known: &[&str]) -> Option<CommandError> {
    let at = words.iter().position(|word| !word.contains('='))?;
    let word = words[at].as_str();
    let next = words.get(at + 1).filter(|next| !next.contains('='));
    let is_given =
        |key: &str| words.iter().any(|word| word.split_once('=').is_some_and(|(k, _)| k == key));
    let missing: Vec<&str> = known.iter().copied().filter(|key| !is_given(key)).collect();
    let is_key = word == "tenant" || known.contains(&word);
    let is_component = known.is_empty() && is_given("tenant");
    let meant = match (next, missing.as_slice()) {
        (Some(next), _) if is_key || is_component => Some((word, next.as_str())),
        _ if is_key || is_component => None,
        (_, [key]) => Some((*key, word)),
        (_, [key, ..]) if missing.len() < known.len() => Some((*key, word)),
        (_, []) if known.is_empty() => Some(("tenant", word)),
        _ => None,
    };
    let hint = match meant {
        Some((key, value)) => format!("did you mean {key}={value}?"),
        None if is_component => "for example asterisk=230204.01".to_owned(),
        None => "for example tenant=acme".to_owned(),
    };
    let message = format!("{:?} is not of the form key=value", printable(word));
    Some(CommandError::usage(&Problem::new("", message).hint(hint)))
}

fn split(word: &str) -> Result<(&str, &str), CommandError> {
    match word.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key, value)),
        Some(_) | None => {
            let message = format!("{:?} is not of the form key=value", printable(word));
            Err(CommandError::usage(&Problem::new("", message).hint("for example tenant=acme")))
        }
    }
}

fn value_of<T>(key: &str, value: &str) -> Result<T, CommandError>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    if value.is_empty() {
        return Err(CommandError::usage(&Problem::new(key, "the value is empty")));
    }
    value.parse().map_err(|error: T::Err| CommandError::usage(&Problem::new(key, shown(&error))))
}

fn shown(error: &impl fmt::Display) -> String {
    error.to_string()
}
