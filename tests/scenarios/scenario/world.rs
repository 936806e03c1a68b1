//! The world of a script: its controller, its nodes and its time. Every change that people
//! would see becomes one line.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use oml_common::document::report::{InstanceReport, Phase};
use oml_common::document::rollout::State;
use oml_common::id::{ComponentName, NodeName, RevisionNumber};
use oml_common::time::Timestamp;
use oml_daemon::env::Simulated;
use omlcontroller::ops::snapshot::TenantSnapshot;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::ScenarioError;
use super::change_watch::ChangeWatch;
use super::controller::Controller;
use super::invariants::Watch;
use super::node::{Around, Node};
use super::seen::{Seen, Sight};
use super::stage::Behaviours;

/// Where the clock of every simulated world begins.
pub(super) const BEGIN: Timestamp = Timestamp(1_767_225_600_000);
/// Where the randomness of every script begins.
const SEED: u64 = 1;
/// The time within which everything that happens is looked at together.
const LOOK: Duration = Duration::from_millis(100);
/// Times are printed in tenths of a second.
const TENTH_MS: u64 = 100;

/// The world of a script.
pub(super) struct World {
    pub(super) around: Around,
    pub(super) controller: Controller,
    pub(super) nodes: BTreeMap<NodeName, Node>,
    /// Roles of each node, for one that joins again.
    pub(super) roles: BTreeMap<NodeName, Vec<oml_common::id::RoleName>>,
    /// The specification that the next `apply` sends.
    pub(super) spec: String,
    /// Lines printed since the last command.
    pub(super) lines: Vec<String>,
    /// What the tenant's rollout looked like at the last look.
    pub(super) snapshot: Option<TenantSnapshot>,
    /// The silent times at the end of each `run`, which are left out of the times that are
    /// shown.
    silences: Vec<(Timestamp, u64)>,
    seen: Seen,
    stirred: watch::Receiver<u64>,
    fresh: Vec<Fresh>,
    /// The time of the sight that is being looked at.
    looks_at: Timestamp,
    shown: Shown,
    pub(super) watch: Watch,
    /// Every change that was made, as the operator who waits for its end watches it.
    pub(super) changes: Vec<ChangeWatch>,
    pub(super) folder: tempfile::TempDir,
}

/// A line that is not printed yet.
#[derive(Debug)]
struct Fresh {
    at: Timestamp,
    /// The node of the instance that the line is about, if it is about one.
    node: Option<String>,
    line: String,
}

/// What was last printed.
#[derive(Debug, Default)]
struct Shown {
    instances: BTreeMap<(NodeName, ComponentName), ShownInstance>,
    targets: BTreeMap<NodeName, RevisionNumber>,
    rollout: Option<(RevisionNumber, State)>,
}

/// What people see of an instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct ShownInstance {
    phase: String,
    reason: String,
    drift: Option<String>,
}

impl World {
    pub(super) async fn new(seen: Seen) -> Self {
        let memory = std::path::Path::new("/dev/shm");
        let folder =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let folder = folder.expect("a folder of the test");
        let simulated = Simulated::new(SEED);
        let registry = oml_sim::Registry::with_everything();
        let controller = Controller::start(simulated.env(), folder.path(), registry.clone()).await;
        let behaviours = Arc::new(Behaviours::default());
        tokio::spawn(controller.follow(seen.clone()));
        Self {
            around: Around { registry, behaviours, simulated, begin: Instant::now() },
            controller,
            nodes: BTreeMap::new(),
            roles: BTreeMap::new(),
            spec: String::new(),
            lines: Vec::new(),
            snapshot: None,
            silences: Vec::new(),
            stirred: seen.subscribe(),
            seen,
            fresh: Vec::new(),
            looks_at: BEGIN,
            shown: Shown::default(),
            watch: Watch::default(),
            changes: Vec::new(),
            folder,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        let passed = self.around.begin.elapsed().as_millis();
        BEGIN.plus_ms(u64::try_from(passed).unwrap_or(u64::MAX))
    }

    /// Starts a node's agent.
    pub(super) fn start_agent(&mut self, name: &NodeName) {
        let Some(node) = self.nodes.get_mut(name) else { return };
        let dial = self.controller.dial(node.reachable.subscribe());
        node.start(dial, self.seen.clone());
    }

    /// Returns true if an agent was killed at the failpoint that a replay chose.
    pub(super) fn has_crashed(&self) -> bool {
        self.nodes.values().any(|node| node.failpoints.hit().is_some())
    }

    /// Lets time pass, and looks at what happens.
    pub(super) async fn advance(&mut self, pause: Duration) -> Result<(), ScenarioError> {
        let until = Instant::now() + pause;
        while self.next_look(until).await? {}
        self.look().await
    }

    /// Waits for something to look at, and looks. Returns false if nothing happened in time.
    pub(super) async fn next_look(&mut self, until: Instant) -> Result<bool, ScenarioError> {
        if timeout_at(until, self.stirred.changed()).await.is_err() {
            return Ok(false);
        }
        // All that happens together is one look.
        let passed = self.around.begin.elapsed();
        let looks = passed.as_millis() / LOOK.as_millis() + 1;
        let next = self.around.begin + LOOK * u32::try_from(looks).unwrap_or(u32::MAX);
        sleep_until(next.min(until)).await;
        self.stirred.mark_unchanged();
        self.look().await?;
        Ok(true)
    }

    /// Looks at all that has happened, checks it, and prints what is new.
    pub(super) async fn look(&mut self) -> Result<(), ScenarioError> {
        for (at, sight) in self.seen.take() {
            let passed = at.duration_since(self.around.begin).as_millis();
            self.looks_at = BEGIN.plus_ms(u64::try_from(passed).unwrap_or(u64::MAX));
            match sight {
                Sight::Report(name, report) => {
                    self.watch.see_report(&name, &report, self.looks_at);
                    if let Some(node) = self.nodes.get_mut(&name) {
                        node.report = Some(report);
                    }
                    self.show(&name);
                }
                Sight::Crash => {}
                Sight::Tenant(snapshot) => {
                    self.snapshot = *snapshot;
                    self.show_rollout(&self.moves());
                    if let Some(snapshot) = &self.snapshot {
                        self.watch.check_parallel(&self.nodes, snapshot)?;
                    }
                }
            }
        }
        self.looks_at = self.now();
        self.print();
        self.watch.check(&self.nodes, self.now())
    }

    /// Returns the pointers that differ from those shown.
    fn moves(&self) -> BTreeMap<NodeName, (Option<RevisionNumber>, Option<RevisionNumber>)> {
        let targets = self.snapshot.as_ref().map(|snapshot| {
            let targets = snapshot.targets.iter();
            targets.map(|(node, target)| (node.clone(), target.value.revision)).collect()
        });
        let targets: BTreeMap<NodeName, RevisionNumber> = targets.unwrap_or_default();
        let names: BTreeSet<&NodeName> = targets.keys().chain(self.shown.targets.keys()).collect();
        let moves = names.into_iter().map(|name| {
            (name.clone(), (self.shown.targets.get(name).copied(), targets.get(name).copied()))
        });
        moves.filter(|(_, (from, to))| from != to).collect()
    }

    fn show_rollout(
        &mut self,
        moved: &BTreeMap<NodeName, (Option<RevisionNumber>, Option<RevisionNumber>)>,
    ) {
        let name = |number: Option<RevisionNumber>| {
            number.map_or_else(|| "nothing".to_owned(), |number| format!("revision {number}"))
        };
        for (node, (from, to)) in moved {
            let move_ = format!("{} -> {}", name(*from), name(*to));
            self.line(node.as_str(), "pointer", &move_, "");
            match to {
                Some(to) => self.shown.targets.insert(node.clone(), *to),
                None => self.shown.targets.remove(node),
            };
        }
        let Some(snapshot) = &self.snapshot else { return };
        let (to, state) = (snapshot.rollout.value.to, snapshot.rollout.value.state.clone());
        let shown = self.shown.rollout.replace((to, state.clone()));
        let begun = State::Progressing { wave: 0 };
        let before = shown.filter(|(shown, _)| *shown == to).map_or(begun, |(_, state)| state);
        if before == state {
            return;
        }
        let detail = match &state {
            State::Progressing { wave } => format!("wave {}", wave + 1),
            State::Completed
            | State::Paused { .. }
            | State::RollingBack { .. }
            | State::RolledBack { .. }
            | State::Superseded => state.why().to_owned(),
        };
        self.line("rollout", "", state.as_str(), &detail);
    }

    /// Prints what is new of a node's instances.
    fn show(&mut self, node: &NodeName) {
        let report = self.nodes.get(node).and_then(|node| node.report.clone());
        let Some(report) = report else { return };
        for (component, instance) in &report.instances {
            let shown = ShownInstance::of(instance);
            let key = (node.clone(), component.clone());
            let before = self.shown.instances.insert(key, shown.clone()).unwrap_or_default();
            if let Some(drift) = shown.drift.as_ref().filter(|_| shown.drift != before.drift) {
                self.line(node.as_str(), component.as_str(), "drift", drift);
            }
            if (&shown.phase, &shown.reason) != (&before.phase, &before.reason) {
                let version = instance.version.as_ref().map(|v| format!("{v} runs; "));
                let version = version.filter(|_| instance.phase == Phase::RolledBack);
                let reason = if tells_more(instance) { instance.reason.as_str() } else { "" };
                let reason = format!("{}{reason}", version.unwrap_or_default());
                self.line(node.as_str(), component.as_str(), &shown.phase, &reason);
            }
        }
        let shown = self.shown.instances.keys();
        let is_gone = |key: &&(NodeName, ComponentName)| {
            &key.0 == node && !report.instances.contains_key(&key.1)
        };
        for key in shown.filter(is_gone).cloned().collect::<Vec<_>>() {
            self.shown.instances.remove(&key);
            self.line(node.as_str(), key.1.as_str(), "gone", "");
        }
    }

    fn line(&mut self, place: &str, what: &str, state: &str, detail: &str) {
        let at = self.clock(self.looks_at);
        let line = format!("{at}  {place:<11} {what:<13} {state:<11} {detail}");
        let line = line.trim_end().to_owned();
        // A node's instances, but neither its pointer nor the rollout.
        let node = (place != "rollout" && what != "pointer").then(|| place.to_owned());
        self.fresh.push(Fresh { at: self.looks_at, node, line });
    }

    /// Prints what is new. What several nodes do within the tenth of a second
    /// that is printed has no order: it is printed node by node.
    fn print(&mut self) {
        let mut fresh = std::mem::take(&mut self.fresh);
        let together = |a: &Fresh, b: &Fresh| {
            a.at.0 / TENTH_MS == b.at.0 / TENTH_MS && a.node.is_some() && b.node.is_some()
        };
        for moment in fresh.chunk_by_mut(together) {
            moment.sort_by(|a, b| a.node.cmp(&b.node));
        }
        self.lines.extend(fresh.into_iter().map(|fresh| fresh.line));
    }

    /// Leaves the time since `from`, in which nothing happened, out of the times that are shown.
    pub(super) fn leave_out(&mut self, from: Timestamp) {
        self.silences.push((from, self.now().since_ms(from)));
    }

    /// Returns a time as the time since the script began, without the silences: `01:05.2`.
    pub(super) fn clock(&self, at: Timestamp) -> String {
        let before =
            self.silences.iter().filter(|(from, length_ms)| from.plus_ms(*length_ms) <= at);
        let silent_ms: u64 = before.map(|(_, length_ms)| length_ms).sum();
        let ms = at.since_ms(BEGIN).saturating_sub(silent_ms);
        let (hours, minutes) = (ms / 3_600_000, ms / 60_000 % 60);
        let (seconds, tenths) = (ms / 1_000 % 60, ms / 100 % 10);
        let short = format!("{minutes:02}:{seconds:02}.{tenths}");
        if hours == 0 { short } else { format!("{hours}:{short}") }
    }

    /// Returns what the rollout waits for, or `None` if it has ended.
    pub(super) fn waits_for(&self) -> Option<String> {
        let snapshot = self.snapshot.as_ref()?;
        if snapshot.rollout.value.is_ended() {
            return None;
        }
        Some(snapshot.step().waits_for.to_string())
    }

    /// Checks what is reported to the operators who wait for the end of their changes.
    pub(super) fn check_changes(&self) -> Result<(), ScenarioError> {
        let Some(snapshot) = &self.snapshot else { return Ok(()) };
        let checked = self.changes.iter().map(|change| change.check(&snapshot.rollout.value));
        checked.collect::<Result<(), String>>().map_err(ScenarioError::Broken)
    }

    /// Returns what is still to be expected.
    pub(super) fn rest(&self) -> Rest {
        if self.snapshot.as_ref().is_some_and(|s| !s.rollout.value.is_ended()) {
            return Rest::UnderWay;
        }
        let reports = self.nodes.values().filter_map(|node| node.report.as_ref());
        let phases = reports.flat_map(|report| report.instances.values().map(|i| &i.phase));
        let mut rest = Rest::Ready;
        for phase in phases {
            if !phase.is_idle() {
                return Rest::UnderWay;
            }
            if *phase != Phase::Ready {
                rest = Rest::Idle;
            }
        }
        rest
    }
}

/// What is still to be expected when nothing is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// Everything runs as it should.
    Ready,
    /// No instance is on its way.
    Idle,
    /// Something goes on.
    UnderWay,
}

impl ShownInstance {
    fn of(instance: &InstanceReport) -> Self {
        let changes_by_itself = match instance.phase {
            Phase::Ready
            | Phase::Soaking { .. }
            | Phase::Pulling { .. }
            | Phase::Preparing
            | Phase::Starting
            | Phase::Removing => true,
            Phase::Pending
            | Phase::Draining { .. }
            | Phase::Unhealthy
            | Phase::CrashLooping
            | Phase::StoppedByHand { .. }
            | Phase::RolledBack
            | Phase::Failed
            | Phase::Blocked
            | Phase::Unknown => false,
        };
        let reason = if changes_by_itself { String::new() } else { instance.reason.clone() };
        let drift = instance.drift.as_ref().map(|drift| drift.found.clone());
        Self { phase: instance.phase.as_str().to_owned(), reason, drift }
    }
}

/// Returns true if the reason says more than the phase.
fn tells_more(instance: &InstanceReport) -> bool {
    !matches!(instance.phase, Phase::Pulling { .. } | Phase::Preparing)
        && instance.reason != instance.phase.as_str()
}
