//! A host as a value: what the steps would do to it, and what goes wrong.
//!
//! The model of the whole host is the crate `sim`, which behaves as the real daemons do, on
//! tokio's clock. This is none of daemons, but a world for properties of the decision alone: a
//! plain value that a step changes at once, so that they can be tried on thousands of histories,
//! and the core needs no runtime. Its own rules are the constants below and what a prune removes.

use std::collections::{BTreeMap, BTreeSet};

use crate::decide::difference::ForeignObject;
use crate::decide::observed::{
    ActiveState, ContainerState, Observed, ObservedContainer, ObservedDocument, ObservedInstance,
    ObservedRun, ObservedUnit, UnitEnd,
};
use crate::decide::reconcile::{Action, Decision, Input, decide, reconcile};
use crate::decide::rights::Right;
use crate::decide::run_once;
use crate::decide::step::Step;
use crate::decide::update::{self, NotDone, Outcome, nothing};
use crate::document::assignment::{Assignment, ChangePolicy, Content, Desired, OnDeadline};
use crate::document::instance::Workload;
use crate::document::instance::{
    ActiveProbe, Check, Container, Counting, Instance, KeptSecret, PackagedUnit, PidsLimit, Probe,
    Reload, Timing,
};
use crate::document::operation::{RunOutcome, RunResult};
use crate::document::report::{Failure, Phase};
use crate::document::status::{Health, Status, SupervisorRelease};
use crate::document::update::{InstanceUpdate, UnreadableUpdate};
use crate::document::{self, Verbatim};
use crate::id::{
    ComponentName, ContentHash, Digest, Generation, OperationName, RevisionNumber, RunId,
};
use crate::time::Timestamp;

/// What a version does once it is started; the version's name says it.
const BAD: &[&str] = &["exits", "hangs", "dies"];

/// What happens to a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// A daemon does not answer; nothing was done.
    Backoff,
    /// The agent is killed after so many of the step's effects.
    Killed {
        after: u8,
    },
    /// `docker container prune`, just before it.
    Pruned,
    /// The current document makes no sense any more.
    CurrentGarbled,
    /// Nor does the previous one.
    PreviousGarbled,
    /// The host's clock is set.
    ClockSet {
        by_ms: i64,
    },
    /// Somebody stops the unit, just before it.
    StoppedByHand,
}

/// A unit file as the agent writes it.
const UNIT_FILE: &str = include_str!("../../../document/v1/fixtures/unit_mark.service");
/// From its start to the end of a program that dies.
const DEATH_MS: u64 = 2_000;
/// How long a program that never answers is waited for.
const START_TIMEOUT_MS: u64 = 30_000;
/// Restarts in a row after which systemd gives up here. They are few, so that a history comes to
/// that: our unit files allow more (`StartLimitBurst`).
const RESTARTS_MAX: u32 = 5;

/// Returns the time from a program's end to its next start by systemd, as our unit files say it.
fn restart_pause_ms() -> u64 {
    let pause =
        UNIT_FILE.lines().find_map(|line| line.strip_prefix("RestartSec=")?.strip_suffix('s'));
    pause.unwrap().parse::<u64>().unwrap() * 1_000
}

/// One instance's share of the host.
#[derive(Debug, Clone, Default)]
pub(super) struct HostInstance {
    pub(super) images: BTreeSet<ContentHash>,
    pub(super) containers: Vec<ObservedContainer>,
    pub(super) unit: Option<Unit>,
    pub(super) current: Option<Instance>,
    pub(super) previous: Option<Instance>,
    pub(super) foreign: Option<ForeignObject>,
    pub(super) calls: u64,
    /// The rights that the host does not allow to it.
    pub(super) not_allowed: BTreeSet<Right>,
    pub(super) missing_secrets: BTreeSet<KeptSecret>,
    /// What ran once for its updates.
    pub(super) runs: Vec<ObservedRun>,
    /// How the next run ends.
    pub(super) run_status: i64,
    /// The content of the files that its program takes over while it runs.
    pub(super) files: Option<ContentHash>,
    /// The content that its program has taken over.
    pub(super) loaded: Option<ContentHash>,
    /// The content that its program does not take over.
    pub(super) refused: Option<ContentHash>,
    /// What each container was made from, as its label says.
    pub(super) labels: BTreeMap<ContentHash, Instance>,
}

#[derive(Debug, Clone)]
pub(super) struct Unit {
    /// The instance its text was written for.
    pub(super) text: Instance,
    pub(super) active: ActiveState,
    pub(super) since: Timestamp,
    pub(super) by_hand: bool,
    pub(super) restarts: u32,
    pub(super) result: &'static str,
    /// What comes next by itself, which no clock that is set moves.
    due: Option<(Timestamp, Happening)>,
}

#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) places: BTreeMap<ComponentName, HostInstance>,
    pub(super) updates: BTreeMap<ComponentName, InstanceUpdate>,
    pub(super) unreadable: BTreeMap<ComponentName, UnreadableUpdate>,
    /// The release of the supervisors that run.
    pub(super) supervisor: Option<SupervisorRelease>,
    pub(super) assignment: Option<Assignment>,
    /// Every step that was begun, as text.
    pub(super) log: Vec<String>,
    /// What happens to the next steps, in turn; nothing to later ones.
    pub(super) faults: Vec<Fault>,
    /// No image can be had.
    pub(super) registry_away: bool,
    /// The registry says that it has no image.
    pub(super) registry_refuses: bool,
    /// The next changes lead over a step without a way back.
    pub(super) forward_only: bool,
}

pub(super) fn name(text: &str) -> ComponentName {
    text.parse().unwrap()
}

pub(super) fn instance(component: &str, version: &str) -> Instance {
    Instance {
        tenant: "acme".parse().unwrap(),
        component: name(component),
        unit: format!("{component}.service").parse().unwrap(),
        workload: Verbatim::seal(Workload::Container(Container {
            name: format!("oml-{component}").parse().unwrap(),
            version: version.parse().unwrap(),
            repository: "registry:5000/stack/image".parse().unwrap(),
            digest: format!("sha256:{}", ContentHash::of(version.as_bytes())).parse().unwrap(),
            env: BTreeMap::new(),
            secrets: BTreeMap::new(),
            kept_secrets: BTreeMap::new(),
            volumes: Vec::new(),
            command: Vec::new(),
            memory_bytes_max: None,
            pids_limit: PidsLimit::default(),
            may_gain_privileges: false,
            options: Default::default(),
        })),
        pull_from: None,
        pull_login: None,
        after: Vec::new(),
        ports: Vec::new(),
        ranges: Vec::new(),
        probe: Probe {
            check: Check::Tcp { port: 5060 },
            address: None,
            interval_ms: 10_000,
            timeout_ms: 2_000,
            failures_max: 3,
        },
        active: None,
        timing: Timing { start_timeout_ms: START_TIMEOUT_MS, stop_grace_ms: 10_000 },
        restart_unhealthy: Default::default(),
        checks: Vec::new(),
        preparations: Vec::new(),
        migrations: Vec::new(),
        reload: None,
        metrics: None,
    }
}

pub(super) fn packaged(component: &str, drop_in: &str) -> Instance {
    let workload = Workload::Unit(PackagedUnit { drop_in: drop_in.to_owned() });
    Instance { workload: Verbatim::seal(workload), probe: unit_probe(), ..instance(component, "0") }
}

fn unit_probe() -> Probe {
    let check = Check::UnitActive;
    Probe { check, address: None, interval_ms: 10_000, timeout_ms: 2_000, failures_max: 3 }
}

/// The instance whose calls are counted.
pub(super) fn counted(component: &str, version: &str) -> Instance {
    let command = vec!["count-active".to_owned()];
    let (before, noun) = ("active calls".to_owned(), "calls".to_owned());
    let active = Some(ActiveProbe::single(command, before, noun));
    Instance { active, ..instance(component, version) }
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            now: Timestamp(1_000_000_000),
            places: BTreeMap::new(),
            updates: BTreeMap::new(),
            unreadable: BTreeMap::new(),
            supervisor: Some(SupervisorRelease::own()),
            assignment: None,
            log: Vec::new(),
            faults: Vec::new(),
            registry_away: false,
            registry_refuses: false,
            forward_only: false,
        }
    }

    /// A host on which all of these run and were kept.
    pub(super) fn settled(instances: impl IntoIterator<Item = Instance>) -> Self {
        let mut world = Self::new();
        world.desire(instances);
        world.settle();
        world.log.clear();
        world
    }

    pub(super) fn desire(&mut self, instances: impl IntoIterator<Item = Instance>) {
        self.desire_with(instances, OnDeadline::Wait);
    }

    pub(super) fn desire_with(
        &mut self,
        instances: impl IntoIterator<Item = Instance>,
        on_deadline: OnDeadline,
    ) {
        let forward_only = self.forward_only;
        let policy =
            ChangePolicy { soak_ms: 5_000, drain_deadline_ms: 60_000, on_deadline, forward_only };
        let number = self.assignment.as_ref().map_or(1, |a| a.generation.number + 1);
        let desired = |instance: Instance| {
            (
                instance.component.clone(),
                Desired { instance: Verbatim::seal(instance), policy: policy.clone() },
            )
        };
        let assignment = Assignment {
            generation: Generation { epoch: 1, number },
            tenant: "acme".parse().unwrap(),
            node: "voice-1".parse().unwrap(),
            content: Content {
                revision: RevisionNumber(number),
                policy: Some(policy.clone().into()),
                share: instances.into_iter().map(desired).collect(),
            },
        };
        update::align(&mut self.updates, &assignment);
        update::align_unreadable(&mut self.unreadable, &assignment);
        self.assignment = Some(assignment);
    }

    /// The assignment as another release would have written it.
    pub(super) fn desire_text(&mut self, edit: impl FnOnce(String) -> String) {
        let text = edit(document::write(self.assignment.as_ref().unwrap()));
        let assignment = document::read(&text).unwrap();
        update::align(&mut self.updates, &assignment);
        update::align_unreadable(&mut self.unreadable, &assignment);
        self.assignment = Some(assignment);
    }

    pub(super) fn place(&mut self, component: &str) -> &mut HostInstance {
        self.places.entry(name(component)).or_default()
    }

    pub(super) fn observe(&self) -> Observed {
        let instances =
            self.places.iter().map(|(n, place)| (n.clone(), self.observe_one(n, place))).collect();
        Observed { instances }
    }

    fn observe_one(&self, component: &ComponentName, place: &HostInstance) -> ObservedInstance {
        let desired = self.desired(component);
        let unit = place.unit.as_ref().map(|unit| ObservedUnit {
            hash: Some(Verbatim::seal(unit.text.clone()).hash().clone()),
            stale: desired.is_some_and(|d| d != &unit.text),
            active: unit.active,
            is_exited: false,
            masked: false,
            ended: unit.by_hand.then_some(UnitEnd::Stopped),
            since: unit.since,
            restarts: unit.restarts,
            by_hand: Vec::new(),
            result: unit.result.to_owned(),
            unmet: None,
            job: None,
        });
        let running = place.containers.iter().find(|c| c.is_running());
        let document = place.current.as_ref().map(|document| ObservedDocument {
            hash: Verbatim::seal(document.clone()).hash().clone(),
            workload: document.workload_hash(),
            probe: Some(document.probe.clone()),
            reloaded: content(document),
            on_disk: true,
        });
        let labelled = running.map(|container| ObservedDocument {
            hash: container.hash.clone(),
            workload: container.hash.clone(),
            probe: None,
            reloaded: None,
            on_disk: false,
        });
        let answers = place.unit.as_ref().is_some_and(|unit| unit.active == ActiveState::Active);
        ObservedInstance {
            unit,
            containers: place.containers.clone(),
            image_present: desired.is_some_and(|d| place.images.contains(&d.workload_hash())),
            document: document.or(labelled),
            status: running
                .map(|container| self.status(container, place.current.as_ref(), answers)),
            counting: self.counting(place),
            units_at: Some(self.now),
            foreign: place.foreign.clone(),
            not_allowed: place.not_allowed.clone(),
            missing_secrets: place.missing_secrets.clone(),
            images: place.images_in_use(),
            images_before: place.image_before().into_iter().collect(),
            runs: place.runs.clone(),
            ..ObservedInstance::default()
        }
    }

    fn counting(&self, place: &HostInstance) -> Counting {
        let of_label = || place.labels.get(&place.running()?.hash);
        let document = place.current.as_ref().or_else(of_label);
        match document {
            Some(document) => document.active.clone().into(),
            None if place.running().is_some() => Counting::Unknown,
            None => Counting::Nothing,
        }
    }

    fn status(
        &self,
        container: &ObservedContainer,
        document: Option<&Instance>,
        answers: bool,
    ) -> Status {
        Status {
            container: container.id.clone(),
            probe: document.map(|document| document.probe.clone()),
            health: if answers { Health::Healthy } else { Health::Starting },
            detail: "answers".to_owned(),
            supervisor: self.supervisor.clone(),
            ..Status::new(container.hash.clone(), self.now)
        }
    }

    fn desired(&self, component: &ComponentName) -> Option<&Instance> {
        let instances = &self.assignment.as_ref()?.content.share.instances;
        instances.get(component).map(|desired| &*desired.instance)
    }

    pub(super) fn decide(&self) -> BTreeMap<ComponentName, Decision> {
        self.with_input(decide)
    }

    pub(super) fn actions(&self) -> Vec<Action> {
        self.with_input(reconcile)
    }

    fn with_input<T>(&self, decide: impl FnOnce(Input<'_>) -> T) -> T {
        self.with_observed(&self.observe(), decide)
    }

    /// Decides as if this had been found.
    pub(super) fn with_observed<T>(
        &self,
        observed: &Observed,
        decide: impl FnOnce(Input<'_>) -> T,
    ) -> T {
        decide(Input {
            assignment: self.assignment.as_ref(),
            observed,
            updates: &self.updates,
            unreadable: &self.unreadable,
            busy: &BTreeMap::new(),
            now: self.now,
        })
    }

    pub(super) fn phase(&self, component: &str) -> Phase {
        self.decide()[&name(component)].phase
    }

    /// Passes until nothing is left to do; panics when that takes too many.
    pub(super) fn settle(&mut self) -> usize {
        for pass in 0..600 {
            if !self.pass() {
                return pass;
            }
        }
        panic!("still busy after 600 passes: {:#?}", &self.log[self.log.len() - 20..]);
    }

    pub(super) fn passes(&mut self, count: usize) {
        for _pass in 0..count {
            self.pass();
        }
    }

    /// One look and everything it calls for; false when nothing is left.
    pub(super) fn pass(&mut self) -> bool {
        self.age();
        let actions = self.actions();
        for action in &actions {
            let fault = if self.faults.is_empty() { Fault::None } else { self.faults.remove(0) };
            self.log.push(format!("{} {}", action.component, action.step.as_str()));
            self.perform(action, fault);
        }
        if !actions.is_empty() {
            return true;
        }
        let wakes: Vec<Timestamp> = self.decide().values().filter_map(|j| j.wake_at).collect();
        assert!(wakes.iter().all(|at| *at > self.now), "a wake-up in the past would spin");
        let happenings = self.places.values().filter_map(|place| Some(place.next()?.0));
        let Some(next) = wakes.into_iter().chain(happenings).min() else { return false };
        self.now = next.max(self.now);
        true
    }

    /// What the host does by itself in the meantime.
    fn age(&mut self) {
        self.now = self.now.plus_ms(10);
        let now = self.now;
        for place in self.places.values_mut() {
            while let Some((_, happening)) = place.next().filter(|(at, _)| *at <= now) {
                place.happen(happening, now);
            }
        }
    }

    /// Somebody sets the clock, and the agent notices.
    pub(super) fn set_clock(&mut self, by_ms: i64) {
        self.now = self.now.shifted_ms(by_ms);
        update::shift(&mut self.updates, by_ms);
        for unit in self.places.values_mut().filter_map(|place| place.unit.as_mut()) {
            unit.due = unit.due.map(|(at, happening)| (at.shifted_ms(by_ms), happening));
        }
    }

    fn perform(&mut self, action: &Action, fault: Fault) {
        if let Fault::ClockSet { by_ms } = fault {
            self.set_clock(by_ms);
        }
        let component = &action.component;
        if fault == Fault::StoppedByHand {
            let now = self.now;
            self.places.entry(component.clone()).or_default().stop_by_hand(now);
        }
        let desired_hash = update::desired_hash(self.assignment.as_ref(), &self.updates, component);
        let now = self.now;
        let doing = update::Doing { component, desired_hash: &desired_hash, step: &action.step };
        update::begin(&mut self.updates, doing, now);
        let effects_max = match fault {
            Fault::Backoff => {
                let backoff = Outcome::Retry(host_error("docker does not answer"));
                update::finish(&mut self.updates, doing, backoff, now);
                return;
            }
            Fault::Killed { after } => usize::from(after),
            Fault::ClockSet { .. }
            | Fault::StoppedByHand
            | Fault::Pruned
            | Fault::CurrentGarbled
            | Fault::PreviousGarbled
            | Fault::None => usize::MAX,
        };
        self.places.entry(component.clone()).or_default().suffer(fault);
        let outcome = self.effects(component, &action.step, effects_max);
        if effects_max < usize::MAX {
            return;
        }
        update::finish(&mut self.updates, doing, outcome, self.now);
    }

    fn effects(&mut self, component: &ComponentName, step: &Step, effects_max: usize) -> Outcome {
        let desired = self.desired(component).cloned();
        let now = self.now;
        let unpulled = self.unpulled(component, step);
        let place = self.places.entry(component.clone()).or_default();
        let mut host = Effects { place, now, left: effects_max };
        let outcome = match step {
            _ if unpulled && self.registry_refuses => {
                Outcome::Refused(host_error("the registry does not have it"))
            }
            _ if unpulled && self.registry_away => {
                Outcome::Retry(host_error("the registry does not answer"))
            }
            Step::Remove { .. } => {
                host.effect(|place, _| place.unit = None);
                host.effect(|place, _| *place = HostInstance::default());
                Outcome::Done
            }
            Step::Fail { why } => {
                let failure = update::given_up(nothing(), None, why.to_string(), now);
                Outcome::Failed(failure)
            }
            Step::CountActive => Outcome::Counted(Ok(host.place.calls)),
            Step::RunOnce { operation, run, .. } => {
                let desired = desired.expect("a run is of what is desired");
                host.run_once(&desired, operation, *run)
            }
            Step::RollBack { previous, runs } => host.roll_back(previous, *runs),
            Step::RevertDocument { running } => host.revert_document(running),
            Step::Repair { in_use } => host.repair(in_use),
            Step::ReplaceSupervisor => {
                self.supervisor = Some(SupervisorRelease::own());
                return Outcome::Done;
            }
            // Where the desired workload failed or cannot be read, the document is another's.
            Step::Start => {
                let instance = host.place.current.clone().or(desired);
                match host.start(&instance.expect("something was written")) {
                    Outcome::Failed(failure) => Outcome::Retry(NotDone::HostError(failure.message)),
                    outcome @ (Outcome::Done
                    | Outcome::Counted(_)
                    | Outcome::Retry(_)
                    | Outcome::Refused(_)) => outcome,
                }
            }
            Step::Pull
            | Step::Create
            | Step::Switch { .. }
            | Step::Soak
            | Step::Commit { .. }
            | Step::RewriteConfig
            | Step::Reload { .. }
            | Step::StopContainer
            | Step::Promote => host.towards(step, &desired.expect("a step has a desired_hash")),
        };
        self.now = host.now;
        outcome
    }
}

impl World {
    /// Whether the step needs an image that is not there.
    fn unpulled(&self, component: &ComponentName, step: &Step) -> bool {
        let desired = self.desired(component).map(Instance::workload_hash);
        let place = self.places.get(component);
        let current = place.and_then(|place| place.current.as_ref()).map(Instance::workload_hash);
        let wanted = match step {
            Step::Pull => return true,
            Step::Switch { .. } => desired,
            Step::RollBack { previous, runs: false } => Some(previous.clone()),
            Step::Start => current.or(desired),
            Step::RollBack { .. }
            | Step::Remove { .. }
            | Step::Create
            | Step::RevertDocument { .. }
            | Step::Repair { .. }
            | Step::RunOnce { .. }
            | Step::Soak
            | Step::Fail { .. }
            | Step::CountActive
            | Step::Commit { .. }
            | Step::RewriteConfig
            | Step::Reload { .. }
            | Step::ReplaceSupervisor
            | Step::StopContainer
            | Step::Promote => None,
        };
        let has = |place: &HostInstance, hash: &ContentHash| {
            place.images.contains(hash) || place.containers.iter().any(|c| &c.hash == hash)
        };
        wanted.is_some_and(|hash| !place.is_some_and(|place| has(place, &hash)))
    }
}

/// What comes by itself.
#[derive(Debug, Clone, Copy)]
enum Happening {
    /// The program ends, and its unit with this result.
    Ends(&'static str),
    /// systemd starts it once more.
    Restarts,
}

impl HostInstance {
    fn running(&self) -> Option<&ObservedContainer> {
        self.containers.iter().find(|c| c.is_running())
    }

    /// The images of the document and of what runs.
    fn images_in_use(&self) -> BTreeSet<Digest> {
        let document = self.current.iter().filter_map(|it| Some(it.container()?.digest.clone()));
        document.chain(self.running().map(|container| container.digest.clone())).collect()
    }

    fn image_before(&self) -> Option<Digest> {
        Some(self.previous.as_ref()?.container()?.digest.clone())
    }

    /// Forgets the run that the desired version has disproved by proving good.
    fn forget_disproved(&mut self, desired: &Instance) {
        let digest = desired.container().map(|container| &container.digest);
        let started = self.running().and_then(|container| match container.state {
            ContainerState::Running { since } => Some(since),
            ContainerState::Created | ContainerState::Exited { .. } => None,
        });
        let Some((digest, started)) = digest.zip(started) else { return };
        let forgotten = run_once::disproved(&self.runs, digest, started);
        self.runs.retain(|run| !forgotten.contains(&run.id));
    }

    fn next(&self) -> Option<(Timestamp, Happening)> {
        self.unit.as_ref()?.due
    }

    fn happen(&mut self, happening: Happening, now: Timestamp) {
        match happening {
            Happening::Ends(result) => fail(self, result, now),
            Happening::Restarts => {
                let Some(wanted) = self.wanted() else { return fail(self, "exit-code", now) };
                let Some(unit) = &mut self.unit else { return };
                if unit.restarts >= RESTARTS_MAX {
                    (unit.active, unit.since, unit.due) = (ActiveState::Failed, now, None);
                    unit.result = "start-limit-hit";
                    return;
                }
                unit.restarts += 1;
                run(self, &wanted, now);
            }
        }
    }

    /// What a supervisor works by.
    fn wanted(&self) -> Option<Instance> {
        let of_label = || self.labels.get(&self.containers.last()?.hash);
        self.current.as_ref().or_else(of_label).cloned()
    }

    /// The instance of that workload, wherever it is still written.
    pub(super) fn known(&self, hash: &ContentHash) -> Option<Instance> {
        let container = self.containers.iter().find(|c| &c.hash == hash);
        let labelled = container.and_then(|container| self.labels.get(&container.hash));
        let written = [&self.previous, &self.current].into_iter().flatten().chain(labelled);
        written.into_iter().find(|instance| &instance.workload_hash() == hash).cloned()
    }

    /// `systemctl stop`.
    pub(super) fn stop_by_hand(&mut self, now: Timestamp) {
        stop(self, now);
        if let Some(unit) = &mut self.unit {
            unit.by_hand = true;
        }
    }

    /// `docker system prune -af`.
    pub(super) fn prune_all(&mut self) {
        self.containers.retain(ObservedContainer::is_running);
        let used: BTreeSet<ContentHash> = self.containers.iter().map(|c| c.hash.clone()).collect();
        self.images.retain(|hash| used.contains(hash));
    }

    fn suffer(&mut self, fault: Fault) {
        match fault {
            Fault::Pruned => self.containers.retain(ObservedContainer::is_running),
            Fault::CurrentGarbled => self.current = None,
            Fault::PreviousGarbled => self.previous = None,
            Fault::None
            | Fault::Backoff
            | Fault::Killed { .. }
            | Fault::ClockSet { .. }
            | Fault::StoppedByHand => {}
        }
    }
}

fn ended(status: i64, ended: Timestamp) -> RunResult {
    let (outcome, reason) = (RunOutcome::Exited { status }, String::new());
    RunResult { outcome, started: None, ended, reason, last_lines: Vec::new() }
}

/// The effects of one step, of which only some may come to pass.
struct Effects<'a> {
    place: &'a mut HostInstance,
    now: Timestamp,
    left: usize,
}

impl Effects<'_> {
    fn effect(&mut self, change: impl FnOnce(&mut HostInstance, Timestamp)) {
        if self.left > 0 {
            self.left -= 1;
            change(self.place, self.now);
        }
    }

    fn towards(&mut self, step: &Step, desired_hash: &Instance) -> Outcome {
        match step {
            Step::Pull => self.effect(|place, _| {
                place.images.insert(desired_hash.workload_hash());
            }),
            Step::Create => {
                self.effect(|place, now| create(place, desired_hash, now));
                self.effect(|place, now| write_unit(place, desired_hash, now));
            }
            Step::Switch { previous, .. } => return self.switch(desired_hash, previous.as_ref()),
            Step::RewriteConfig => {
                self.effect(|place, _| place.current = Some(desired_hash.clone()));
                self.effect(|place, now| write_unit(place, desired_hash, now));
            }
            Step::Reload { content, runs, .. } => return self.reload(desired_hash, content, *runs),
            Step::Commit { previous } => self.effect(|place, _| {
                place.forget_disproved(desired_hash);
                let desired_hash = desired_hash.workload_hash();
                let written = || before(place).filter(|hash| hash != &desired_hash);
                let before =
                    previous.clone().or_else(written).or_else(|| last_ended(place, &desired_hash));
                let keep = [Some(desired_hash), before];
                place.containers.retain(|c| c.is_running() || keep.contains(&Some(c.hash.clone())));
            }),
            Step::Promote => self.effect(|place, _| promote(place, desired_hash)),
            Step::Soak
            | Step::Start
            | Step::RunOnce { .. }
            | Step::Remove { .. }
            | Step::CountActive
            | Step::RevertDocument { .. }
            | Step::Repair { .. }
            | Step::RollBack { .. }
            | Step::ReplaceSupervisor
            | Step::StopContainer
            | Step::Fail { .. } => {}
        }
        Outcome::Done
    }

    /// Writes files and lets the program take them over, or puts the former ones back.
    fn reload(&mut self, desired: &Instance, wanted: &ContentHash, runs: bool) -> Outcome {
        self.effect(|place, _| place.files = Some(wanted.clone()));
        if runs && self.place.refused.as_ref() == Some(wanted) {
            self.effect(|place, _| place.files = place.current.as_ref().and_then(content));
            self.effect(|place, _| place.loaded = place.files.clone());
            return failed("the reload failed");
        }
        if runs {
            self.effect(|place, _| place.loaded = place.files.clone());
        }
        self.effect(|place, _| place.current = Some(desired.clone()));
        self.effect(|place, now| write_unit(place, desired, now));
        Outcome::Done
    }

    /// Runs an operation once. Only the first effect is on the disk of a host that is killed then.
    fn run_once(&mut self, desired: &Instance, operation: &OperationName, id: RunId) -> Outcome {
        let digest = desired.container().expect("a run has an image").digest.clone();
        let version = desired.version().cloned();
        let mut steps = desired.migrations.iter();
        let irreversible = steps.any(|step| &step.operation == operation && step.irreversible);
        let (operation_name, result) = (operation.clone(), None);
        let run =
            ObservedRun { id, operation: operation_name, digest, version, irreversible, result };
        if self.place.runs.iter().all(|known| known.id != id) {
            self.effect(|place, _| place.runs.push(run));
        }
        let status = self.place.run_status;
        self.effect(|place, now| {
            let known = place.runs.iter_mut().find(|known| known.id == id);
            let known = known.filter(|known| known.result.is_none());
            if let Some(known) = known {
                known.result = Some(ended(status, now));
            }
        });
        let known = self.place.runs.iter().find(|known| known.id == id);
        match known.and_then(|known| known.result.as_ref()) {
            Some(result) if !result.is_success() => {
                let message = format!("the run {operation} failed");
                Outcome::Failed(update::given_up(nothing(), None, message, self.now))
            }
            Some(_) | None => Outcome::Done,
        }
    }

    fn switch(&mut self, desired_hash: &Instance, previous: Option<&ContentHash>) -> Outcome {
        self.effect(|place, _| {
            let known = previous.and_then(|previous| place.known(previous));
            place.current = Some(desired_hash.clone());
            place.previous = known.or(place.previous.take());
        });
        if desired_hash.container().is_none() {
            self.effect(|place, now| write_unit(place, desired_hash, now));
        }
        self.effect(stop);
        let outcome = self.start(desired_hash);
        if outcome == Outcome::Done {
            self.effect(|place, _| promote(place, desired_hash));
        }
        outcome
    }

    fn revert_document(&mut self, running: &ContentHash) -> Outcome {
        let Some(instance) = self.place.known(running) else {
            return Outcome::Retry(host_error("what runs is not known any more"));
        };
        self.effect(|place, _| place.current = Some(instance));
        Outcome::Done
    }

    fn repair(&mut self, in_use: &ContentHash) -> Outcome {
        let Some(instance) = self.place.known(in_use) else {
            return Outcome::Retry(host_error("what is in use is not known any more"));
        };
        self.effect(|place, _| place.current = Some(instance.clone()));
        self.effect(|place, now| write_unit(place, &instance, now));
        Outcome::Done
    }

    fn roll_back(&mut self, previous: &ContentHash, runs: bool) -> Outcome {
        let Some(instance) = self.place.known(previous) else {
            return failed("the version before is not known any more");
        };
        if runs {
            self.effect(|place, _| promote(place, &instance));
            return Outcome::Done;
        }
        self.effect(|place, _| place.current = Some(instance.clone()));
        if instance.container().is_none() {
            self.effect(|place, now| write_unit(place, &instance, now));
        }
        self.effect(stop);
        let outcome = self.start(&instance);
        self.effect(|place, _| promote(place, &instance));
        outcome
    }

    fn start(&mut self, desired_hash: &Instance) -> Outcome {
        self.effect(|place, now| {
            place.files = content(desired_hash);
            set_unit(place, ActiveState::Activating, now);
            run(place, desired_hash, now);
        });
        if !is_bad_at_start(desired_hash) {
            return Outcome::Done;
        }
        if self.left > 0 && self.place.running().is_some() {
            self.now = self.now.plus_ms(START_TIMEOUT_MS);
        }
        self.effect(|place, now| {
            if place.running().is_some() {
                fail(place, "timeout", now);
            }
        });
        failed("did not start")
    }
}

/// The content of what the program of an instance takes over while it runs.
pub(super) fn content(instance: &Instance) -> Option<ContentHash> {
    instance.reload.as_ref().map(Reload::content)
}

/// A start of the unit, by whomever.
fn run(place: &mut HostInstance, desired_hash: &Instance, now: Timestamp) {
    if desired_hash.container().is_some() {
        create(place, desired_hash, now);
    }
    begin(place, &desired_hash.workload_hash(), now);
    place.loaded = place.files.clone();
    let word = start_word(desired_hash);
    if word.starts_with("exits") {
        return fail(place, "exit-code", now);
    }
    let Some(unit) = &mut place.unit else { return };
    let answers = !word.starts_with("hangs");
    unit.active = if answers { ActiveState::Active } else { ActiveState::Activating };
    (unit.since, unit.result) = (now, "success");
    unit.due = match word {
        word if word.starts_with("dies") => {
            Some((now.plus_ms(DEATH_MS), Happening::Ends("exit-code")))
        }
        word if word.starts_with("hangs") => {
            Some((now.plus_ms(START_TIMEOUT_MS), Happening::Ends("timeout")))
        }
        _ => None,
    };
}

/// The program ended by itself; systemd will start it once more.
fn fail(place: &mut HostInstance, result: &'static str, now: Timestamp) {
    for container in place.containers.iter_mut().filter(|c| c.is_running()) {
        container.state = ContainerState::Exited { code: 1, at: now, out_of_memory: false };
    }
    if let Some(unit) = &mut place.unit {
        (unit.active, unit.since, unit.result) = (ActiveState::Activating, now, result);
        unit.due = Some((now.plus_ms(restart_pause_ms()), Happening::Restarts));
    }
}

fn failed(message: &str) -> Outcome {
    Outcome::Failed(Failure {
        hash: nothing(),
        version: None,
        at: Timestamp(0),
        message: message.to_owned(),
        exit_code: Some(1),
        log_tail: Vec::new(),
    })
}

pub(super) fn is_bad(version: &str) -> bool {
    BAD.iter().any(|bad| version.starts_with(bad))
}

fn start_word(desired_hash: &Instance) -> &str {
    match &*desired_hash.workload {
        Workload::Container(container) => container.version.as_str(),
        Workload::Unit(unit) => &unit.drop_in,
    }
}

fn is_bad_at_start(desired_hash: &Instance) -> bool {
    let word = start_word(desired_hash);
    word.starts_with("exits") || word.starts_with("hangs")
}

fn create(place: &mut HostInstance, desired_hash: &Instance, now: Timestamp) {
    let Some(container) = desired_hash.container() else { return };
    let hash = desired_hash.workload_hash();
    if place.containers.iter().any(|c| c.hash == hash) {
        return;
    }
    place.labels.insert(hash.clone(), desired_hash.clone());
    let taken = place.containers.iter().any(|c| c.name == container.name.as_str());
    let suffix = if taken { "-next" } else { "" };
    place.containers.push(ObservedContainer {
        id: format!("{}-{}", hash.short(), now.0),
        name: format!("{}{suffix}", container.name),
        hash,
        version: container.version.clone(),
        digest: container.digest.clone(),
        created: now,
        state: ContainerState::Created,
    });
}

fn write_unit(place: &mut HostInstance, desired_hash: &Instance, now: Timestamp) {
    let text = desired_hash.clone();
    match &mut place.unit {
        Some(unit) => unit.text = text,
        None => {
            let active = ActiveState::Inactive;
            let (since, by_hand, restarts, result) = (now, false, 0, "success");
            let due = None;
            place.unit = Some(Unit { text, active, since, by_hand, restarts, result, due });
        }
    }
}

fn set_unit(place: &mut HostInstance, active: ActiveState, now: Timestamp) {
    if let Some(unit) = &mut place.unit {
        (unit.active, unit.since, unit.by_hand) = (active, now, false);
        (unit.restarts, unit.result, unit.due) = (0, "success", None);
    }
}

fn stop(place: &mut HostInstance, now: Timestamp) {
    for container in place.containers.iter_mut().filter(|c| c.is_running()) {
        container.state = ContainerState::Exited { code: 0, at: now, out_of_memory: false };
    }
    set_unit(place, ActiveState::Inactive, now);
}

fn begin(place: &mut HostInstance, hash: &ContentHash, now: Timestamp) {
    if let Some(container) = place.containers.iter_mut().find(|c| &c.hash == hash) {
        container.state = ContainerState::Running { since: now };
    }
}

fn before(place: &HostInstance) -> Option<ContentHash> {
    place.previous.as_ref().map(Instance::workload_hash)
}

/// The container that ended last, but for the desired workload's.
fn last_ended(place: &HostInstance, desired_hash: &ContentHash) -> Option<ContentHash> {
    let ended =
        place.containers.iter().filter(|c| &c.hash != desired_hash).filter_map(|c| match c.state {
            ContainerState::Exited { at, .. } => Some((at, c.hash.clone())),
            ContainerState::Created | ContainerState::Running { .. } => None,
        });
    ended.max().map(|(_, hash)| hash)
}

fn promote(place: &mut HostInstance, desired_hash: &Instance) {
    let (Some(container), hash) = (desired_hash.container(), desired_hash.workload_hash()) else {
        return;
    };
    for (number, other) in place.containers.iter_mut().enumerate() {
        other.name = if other.hash == hash {
            container.name.to_string()
        } else {
            format!("{}-prev{number}", container.name)
        };
    }
}

/// A unit of that name without our mark.
pub(super) fn foreign_unit(name: &str) -> ForeignObject {
    ForeignObject::Unit { unit: name.parse().unwrap(), unreadable: None }
}

fn host_error(words: &str) -> NotDone {
    NotDone::HostError(words.to_owned())
}
