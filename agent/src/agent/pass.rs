//! One look at the host: what was found, what follows, what is begun.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use oml_common::decide::observed::{Drift, Observed};
use oml_common::decide::reconcile::{Busy, Decision, Input, Reason, decide};
use oml_common::decide::step::Step;
use oml_common::decide::update::{self, InstanceUpdate, Outcome, nothing};
use oml_common::document::instance::InstanceDocument;
use oml_common::document::report::Phase;
use oml_common::id::{ComponentName, ContentHash};
#[cfg(feature = "planted-bugs")]
use oml_common::planted::{Bug, is_planted};
use oml_common::text::error::chain;
use oml_daemon::failpoint;
use tokio::sync::watch;
use tracing::{debug, info, warn};

use super::informer::Unavailable;
use super::{Agent, Running, RuntimeWatch};
use crate::cache::SavedUpdates;
use crate::documents;
use crate::execute::Work;
use crate::observe::{Sources, join};
use crate::paths::Slot;
use crate::runtime::{Listing, PullProgress};

/// Steps done at the same time, beside fetches.
const STEPS_MAX: usize = 4;
/// Images fetched at the same time.
const FETCHES_MAX: usize = 2;

impl Agent {
    /// Looks, decides, begins what follows and tells.
    pub(super) fn pass(&mut self) {
        self.inputs.passes.fetch_add(1, Ordering::Relaxed);
        self.follow_clock();
        self.save();
        if !self.has_looked() {
            return;
        }
        let observed = self.observe();
        let mut decisions = decide(self.input(&observed));
        self.mark_ineffective_steps(&mut decisions);
        let mut begun = Vec::new();
        for (name, decision) in &mut decisions {
            let Some(step) = decision.step.clone() else { continue };
            if let Some(away) = self.away_for(name) {
                *decision = waiting_for(&away);
            } else if self.may_begin(&step) {
                begun.push(name.clone());
                self.begin(name, step, &decision.reason.to_string());
            }
        }
        let wakes = decisions.values().filter_map(|decision| decision.wake_at);
        self.state.wake_at = wakes.min();
        // What was begun is told as being done.
        if !begun.is_empty() {
            let now_busy = decide(self.input(&observed));
            decisions.extend(now_busy.into_iter().filter(|(name, _)| begun.contains(name)));
        }
        self.tell(&observed, &decisions);
    }

    /// A clock that was set moves no deadline.
    pub(super) fn follow_clock(&mut self) {
        let mark = self.host.clock.mark();
        if let Some(by_ms) = mark.set_since(&self.state.mark) {
            warn!(by_ms, "the clock was set by {by_ms} ms; soaks and drains go on as before");
            update::shift(&mut self.state.updates, by_ms);
            self.state.mark = mark;
            self.state.unsaved = true;
        }
    }

    /// Whether both runtimes have said anything since the assignment came.
    fn has_looked(&self) -> bool {
        self.answered() >= self.state.needed
    }

    pub(super) fn input<'a>(&'a self, observed: &'a Observed) -> Input<'a> {
        Input {
            assignment: self.state.assignment.as_deref(),
            observed,
            updates: &self.state.updates,
            busy: &self.state.busy,
            now: self.host.clock.now(),
        }
    }

    fn observe(&self) -> Observed {
        let empty = Arc::new(Listing::default());
        let listing = |side: &RuntimeWatch| {
            side.snapshots.borrow().listing.clone().unwrap_or_else(|| Arc::clone(&empty))
        };
        let (docker, systemd) = (listing(&self.docker), listing(&self.systemd));
        let units = self.systemd.snapshots.borrow();
        join(Sources {
            assignment: self.state.assignment.as_deref(),
            listings: [&docker, &systemd],
            documents: &self.state.documents,
            statuses: &self.inputs.statuses.borrow(),
            units_at: units.listed_at,
            systemd_is_away: units.away.is_some(),
        })
    }

    /// Reads the current documents anew. One that cannot be read counts as lost.
    pub(super) fn read_documents(&mut self) {
        let names = match documents::components(&self.host.paths) {
            Ok(names) => names,
            // What was known is nearer to the truth than that all of it is lost.
            Err(error) => {
                self.state.troubles.insert("documents", chain(&error));
                return;
            }
        };
        self.state.troubles.remove("documents");
        let read = |name: ComponentName| match documents::read(
            &self.host.paths,
            &name,
            Slot::Current,
        ) {
            Ok(document) => document.map(|document| (name, document)),
            Err(error) => {
                warn!(component = %name, "{name}: its document counts as lost: {}", chain(&error));
                None
            }
        };
        self.state.documents = names.into_iter().filter_map(read).collect();
    }

    /// The daemon without which nothing of this component can be changed.
    fn away_for(&self, component: &ComponentName) -> Option<Unavailable> {
        let needs_docker =
            self.desired(component).is_none_or(|instance| instance.container().is_some());
        let docker = self.docker.snapshots.borrow().away.clone();
        docker.filter(|_| needs_docker).or_else(|| self.systemd.snapshots.borrow().away.clone())
    }

    fn may_begin(&self, step: &Step) -> bool {
        let running = |wanted: fn(&Step) -> bool| {
            let busy = &self.state.busy;
            let of = |name: &ComponentName| busy.get(name).is_some_and(|busy| wanted(&busy.step));
            self.state.running.values().filter(|running| of(&running.component)).count()
        };
        if *step == Step::Pull {
            return running(|step| *step == Step::Pull) < FETCHES_MAX;
        }
        // What goes may hold the ports of what comes.
        let waits = matches!(step, Step::Switch { .. } | Step::Start);
        running(|step| *step != Step::Pull) < STEPS_MAX
            && !(waits && running(|step| *step == Step::Remove) > 0)
    }

    fn begin(&mut self, component: &ComponentName, step: Step, reason: &str) {
        // Counting goes on for as long as calls are up: that is no transition.
        if step != Step::CountActive {
            info!(%component, step = step.as_str(), "{component}: {}: {reason}", step.as_str());
        }
        failpoint::about(component.as_str());
        let desired = self.desired(component);
        self.note_drift(component, desired.as_ref(), &step, reason);
        let desired_hash = self.desired_hash(component);
        if matches!(step, Step::Switch { .. }) {
            // Where nothing is counted, the gate begins and is passed at once.
            failpoint::reach("A6");
            failpoint::reach("A7");
        }
        if matches!(step, Step::Commit { .. }) {
            failpoint::reach("A11");
        }
        let now = self.host.clock.now();
        let update =
            self.state.updates.get(component).filter(|a| a.desired_hash == desired_hash).cloned();
        let update = update
            .unwrap_or_else(|| InstanceUpdate::new(desired_hash.clone()))
            .entering(&step, now);
        let before = self.state.updates.insert(component.clone(), update);
        self.state.unsaved |= before.as_ref() != self.state.updates.get(component);
        self.save();
        self.state.busy.insert(component.clone(), Busy { step: step.clone(), bytes: (0, 0) });
        let work = Work { component: component.clone(), desired, step };
        // What is done without a record of it could be done twice.
        let trouble = self.state.troubles.get("cache").filter(|_| needs_record(&work.step));
        if let Some(trouble) = trouble.cloned() {
            self.finish(&work, Outcome::Retry(trouble));
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
        self.state.running.insert(id, Running { component, desired_hash, progress: watched, task });
    }

    pub(super) fn desired_hash(&self, component: &ComponentName) -> ContentHash {
        self.desired(component).as_ref().map_or_else(nothing, |i| i.workload_hash())
    }

    pub(super) fn finish(&mut self, work: &Work, outcome: Outcome) {
        let component = &work.component;
        failpoint::about(component.as_str());
        let step = &work.step;
        #[cfg(feature = "planted-bugs")]
        let outcome = match outcome {
            Outcome::Failed(_) if is_planted(Bug::AgentLoop) => Outcome::Done,
            outcome @ (Outcome::Done
            | Outcome::Counted(_)
            | Outcome::Retry(_)
            | Outcome::Failed(_)) => outcome,
        };
        log_outcome(component, step, &outcome);
        if outcome == Outcome::Done {
            self.state.last_done.insert(component.clone(), step.clone());
        }
        // A count is asked again after a restart, so it is not worth the disk's time.
        self.state.unsaved |= !matches!(outcome, Outcome::Counted(_));
        let removed = *step == Step::Remove && outcome == Outcome::Done;
        let now = self.host.clock.now();
        let desired_hash = work.desired.as_ref().map_or_else(nothing, |i| i.workload_hash());
        // Another desired workload may have superseded the one that the step was for; how it
        // ended then says nothing of the new one.
        let superseded =
            self.state.updates.get(component).is_some_and(|a| a.desired_hash != desired_hash);
        let update = if superseded { None } else { self.state.updates.remove(component) };
        if let Some(update) = update.filter(|_| !removed) {
            let update = update.after(step, outcome, now);
            if !update.is_blank() {
                self.state.updates.insert(component.clone(), update);
            }
        }
        self.save();
        match step {
            Step::Commit { .. } => failpoint::reach("A12"),
            Step::RollBack { .. } => failpoint::reach("R4"),
            Step::Remove
            | Step::Pull
            | Step::Create
            | Step::RevertDocument { .. }
            | Step::CountActive
            | Step::Switch { .. }
            | Step::Soak
            | Step::Fail { .. }
            | Step::Start
            | Step::RewriteConfig
            | Step::Promote => {}
        }
        self.settle(component.clone());
    }

    /// A step that was done and is called for again at once was done in vain:
    /// it counts as trouble, so that it is tried again ever more rarely.
    fn mark_ineffective_steps(&mut self, decisions: &mut BTreeMap<ComponentName, Decision>) {
        let busy = &self.state.busy;
        let (waiting, settled): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.state.last_done)
                .into_iter()
                .partition(|(name, _)| busy.contains_key(name));
        self.state.last_done = waiting;
        for (name, done) in settled {
            let decision = decisions.get_mut(&name);
            let Some(decision) = decision.filter(|j| j.step.as_ref() == Some(&done)) else {
                continue;
            };
            let (step, reason) = (done.as_str(), &decision.reason);
            warn!(component = %name, step, "{name}: {step} was done in vain: {reason}");
            let message = format!("{}, and mending it did not help", decision.reason);
            let desired_hash = self.desired_hash(&name);
            let update = self
                .state
                .updates
                .remove(&name)
                .unwrap_or_else(|| InstanceUpdate::new(desired_hash));
            let update = update.after(&done, Outcome::Retry(message), self.host.clock.now());
            decision.step = None;
            decision.wake_at = update.backoff.as_ref().map(|backoff| backoff.retry_at);
            self.state.updates.insert(name, update);
            self.state.unsaved = true;
        }
    }

    /// A steady instance that needs a step was changed behind our back.
    fn note_drift(
        &mut self,
        component: &ComponentName,
        desired: Option<&InstanceDocument>,
        step: &Step,
        reason: &str,
    ) {
        let works_by_it = desired.is_some_and(|instance| {
            let current = self.state.documents.get(component);
            current.is_some_and(|current| current.workload_hash() == instance.workload_hash())
        });
        let changing = self
            .state
            .updates
            .get(component)
            .is_some_and(|update| update.failure().is_some() || update.backoff.is_some());
        if works_by_it && !changing && matches!(step, Step::Start | Step::Create | Step::Pull) {
            let drift = Drift { at: self.host.clock.now(), found: reason.to_owned() };
            self.state.drifts.insert(component.clone(), drift);
        }
    }

    /// Writes the attempts down if they changed; a full disk is told, and tried again.
    pub(super) fn save(&mut self) {
        if !self.state.unsaved {
            return;
        }
        let kept =
            SavedUpdates { mark: self.state.mark.clone(), updates: self.state.updates.clone() };
        match self.cache.save_updates(&kept) {
            Ok(()) => {
                self.state.unsaved = false;
                self.state.troubles.remove("cache");
            }
            Err(error) => {
                self.state.troubles.insert("cache", chain(&error));
            }
        }
    }
}

/// Whether it is better left than done twice. What brings something back to
/// running is not.
fn needs_record(step: &Step) -> bool {
    !matches!(step, Step::Start | Step::Fail { .. } | Step::RollBack { .. })
}

fn log_outcome(component: &ComponentName, step: &Step, outcome: &Outcome) {
    let step = step.as_str();
    match outcome {
        Outcome::Done => info!(%component, step, "{component}: {step} done"),
        Outcome::Counted(active) => debug!(%component, step, ?active, "{component}: counted"),
        Outcome::Retry(why) => {
            warn!(%component, step, "{component}: {step} could not be done: {why}");
        }
        Outcome::Failed(failure) => {
            let why = &failure.message;
            warn!(%component, step, exit_code = failure.exit_code, "{component}: {step} failed: {why}");
        }
    }
}

fn waiting_for(away: &Unavailable) -> Decision {
    let reason = Reason::DaemonAway { message: away.words() };
    Decision { phase: Phase::Blocked, reason, step: None, wake_at: None }
}
