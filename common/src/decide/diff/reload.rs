//! What is said of what a program takes over while it runs.

use std::collections::BTreeSet;

use crate::document::instance::{Instance, Reload, ReloadBy};
use crate::id::SecretName;

use super::ChangeNote;

/// Returns what differs in it between two instances. Where the workload is the same, it is reloaded.
pub(super) fn differing(old: &Instance, new: &Instance) -> Vec<ChangeNote> {
    // What is reloaded for the first time, or no more, is a difference of the container.
    let (Some(before), Some(after)) = (&old.reload, &new.reload) else { return Vec::new() };
    let (files, secrets) = (files(before, after), secrets(before, after));
    let mut notes = Vec::new();
    if old.workload != new.workload {
        let version = |(name, version)| ChangeNote::Secret(name, version);
        notes.extend(secrets.into_iter().map(version));
        notes.extend((!files.is_empty()).then_some(ChangeNote::Files(files)));
    } else if !files.is_empty() || !secrets.is_empty() {
        let at_next_start = after.by == ReloadBy::NextStart;
        notes.push(ChangeNote::Reloaded { files, secrets, at_next_start });
    }
    if (&before.by, before.deadline_ms) != (&after.by, after.deadline_ms) {
        notes.push(ChangeNote::ReloadCommand);
    }
    notes
}

/// Returns the places of the files that differ.
fn files(before: &Reload, after: &Reload) -> Vec<String> {
    let differs = after.files.iter().filter(|file| !before.files.contains(file));
    differs.map(|file| file.path.clone()).collect()
}

/// Returns the versions of secrets that were not there before.
fn secrets(before: &Reload, after: &Reload) -> Vec<(SecretName, u64)> {
    let versions = |reload: &Reload| -> BTreeSet<(SecretName, u64)> {
        reload.secrets.iter().map(|it| (it.name.clone(), it.version)).collect()
    };
    versions(after).difference(&versions(before)).cloned().collect()
}
