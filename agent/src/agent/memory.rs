//! What the loop remembers of the host between two looks, because neither a daemon nor a document says it.

use std::collections::BTreeSet;

use oml_common::decide::observed::Observed;
use oml_common::decide::seen_running::SeenRunning;
use oml_common::decide::step::Step;
use oml_common::decide::waiting::WaitingJobs;
use oml_common::document::instance::HeldInstance;
use oml_common::id::ComponentName;

use super::Agent;

#[derive(Default)]
pub(super) struct HostMemory {
    /// The jobs of systemd that wait.
    pub(super) jobs: WaitingJobs,
    /// The versions by which packaged units run.
    running: SeenRunning,
}

impl Agent {
    /// Adds what is remembered to what was found, and remembers that.
    pub(super) fn remember(&mut self, observed: &mut Observed) {
        let mut memory = std::mem::take(&mut self.state.memory);
        memory.jobs.look(observed, self.host.clock.now());
        let reviving: BTreeSet<_> = self.state.reviving.keys().cloned().collect();
        memory.running.look(self.input(observed), &self.state.documents, &reviving);
        for (name, seen) in &mut observed.instances {
            seen.seen_running = memory.running.workload(name).cloned();
            seen.seen_document = memory.running.document(name).map(HeldInstance::hash);
        }
        self.state.memory = memory;
    }

    /// Returns the document by which the packaged unit of a component was seen to run.
    pub(super) fn seen_running(&self, component: &ComponentName) -> Option<Box<HeldInstance>> {
        self.state.memory.running.document(component).cloned().map(Box::new)
    }

    /// Forgets by which document a packaged unit runs, if the step has written another.
    pub(super) fn forget_running(&mut self, component: &ComponentName, step: &Step) {
        if writes_document(step) {
            self.state.memory.running.forget(component);
        }
    }

    /// Forgets what the files beside the document were, and the last good version of what is removed.
    pub(super) fn forget_written_before(&mut self, component: &ComponentName, step: &Step) {
        if writes_document(step) {
            self.forget_own_files(component);
        }
        if matches!(step, Step::Remove { .. }) {
            self.state.last_good.remove(component);
        }
    }
}

/// Returns true if the step writes the document by which the instance works.
fn writes_document(step: &Step) -> bool {
    match step {
        Step::Switch { .. }
        | Step::RollBack { .. }
        | Step::RevertDocument { .. }
        | Step::RewriteConfig
        | Step::Reload { .. }
        | Step::Remove { .. } => true,
        Step::Pull
        | Step::Create
        | Step::RunOnce { .. }
        | Step::CountActive
        | Step::Soak
        | Step::Fail { .. }
        | Step::Commit { .. }
        | Step::Start
        | Step::ReplaceSupervisor
        | Step::StopContainer
        // It writes what was lost of the version in use, which stays the same.
        | Step::Repair { .. }
        | Step::Promote => false,
    }
}
