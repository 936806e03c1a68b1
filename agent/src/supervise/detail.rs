//! What a supervisor says of its instance beside its health. The status file holds it as text.

use std::fmt::{Display, Formatter, Result};

/// The last thing that happened to an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Detail {
    /// Its container is being started.
    Started,
    NotProbedYet,
    /// Its probe is another one since the last result.
    ProbeChanged,
    /// systemd stopped it.
    Stopped,
    /// The result of the probe.
    Answer(String),
    /// Its start time-out is over, and it is not stopped; before that, this was said of it.
    KeptForCalls(Box<Detail>),
    /// It ended, or was stopped, for this reason.
    Ended(String),
    NotStarted(String),
    /// It should have been stopped for the first reason, and was not for the second one.
    NotStopped {
        because: String,
        error: String,
    },
    /// systemd stopped its unit, and it was not stopped.
    UnitStoppedAlone {
        error: String,
    },
    /// What the supervisor before this one said.
    Before(String),
}

impl Display for Detail {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Started => f.write_str("started"),
            Self::NotProbedYet => f.write_str("not probed yet"),
            Self::ProbeChanged => f.write_str("its probe has changed"),
            Self::Stopped => f.write_str("stopped"),
            Self::Answer(text)
            | Self::Ended(text)
            | Self::NotStarted(text)
            | Self::Before(text) => f.write_str(text),
            Self::KeptForCalls(before) => {
                write!(f, "{before}; it is not stopped while calls are up or cannot be counted")
            }
            Self::NotStopped { because, error } => write!(f, "{because}; {error}"),
            Self::UnitStoppedAlone { error } => {
                write!(f, "its unit was stopped, and its container was not: {error}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    //! Tests of the words.

    use super::*;

    #[test]
    fn every_detail_has_its_words() {
        let text = || "connection refused".to_owned();
        let error = || "docker does not answer".to_owned();
        for (detail, words) in [
            (Detail::Started, "started"),
            (Detail::NotProbedYet, "not probed yet"),
            (Detail::ProbeChanged, "its probe has changed"),
            (Detail::Stopped, "stopped"),
            (Detail::Answer(text()), "connection refused"),
            (Detail::Ended(text()), "connection refused"),
            (Detail::NotStarted(text()), "connection refused"),
            (Detail::Before(text()), "connection refused"),
            (
                Detail::KeptForCalls(Box::new(Detail::Answer(text()))),
                "connection refused; it is not stopped while calls are up or cannot be counted",
            ),
            (
                Detail::NotStopped { because: text(), error: error() },
                "connection refused; docker does not answer",
            ),
            (
                Detail::UnitStoppedAlone { error: error() },
                "its unit was stopped, and its container was not: docker does not answer",
            ),
        ] {
            assert_eq!(detail.to_string(), words);
        }
    }
}
