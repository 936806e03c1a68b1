//! The loop: looks at the host, decides, begins steps and reports.
//!
//! One task owns all state. It never waits for a daemon itself: informers list the
//! runtimes, steps run beside it, and everything that arrives only starts another
//! pass. Without an assignment nothing is done; without a controller the last
//! assignment stays in force.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use oml_common::decide::difference::{FileChange, OwnFile};
use oml_common::decide::drift::DriftLog;
use oml_common::decide::observed::SettledDocument;
use oml_common::decide::reconcile::Busy;
use oml_common::decide::schedule::{self, EarlyEnd, RunningStep};
use oml_common::decide::step::Step;
use oml_common::decide::update::{self, Outcome};
use oml_common::document::assignment::AssignmentDocument;
use oml_common::document::host_policy::FoundPolicy;
use oml_common::document::instance::{HeldInstance, InstanceDocument};
use oml_common::document::report::{HostUsage, Report};
use oml_common::id::{ComponentName, ContentHash};
use oml_common::text::error::chain;
use oml_common::time::{ClockMark, Timestamp};
use tokio::sync::watch;
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, sleep_until};
use tracing::{debug, info};

use crate::cache::{Cache, NotOwn, Updates};
use crate::execute::{Superseded, Work, remove_left_checks};
use crate::host::Host;
use crate::observe::Started;
use crate::reserve;
use crate::runtime::{ContainerListing, PullProgress, UnitListing};
use crate::statuses::Statuses;
use oml_common::document::update::{SavedUpdates, UnreadableUpdate};

mod ends;
mod errors;
mod informer;
mod last_good;
mod memory;
mod on_disk;
mod once;
mod own_files;
mod pass;
mod reporting;
mod revive;
mod secrets;
mod settled;

use self::errors::AgentErrors;
use self::informer::{Question, RuntimeWatch};
use self::memory::HostMemory;
use self::own_files::OwnFiles;
pub use self::reporting::empty_report;

/// The interval at which the bytes of a pull are sampled.
const PROGRESS: Duration = Duration::from_millis(500);
/// The interval between refreshes of the host usage and of ages.
const REFRESH: Duration = Duration::from_secs(15);
/// The shortest wait for a wake-up, so that no error can make the loop spin.
const WAKE_MIN: Duration = Duration::from_millis(10);

/// The inputs of the loop.
pub struct Inputs {
    /// The share of the desired state.
    pub assignment: watch::Receiver<Option<AssignmentDocument>>,
    /// The status that each supervisor wrote last.
    pub statuses: watch::Receiver<Statuses>,
    /// The reason why there is no session, for the report.
    pub session_error: watch::Receiver<Option<String>>,
    /// The reason why the cached assignment is not acted on, for the report.
    pub unused_assignment: Option<NotOwn>,
    /// Grows when secrets of the controller were written on this host.
    pub secrets: watch::Receiver<u64>,
    /// Where the policy of the host goes, for the session.
    pub policy: watch::Sender<FoundPolicy>,
    /// Samples the use of the host.
    pub usage: Box<dyn FnMut() -> HostUsage + Send>,
    /// Counts the passes.
    pub passes: Arc<AtomicU64>,
    /// Called at every refresh, so that a watchdog sees that the loop is alive.
    pub alive: Box<dyn Fn(&Report) + Send>,
}

/// The loop and its state.
pub struct Agent {
    host: Host,
    cache: Cache,
    inputs: Inputs,
    reports: watch::Sender<Arc<Report>>,
    /// What this host allows.
    policy: watch::Sender<FoundPolicy>,
    docker: RuntimeWatch<ContainerListing>,
    systemd: RuntimeWatch<UnitListing>,
    steps: JoinSet<(Work, Outcome)>,
    state: State,
}

/// A step that is being done.
struct Running {
    component: ComponentName,
    desired_hash: ContentHash,
    progress: watch::Receiver<PullProgress>,
    task: AbortHandle,
    /// Tells the step that another workload, or another content of its files, is desired.
    superseded: Superseded,
    /// The step, if it is the start of the version in use beside another step.
    beside: Option<Step>,
}

/// Everything that the loop remembers between two passes.
#[derive(Default)]
struct State {
    assignment: Option<AssignmentDocument>,
    updates: Updates,
    /// Updates that only a later release can read.
    unreadable: BTreeMap<ComponentName, UnreadableUpdate>,
    /// The clock that their times were read from.
    mark: ClockMark,
    /// The updates in memory are newer than those on disk.
    unsaved: bool,
    documents: BTreeMap<ComponentName, HeldInstance>,
    /// What somebody changed in the files of desired instances.
    file_changes: BTreeMap<ComponentName, Vec<FileChange>>,
    /// The secrets of which somebody edited a file, and of which the host does not know the value.
    edited_secrets: secrets::ByComponent,
    /// The files that the agent keeps beside the documents in use.
    own_files: OwnFiles,
    /// The files of the agent's own that were put right since the last pass.
    put_right: BTreeMap<ComponentName, Vec<OwnFile>>,
    /// What was started and run of desired instances before which something has to run once.
    started: BTreeMap<ComponentName, Started>,
    /// Instances whose step is being done, or was done since the last look at the host.
    busy: BTreeMap<ComponentName, Busy>,
    /// Instances whose step ended, each until both runtimes have answered this question.
    settling: BTreeMap<ComponentName, u64>,
    running: BTreeMap<Id, Running>,
    /// Instances whose version in use is being started beside a change, each until both runtimes
    /// have answered this question since; none while it is being started.
    reviving: BTreeMap<ComponentName, Option<u64>>,
    /// The last step that was done, to notice one that changed nothing.
    last_done: BTreeMap<ComponentName, Step>,
    /// The last good workloads on disk of the instances by which the host does not work.
    noted: BTreeMap<ComponentName, ContentHash>,
    /// The last good workloads, as recorded on disk.
    last_good: BTreeMap<ComponentName, ContentHash>,
    /// The documents on disk that were seen last as they should be, of the instances that have
    /// another one.
    settled: BTreeMap<ComponentName, SettledDocument>,
    /// The documents that were seen as they should be, as recorded on disk.
    last_settled: BTreeMap<ComponentName, InstanceDocument>,
    /// The updates were compared with what the host shows since the agent started.
    compared: bool,
    drifts: DriftLog,
    memory: HostMemory,
    errors: AgentErrors,
    usage: HostUsage,
    wake_at: Option<Timestamp>,
    /// The number of the newest request to the runtimes.
    asked: u64,
    /// Steps begin only after both runtimes have answered this request.
    needed: u64,
}

impl Agent {
    /// Creates the loop with the state from the cache. It spawns the informers, so it must
    /// be called inside a tokio runtime.
    #[must_use]
    pub fn new(
        host: Host,
        cache: Cache,
        mut inputs: Inputs,
        reports: watch::Sender<Arc<Report>>,
    ) -> Self {
        let docker = RuntimeWatch::spawn(&host, Arc::clone(&host.docker));
        let systemd = RuntimeWatch::spawn(&host, Arc::clone(&host.systemd));
        let SavedUpdates { mark: kept, mut updates, unreadable, sums, edited } = cache.updates();
        let own_files = OwnFiles::known(sums);
        let put_right =
            edited.into_iter().map(|name| (name, vec![OwnFile::UpdateRecord])).collect();
        let mut mark = host.clock.mark();
        if kept.is_same_boot(&mark) {
            // The first pass notices by how much it was set since.
            mark = kept;
        } else {
            update::restart_timers(&mut updates, host.clock.now());
        }
        update::retry_now(&mut updates);
        let unsaved = !updates.is_empty();
        let assignment = inputs.unused_assignment.take();
        let errors = AgentErrors { assignment, ..AgentErrors::default() };
        let state = State {
            unsaved,
            updates,
            unreadable,
            mark,
            errors,
            own_files,
            put_right,
            ..State::default()
        };
        let (steps, policy) = (JoinSet::new(), inputs.policy.clone());
        Self { host, cache, inputs, reports, policy, docker, systemd, steps, state }
    }

    /// Runs until dropped.
    pub async fn run(mut self) {
        self.take_assignment();
        // It ends with the loop.
        let mut beside = JoinSet::new();
        beside.spawn(remove_left_checks(Arc::clone(&self.host.docker)));
        let mut refresh = tokio::time::interval(REFRESH);
        // It outlives a turn, so that a busy loop reports a pull too.
        let mut progress = tokio::time::interval(PROGRESS);
        progress.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let wake = self.next_wake();
            let pulls = self.state.busy.values().any(|busy| busy.step.may_pull());
            // Dropping an arm loses nothing: `join_next` keeps what it has not returned, an
            // interval keeps its next tick, and the others only wait for a mark or a time.
            tokio::select! {
                // Every arm is rare, so none starves another; a fixed order repeats in tests.
                biased;
                Ok(()) = self.inputs.assignment.changed() => self.take_assignment(),
                Ok(()) = self.docker.snapshots.changed() => self.take_snapshot(),
                Ok(()) = self.systemd.snapshots.changed() => self.take_snapshot(),
                Ok(()) = self.inputs.statuses.changed() => {}
                Ok(()) = self.inputs.session_error.changed() => {}
                Ok(()) = self.inputs.secrets.changed() => self.read_secrets(),
                Some(ended) = self.steps.join_next_with_id(), if !self.steps.is_empty() => {
                    self.take_end(ended);
                }
                _ = refresh.tick() => self.refresh(),
                // An engine counts the bytes of a pull many times a second, and each count
                // would be a report: they are sampled instead.
                _ = progress.tick(), if pulls => self.take_progress(),
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            }
            self.pass();
        }
    }

    fn take_assignment(&mut self) {
        self.follow_clock();
        let assignment = self.inputs.assignment.borrow_and_update().clone();
        if let Some(assignment) = &assignment {
            let changed = update::align(&mut self.state.updates, assignment)
                | update::align_unreadable(&mut self.state.unreadable, assignment);
            let again = self.state.assignment.as_ref().is_some_and(|held| {
                let now = self.host.clock.now();
                update::ask_again(&mut self.state.updates, held, assignment, now)
            });
            self.state.unsaved |= changed || again;
            let (generation, revision) = (assignment.generation, assignment.content.revision);
            self.state.errors.assignment = None;
            info!(%generation, %revision, "assignment received");
        }
        self.state.assignment = assignment;
        self.end_superseded();
        self.state.needed = self.ask_again();
        self.read_documents();
        self.read_policy();
    }

    /// Ends the steps that are not needed any more, because another workload or another content of files is
    /// desired.
    fn end_superseded(&self) {
        for running in self.state.running.values() {
            let Running { component, desired_hash, beside, .. } = running;
            let step = self.state.busy.get(component).map(|busy| &busy.step);
            let (towards, is_beside) = (desired_hash, beside.is_some());
            let doing = RunningStep { step, towards, is_beside };
            let desired = self.desired(component);
            match schedule::early_end(doing, &self.desired_hash(component), desired.as_deref()) {
                EarlyEnd::None => {}
                EarlyEnd::Abort => running.task.abort(),
                EarlyEnd::Request => running.superseded.set(),
            }
        }
    }

    fn take_snapshot(&mut self) {
        self.read_documents();
        self.read_policy();
        let answered = self.answered();
        let State { settling, busy, reviving, .. } = &mut self.state;
        reviving.retain(|_, number| number.is_none_or(|number| answered < number));
        settling.retain(|name, number| {
            let settled = answered >= *number;
            if settled {
                busy.remove(name);
            }
            !settled
        });
    }

    fn refresh(&mut self) {
        if let Err(error) = reserve::allocate(&self.host.paths, self.host.min_free.state_bytes) {
            debug!(error = chain(&error), "cannot allocate disk reserve");
        }
        self.read_policy();
        self.remove_unnamed_secrets();
        self.state.usage = (self.inputs.usage)();
        (self.inputs.alive)(&self.reports.borrow());
    }

    /// Asks both runtimes for a new listing and returns the number of the request.
    fn ask_again(&mut self) -> u64 {
        self.state.asked += 1;
        let number = self.state.asked;
        let instances =
            self.state.assignment.iter().flat_map(|a| a.content.share.instances.values());
        let desired = Arc::new(instances.map(|desired| desired.instance.clone()).collect());
        for wanted in [&self.docker.wanted, &self.systemd.wanted] {
            wanted.send_replace(Question { number, desired: Arc::clone(&desired) });
        }
        number
    }

    /// Keeps an instance busy until both runtimes were listed again.
    fn settle(&mut self, component: ComponentName) {
        let number = self.ask_again();
        self.state.settling.insert(component, number);
    }

    /// Returns the newest request that both runtimes have answered or failed to answer.
    fn answered(&self) -> u64 {
        let engine = self.docker.snapshots.borrow().number;
        engine.min(self.systemd.snapshots.borrow().number)
    }

    fn desired(&self, component: &ComponentName) -> Option<InstanceDocument> {
        let instances = &self.state.assignment.as_ref()?.content.share.instances;
        instances.get(component).map(|desired| desired.instance.clone())
    }

    fn next_wake(&self) -> Option<Instant> {
        let wake_at = self.state.wake_at?;
        let pause = Duration::from_millis(wake_at.since_ms(self.host.clock.now()));
        Some(Instant::now() + pause.max(WAKE_MIN))
    }
}

#[cfg(test)]
mod tests;
