//! The verdict on a change: whether it is done, failed, rolled back, superseded or
//! still on its way. Operators' programs render it and decide nothing themselves.

use std::collections::BTreeSet;
use std::fmt;

use crate::document::plan::Plan;
use crate::document::revision::Change;
use crate::document::rollout::{FailureSummary, PauseReason, Rollout, State};
use crate::id::{ComponentName, NodeName, RevisionNumber};
use crate::text::problem::printable;
use crate::time::{Span, Timestamp};

/// Components that a sentence names.
const NAMED_MAX: usize = 5;

/// The change that is judged.
#[derive(Debug, Clone, Copy)]
pub struct ChangeRef<'a> {
    /// The revision it made.
    pub revision: RevisionNumber,
    pub at: Timestamp,
    /// What it changed on the nodes; empty where only the text differed.
    pub changes: &'a [Change],
    /// Its plan; none where that cannot be read.
    pub plan: Option<&'a Plan>,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is on its way, or another one is that will decide what became of it.
    Waiting,
    /// Every node runs it.
    Done {
        /// From its acceptance to the end of its rollout.
        took_ms: u64,
    },
    /// Every node runs it again, because a later revision did not hold.
    Restored {
        /// The revision that did not hold.
        failed: RevisionNumber,
        why: FailureSummary,
    },
    /// Every node runs what ran before.
    RolledBack {
        /// The revision that did not hold: this one, or one that superseded it.
        failed: RevisionNumber,
        /// The revision that runs again.
        to: RevisionNumber,
        why: FailureSummary,
    },
    /// The rollout is paused: an operator has to decide.
    Paused { rollout: RevisionNumber, why: PauseReason },
    /// A later revision is what the nodes run.
    Superseded {
        by: RevisionNumber,
        /// What it means for this change.
        holds: Holds,
    },
}

/// Whether a later revision contains a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holds {
    /// Everything that the change touched is in the later one as the change made it.
    Contained,
    /// These are not.
    Altered(BTreeSet<InstancePlace>),
    /// It cannot be told.
    Unknown(&'static str),
}

/// A component on a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InstancePlace {
    pub node: NodeName,
    pub component: ComponentName,
}

/// How a change ended for the operator who made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It has not.
    Waiting,
    /// The nodes run what was wanted.
    Done,
    /// They do not, and will not by themselves.
    Failed,
    /// They run what they ran before.
    RolledBack,
}

/// A verdict in one sentence.
#[derive(Debug, Clone, Copy)]
pub struct Sentence<'a> {
    pub verdict: &'a Verdict,
    /// The revision that was judged.
    pub revision: RevisionNumber,
    pub tenant: &'a crate::id::TenantId,
}

/// The revision that all nodes run, where the tenant's rollout has ended with one.
#[must_use]
pub fn settled_on(rollout: &Rollout) -> Option<RevisionNumber> {
    match rollout.state {
        State::Completed => Some(rollout.to),
        State::RolledBack { .. } => rollout.from,
        State::Progressing { .. }
        | State::RollingBack { .. }
        | State::Paused { .. }
        | State::Superseded => None,
    }
}

/// What became of a change, by its tenant's rollout. `now` is the plan of the
/// revision that [`settled_on`] names, and is asked for only where that one is later
/// than the change.
#[must_use]
pub fn verdict(change: ChangeRef<'_>, rollout: Option<&Rollout>, now: Option<&Plan>) -> Verdict {
    let revision = change.revision;
    // The rollout before it says nothing of this one.
    let Some(rollout) = rollout.filter(|rollout| rollout.to >= revision) else {
        return Verdict::Waiting;
    };
    if let Some(by) = settled_on(rollout).filter(|by| *by > revision) {
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

/// Nothing counts as contained that was not compared.
fn holds(change: ChangeRef<'_>, now: Option<&Plan>) -> Holds {
    if change.changes.is_empty() {
        return Holds::Unknown("it changed only the text of the specification");
    }
    let (Some(made), Some(now)) = (change.plan, now) else {
        return Holds::Unknown("the plan of one of the two cannot be read");
    };
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
    /// The later revision that the nodes run, where one superseded the change.
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

    /// How the change ended for the operator who made it.
    #[must_use]
    pub fn ending(&self) -> Ending {
        match self {
            Verdict::Waiting => Ending::Waiting,
            Verdict::Done { .. }
            | Verdict::Restored { .. }
            | Verdict::Superseded { holds: Holds::Contained, .. } => Ending::Done,
            Verdict::RolledBack { .. } => Ending::RolledBack,
            Verdict::Paused { .. }
            | Verdict::Superseded { holds: Holds::Altered(_) | Holds::Unknown(_), .. } => {
                Ending::Failed
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
            Verdict::Waiting => write!(f, "revision {revision} of {tenant} is on its way"),
            Verdict::Done { took_ms } => {
                write!(f, "done: {tenant} runs revision {revision}, after {}", whole(*took_ms))
            }
            Verdict::Restored { failed, why } => write!(
                f,
                "done: {tenant} runs revision {revision} again, for revision {failed} did not hold{}",
                Because(why)
            ),
            Verdict::RolledBack { failed, to, why } if failed == revision => write!(
                f,
                "rolled back: revision {failed} of {tenant} did not hold, its nodes run revision {to} again{}",
                Because(why)
            ),
            Verdict::RolledBack { failed, to, why } => write!(
                f,
                "rolled back: revision {failed} of {tenant}, which superseded {revision}, did not hold; its nodes run revision {to} again, without this change{}",
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
                "failed: revision {by} of {tenant} superseded {revision}; compare them with omlctl history tenant={tenant}, since it cannot be told whether this change is contained: {why}"
            ),
        }
    }
}

/// `: why`, where there is a reason. What an agent said is part of it.
struct Because<'a, T>(&'a T);

impl<T: fmt::Display> fmt::Display for Because<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = self.0.to_string();
        if why.is_empty() { Ok(()) } else { write!(f, ": {}", printable(&why)) }
    }
}

/// A span in whole seconds.
fn whole(ms: u64) -> String {
    if ms < 1000 { "0s".to_owned() } else { Span(ms).to_string() }
}

#[cfg(test)]
mod tests;
