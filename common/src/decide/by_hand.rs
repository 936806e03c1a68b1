//! Finds what somebody changed by hand about the version in use of a component, while another version
//! is desired: its change waits, or was rolled back.

use crate::decide::difference::{FileChange, ForeignObject, UnitChange};
use crate::decide::observed::{ContainerState, ObservedInstance, ObservedUnit, UnitEnd};
use crate::document::update::{InstanceUpdate, LastGood, Stage};
use crate::id::ContentHash;

/// The version in use of a component of which another one is desired.
#[derive(Debug, Clone, Copy)]
pub(in crate::decide) struct VersionInUse<'a> {
    /// The workload that runs, or that ran last.
    pub(in crate::decide) workload: &'a ContentHash,
    seen: &'a ObservedInstance,
    is_container: bool,
    /// Whether nobody but a person can have made the document that of another version.
    owns_document: bool,
}

/// A change by hand that is put right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::decide) enum ChangeByHand<'a> {
    Unit(&'a UnitChange),
    UnitRemoved,
    DocumentChanged,
    DocumentRemoved,
    Renamed { own: &'a str, name: &'a str },
    File(&'a FileChange),
}

impl<'a> VersionInUse<'a> {
    /// Finds the version in use; none if it is the desired one, if it is being stopped or started, or if
    /// nothing about it may be written. `update` is that towards the desired workload.
    pub(in crate::decide) fn find(
        seen: &'a ObservedInstance,
        update: Option<&'a InstanceUpdate>,
        desired_hash: &ContentHash,
        is_container: bool,
    ) -> Option<Self> {
        if !is_at_rest(seen, update) || !may_be_written(seen, is_container) {
            return None;
        }
        let is_current = update.is_none_or(|update| update.last_good == LastGood::Current);
        let seen_running = seen.seen_running.as_ref().or_else(|| update?.rolled_back_to());
        let workload = match (seen.running(), &seen.document) {
            (Some(running), _) => &running.hash,
            (None, _) if !is_container && seen_running.is_some() => seen_running?,
            (None, Some(document))
                if document.on_disk
                    && (!is_container || seen.container(&document.workload).is_some()) =>
            {
                &document.workload
            }
            (None, _) => {
                seen.last_good.as_ref().filter(|hash| is_current && has_run(seen, hash))?
            }
        };
        let owns_document = update.is_none_or(|update| match &update.last_good {
            LastGood::Current => true,
            // Its change may have written its own document and stopped nothing.
            LastGood::Previous(hash) | LastGood::PreviousFailed(hash) => {
                hash == workload && update.failure().is_some()
            }
            LastGood::None => false,
        });
        // What a packaged unit was seen to run by is forgotten when a step writes its document.
        let owns_document =
            owns_document || (!is_container && seen.seen_running.as_ref() == Some(workload));
        let found = Self { workload, seen, is_container, owns_document };
        (workload != desired_hash).then_some(found)
    }

    /// Returns what somebody changed about it.
    pub(in crate::decide) fn changes(self) -> Vec<ChangeByHand<'a>> {
        let files = self.seen.file_changes.iter().map(ChangeByHand::File);
        let files = files.filter(|_| self.seen.has_document_of(self.workload));
        let others = self.document().into_iter().chain(self.renamed());
        self.unit().into_iter().chain(others).chain(files).collect()
    }

    fn unit(self) -> Vec<ChangeByHand<'a>> {
        // What is seen is the unit of the desired version, which is not started yet.
        if self.seen.is_in_another_unit {
            return Vec::new();
        }
        match &self.seen.unit {
            Some(unit) if unit.hash.is_some() => {
                unit.by_hand.iter().map(ChangeByHand::Unit).collect()
            }
            // Without its package there is nothing to configure.
            None if !self.is_container => Vec::new(),
            Some(_) | None => vec![ChangeByHand::UnitRemoved],
        }
    }

    fn document(self) -> Option<ChangeByHand<'a>> {
        match self.seen.document.as_ref().filter(|document| document.on_disk) {
            Some(document) if document.workload == *self.workload => {
                self.seen.has_edited_document().then_some(ChangeByHand::DocumentChanged)
            }
            _ if !self.owns_document => None,
            Some(_) => Some(ChangeByHand::DocumentChanged),
            None => Some(ChangeByHand::DocumentRemoved),
        }
    }

    fn renamed(self) -> Option<ChangeByHand<'a>> {
        // Somebody else's container has its own name.
        let running = self.seen.running().filter(|_| self.seen.foreign.is_none())?;
        let (own, name) = (self.seen.own_name.as_deref()?, running.name.as_str());
        (name != own).then_some(ChangeByHand::Renamed { own, name })
    }
}

/// Returns true if nothing is being stopped or started for the change.
fn is_at_rest(seen: &ObservedInstance, update: Option<&InstanceUpdate>) -> bool {
    let Some(update) = update else { return true };
    match &update.stage {
        Stage::Preparing
        | Stage::Draining { .. }
        | Stage::Committed { .. }
        | Stage::RolledBack { .. } => true,
        // The version before is started again and again, until it answers.
        Stage::Failed { .. } => match &update.last_good {
            LastGood::PreviousFailed(hash) => seen.has_document_of(hash),
            LastGood::Previous(_) | LastGood::Current | LastGood::None => false,
        },
        Stage::Switching { .. } | Stage::Soaking { .. } => false,
    }
}

/// Returns true if its unit may be written. A mask and a unit of somebody else are in the place of its
/// file; a drop-in is beside the mask. One that is enabled again no longer shows that it was disabled
/// and may have been stopped.
fn may_be_written(seen: &ObservedInstance, is_container: bool) -> bool {
    let is_in_the_way = match &seen.foreign {
        Some(
            ForeignObject::Unit { .. }
            | ForeignObject::DropIn { .. }
            | ForeignObject::RefusedUnit { .. },
        ) => true,
        Some(ForeignObject::Container { .. }) | None => false,
    };
    let unit = seen.unit.as_ref();
    let may_be = |unit: &ObservedUnit| {
        !(unit.masked && is_container) && unit.ended != Some(UnitEnd::Unknown)
    };
    !is_in_the_way && unit.is_none_or(may_be)
}

/// Returns true if a container of that workload ran and has ended.
fn has_run(seen: &ObservedInstance, workload: &ContentHash) -> bool {
    seen.container(workload).is_some_and(|container| match container.state {
        ContainerState::Exited { .. } => true,
        ContainerState::Created | ContainerState::Running { .. } => false,
    })
}

#[cfg(test)]
mod tests;
