//! How the calls of a component are counted.

use serde::{Deserialize, Serialize};

use crate::document::is_default;

/// A command inside the container that counts the calls which a stop would cut, and more of them if
/// one does not see all calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveProbe {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The text on a line of the output that follows the count.
    pub before: String,
    /// The word for what is counted, in the plural: "calls".
    pub noun: String,
    /// The commands that count beside the first one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub more: Vec<ActiveSource>,
    /// What the counts of several commands are together.
    #[serde(default, skip_serializing_if = "is_default")]
    pub total: ActiveTotal,
}

/// One more command that counts calls.
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
        Self { command, before, noun, more: Vec::new(), total: ActiveTotal::default() }
    }

    /// Returns every command, each with the text that follows its count.
    pub fn sources(&self) -> impl Iterator<Item = (&[String], &str)> {
        let first = (self.command.as_slice(), self.before.as_str());
        let more = self.more.iter().map(|it| (it.command.as_slice(), it.before.as_str()));
        [first].into_iter().chain(more)
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
