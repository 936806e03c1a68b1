//! The reports of the loop. Each is complete; only one with a visible change wakes the
//! session.

use std::collections::BTreeMap;
use std::sync::Arc;

use oml_common::decide::observed::Observed;
use oml_common::decide::reconcile::{Decision, report};
use oml_common::decide::schedule::DaemonsAway;
use oml_common::document::report::{HostUsage, Report, Significance, significance};
use oml_common::id::{ComponentName, RevisionNumber};
use oml_common::time::Timestamp;
use tracing::info;

use super::{Agent, State};

/// The report before the host was looked at.
#[must_use]
pub fn empty_report(at: Timestamp) -> Report {
    Report {
        applied: None,
        revision: RevisionNumber(0),
        at,
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        errors: Vec::new(),
        instances: BTreeMap::new(),
        host: HostUsage::default(),
    }
}

impl Agent {
    pub(super) fn report(
        &self,
        observed: &Observed,
        decisions: &BTreeMap<ComponentName, Decision>,
    ) {
        let mut instances = report(self.input(observed), decisions);
        for (name, instance) in &mut instances {
            instance.drift = self.state.drifts.of(name, instance.drift.take());
        }
        let assignment = self.state.assignment.as_deref();
        let next = Report {
            applied: assignment.map(|assignment| assignment.generation),
            revision: assignment.map_or(RevisionNumber(0), |a| a.content.revision),
            errors: self.errors().into_iter().chain(unclaimed(observed, decisions)).collect(),
            instances,
            host: self.state.usage.clone(),
            ..empty_report(self.host.clock.now())
        };
        self.reports.send_if_modified(|last| {
            log_transitions(last, &next);
            let is_visible = significance(last, &next) >= Significance::Visible;
            *last = Arc::new(next);
            is_visible
        });
    }

    fn errors(&self) -> Vec<String> {
        let DaemonsAway { engine, systemd } = self.daemons_away();
        let State { errors, .. } = &self.state;
        let session = self.inputs.session_error.borrow().clone();
        let outages = engine.into_iter().chain(systemd);
        outages.chain(errors.sentences()).chain(session).collect()
    }
}

/// What differs on the host and belongs to no instance of the report.
fn unclaimed(
    observed: &Observed,
    decisions: &BTreeMap<ComponentName, Decision>,
) -> impl Iterator<Item = String> {
    let others = observed.instances.iter().filter(|(name, _)| !decisions.contains_key(*name));
    others.flat_map(|(name, seen)| seen.differs.iter().map(move |it| format!("{name}: {it}")))
}

fn log_transitions(before: &Report, after: &Report) {
    for (component, instance) in &after.instances {
        let was = before.instances.get(component).map_or("unknown", |i| i.phase.as_str());
        let is = instance.phase.as_str();
        if was != is {
            let reason = &instance.reason;
            info!(%component, was, is, reason, "phase changed");
        }
    }
}
