//! Joins listings, documents and statuses into one observation. It does no I/O.

use std::collections::{BTreeMap, BTreeSet};

use oml_common::decide::difference::{Difference, FileChange, OwnFile};
use oml_common::decide::observed::{
    Observed, ObservedDocument, ObservedInstance, ObservedRun, SettledDocument,
};
use oml_common::decide::rights::refused;
use oml_common::document::assignment::Assignment;
use oml_common::document::host_policy::HostPolicy;
use oml_common::document::instance::{Counting, HeldInstance, Instance, KeptSecret, Reload};
use oml_common::document::status::Status;
use oml_common::id::{ComponentName, ContentHash, Digest};
use oml_common::time::Timestamp;

use crate::runtime::{ContainerListing, UnitListing};
use crate::statuses::Statuses;

/// What was started of a component, and what was run once for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Started {
    /// The image of its current document.
    pub(crate) image: Option<Digest>,
    /// The image of the document before that one.
    pub(crate) image_before: Option<Digest>,
    /// The runs of its updates.
    pub(crate) runs: Vec<ObservedRun>,
}

/// Where the parts of an observation come from.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'a> {
    pub(crate) assignment: Option<&'a Assignment>,
    pub(crate) engine: &'a ContainerListing,
    pub(crate) systemd: &'a UnitListing,
    /// The current document of each component, as far as there is one on disk.
    pub(crate) documents: &'a BTreeMap<ComponentName, HeldInstance>,
    /// What somebody changed in the files of the instances by which the host works.
    pub(crate) file_changes: &'a BTreeMap<ComponentName, Vec<FileChange>>,
    /// What was started and run of the instances before which something has to run once.
    pub(crate) started: &'a BTreeMap<ComponentName, Started>,
    /// The last good workloads of the desired instances by which the host does not work.
    pub(crate) last_good: &'a BTreeMap<ComponentName, ContentHash>,
    /// The documents that were seen last as they should be, of the instances that have another one.
    pub(crate) settled: &'a BTreeMap<ComponentName, SettledDocument>,
    pub(crate) statuses: &'a Statuses,
    /// When systemd last answered.
    pub(crate) units_at: Option<Timestamp>,
    pub(crate) systemd_is_away: bool,
    /// What this host allows.
    pub(crate) policy: &'a HostPolicy,
    /// The secrets of the desired instances that the controller has not sent yet.
    pub(crate) missing_secrets: &'a BTreeMap<ComponentName, BTreeSet<KeptSecret>>,
    /// The secrets of which somebody edited a file, and of which the host does not know the value.
    pub(crate) edited_secrets: &'a BTreeMap<ComponentName, BTreeSet<KeptSecret>>,
    /// The components of whose version before somebody changed the document, and nobody knows what it was.
    pub(crate) edited_previous: &'a [ComponentName],
}

/// Joins everything that was found on the host.
#[must_use]
pub(crate) fn join(sources: Sources<'_>) -> Observed {
    let mut instances = from_listings(sources.engine, sources.systemd);
    let desired = sources.assignment.map(|assignment| &assignment.content.share.instances);
    for (name, desired) in desired.into_iter().flatten() {
        let seen = instances.entry(name.clone()).or_default();
        let container = desired.instance.container();
        seen.image_present = container.is_none_or(|it| sources.engine.images.contains(&it.digest));
        seen.not_allowed = container.map(|it| refused(it, sources.policy)).unwrap_or_default();
        add_version_in_use(seen, &desired.instance, sources);
    }
    for (name, missing) in sources.missing_secrets {
        instances.entry(name.clone()).or_default().missing_secrets = missing.clone();
    }
    for (name, edited) in sources.edited_secrets {
        let differs = edited.iter().cloned().map(|it| Difference::OwnFile(OwnFile::Secret(it)));
        instances.entry(name.clone()).or_default().differs.extend(differs);
    }
    for name in sources.edited_previous {
        let differs = Difference::OwnFile(OwnFile::PreviousDocument);
        instances.entry(name.clone()).or_default().differs.push(differs);
    }
    for (name, started) in sources.started {
        let seen = instances.entry(name.clone()).or_default();
        let running = seen.running().map(|container| container.digest.clone());
        seen.images = started.image.iter().cloned().chain(running).collect();
        seen.images_before = started.image_before.iter().cloned().collect();
        seen.runs = started.runs.clone();
    }
    for (name, label) in &sources.engine.labels {
        let seen = instances.entry(name.clone()).or_default();
        let own_name = label.as_ref().and_then(|it| it.workload.name.as_ref());
        seen.own_name = own_name.map(ToString::to_string);
        let differs = label.as_ref().and_then(|it| with_refused_rights(seen, it, sources.policy));
        seen.differs.extend(differs);
    }
    for (name, seen) in &mut instances {
        seen.document = document(name, seen, sources);
        let settled = sources.settled.get(name).filter(|_| !is_of_later_release(name, sources));
        seen.settled = settled.cloned();
        seen.counting = counting(name, sources);
        seen.units_at = sources.units_at;
        seen.systemd_is_away = sources.systemd_is_away;
        seen.status = sources.statuses.get(name).cloned();
        seen.file_changes = sources.file_changes.get(name).cloned().unwrap_or_default();
    }
    for (name, ends) in &sources.systemd.ends {
        let seen = instances.entry(name.clone()).or_default();
        let assigned = || sources.assignment?.content.share.instances.get(name);
        let hash = match &seen.document {
            Some(document) => Some(document.workload.clone()),
            None => assigned().map(|desired| desired.instance.workload_hash()),
        };
        seen.status = hash.map(|hash| Status { hash, ..ends.clone() });
    }
    Observed { instances }
}

/// Returns what the engine and systemd list of each component.
fn from_listings(
    engine: &ContainerListing,
    systemd: &UnitListing,
) -> BTreeMap<ComponentName, ObservedInstance> {
    let mut instances: BTreeMap<ComponentName, ObservedInstance> = BTreeMap::new();
    for (name, container) in &engine.containers {
        instances.entry(name.clone()).or_default().containers.push(container.clone());
    }
    for (name, unit) in &systemd.units {
        instances.entry(name.clone()).or_default().unit = Some(unit.clone());
    }
    for (name, foreign) in engine.foreign.iter().chain(&systemd.foreign) {
        instances.entry(name.clone()).or_default().foreign = Some(foreign.clone());
    }
    for (name, differs) in engine.differs.iter().chain(&systemd.differs) {
        instances.entry(name.clone()).or_default().differs.push(differs.clone());
    }
    for (name, unseen) in &engine.unseen {
        instances.entry(name.clone()).or_default().unseen = Some(unseen.clone());
    }
    instances
}

/// Adds what is known of the version by which the host works, if it is not the desired one.
fn add_version_in_use(seen: &mut ObservedInstance, desired: &Instance, sources: Sources<'_>) {
    let name = &desired.component;
    let labelled = || sources.engine.labels.get(name)?.as_ref();
    let held = sources.documents.get(name).or_else(labelled);
    seen.is_in_another_unit = held.is_some_and(|held| held.unit != desired.unit);
    seen.last_good = sources.last_good.get(name).cloned();
}

/// Returns the running container if it has rights that the host does not allow any more.
fn with_refused_rights(
    seen: &ObservedInstance,
    label: &HeldInstance,
    policy: &HostPolicy,
) -> Option<Difference> {
    let name = seen.running()?.name.clone();
    // One that only a later release can read was created by it, and its rights are not known.
    let rights = refused(label.whole().ok()?.container()?, policy);
    (!rights.is_empty()).then_some(Difference::NotAllowed { name, rights })
}

/// Returns true if a later release created what runs, with the document that is on disk. That is no edit
/// of what this release saw before.
fn is_of_later_release(name: &ComponentName, sources: Sources<'_>) -> bool {
    let Some(document) = sources.documents.get(name) else { return false };
    let label = sources.engine.labels.get(name).and_then(Option::as_ref);
    let is_understood = document.probe.is_some() && document.counting != Counting::Unknown;
    label.is_some_and(|label| label.text() == document.text())
        && !(is_understood && document.whole().is_ok())
}

/// How calls are counted, by the document on disk or else the running container's label.
fn counting(name: &ComponentName, sources: Sources<'_>) -> Counting {
    if let Some(document) = sources.documents.get(name) {
        return document.counting.clone();
    }
    match sources.engine.labels.get(name) {
        Some(Some(labelled)) => labelled.counting.clone(),
        Some(None) => Counting::Unknown,
        // Nothing of it runs.
        None => Counting::Nothing,
    }
}

/// The document on disk, or else the one that the running container carries.
fn document(
    name: &ComponentName,
    seen: &ObservedInstance,
    sources: Sources<'_>,
) -> Option<ObservedDocument> {
    if let Some(instance) = sources.documents.get(name) {
        return Some(ObservedDocument {
            hash: instance.hash(),
            workload: instance.workload.hash.clone(),
            probe: instance.probe.clone(),
            reloaded: instance.reload.as_ref().map(Reload::content),
            on_disk: true,
        });
    }
    let running = seen.running()?;
    let workload = running.hash.clone();
    let hash = workload.clone();
    // The document has to be written again, regardless of what else the label holds:
    // this hash is never that of a desired document.
    Some(ObservedDocument { hash, workload, probe: None, reloaded: None, on_disk: false })
}

#[cfg(test)]
mod tests;
