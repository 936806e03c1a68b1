//! The verdict on a change: whether it is done, failed, rolled back, superseded or in
//! progress. The programs of operators show it and make no decisions themselves.

use std::collections::BTreeSet;
use std::fmt;

use crate::document::plan::Plan;
use crate::document::revision::Change;
use crate::document::rollout::{FailureSummary, PauseReason, Rollout, State};
use crate::id::{ComponentName, NodeName, RevisionNumber, TenantId};
use crate::text::printable::printable;
use crate::time::{Span, Timestamp};

/// The number of components that a sentence names.
const NAMED_MAX: usize = 5;

/// The change that the verdict is about.
#[derive(Debug, Clone, Copy)]
pub struct ChangeRef<'a> {
    /// The revision that the change made.
    pub revision: RevisionNumber,
    pub at: Timestamp,
    /// The changed instances; empty if only the text of the specification changed.
    pub changes: &'a [Change],
    /// The plan of the revision; `None` if it cannot be read.
    pub plan: Option<&'a Plan>,
}

/// The verdict on a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The rollout of the change, or of one that superseded it, is in progress.
    Waiting,
    /// Every node runs the revision.
    Done {
        /// The time from the change to the end of its rollout.
        took_ms: u64,
    },
    /// Every node runs the revision again, because a later one failed.
    Restored {
        /// The revision that failed.
        failed: RevisionNumber,
        why: FailureSummary,
    },
    /// Every node runs what it ran before.
    RolledBack {
        /// The revision that failed: this one, or one that superseded it.
        failed: RevisionNumber,
        /// The revision that runs again.
        to: RevisionNumber,
        why: FailureSummary,
    },
    /// The rollout is paused: an operator has to decide.
    Paused { rollout: RevisionNumber, why: PauseReason },
    /// The nodes run a later revision.
    Superseded {
        by: RevisionNumber,
        /// Whether the later revision contains this change.
        holds: Holds,
    },
}

/// Whether a later revision contains a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holds {
    /// Every instance that the change made is the same in the later revision.
    Contained,
    /// These instances differ in the later revision.
    Altered(BTreeSet<InstancePlace>),
    /// The revisions cannot be compared, for this reason.
    Unknown(Incomparable),
}

/// The reason why a change cannot be compared with a later revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incomparable {
    /// The change made no instance.
    TextOnly,
    /// The plan of one of the revisions cannot be read.
    UnreadablePlan,
    /// An instance in one of the plans was written by a newer release.
    NewerRelease,
}

/// A component on a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InstancePlace {
    pub node: NodeName,
    pub component: ComponentName,
}

/// The outcome of a change for the operator who made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeOutcome {
    /// The change is in progress.
    Waiting,
    /// The nodes run what the operator asked for.
    Done,
    /// The nodes do not run it, and will not without another change.
    Failed,
    /// The nodes run what they ran before.
    RolledBack,
}

/// Displays a verdict as a sentence.
#[derive(Debug, Clone, Copy)]
pub struct Sentence<'a> {
    pub verdict: &'a Verdict,
    /// The revision that the verdict is about.
    pub revision: RevisionNumber,
    pub tenant: &'a TenantId,
}

/// Returns the revision that all nodes run, if the rollout of the tenant has ended with one.
#[must_use]
pub fn converged_revision(rollout: &Rollout) -> Option<RevisionNumber> {
    match rollout.state {
        State::Completed => Some(rollout.to),
        State::RolledBack { .. } => rollout.from,
        State::Progressing { .. }
        | State::RollingBack { .. }
        | State::Paused { .. }
        | State::Superseded => None,
    }
}

/// Decides how a change ended, from the rollout of its tenant. `now` is the plan of the
/// revision that [`converged_revision`] returns. It is needed only if that revision is later than
/// the change.
#[must_use]
pub fn verdict(change: ChangeRef<'_>, rollout: Option<&Rollout>, now: Option<&Plan>) -> Verdict {
    let revision = change.revision;
    // The rollout of an earlier revision says nothing about this one.
    let Some(rollout) = rollout.filter(|rollout| rollout.to >= revision) else {
        return Verdict::Waiting;
    };
    if let Some(by) = converged_revision(rollout).filter(|by| *by > revision) {
        return Verdict::Superseded { by, holds: holds(change, now) };
    }
    match &rollout.state {
        State::Progressing { .. } | State::RollingBack { .. } | State::Superseded => {
            Verdict::Waiting
        }
        State::Completed => Verdict::Done { took_ms: rollout.since.since_ms(change.at) },
        State::RolledBack { why } if rollout.from == Some(revision) => {
            Verdict::Restored { failed: rollout.to, why: why.clone() }
        }
        State::RolledBack { why } => Verdict::RolledBack {
            failed: rollout.to,
            to: rollout.from.unwrap_or_default(),
            why: why.clone(),
        },
        State::Paused { why, .. } => Verdict::Paused { rollout: rollout.to, why: why.clone() },
    }
}

/// Compares the instances of a change with the later plan. Without a comparison, nothing
/// counts as contained.
fn holds(change: ChangeRef<'_>, now: Option<&Plan>) -> Holds {
    if change.changes.is_empty() {
        return Holds::Unknown(Incomparable::TextOnly);
    }
    let (Some(made), Some(now)) = (change.plan, now) else {
        return Holds::Unknown(Incomparable::UnreadablePlan);
    };
    let is_unreadable = |change: &Change| {
        let mut shares = [made, now].into_iter().filter_map(|plan| plan.nodes.get(&change.node));
        shares.any(|share| share.unreadable.contains_key(&change.component))
    };
    if change.changes.iter().any(is_unreadable) {
        return Holds::Unknown(Incomparable::NewerRelease);
    }
    let differs = |change: &&Change| {
        let desired = |plan: &'_ Plan| {
            let share = plan.nodes.get(&change.node);
            share.and_then(|share| share.instances.get(&change.component)).cloned()
        };
        desired(made) != desired(now)
    };
    let altered: BTreeSet<InstancePlace> = change
        .changes
        .iter()
        .filter(differs)
        .map(|Change { node, component, .. }| InstancePlace {
            node: node.clone(),
            component: component.clone(),
        })
        .collect();
    if altered.is_empty() { Holds::Contained } else { Holds::Altered(altered) }
}

impl Verdict {
    /// Returns the later revision that the nodes run, if one superseded the change.
    #[must_use]
    pub fn superseded_by(&self) -> Option<RevisionNumber> {
        match self {
            Verdict::Superseded { by, .. } => Some(*by),
            Verdict::Waiting
            | Verdict::Done { .. }
            | Verdict::Restored { .. }
            | Verdict::RolledBack { .. }
            | Verdict::Paused { .. } => None,
        }
    }

    /// Returns what the later revision holds of the change, if one superseded it.
    #[must_use]
    pub fn holds(&self) -> Option<&Holds> {
        match self {
            Verdict::Superseded { holds, .. } => Some(holds),
            Verdict::Waiting
            | Verdict::Done { .. }
            | Verdict::Restored { .. }
            | Verdict::RolledBack { .. }
            | Verdict::Paused { .. } => None,
        }
    }

    /// Returns the revision that all nodes run, if the change to `revision` has ended with
    /// one.
    #[must_use]
    pub fn in_effect(&self, revision: RevisionNumber) -> Option<RevisionNumber> {
        match self {
            Verdict::Done { .. } | Verdict::Restored { .. } => Some(revision),
            Verdict::RolledBack { to, .. } => Some(*to).filter(|to| to.0 > 0),
            Verdict::Superseded { by, .. } => Some(*by),
            Verdict::Waiting | Verdict::Paused { .. } => None,
        }
    }

    /// Returns the outcome of the change for the operator who made it.
    #[must_use]
    pub fn outcome(&self) -> ChangeOutcome {
        match self {
            Verdict::Waiting => ChangeOutcome::Waiting,
            Verdict::Done { .. }
            | Verdict::Restored { .. }
            | Verdict::Superseded { holds: Holds::Contained, .. } => ChangeOutcome::Done,
            Verdict::RolledBack { .. } => ChangeOutcome::RolledBack,
            Verdict::Paused { .. }
            | Verdict::Superseded { holds: Holds::Altered(_) | Holds::Unknown(_), .. } => {
                ChangeOutcome::Failed
            }
        }
    }
}

impl fmt::Display for InstancePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.component, self.node)
    }
}

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verdict, revision, tenant } = self;
        match verdict {
            Verdict::Waiting => {
                write!(f, "the rollout of revision {revision} of {tenant} is in progress")
            }
            Verdict::Done { took_ms } => {
                write!(f, "done: {tenant} runs revision {revision}, after {}", whole(*took_ms))
            }
            Verdict::Restored { failed, why } => write!(
                f,
                "done: {tenant} runs revision {revision} again, because revision {failed} failed{}",
                Because(why)
            ),
            Verdict::RolledBack { failed, to, why } if failed == revision => write!(
                f,
                "rolled back: revision {failed} of {tenant} failed, and its nodes run revision {to} again{}",
                Because(why)
            ),
            Verdict::RolledBack { failed, to, why } => write!(
                f,
                "rolled back: revision {failed} of {tenant}, which superseded {revision}, failed; its nodes run revision {to} again, without this change{}",
                Because(why)
            ),
            Verdict::Paused { rollout, why } => write!(
                f,
                "failed: the rollout of revision {rollout} of {tenant} is paused{}",
                Because(why)
            ),
            Verdict::Superseded { by, holds } => self.superseded(*by, holds, f),
        }
    }
}

impl Sentence<'_> {
    fn superseded(
        &self,
        by: RevisionNumber,
        holds: &Holds,
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        let Self { revision, tenant, .. } = self;
        match holds {
            Holds::Contained => write!(
                f,
                "done: {tenant} runs revision {by}, which superseded {revision} and contains this change"
            ),
            Holds::Altered(places) => {
                let named: Vec<String> =
                    places.iter().take(NAMED_MAX).map(ToString::to_string).collect();
                let more = match places.len().saturating_sub(NAMED_MAX) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                write!(
                    f,
                    "failed: revision {by} of {tenant} superseded {revision} and undid or altered this change: {}{more}",
                    named.join(", ")
                )
            }
            Holds::Unknown(why) => write!(
                f,
                "failed: revision {by} of {tenant} superseded {revision}, and it is unknown whether it contains this change ({why}); compare them with omlctl history tenant={tenant}"
            ),
        }
    }
}

impl fmt::Display for Incomparable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TextOnly => "the change was only to the text of the specification",
            Self::UnreadablePlan => "the plan of one of them cannot be read",
            Self::NewerRelease => "a newer release of the controller is needed to compare them",
        })
    }
}

/// Displays `: why` if there is a reason, which may contain text from an agent.
struct Because<'a, T>(&'a T);

impl<T: fmt::Display> fmt::Display for Because<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = self.0.to_string();
        if why.is_empty() { Ok(()) } else { write!(f, ": {}", printable(&why)) }
    }
}

/// Formats a span in whole seconds.
fn whole(ms: u64) -> String {
    if ms < 1000 { "0s".to_owned() } else { Span(ms).to_string() }
}

#[cfg(test)]
mod tests;
