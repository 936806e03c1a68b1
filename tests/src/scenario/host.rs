//! A host as a value: what Docker, systemd and the supervisors would hold, and
//! what of it an agent would find.

use std::collections::{BTreeMap, BTreeSet};

use oml_common::decide::observed::{
    ActiveState, ContainerState, Counting, Drift, Health, Observed, ObservedContainer,
    ObservedDocument, ObservedInstance, Status,
};
use oml_common::document::assignment::Assignment;
use oml_common::document::instance::{InstanceDocument, Workload};
use oml_common::id::{ComponentName, ContentHash, Digest};
use oml_common::time::Timestamp;

use super::behaviour::Surroundings;

mod unit;

pub(super) use self::unit::Unit;

/// One host with all that runs on it.
#[derive(Debug, Clone, Default)]
pub(super) struct Host {
    /// Everything of one component.
    pub(super) places: BTreeMap<ComponentName, Place>,
    /// Images in the engine's store.
    pub(super) images: BTreeSet<Digest>,
}

/// What is there of one component.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    pub(super) containers: Vec<ObservedContainer>,
    pub(super) unit: Option<Unit>,
    pub(super) documents: Documents,
    /// What the supervisor last said.
    pub(super) said: Option<Said>,
    /// A unit or container of that name that is not ours.
    pub(super) foreign: Option<String>,
    pub(super) calls: Calls,
    /// Workloads that answered at least once.
    pub(super) answered: BTreeSet<ContentHash>,
    /// What each container was made from, as its label tells.
    pub(super) labels: BTreeMap<ContentHash, InstanceDocument>,
    /// Volumes that were ever made; nothing takes one away.
    pub(super) volumes: BTreeSet<String>,
}

/// The instance documents of a component.
#[derive(Debug, Clone, Default)]
pub(super) struct Documents {
    pub(super) current: Option<InstanceDocument>,
    pub(super) next: Option<InstanceDocument>,
    pub(super) previous: Option<InstanceDocument>,
}

/// What a supervisor said of the container it holds.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) hash: ContentHash,
    pub(super) container: String,
    pub(super) health: Health,
    pub(super) since: Timestamp,
    pub(super) detail: String,
    pub(super) drift: Option<Drift>,
}

/// What a count of calls would give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Calls {
    Up(u64),
    Unreadable,
}

impl Default for Calls {
    fn default() -> Self {
        Self::Up(0)
    }
}

impl Calls {
    /// What a count gives; none when it cannot be read.
    pub(super) fn count(self) -> Option<u64> {
        match self {
            Calls::Up(number) => Some(number),
            Calls::Unreadable => None,
        }
    }
}

/// The moment at which a host does something by itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment<'a> {
    pub(super) now: Timestamp,
    pub(super) around: &'a Surroundings,
}

impl Host {
    /// When something will happen here by itself.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.places.values().filter_map(Place::next_at).min()
    }

    /// What is due next, if it is due now.
    pub(super) fn due(&self, now: Timestamp) -> Option<ComponentName> {
        let is_due = |place: &Place| place.next_at().is_some_and(|at| at <= now);
        self.places.iter().find(|(_, place)| is_due(place)).map(|(name, _)| name.clone())
    }

    /// The packages that bring units were installed when the host was made.
    pub(super) fn install_packages(&mut self, assignment: &Assignment) {
        for (name, desired) in &assignment.content.share.instances {
            if desired.instance.container().is_none() {
                let place = self.places.entry(name.clone()).or_default();
                place.unit.get_or_insert_with(Unit::of_distribution);
            }
        }
    }

    /// What an agent finds.
    pub(super) fn observe(&self, assignment: Option<&Assignment>, now: Timestamp) -> Observed {
        let desired =
            |name: &ComponentName| assignment.and_then(|a| a.content.share.instances.get(name));
        let nothing = Place::default();
        let mut names: BTreeSet<&ComponentName> = self.places.keys().collect();
        names.extend(assignment.iter().flat_map(|a| a.content.share.instances.keys()));
        let instances = names
            .into_iter()
            .map(|name| {
                let place = self.places.get(name).unwrap_or(&nothing);
                let desired = desired(name).map(|desired| &desired.instance);
                (name.clone(), self.observe_one(place, desired, now))
            })
            .collect();
        Observed { instances }
    }

    fn observe_one(
        &self,
        place: &Place,
        desired: Option<&InstanceDocument>,
        now: Timestamp,
    ) -> ObservedInstance {
        let container = desired.and_then(|instance| instance.container());
        ObservedInstance {
            unit: place.unit.as_ref().and_then(|unit| unit.observe(desired)),
            containers: place.containers.clone(),
            image_present: container.is_some_and(|c| self.images.contains(&c.digest)),
            document: place.observe_document(),
            status: place.status(now),
            counting: place.counting(),
            units_at: Some(now),
            systemd_is_away: false,
            foreign: place.foreign.clone(),
        }
    }
}

impl Place {
    pub(super) fn running(&self) -> Option<&ObservedContainer> {
        self.containers.iter().find(|container| container.is_running())
    }

    /// How calls of what runs are counted.
    fn counting(&self) -> Counting {
        let labelled = || self.labels.get(&self.running()?.hash);
        match self.documents.current.as_ref().or_else(labelled) {
            Some(document) => document.active.clone().into(),
            None if self.running().is_some() => Counting::Unknown,
            None => Counting::Nothing,
        }
    }

    /// What a supervisor works by: the document or, where it is lost, the label
    /// of the container that runs, bears the own name, ran last, or is newest.
    pub(super) fn wanted(&self) -> Option<InstanceDocument> {
        let own = |found: &&ObservedContainer| {
            let container = self.labels.get(&found.hash).and_then(|i| i.container());
            container.is_some_and(|container| container.name.as_str() == found.name)
        };
        let ran = |found: &&ObservedContainer| found.state != ContainerState::Created;
        let containers = || self.containers.iter().rev();
        let likeliest = || {
            let stopped = || containers().find(own).or_else(|| containers().find(ran));
            self.running().or_else(stopped).or_else(|| containers().next())
        };
        let labelled = || self.labels.get(&likeliest()?.hash);
        self.documents.current.as_ref().or_else(labelled).cloned()
    }

    /// The instance of a workload, from its documents or a container's label.
    pub(super) fn known(&self, hash: &ContentHash) -> Option<InstanceDocument> {
        let Documents { current, next, previous } = &self.documents;
        let container = self.containers.iter().find(|container| &container.hash == hash);
        let labelled = container.and_then(|container| self.labels.get(&container.hash));
        let written = [previous, current, next].into_iter().flatten().chain(labelled);
        written.into_iter().find(|instance| &instance.workload_hash() == hash).cloned()
    }

    pub(super) fn container(&mut self, hash: &ContentHash) -> Option<&mut ObservedContainer> {
        self.containers.iter_mut().find(|container| &container.hash == hash)
    }

    fn next_at(&self) -> Option<Timestamp> {
        self.unit.as_ref()?.next.map(|(at, _)| at)
    }

    /// The document, or else what the running container's label tells.
    fn observe_document(&self) -> Option<ObservedDocument> {
        if let Some(document) = &self.documents.current {
            return Some(ObservedDocument {
                hash: document.hash().clone(),
                workload: document.workload_hash(),
                probe: Some(document.probe.clone()),
                on_disk: true,
            });
        }
        let workload = self.running()?.hash.clone();
        Some(ObservedDocument { hash: workload.clone(), workload, probe: None, on_disk: false })
    }

    /// A supervisor that lives asks all the time; one that does not says nothing more.
    fn status(&self, now: Timestamp) -> Option<Status> {
        let said = self.said.clone()?;
        let held = self.running().is_some_and(|container| container.id == said.container);
        Some(Status {
            hash: said.hash,
            container: said.container,
            health: said.health,
            probe: self.documents.current.as_ref().map(|document| document.probe.clone()),
            checked_at: if held { now } else { said.since },
            since: said.since,
            detail: said.detail,
            active: self.calls.count().filter(|_| held),
            drift: said.drift,
        })
    }

    /// Makes a container, not started, unless there is one of that workload.
    pub(super) fn create(&mut self, instance: &InstanceDocument, now: Timestamp) {
        let Some(container) = instance.container() else { return };
        let hash = instance.workload_hash();
        if self.containers.iter().any(|c| c.hash == hash) {
            return;
        }
        self.labels.insert(hash.clone(), instance.clone());
        self.volumes.extend(container.volumes.iter().map(|volume| volume.source.clone()));
        self.containers.push(ObservedContainer {
            id: format!("{}-{}", hash.short(), now.0),
            name: format!("{}-next-{}", container.name, hash.short()),
            hash,
            version: container.version.clone(),
            digest: container.digest.clone(),
            created: now,
            state: ContainerState::Created,
        });
    }

    /// Gives the running container its own name; the one before becomes `…-prev`.
    pub(super) fn promote(&mut self, instance: &InstanceDocument) {
        let Some(container) = instance.container() else { return };
        let own = container.name.as_str();
        let Some(running) = self.running().map(|running| running.id.clone()) else { return };
        let previous = format!("{own}-prev");
        let holder = self.containers.iter().find(|c| c.name == own && c.id != running);
        if let Some(holder) = holder.map(|holder| holder.id.clone()) {
            let older = self.containers.iter_mut().find(|c| c.name == previous && c.id != running);
            if let Some(older) = older {
                older.name = format!("{own}-next-{}", older.hash.short());
            }
            self.rename(&holder, &previous);
        }
        self.rename(&running, own);
    }

    fn rename(&mut self, id: &str, name: &str) {
        if let Some(container) = self.containers.iter_mut().find(|c| c.id == id) {
            name.clone_into(&mut container.name);
        }
    }

    /// Writes the unit file, or our drop-in to the distribution's.
    pub(super) fn write_unit(&mut self, instance: &InstanceDocument) {
        self.unit.get_or_insert_with(Unit::default).text = Some(instance.clone());
    }

    /// Takes our unit file away; the distribution's own unit stays.
    pub(super) fn remove_unit(&mut self) {
        let packaged = self.unit.as_ref().and_then(|unit| unit.text.as_ref());
        if packaged.is_some_and(|text| matches!(*text.workload, Workload::Unit(_))) {
            if let Some(unit) = &mut self.unit {
                unit.text = None;
            }
        } else {
            self.unit = None;
        }
    }

    /// The state that systemd tells; inactive where there is no unit.
    pub(super) fn active(&self) -> ActiveState {
        self.unit.as_ref().map_or(ActiveState::Inactive, |unit| unit.active)
    }
}
