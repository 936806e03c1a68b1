//! Shows the progress of a change: on a terminal in a display that is redrawn in place, and
//! elsewhere as one line for every transition.

use oml_common::text::printable::printable;
use oml_proto::v1::{Change, InstanceReport, NodeStatus, TenantStatus};

use crate::clock::Clock;
use crate::describe;
use crate::output;

mod lines;
mod live;

use lines::Transitions;
use live::ProgressBars;
pub(crate) use live::Spinner;

/// A way to show progress.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Prints a line for every transition.
    Lines(Transitions),
    /// Redraws a line for every node.
    Bars(ProgressBars),
}

impl Progress {
    /// Chooses the way that suits standard error.
    pub(crate) fn new(clock: Clock, revision: u64, changes: &[Change]) -> Self {
        let labels = Labels::new(clock, revision, changes);
        if output::is_live() {
            Self::Bars(ProgressBars::new(labels))
        } else {
            Self::Lines(Transitions::new(labels))
        }
    }

    /// Shows a status.
    pub(crate) fn show(&mut self, now_ms: u64, tenant: &TenantStatus) {
        match self {
            Self::Lines(transitions) => {
                for line in transitions.update(now_ms, tenant) {
                    output::print_note(&line);
                }
            }
            Self::Bars(bars) => bars.show(now_ms, tenant),
        }
    }

    /// Prints a message beside the progress.
    pub(crate) fn note(&self, text: &str) {
        match self {
            Self::Lines(_) => output::print_note(text),
            Self::Bars(bars) => bars.note(text),
        }
    }

    /// Clears the display.
    pub(crate) fn finish(self) {
        match self {
            Self::Lines(_) => {}
            Self::Bars(bars) => bars.finish(),
        }
    }
}

/// Describes instances and their phases.
#[derive(Debug)]
struct Labels {
    clock: Clock,
    /// The revision that the changes make.
    revision: u64,
    changes: Vec<Change>,
}

impl Labels {
    fn new(clock: Clock, revision: u64, changes: &[Change]) -> Self {
        Self { clock, revision, changes: changes.to_vec() }
    }

    fn change(&self, node: &str, component: &str) -> Option<&Change> {
        self.changes.iter().find(|c| c.node == node && c.component == component)
    }

    /// Describes an instance, such as `asterisk 230215.01`, with the version that the node
    /// changes to if that is known. The changes say it only for their own revision and for
    /// the one before it, if the rollout started from that one.
    fn instance(&self, tenant: &TenantStatus, node: &NodeStatus, component: &str) -> String {
        let goes_back = tenant.rollout.as_ref().is_some_and(|r| {
            r.to == self.revision
                && r.from > 0
                && r.from == self.revision.saturating_sub(1)
                && node.target == r.from
        });
        let version = match self.change(&node.node, component) {
            Some(change) if goes_back => change.from.as_str(),
            Some(change) if node.target == self.revision => change.to.as_str(),
            Some(_) | None => "",
        };
        let label = if version.is_empty() {
            component.to_owned()
        } else {
            format!("{component} {version}")
        };
        printable(&label)
    }

    fn phase(&self, host: &NodeStatus, instance: &InstanceReport) -> String {
        printable(&describe::phase(&self.clock, host, instance))
    }
}
