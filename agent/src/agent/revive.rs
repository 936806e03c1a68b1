//! Puts the version in use right and starts it, beside a change that cannot go on.

use oml_common::decide::reconcile::Reason;
use oml_common::decide::step::Step;
use oml_common::decide::update::{self, Doing, Outcome};
use oml_common::id::ComponentName;
use oml_daemon::failpoint;
use tokio::sync::watch;
use tracing::info;

use super::pass::log_outcome;
use super::{Agent, Running};
use crate::execute::Work;
use crate::runtime::PullProgress;

impl Agent {
    pub(super) fn begin_beside(&mut self, component: &ComponentName, step: Step, reason: &Reason) {
        // Another start, and another try of what could not be done, are not worth a log line.
        let last = self.state.updates.get(component).and_then(|it| it.revival.as_ref());
        let is_repair = matches!(step, Step::Repair { .. });
        if last.is_none_or(|last| is_repair && last.message.is_empty()) {
            let reason = reason.to_string();
            info!(%component, step = step.as_str(), reason, "step for the version in use started");
        }
        let (desired, desired_hash) = (self.desired(component), self.desired_hash(component));
        // What ends then is not the desired workload, so its container is not read.
        let mut work = Work::new(component.clone(), desired, desired_hash.clone(), step.clone());
        work.seen_running = self.seen_running(component);
        let superseded = work.superseded.clone();
        let host = self.host.clone();
        let (sender, progress) = watch::channel(PullProgress::default());
        let performed = async move {
            let outcome = host.perform(&work, &sender).await;
            (work, outcome)
        };
        let task = self.steps.spawn(failpoint::carry(component.as_str(), performed));
        let (id, component) = (task.id(), component.clone());
        self.state.reviving.insert(component.clone(), None);
        let beside = Some(step);
        let running = Running { component, desired_hash, progress, task, superseded, beside };
        self.state.running.insert(id, running);
    }

    pub(super) fn finish_beside(&mut self, work: &Work, outcome: Outcome) {
        let Work { component, desired_hash, step, .. } = work;
        let before = self.state.updates.get(component).and_then(|it| it.revival.as_ref());
        log_outcome(component, step, &outcome, before.map(|backoff| &backoff.message));
        let now = self.host.clock.now();
        let doing = Doing { component, desired_hash, step };
        update::finish_beside(&mut self.state.updates, doing, outcome, now);
        self.state.unsaved = true;
        self.save();
        self.forget_running(component, step);
        let number = self.ask_again();
        self.state.reviving.insert(component.clone(), Some(number));
    }
}
