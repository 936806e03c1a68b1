//! Takes what steps report: how far they are, and how they ended.

use oml_common::decide::schedule;
use oml_common::decide::update::{NotDone, Outcome};
use tokio::task::{Id, JoinError};

use super::{Agent, Running};
use crate::execute::Work;
use crate::runtime::PullProgress;

impl Agent {
    pub(super) fn take_end(&mut self, ended: Result<(Id, (Work, Outcome)), JoinError>) {
        self.follow_clock();
        match ended {
            Ok((id, (work, outcome))) => {
                let running = self.state.running.remove(&id);
                let ended_early = schedule::has_ended_early(work.superseded.is_set(), &outcome);
                match running.and_then(|running| running.beside) {
                    Some(_) => self.finish_beside(&work, outcome),
                    None if ended_early => {
                        self.forget_running(&work.component, &work.step);
                        self.settle(work.component);
                    }
                    None => self.finish(&work, outcome),
                }
            }
            Err(error) => {
                let Some(running) = self.state.running.remove(&error.id()) else { return };
                let Running { component, desired_hash, beside, .. } = running;
                let desired = self.desired(&component);
                if let Some(step) = beside {
                    let work = Work::new(component, desired, desired_hash, step);
                    let why = NotDone::AgentFailed(error.to_string());
                    return self.finish_beside(&work, Outcome::Retry(why));
                }
                if error.is_cancelled() {
                    self.settle(component);
                    return;
                }
                let Some(busy) = self.state.busy.get(&component) else { return };
                let step = busy.step.clone();
                let work = Work::new(component, desired, desired_hash, step);
                let why = NotDone::AgentFailed(error.to_string());
                self.finish(&work, Outcome::Retry(why));
            }
        }
    }

    pub(super) fn take_progress(&mut self) {
        for running in self.state.running.values().filter(|running| running.beside.is_none()) {
            if let Some(busy) = self.state.busy.get_mut(&running.component) {
                let PullProgress { bytes_done, bytes_total } = *running.progress.borrow();
                busy.bytes = (bytes_done, bytes_total);
            }
        }
    }
}
