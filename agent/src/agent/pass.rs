//! One pass of the loop: it observes the host, decides by `oml_common::decide`, starts
//! steps and reports.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use oml_common::decide::drift::DriftLog;
use oml_common::decide::ineffective::take_ineffective;
use oml_common::decide::observed::Observed;
use oml_common::decide::reconcile::{self, Busy, Decision, Reason, decide};
use oml_common::decide::schedule::{self, DaemonsAway};
use oml_common::decide::step::Step;
use oml_common::decide::update::{self, Doing, NotDone, Outcome};
use oml_common::document::update::SavedUpdates;
use oml_common::id::{ComponentName, ContentHash};
#[cfg(feature = "planted-bugs")]
use oml_common::planted::{Bug, is_planted};
use oml_common::text::error::chain;
use oml_daemon::failpoint;
use tokio::sync::watch;
use tracing::{debug, info, warn};

use super::{Agent, Running, State};
use crate::execute::Work;
use crate::observe::{Sources, join};
use crate::runtime::PullProgress;

impl Agent {
    /// Observes the host, decides, starts the steps that may start and reports.
    pub(super) fn pass(&mut self) {
        self.inputs.passes.fetch_add(1, Ordering::Relaxed);
        self.follow_clock();
        self.save();
        if !self.has_looked() {
            return;
        }
        let mut observed = self.observe();
        self.remember(&mut observed);
        self.find_lost_updates(&observed);
        self.follow_drift(|drifts, input| drifts.look(input), &observed);
        if self.state.assignment.is_some() {
            for (name, files) in std::mem::take(&mut self.state.put_right) {
                self.follow_drift(|drifts, input| drifts.put_right(&name, files, input), &observed);
            }
        }
        let mut decisions = decide(self.input(&observed));
        self.take_ineffective(&mut decisions, &observed);
        let assignment = self.state.assignment.as_deref();
        schedule::hold_back(&mut decisions, assignment, &self.daemons_away());
        schedule::withhold(&mut decisions, |name| self.state.reviving.contains_key(name));
        let is_begun = |name: &ComponentName| self.state.reviving.contains_key(name);
        for (name, step) in schedule::due_beside(&decisions, self.running_steps(), is_begun) {
            let reason = &decisions[&name].reason;
            self.follow_drift(|drifts, input| drifts.begin(&name, &step, reason, input), &observed);
            self.begin_beside(&name, step, reason);
        }
        let begin = schedule::due(&decisions, self.running_steps());
        for (name, step) in &begin {
            let reason = &decisions[name].reason;
            self.follow_drift(|drifts, input| drifts.begin(name, step, reason, input), &observed);
            self.begin(name, step.clone(), reason);
        }
        let wakes = decisions.values().filter_map(|decision| decision.wake_at);
        self.state.wake_at = wakes.min();
        // A step that was begun is reported as being done.
        if !begin.is_empty() {
            let mut now_busy = decide(self.input(&observed));
            now_busy.retain(|name, _| begin.iter().any(|(begun, _)| begun == name));
            decisions.extend(now_busy);
        }
        let repaired: BTreeSet<_> = self.state.reviving.keys().cloned().collect();
        let is_repaired = |name: &ComponentName| repaired.contains(name);
        self.follow_drift(|drifts, input| drifts.leave(is_repaired, input), &observed);
        self.record_last_good(&decisions);
        self.record_settled(&observed);
        self.record_own_files();
        self.report(&observed, &decisions);
    }

    /// Shifts all deadlines when the host's clock was set.
    pub(super) fn follow_clock(&mut self) {
        let mark = self.host.clock.mark();
        if let Some(by_ms) = mark.set_since(&self.state.mark) {
            warn!(by_ms, "clock was set; deadlines shifted");
            update::shift(&mut self.state.updates, by_ms);
            self.state.memory.jobs.shift(by_ms);
            self.state.mark = mark;
            self.state.unsaved = true;
        }
    }

    /// Returns true if both runtimes were listed after the assignment arrived.
    fn has_looked(&self) -> bool {
        self.answered() >= self.state.needed
    }

    pub(super) fn input<'a>(&'a self, observed: &'a Observed) -> reconcile::Input<'a> {
        reconcile::Input {
            assignment: self.state.assignment.as_deref(),
            observed,
            updates: &self.state.updates,
            unreadable: &self.state.unreadable,
            busy: &self.state.busy,
            now: self.host.clock.now(),
        }
    }

    fn follow_drift(
        &mut self,
        follow: impl FnOnce(&mut DriftLog, reconcile::Input<'_>),
        observed: &Observed,
    ) {
        let mut drifts = std::mem::take(&mut self.state.drifts);
        follow(&mut drifts, self.input(observed));
        self.state.drifts = drifts;
    }

    fn observe(&self) -> Observed {
        let (engine, systemd) = (self.docker.listing(), self.systemd.listing());
        let units = self.systemd.snapshots.borrow();
        join(Sources {
            assignment: self.state.assignment.as_deref(),
            engine: &engine,
            systemd: &systemd,
            documents: &self.state.documents,
            file_changes: &self.state.file_changes,
            started: &self.state.started,
            last_good: &self.state.noted,
            settled: &self.state.settled,
            statuses: &self.inputs.statuses.borrow(),
            units_at: units.listed_at,
            systemd_is_away: units.unavailable.is_some(),
            policy: &self.policy.borrow().policy,
            missing_secrets: &self.missing_secrets(),
            edited_secrets: &self.state.edited_secrets,
            edited_previous: &self.state.own_files.left,
        })
    }

    /// Returns the outage of each daemon that does not answer, for people.
    pub(super) fn daemons_away(&self) -> DaemonsAway {
        DaemonsAway { engine: self.docker.outage(), systemd: self.systemd.outage() }
    }

    fn running_steps(&self) -> impl Iterator<Item = &Step> {
        let State { running, busy, .. } = &self.state;
        let step = |running: &'_ Running| Some(&busy.get(&running.component)?.step);
        running.values().filter_map(move |it| it.beside.as_ref().or_else(|| step(it)))
    }

    fn begin(&mut self, component: &ComponentName, step: Step, reason: &Reason) {
        // Calls are counted again and again during a drain, so a count is not worth a log line.
        // Neither is another try of a step that could not be done.
        let is_retry = self.state.updates.get(component).is_some_and(|it| it.backoff.is_some());
        if step != Step::CountActive && !is_retry {
            let reason = reason.to_string();
            info!(%component, step = step.as_str(), reason, "step started");
        }
        failpoint::about(component.as_str());
        self.forget_settled_before(component, &step);
        self.forget_written_before(component, &step);
        let (desired, desired_hash) = (self.desired(component), self.desired_hash(component));
        let mut work = Work::new(component.clone(), desired, desired_hash.clone(), step);
        work.seen_running = self.seen_running(component);
        let superseded = work.superseded.clone();
        reach_before(&work.step);
        let doing = Doing { component, desired_hash: &desired_hash, step: &work.step };
        let now = self.host.clock.now();
        self.state.unsaved |= update::begin(&mut self.state.updates, doing, now);
        let begun = self.state.updates.get(component);
        work.started_at = begun.and_then(|update| update.stage.started_at());
        self.save();
        let busy = Busy { step: work.step.clone(), bytes: (0, 0) };
        self.state.busy.insert(component.clone(), busy);
        let needs_record = schedule::needs_record(&work.step);
        let unrecorded = self.state.errors.cache.as_ref().filter(|_| needs_record);
        if let Some(error) = unrecorded {
            let why = NotDone::Unrecorded(chain(error));
            self.finish(&work, Outcome::Retry(why));
            return;
        }
        failpoint::reach("A0");
        let (progress, watched) = watch::channel(PullProgress::default());
        let host = self.host.clone();
        let performed = async move {
            let outcome = host.perform(&work, &progress).await;
            (work, outcome)
        };
        let task = self.steps.spawn(failpoint::carry(component.as_str(), performed));
        let (id, component) = (task.id(), component.clone());
        let (progress, beside) = (watched, None);
        let running = Running { component, desired_hash, progress, task, superseded, beside };
        self.state.running.insert(id, running);
    }

    pub(super) fn desired_hash(&self, component: &ComponentName) -> ContentHash {
        let State { assignment, updates, .. } = &self.state;
        update::desired_hash(assignment.as_deref(), updates, component)
    }

    pub(super) fn finish(&mut self, work: &Work, outcome: Outcome) {
        let Work { component, desired_hash, step, .. } = work;
        failpoint::about(component.as_str());
        #[cfg(feature = "planted-bugs")]
        let outcome = match outcome {
            Outcome::Failed(_) if is_planted(Bug::AgentLoop) => Outcome::Done,
            outcome @ (Outcome::Done
            | Outcome::Counted(_)
            | Outcome::Retry(_)
            | Outcome::Refused(_)
            | Outcome::Failed(_)) => outcome,
        };
        let before = self.state.updates.get(component).and_then(|it| it.backoff.as_ref());
        log_outcome(component, step, &outcome, before.map(|backoff| &backoff.message));
        if outcome == Outcome::Done {
            self.state.last_done.insert(component.clone(), step.clone());
        }
        let now = self.host.clock.now();
        let doing = Doing { component, desired_hash, step };
        self.state.unsaved |= update::finish(&mut self.state.updates, doing, outcome, now);
        self.save();
        self.forget_running(component, step);
        reach_after(step);
        self.settle(component.clone());
    }

    fn take_ineffective(
        &mut self,
        decisions: &mut BTreeMap<ComponentName, Decision>,
        observed: &Observed,
    ) {
        let mut last_done = std::mem::take(&mut self.state.last_done);
        let found = take_ineffective(decisions, &mut last_done, self.input(observed));
        self.state.last_done = last_done;
        for ineffective in found {
            let (component, reason) = (ineffective.component, &ineffective.reason);
            let step = ineffective.step.as_str();
            warn!(%component, step, %reason, "step had no effect");
            self.state.updates.insert(component, ineffective.update);
            self.state.unsaved = true;
        }
    }

    /// Writes the updates to disk if they changed. An error is reported, and the write is
    /// tried again at the next pass.
    pub(super) fn save(&mut self) {
        if !self.state.unsaved {
            return;
        }
        let State { mark, updates, unreadable, .. } = &self.state;
        let (mark, updates) = (mark.clone(), updates.clone());
        let unreadable = unreadable.clone();
        let kept = SavedUpdates { mark, updates, unreadable, ..SavedUpdates::default() };
        let kept = kept.with_sums(self.state.own_files.sums());
        match self.cache.save_updates(&kept) {
            Ok(()) => {
                self.state.unsaved = false;
                self.state.errors.cache = None;
            }
            Err(error) => self.state.errors.cache = Some(error),
        }
    }
}

/// Reaches the failpoints before a step.
fn reach_before(step: &Step) {
    if matches!(step, Step::Switch { .. }) {
        // Without a count, the drain begins and ends at once.
        failpoint::reach("A6");
        failpoint::reach("A7");
    }
    if matches!(step, Step::Commit { .. }) {
        failpoint::reach("A11");
    }
}

/// Reaches the failpoints after a step.
fn reach_after(step: &Step) {
    if matches!(step, Step::Commit { .. }) {
        failpoint::reach("A12");
    }
    if matches!(step, Step::RollBack { .. }) {
        failpoint::reach("R4");
    }
}

/// Logs how a step ended. An error that is the same as at the last try is not worth a line.
pub(super) fn log_outcome(
    component: &ComponentName,
    step: &Step,
    outcome: &Outcome,
    last_error: Option<&String>,
) {
    let step = step.as_str();
    match outcome {
        Outcome::Done => info!(%component, step, "step done"),
        Outcome::Counted(active) => debug!(%component, step, ?active, "calls counted"),
        Outcome::Retry(why) | Outcome::Refused(why) => {
            let error = why.to_string();
            if last_error == Some(&error) {
                debug!(%component, step, error, "step could not be done again; retrying");
            } else {
                warn!(%component, step, error, "step could not be done; retrying");
            }
        }
        Outcome::Failed(failure) if last_error == Some(&failure.message) => {
            debug!(%component, step, reason = failure.message, "step failed again");
        }
        Outcome::Failed(failure) => {
            let (reason, exit_code) = (&failure.message, failure.exit_code);
            warn!(%component, step, exit_code, reason, "step failed");
        }
    }
}
