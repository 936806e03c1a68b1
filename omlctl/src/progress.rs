//! What an operator sees while a change is on its way: lines of its own for
//! every transition, or a display that moves where there is a terminal.

use oml_common::text::problem::printable;
use oml_proto::v1::{Change, InstanceReport, NodeStatus, TenantStatus};

use crate::clock::Clock;
use crate::describe;
use crate::output;

mod lines;
mod live;

use lines::Transitions;
use live::Live;
pub(crate) use live::Spinner;

/// One way of showing progress.
#[derive(Debug)]
pub(crate) enum Progress {
    /// A line per transition.
    Lines(Transitions),
    /// A line per node that changes in place.
    Live(Live),
}

impl Progress {
    /// The way that standard error allows.
    pub(crate) fn new(clock: Clock, revision: u64, changes: &[Change]) -> Self {
        let labels = Labels::new(clock, revision, changes);
        if output::is_live() {
            Self::Live(Live::new(labels))
        } else {
            Self::Lines(Transitions::new(labels))
        }
    }

    /// Shows a status.
    pub(crate) fn show(&mut self, now_ms: u64, tenant: &TenantStatus) {
        match self {
            Self::Lines(transitions) => {
                for line in transitions.see(now_ms, tenant) {
                    output::tell(&line);
                }
            }
            Self::Live(live) => live.show(now_ms, tenant),
        }
    }

    /// Says something beside it.
    pub(crate) fn note(&self, text: &str) {
        match self {
            Self::Lines(_) => output::tell(text),
            Self::Live(live) => live.note(text),
        }
    }

    /// Leaves the screen to what comes next.
    pub(crate) fn finish(self) {
        match self {
            Self::Lines(_) => {}
            Self::Live(live) => live.finish(),
        }
    }
}

/// Says which instance is meant and what happens with it.
#[derive(Debug)]
struct Labels {
    clock: Clock,
    /// The one that the changes make.
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

    /// `asterisk 230215.01`: with the version that the node is on its way to,
    /// where the changes tell it. They tell nothing of any other revision than
    /// theirs and the one just before, if that one came to its end.
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
