//! Converts the enums of the core to those of the protocol, and those to words. Operators
//! read the words in tables, JSON and YAML; no program makes decisions by them.

use oml_common::decide::status::OverallHealth;
use oml_common::decide::verdict::{ChangeOutcome, Holds};
use oml_common::document::report::Phase;
use oml_common::document::revision;
use oml_common::document::rollout::State;
use oml_common::document::status;
use serde::Serializer;

use crate::v1;

/// An enum of the protocol that has a word for every value.
pub trait EnumName: TryFrom<i32> + Copy {
    /// Returns the word for this value; it is empty for `Unspecified`.
    fn as_str(self) -> &'static str;
}

/// Returns the word for the value of a field. A value that this program does not know,
/// because a newer program wrote it, is `unknown`.
#[must_use]
pub fn name_of<W: EnumName>(value: i32) -> &'static str {
    W::try_from(value).map_or("unknown", EnumName::as_str)
}

/// Serializes the value of a field as its word.
pub(crate) fn serialize<W: EnumName, S: Serializer>(
    value: &i32,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name_of::<W>(*value))
}

macro_rules! names {
    ($($kind:ident { $($value:ident: $name:literal),* $(,)? })*) => {$(
        impl EnumName for v1::$kind {
            fn as_str(self) -> &'static str {
                match self {
                    v1::$kind::Unspecified => "",
                    $(v1::$kind::$value => $name,)*
                }
            }
        }
    )*};
}

names! {
    PhaseName {
        Pending: "pending",
        Pulling: "pulling",
        Preparing: "preparing",
        Draining: "draining",
        Starting: "starting",
        Soaking: "soaking",
        Ready: "ready",
        Unhealthy: "unhealthy",
        CrashLooping: "crash-looping",
        StoppedByHand: "stopped-by-hand",
        RolledBack: "rolled-back",
        Failed: "failed",
        Blocked: "blocked",
        Removing: "removing",
        Unknown: "unknown",
    }
    Health {
        Unknown: "unknown",
        Starting: "starting",
        Healthy: "healthy",
        Unhealthy: "unhealthy",
    }
    RolloutState {
        Progressing: "progressing",
        Completed: "completed",
        Paused: "paused",
        RollingBack: "rolling-back",
        RolledBack: "rolled-back",
        Superseded: "superseded",
        Unknown: "unknown",
    }
    ChangeKind {
        Add: "add",
        Remove: "remove",
        Replace: "replace",
        Update: "update",
        Spec: "spec",
        Unknown: "unknown",
    }
    RevisionKind {
        Apply: "apply",
        SetVersion: "set-version",
        Rollback: "rollback",
        RotateSecret: "rotate-secret",
        RotateCertificate: "rotate-certificate",
        Unknown: "unknown",
    }
    ChangeOutcome {
        Waiting: "waiting",
        Done: "done",
        Failed: "failed",
        RolledBack: "rolled-back",
    }
    NodeState {
        Connected: "connected",
        Unreachable: "unreachable",
        NeverSeen: "never-seen",
    }
    OverallHealth {
        Healthy: "healthy",
        NotHealthy: "not-healthy",
    }
    RunOutcome {
        Exited: "exited",
        DeadlineExceeded: "deadline-exceeded",
        Interrupted: "interrupted",
        NotStarted: "not-started",
        Unknown: "unknown",
    }
    RunState {
        Waiting: "waiting",
        Running: "running",
        Unanswered: "unanswered",
        Lost: "lost",
        Ended: "ended",
    }
    SettingOrigin {
        Missing: "missing",
        Default: "default",
        Tenant: "tenant",
    }
}

impl From<Phase> for v1::PhaseName {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Pending => Self::Pending,
            Phase::Pulling { .. } => Self::Pulling,
            Phase::Preparing => Self::Preparing,
            Phase::Draining { .. } => Self::Draining,
            Phase::Starting => Self::Starting,
            Phase::Soaking { .. } => Self::Soaking,
            Phase::Ready => Self::Ready,
            Phase::Unhealthy => Self::Unhealthy,
            Phase::CrashLooping => Self::CrashLooping,
            Phase::StoppedByHand { .. } => Self::StoppedByHand,
            Phase::RolledBack => Self::RolledBack,
            Phase::Failed => Self::Failed,
            Phase::Blocked => Self::Blocked,
            Phase::Removing => Self::Removing,
            Phase::Unknown => Self::Unknown,
        }
    }
}

impl From<status::Health> for v1::Health {
    fn from(health: status::Health) -> Self {
        match health {
            status::Health::Unknown => Self::Unknown,
            status::Health::Starting => Self::Starting,
            status::Health::Healthy => Self::Healthy,
            status::Health::Unhealthy => Self::Unhealthy,
        }
    }
}

impl From<&State> for v1::RolloutState {
    fn from(state: &State) -> Self {
        match state {
            State::Progressing { .. } => Self::Progressing,
            State::Completed => Self::Completed,
            State::Paused { .. } => Self::Paused,
            State::RollingBack { .. } => Self::RollingBack,
            State::RolledBack { .. } => Self::RolledBack,
            State::Superseded => Self::Superseded,
        }
    }
}

impl From<ChangeOutcome> for v1::ChangeOutcome {
    fn from(outcome: ChangeOutcome) -> Self {
        match outcome {
            ChangeOutcome::Waiting => Self::Waiting,
            ChangeOutcome::Done => Self::Done,
            ChangeOutcome::Failed => Self::Failed,
            ChangeOutcome::RolledBack => Self::RolledBack,
        }
    }
}

impl From<OverallHealth> for v1::OverallHealth {
    fn from(health: OverallHealth) -> Self {
        match health {
            OverallHealth::Healthy => Self::Healthy,
            OverallHealth::NotHealthy => Self::NotHealthy,
        }
    }
}

impl From<&Holds> for v1::ChangeHolds {
    fn from(holds: &Holds) -> Self {
        match holds {
            Holds::Contained => Self::Contained,
            Holds::Altered(_) => Self::Altered,
            Holds::Unknown(_) => Self::Unknown,
        }
    }
}

impl From<revision::ChangeKind> for v1::ChangeKind {
    fn from(kind: revision::ChangeKind) -> Self {
        match kind {
            revision::ChangeKind::Add => Self::Add,
            revision::ChangeKind::Remove => Self::Remove,
            revision::ChangeKind::Replace => Self::Replace,
            revision::ChangeKind::Update => Self::Update,
            revision::ChangeKind::Unknown => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    //! Tests that the words of the protocol are those of the core.

    use oml_common::document::rollout::{FailureSummary, PauseReason};
    use oml_common::time::Timestamp;

    use super::*;

    #[test]
    fn the_protocol_has_the_words_of_the_core() {
        let at = Timestamp(1);
        let phases = [
            Phase::Pending,
            Phase::Pulling { bytes_done: 1, bytes_total: 2 },
            Phase::Preparing,
            Phase::Draining { deadline: at },
            Phase::Starting,
            Phase::Soaking { until: at },
            Phase::Ready,
            Phase::Unhealthy,
            Phase::CrashLooping,
            Phase::StoppedByHand { since: at },
            Phase::RolledBack,
            Phase::Failed,
            Phase::Blocked,
            Phase::Removing,
            Phase::Unknown,
        ];
        for phase in phases {
            assert_eq!(v1::PhaseName::from(phase).as_str(), phase.as_str());
        }
        let why = FailureSummary::of(&[]);
        let states = [
            State::Progressing { wave: 0 },
            State::Completed,
            State::Paused { why: PauseReason::Restored, returning: false },
            State::RollingBack { why: why.clone() },
            State::RolledBack { why },
            State::Superseded,
        ];
        for state in &states {
            assert_eq!(v1::RolloutState::from(state).as_str(), state.as_str());
        }
        use revision::ChangeKind::{Add, Remove, Replace, Unknown, Update};
        for kind in [Add, Remove, Replace, Update, Unknown] {
            assert_eq!(v1::ChangeKind::from(kind).as_str(), kind.as_str());
        }
    }

    #[test]
    fn a_value_of_a_newer_program_is_unknown() {
        assert_eq!(
            name_of::<v1::RolloutState>(v1::RolloutState::RollingBack.into()),
            "rolling-back"
        );
        assert_eq!(name_of::<v1::RolloutState>(0), "");
        assert_eq!(name_of::<v1::RolloutState>(4711), "unknown");
    }
}
