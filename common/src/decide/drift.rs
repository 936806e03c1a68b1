//! Decides what counts as drift: everything on the host that differs from what the agent wrote.
//!
//! The agent undoes some of it and then reports what it found. The rest is left as it is and
//! reported for as long as it is there.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use crate::decide::difference::{ContainerChange, Difference, FileChange, OwnFile, UnitChange};
use crate::decide::observed::ObservedInstance;
use crate::decide::reconcile::{self, Reason};
use crate::decide::step::Step;
use crate::document::instance::{Container, InstanceDocument};
use crate::document::status::Drift;
use crate::document::update::{InstanceUpdate, Stage};
use crate::id::{ComponentName, ContentHash};
use crate::time::Timestamp;

mod in_use;
mod made;
mod names;
mod options;

use self::in_use::{held, in_use, puts_right, units};
pub use self::made::{FoundContainer, FoundLimits};
pub use self::options::FoundOptions;

/// The drift of the components of a host, without what their supervisors report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DriftLog {
    /// What is different now and stays so.
    standing: BTreeMap<ComponentName, Found<Difference>>,
    /// What somebody changed and is not being put right.
    left: BTreeMap<ComponentName, Found<Repair>>,
    /// What was put right last.
    repaired: BTreeMap<ComponentName, Repaired>,
    /// The documents that were seen on disk as they should be.
    settled: BTreeMap<ComponentName, ContentHash>,
    /// The ids of the running containers that were seen under their component's own name since we
    /// gave names to containers of the component.
    named: BTreeMap<ComponentName, String>,
}

/// The settings of a container that somebody can change: while it exists, or by creating it
/// again under its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerSettings {
    /// Its program is frozen.
    pub is_paused: bool,
    /// The engine's own restarts: "no", "always" …; empty if the engine does not say.
    pub restart_policy: String,
    pub memory_bytes_max: Option<u64>,
    /// Whether its share of the processors is limited.
    pub has_cpu_limit: bool,
    pub options: FoundOptions,
    /// The rest of what it was created with; none if the engine does not say.
    pub made: Option<FoundContainer>,
}

/// What was found at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found<T> {
    at: Timestamp,
    found: Vec<T>,
}

/// What was put right, which is reported until its workload is replaced by another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Repaired {
    found: Found<Repair>,
    workload: ContentHash,
}

/// A change by somebody on the host that the agent puts right.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Repair {
    /// Something is brought back, for the reason of the step.
    BroughtBack(Reason),
    /// The container gets its own name again.
    Renamed {
        own: String,
        name: String,
    },
    Unit(UnitChange),
    File(FileChange),
    DocumentChanged,
    DocumentRemoved,
    OwnFile(OwnFile),
}

impl DriftLog {
    /// Takes over what was observed. Drift is forgotten when it is no longer there, or when the
    /// workload that drifted was replaced.
    pub fn look(&mut self, input: reconcile::Input<'_>) {
        let share = input.assignment.map(|assignment| &assignment.content.share);
        let desired = |name: &ComponentName| {
            share.and_then(|share| share.instances.get(name)).map(|desired| &desired.instance)
        };
        let before = std::mem::take(&mut self.standing);
        for (name, seen) in input.observed.instances.iter().filter(|(_, s)| !s.differs.is_empty()) {
            let known = before.get(name).filter(|known| known.found == seen.differs);
            let at = known.map_or(input.now, |known| known.at);
            self.standing.insert(name.clone(), Found { at, found: seen.differs.clone() });
        }
        self.repaired.retain(|name, repaired| {
            desired(name).is_some_and(|instance| instance.workload_hash() == repaired.workload)
        });
        self.named.retain(|name, _| input.observed.instances.contains_key(name));
        self.settled.retain(|name, hash| desired(name).is_some_and(|it| it.hash() == hash));
        for (name, seen) in &input.observed.instances {
            self.look_at_name(name, seen, desired(name), input.updates.get(name));
            let Some(instance) = desired(name) else { continue };
            if has_document(seen, instance) {
                self.settled.insert(name.clone(), instance.hash().clone());
            }
        }
    }

    /// Records what a step that begins puts right, if it is drift. `reason` is that of the step.
    pub fn begin(
        &mut self,
        component: &ComponentName,
        step: &Step,
        reason: &Reason,
        input: reconcile::Input<'_>,
    ) {
        // From here on, the agent itself gives names.
        if matches!(step, Step::Switch { .. } | Step::RollBack { .. }) {
            self.named.remove(component);
        }
        let found = self.found(component, step, reason, input);
        self.record(component, found, input);
    }

    /// Records files of the agent's own that somebody changed and that were written again without a step.
    pub fn put_right(
        &mut self,
        component: &ComponentName,
        files: Vec<OwnFile>,
        input: reconcile::Input<'_>,
    ) {
        let found = files.into_iter().map(Repair::OwnFile).collect();
        self.record(component, found, input);
    }

    fn record(
        &mut self,
        component: &ComponentName,
        found: Vec<Repair>,
        input: reconcile::Input<'_>,
    ) {
        let desired = input.assignment.and_then(|a| a.content.share.instances.get(component));
        if let Some(desired) = desired.filter(|_| !found.is_empty()) {
            let found = Found { at: input.now, found };
            let workload = desired.instance.workload_hash();
            self.repaired.insert(component.clone(), Repaired { found, workload });
        }
    }

    /// Returns what a step puts right that somebody changed.
    fn found(
        &self,
        component: &ComponentName,
        step: &Step,
        reason: &Reason,
        input: reconcile::Input<'_>,
    ) -> Vec<Repair> {
        let desired = input.assignment.and_then(|a| a.content.share.instances.get(component));
        let (Some(desired), Some(seen)) = (desired, input.observed.instances.get(component)) else {
            return Vec::new();
        };
        let brought_back = || brought_back(seen, &desired.instance, reason);
        let update = input.updates.get(component);
        let is_failing = is_failing(update);
        let is_good = update.is_none_or(InstanceUpdate::desires_last_good);
        match step {
            // These write the unit, also where their change fails again and again.
            Step::Repair { .. } => match in_use(component, seen, desired, input) {
                Some(found) => {
                    found.into_iter().filter(|it| self.is_by_hand(component, seen, it)).collect()
                }
                None => {
                    let name = self.renamed(component, seen, &desired.instance);
                    self.rewritten(component, seen, &desired.instance)
                        .into_iter()
                        .chain(name)
                        .collect()
                }
            },
            Step::RollBack { runs: false, .. } => units(seen).collect(),
            Step::Switch { .. } if desired.instance.container().is_none() => units(seen).collect(),
            Step::Create | Step::RewriteConfig | Step::Reload { .. } if is_failing => {
                units(seen).collect()
            }
            Step::Create => units(seen).chain(brought_back()).collect(),
            _ if is_failing => Vec::new(),
            Step::RewriteConfig | Step::Reload { .. } => {
                self.rewritten(component, seen, &desired.instance)
            }
            // Nobody else made it that of another version than the one that runs and is desired.
            Step::RevertDocument { running }
                if is_good && *running == desired.instance.workload_hash() =>
            {
                self.rewritten(component, seen, &desired.instance)
            }
            Step::Promote => self.renamed(component, seen, &desired.instance).into_iter().collect(),
            Step::Start | Step::Pull => brought_back().into_iter().collect(),
            Step::Remove { .. }
            | Step::RunOnce { .. }
            | Step::CountActive
            | Step::Switch { .. }
            | Step::Soak
            | Step::Fail { .. }
            | Step::RevertDocument { .. }
            | Step::RollBack { runs: true, .. }
            | Step::Commit { .. }
            | Step::ReplaceSupervisor
            | Step::StopContainer => Vec::new(),
        }
    }

    /// Takes over what somebody changed and nothing puts right now. `is_repaired` tells the components whose
    /// version in use is being put right beside a change. A step that is decided and cannot begin yet
    /// puts nothing right, and may have to wait for long.
    pub fn leave(
        &mut self,
        is_repaired: impl Fn(&ComponentName) -> bool,
        input: reconcile::Input<'_>,
    ) {
        let before = std::mem::take(&mut self.left);
        for (name, seen) in &input.observed.instances {
            let is_written = input.busy.get(name).is_some_and(|busy| puts_right(&busy.step));
            if is_written || is_repaired(name) {
                continue;
            }
            let found = self.changed(name, seen, input);
            if !found.is_empty() {
                let known = before.get(name).filter(|known| known.found == found);
                let at = known.map_or(input.now, |known| known.at);
                self.left.insert(name.clone(), Found { at, found });
            }
        }
    }

    /// Returns what somebody changed about what the host works by.
    fn changed(
        &self,
        component: &ComponentName,
        seen: &ObservedInstance,
        input: reconcile::Input<'_>,
    ) -> Vec<Repair> {
        let desired = input.assignment.and_then(|a| a.content.share.instances.get(component));
        let Some(desired) = desired else {
            return match held(component, seen, input) {
                Some(found) => self.not_reported(component, seen, found),
                None => units(seen).collect(),
            };
        };
        match in_use(component, seen, desired, input) {
            Some(found) => self.not_reported(component, seen, found),
            None if seen.has_document_of(&desired.instance.workload_hash())
                || input.updates.get(component).is_some_and(is_soaking) =>
            {
                let mut found = self.rewritten(component, seen, &desired.instance);
                found.extend(self.renamed(component, seen, &desired.instance));
                self.not_reported(component, seen, found)
            }
            None => units(seen).collect(),
        }
    }

    /// Returns the drift of a component: what is there now, or else the later one of what was
    /// put right here and what its supervisor reports.
    #[must_use]
    pub fn of(&self, component: &ComponentName, reported: Option<Drift>) -> Option<Drift> {
        let repaired = || self.repaired.get(component).map(|repaired| repaired.found.drift());
        let standing = self.standing.get(component).map(Found::drift);
        let left = self.left.get(component).map(Found::drift);
        let now = match (standing, left) {
            (Some(standing), Some(left)) => Some(Drift {
                at: standing.at.max(left.at),
                found: format!("{}; {}", standing.found, left.found),
            }),
            (standing, left) => standing.or(left),
        };
        now.or_else(|| reported.into_iter().chain(repaired()).max_by_key(|drift| drift.at))
    }

    /// Returns what somebody changed in the files that are written again. Files of an earlier
    /// release or of an earlier assignment do not count as changed.
    fn rewritten(
        &self,
        component: &ComponentName,
        seen: &ObservedInstance,
        desired: &InstanceDocument,
    ) -> Vec<Repair> {
        let noted = seen.settled.as_ref().map(|settled| &settled.hash);
        let known = [self.settled.get(component), noted];
        let was_right = known.contains(&Some(desired.hash()));
        let is_changed = (was_right && !has_document(seen, desired)) || seen.has_edited_document();
        let document = is_changed.then(|| {
            let is_there = seen.document.as_ref().is_some_and(|document| document.on_disk);
            if is_there { Repair::DocumentChanged } else { Repair::DocumentRemoved }
        });
        let works_by = seen.has_document_of(&desired.workload_hash());
        let files = seen.file_changes.iter().filter(|_| works_by).cloned().map(Repair::File);
        units(seen).chain(files).chain(document).collect()
    }
}

impl<T: Display> Found<T> {
    /// Returns it as it is reported.
    fn drift(&self) -> Drift {
        let found: Vec<String> = self.found.iter().map(ToString::to_string).collect();
        Drift { at: self.at, found: found.join("; ") }
    }
}

impl Display for Repair {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::BroughtBack(reason) => reason.fmt(f),
            Self::Renamed { own, name } => write!(f, "container {own} was renamed to {name}"),
            Self::Unit(change) => change.fmt(f),
            Self::File(change) => change.fmt(f),
            Self::OwnFile(file) => file.fmt(f),
            Self::DocumentChanged => f.write_str("its instance document was changed"),
            Self::DocumentRemoved => f.write_str("its instance document was removed"),
        }
    }
}

/// Returns what a step brings back for that reason. Where nothing had to be changed, somebody took it
/// away.
fn brought_back(
    seen: &ObservedInstance,
    desired: &InstanceDocument,
    reason: &Reason,
) -> Option<Repair> {
    let works_by = seen.has_document_of(&desired.workload_hash());
    works_by.then(|| Repair::BroughtBack(reason.clone()))
}

/// Returns the settings of a container that differ from those that it was created with.
#[must_use]
pub fn altered(created: &Container, found: &ContainerSettings) -> Vec<ContainerChange> {
    let mut changes = Vec::new();
    if found.is_paused {
        changes.push(ContainerChange::Paused);
    }
    if !matches!(found.restart_policy.as_str(), "" | "no") {
        changes.push(ContainerChange::RestartPolicy { policy: found.restart_policy.clone() });
    }
    let (is_bytes, was_bytes) = (found.memory_bytes_max, created.memory_bytes_max);
    if is_bytes != was_bytes {
        changes.push(ContainerChange::MemoryLimit { is_bytes, was_bytes });
    }
    if found.has_cpu_limit {
        changes.push(ContainerChange::CpuLimit);
    }
    changes.extend(options::altered(&created.options, &found.options));
    if let Some(made) = &found.made {
        changes.extend(made::altered(created, made, found.memory_bytes_max));
    }
    changes
}

fn has_document(seen: &ObservedInstance, desired: &InstanceDocument) -> bool {
    seen.document.as_ref().is_some_and(|found| found.on_disk && found.hash == *desired.hash())
}

fn is_soaking(update: &InstanceUpdate) -> bool {
    matches!(update.stage, Stage::Soaking { .. })
}

fn is_failing(update: Option<&InstanceUpdate>) -> bool {
    update.is_some_and(|update| update.failure().is_some() || update.backoff.is_some())
}

#[cfg(test)]
mod tests;
