//! The reasons of a rollout, as people read them: what it waits for, and why it stopped.

use std::fmt::{Display, Formatter, Result};

use crate::document::report::Phase;
use crate::document::rollout::{FailedComponent, FailureSummary, NodeFailure, PauseReason};
use crate::id::{ComponentName, NodeName};

/// The number of failures that a summary names.
const NAMED_MAX: usize = 5;

/// The wait for one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeWait {
    pub node: NodeName,
    /// The event that has to happen on the node.
    pub wait: Wait,
}

/// An event that has to happen on a node before a rollout continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// The controller has not recorded the node's assignment yet.
    AssignmentUnwritten,
    /// The node has no session.
    Unreachable,
    /// The node has not said that it applied its assignment.
    AssignmentNotTaken,
    /// The node has not reported a component that it should run.
    NotReported { component: ComponentName },
    /// Only a later release of the controller can read what the node should run.
    Unreadable { component: ComponentName },
    /// A component has not reached the desired state.
    Instance {
        component: ComponentName,
        phase: Phase,
        /// The reason that the agent reported.
        reason: String,
    },
}

/// Everything that a rollout waits for; empty if it waits for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WaitsFor(pub Vec<NodeWait>);

impl WaitsFor {
    /// Returns whether it waits for nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FailureSummary {
    /// Returns the summary of these failures.
    #[must_use]
    pub fn of(failures: &[NodeFailure]) -> Self {
        let named = failures.iter().take(NAMED_MAX).map(|failure| FailedComponent {
            component: failure.component.clone(),
            node: failure.node.clone(),
            message: failure.failure.message.clone(),
        });
        Self { named: named.collect(), more: failures.len().saturating_sub(NAMED_MAX) }
    }
}

impl Display for NodeWait {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let node = &self.node;
        match &self.wait {
            Wait::AssignmentUnwritten => write!(f, "{node}: its assignment is being written"),
            Wait::Unreachable => write!(f, "{node} is unreachable"),
            Wait::AssignmentNotTaken => write!(f, "{node}: has not taken its assignment yet"),
            Wait::NotReported { component } => {
                write!(f, "{node}: {component} has not been reported")
            }
            Wait::Unreadable { component } => {
                write!(
                    f,
                    "{node}: {component} cannot be read by this controller; install a newer release of the controller"
                )
            }
            Wait::Instance { component, phase, reason } => {
                write!(f, "{node}: {component} is {}: {reason}", phase.as_str())
            }
        }
    }
}

impl Display for WaitsFor {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        list(f, &self.0)
    }
}

impl Display for FailedComponent {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{} on {}: {}", self.component, self.node, self.message)
    }
}

impl Display for FailureSummary {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        list(f, &self.named)?;
        match self.more {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

impl Display for PauseReason {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            PauseReason::Failed { change } => change.fmt(f),
            PauseReason::RollbackFailed { change, rollback } => {
                write!(f, "{change}; the rollback failed too: {rollback}")
            }
            PauseReason::NoWayBack { change, component, operation } => write!(
                f,
                "{change}; not rolled back, because no earlier version of {component} can run after its migration {operation}, which may have run"
            ),
            PauseReason::Restored => f.write_str("restored from a backup; apply again"),
            PauseReason::Unknown => f.write_str(
                "paused for a reason that only a newer controller knows; upgrade the controller or apply again",
            ),
        }
    }
}

/// Writes items with semicolons between them.
fn list(f: &mut Formatter<'_>, items: &[impl Display]) -> Result {
    for (index, item) in items.iter().enumerate() {
        let separator = if index == 0 { "" } else { "; " };
        write!(f, "{separator}{item}")?;
    }
    Ok(())
}
