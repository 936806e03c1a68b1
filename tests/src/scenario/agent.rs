//! An agent as a value: what it keeps on disk, what it is doing, what it says.
//! It decides by `reconcile` alone, as the real one does.

use std::collections::BTreeMap;

use oml_common::decide::observed::Observed;
use oml_common::decide::reconcile::{Busy, Input, Step, decide, reconcile, tell};
use oml_common::decide::update::{self, InstanceUpdate, Outcome, nothing};
use oml_common::document::assignment::Assignment;
use oml_common::document::instance::InstanceDocument;
use oml_common::document::report::{HostUsage, Report};
use oml_common::id::{ComponentName, ContentHash, RevisionNumber};
use oml_common::time::Timestamp;

use super::flight::{Flight, Scene};
use super::host::Host;

/// The agent of one host.
#[derive(Debug, Clone)]
pub(super) struct Agent {
    /// Its process runs.
    pub(super) running: bool,
    /// Its host can be reached.
    pub(super) reachable: bool,
    pub(super) assignment: Option<Assignment>,
    pub(super) updates: BTreeMap<ComponentName, InstanceUpdate>,
    pub(super) flights: BTreeMap<ComponentName, Flight>,
    wake_at: Option<Timestamp>,
    pub(super) report: Option<Report>,
}

impl Agent {
    pub(super) fn new() -> Self {
        Self {
            running: true,
            reachable: true,
            assignment: None,
            updates: BTreeMap::new(),
            flights: BTreeMap::new(),
            wake_at: None,
            report: None,
        }
    }

    /// It has a session with the controller.
    pub(super) fn is_connected(&self) -> bool {
        self.running && self.reachable
    }

    /// Its process is gone; what it was doing is lost, what it wrote down is not.
    pub(super) fn kill(&mut self) {
        self.running = false;
        self.flights.clear();
        self.wake_at = None;
    }

    /// Its state folder is gone too.
    pub(super) fn forget(&mut self) {
        self.kill();
        self.assignment = None;
        self.updates.clear();
    }

    /// When it will do something although nothing happens around it.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        let flights = self.flights.values().filter_map(Flight::next_at);
        flights.chain(self.wake_at).min()
    }

    /// Takes an assignment up, unless it refuses it.
    pub(super) fn take(&mut self, offered: &Assignment, now: Timestamp) -> bool {
        let held = self.assignment.as_ref();
        let is_new = held != Some(offered);
        if !is_new || offered.accept_after(held, &offered.tenant, &offered.node).is_err() {
            return false;
        }
        update::align(&mut self.updates, offered);
        if let Some(held) = held {
            update::ask_again(&mut self.updates, held, offered, now);
        }
        self.assignment = Some(offered.clone());
        true
    }

    /// Looks, begins what follows and says how things stand. Tells whether
    /// anything was begun or is new.
    pub(super) fn pass(&mut self, host: &mut Host, now: Timestamp) -> bool {
        if let Some(assignment) = &self.assignment {
            host.install_packages(assignment);
        }
        let observed = host.observe(self.assignment.as_ref(), now);
        let actions = reconcile(self.input(&observed, &self.busy(), now));
        let begun = !actions.is_empty();
        for action in actions {
            self.begin(action.component, action.step, now);
        }
        let busy = self.busy();
        let input = self.input(&observed, &busy, now);
        let decisions = decide(input);
        let assignment = self.assignment.as_ref();
        let report = Report {
            applied: assignment.map(|assignment| assignment.generation),
            revision: assignment.map_or(RevisionNumber(0), |a| a.content.revision),
            at: now,
            agent_version: String::new(),
            troubles: Vec::new(),
            instances: tell(input, &decisions),
            host: HostUsage::default(),
        };
        let wakes = decisions.values().filter_map(|decision| decision.wake_at);
        self.wake_at = wakes.filter(|at| *at > now).min();
        let is_new = self.report.as_ref().is_none_or(|said| !says_the_same(said, &report));
        self.report = Some(report);
        begun || is_new
    }

    fn input<'a>(
        &'a self,
        observed: &'a Observed,
        busy: &'a BTreeMap<ComponentName, Busy>,
        now: Timestamp,
    ) -> Input<'a> {
        let assignment = self.assignment.as_ref();
        Input { assignment, observed, updates: &self.updates, busy, now }
    }

    fn busy(&self) -> BTreeMap<ComponentName, Busy> {
        let busy = |flight: &Flight| Busy { step: flight.step.clone(), bytes: (0, 0) };
        self.flights.iter().map(|(name, flight)| (name.clone(), busy(flight))).collect()
    }

    fn desired(&self, component: &ComponentName) -> Option<InstanceDocument> {
        let instances = &self.assignment.as_ref()?.content.share.instances;
        instances.get(component).map(|desired| desired.instance.clone())
    }

    fn begin(&mut self, component: ComponentName, step: Step, now: Timestamp) {
        let desired = self.desired(&component);
        let desired_hash = self.desired_hash(&component);
        let update =
            self.updates.remove(&component).filter(|update| update.desired_hash == desired_hash);
        let update =
            update.unwrap_or_else(|| InstanceUpdate::new(desired_hash)).entering(&step, now);
        self.updates.insert(component.clone(), update);
        let flight = Flight::begin(component.clone(), step, desired, now);
        self.flights.insert(component, flight);
    }

    fn desired_hash(&self, component: &ComponentName) -> ContentHash {
        self.desired(component).as_ref().map_or_else(nothing, |i| i.workload_hash())
    }

    /// Does the next effect of a component's step and, after the last, writes
    /// down how it ended.
    pub(super) fn advance(&mut self, component: &ComponentName, scene: Scene<'_>) {
        let now = scene.moment.now;
        let Some(flight) = self.flights.get_mut(component) else { return };
        let Some(outcome) = flight.advance(scene) else { return };
        let step = flight.step.clone();
        let desired_hash = flight.desired.as_ref().map_or_else(nothing, |i| i.workload_hash());
        self.flights.remove(component);
        // How a step ended says nothing of a desired workload that superseded its own.
        if self.updates.get(component).is_some_and(|update| update.desired_hash != desired_hash) {
            return;
        }
        let removed = step == Step::Remove && outcome == Outcome::Done;
        if let Some(update) = self.updates.remove(component).filter(|_| !removed) {
            let update = update.after(&step, outcome, now);
            if !update.is_blank() {
                self.updates.insert(component.clone(), update);
            }
        }
    }
}

/// Equal but for the times at which things were asked.
fn says_the_same(a: &Report, b: &Report) -> bool {
    let essence = |report: &Report| {
        let mut report = report.clone();
        report.at = Timestamp(0);
        for instance in report.instances.values_mut() {
            instance.checked_at = None;
        }
        report
    };
    essence(a) == essence(b)
}
