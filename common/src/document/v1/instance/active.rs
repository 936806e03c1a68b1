//! How the calls of a component are counted.

use serde::{Deserialize, Serialize};

use crate::document::is_default;

/// A command inside the container that counts the calls which a stop would cut, or several where none
/// sees all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveProbe {
    /// The program and its arguments; empty where there are several commands. An agent of release
    /// 0.1.0 knows this one only, and the engine refuses to run no command, so that the count is not
    /// known there. By one of several it would find fewer calls than there are.
    pub command: Vec<String>,
    /// The text on a line of the output that follows the count; empty beside an empty command.
    pub before: String,
    /// The word for what is counted, in the plural: "calls".
    pub noun: String,
    /// The commands, where there are several.
    #[serde(default, skip_serializing_if = "is_default")]
    pub several: Vec<ActiveSource>,
    /// What the counts of several commands are together.
    #[serde(default, skip_serializing_if = "is_default")]
    pub total: ActiveTotal,
}

/// One of the commands that count calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveSource {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The text on a line of the output that follows the count.
    pub before: String,
}

/// What several counts are together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActiveTotal {
    /// Their sum, where every command counts other calls.
    #[default]
    Sum,
    /// The largest one, where the commands count the same calls.
    Max,
}

/// The way in which the calls of a running instance are counted, from its document or label.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Counting {
    /// The instance has no calls, so a stop cuts none.
    #[default]
    Nothing,
    By(ActiveProbe),
    /// There may be calls: the document and the label are missing, or only a later release
    /// understands how they are counted.
    Unknown,
}

impl From<Option<ActiveProbe>> for Counting {
    fn from(probe: Option<ActiveProbe>) -> Self {
        probe.map_or(Self::Nothing, Self::By)
    }
}

impl Counting {
    /// Returns the probe that counts calls, if there is one.
    #[must_use]
    pub fn probe(&self) -> Option<&ActiveProbe> {
        match self {
            Self::By(probe) => Some(probe),
            Self::Nothing | Self::Unknown => None,
        }
    }
}

impl ActiveProbe {
    /// Makes a probe with one command.
    #[must_use]
    pub fn single(command: Vec<String>, before: String, noun: String) -> Self {
        Self { command, before, noun, several: Vec::new(), total: ActiveTotal::default() }
    }

    /// Makes a probe with these commands; none if there are none. One count is the same by every
    /// total, and is written as if there had been no choice.
    #[must_use]
    pub fn of(sources: Vec<ActiveSource>, noun: String, total: ActiveTotal) -> Option<Self> {
        match <[ActiveSource; 1]>::try_from(sources) {
            Ok([ActiveSource { command, before }]) => Some(Self::single(command, before, noun)),
            Err(several) if several.is_empty() => None,
            Err(several) => {
                let (command, before) = (Vec::new(), String::new());
                Some(Self { command, before, noun, several, total })
            }
        }
    }

    /// Returns every command, each with the text that follows its count.
    pub fn sources(&self) -> impl Iterator<Item = (&[String], &str)> {
        let only = self.several.is_empty();
        let only = only.then_some((self.command.as_slice(), self.before.as_str()));
        let several = self.several.iter().map(|it| (it.command.as_slice(), it.before.as_str()));
        only.into_iter().chain(several)
    }
}

impl ActiveTotal {
    /// Returns what these counts are together; 0 if there are none.
    #[must_use]
    pub fn of(self, counts: &[u64]) -> u64 {
        match self {
            Self::Sum => counts.iter().fold(0, |sum, count| sum.saturating_add(*count)),
            Self::Max => counts.iter().copied().max().unwrap_or(0),
        }
    }
}
