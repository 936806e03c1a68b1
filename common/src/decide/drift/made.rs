//! Compares what a container was created with, beside its options, and what the engine shows.

use std::collections::{BTreeMap, BTreeSet};

use super::options::{change, listed};
use crate::decide::difference::ContainerChange;
use crate::document::instance::{Container, Volume};
use crate::id::ContentHash;

/// What the engine shows of a container beside its options.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundContainer {
    pub command: Vec<String>,
    /// The variables of its environment with the hashes of their values, which may be secrets.
    pub env: BTreeMap<String, ContentHash>,
    /// What it has mounted of volumes and folders.
    pub volumes: Vec<Volume>,
    /// The mounts that were asked for in the form of `docker run -v`, which is never ours.
    pub binds: Vec<String>,
    pub may_gain_privileges: bool,
    pub limits: FoundLimits,
}

/// Limits that `docker update` changes, beside those of memory and of CPU time. None where the engine
/// shows none, which is also what it shows of a limit that the host's kernel does not know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundLimits {
    /// The most processes and threads; 0 or less without a limit.
    pub pids_max: Option<i64>,
    /// The most bytes of memory and swap together.
    pub swap_bytes_max: Option<u64>,
    /// Others that we never set, by the engine's word for each.
    pub others: BTreeMap<&'static str, String>,
}

/// Returns what differs from what the container was created with. Its memory is limited to so many
/// bytes now.
pub(super) fn altered(
    created: &Container,
    found: &FoundContainer,
    memory: Option<u64>,
) -> Vec<ContainerChange> {
    let mut changes = limits(created, &found.limits, memory);
    if !created.command.is_empty() && created.command != found.command {
        let text = |command: &[String]| (!command.is_empty()).then(|| format!("{command:?}"));
        changes.push(change("command", text(&found.command), text(&created.command)));
    }
    let env = created.env.iter().filter(|(name, value)| {
        found.env.get(name.as_str()) != Some(&ContentHash::of(value.as_bytes()))
    });
    changes.extend(env.map(|(name, _)| ContainerChange::Env { name: name.clone() }));
    changes.extend(volumes(created, found));
    if created.may_gain_privileges != found.may_gain_privileges {
        let text = |may: bool| Some(if may { "true" } else { "false" }.to_owned());
        let (is, was) = (text(found.may_gain_privileges), text(created.may_gain_privileges));
        changes.push(change("may_gain_privileges", is, was));
    }
    changes
}

fn limits(created: &Container, found: &FoundLimits, memory: Option<u64>) -> Vec<ContainerChange> {
    let FoundLimits { pids_max, swap_bytes_max, others } = found;
    let mut changes = Vec::new();
    let pids = created.pids_limit.0;
    if let Some(found) = pids_max.filter(|found| *found != i64::from(pids.get())) {
        let is = (found > 0).then(|| found.to_string());
        changes.push(change("pids_limit", is, Some(pids.to_string())));
    }
    // It is created with the same number, and one of memory that was changed is reported by itself.
    if let Some(found) = swap_bytes_max.filter(|found| Some(*found) != memory) {
        let was = memory.map(|bytes| bytes.to_string());
        changes.push(change("memory with swap", Some(found.to_string()), was));
    }
    changes.extend(others.iter().map(|(word, value)| change(word, Some(value.clone()), None)));
    changes
}

/// Returns the volumes of the document and the mounts that are never ours, if they differ from what it
/// was created with. Other mounts are the files and secrets of the component.
fn volumes(created: &Container, found: &FoundContainer) -> Option<ContainerChange> {
    let targets: BTreeSet<&str> = created.volumes.iter().map(|it| it.target.as_str()).collect();
    let counts = found.volumes.iter().filter(|volume| targets.contains(volume.target.as_str()));
    let is: BTreeSet<String> = counts.map(text).chain(found.binds.iter().cloned()).collect();
    let was: BTreeSet<String> = created.volumes.iter().map(text).collect();
    (is != was).then(|| change("volumes", listed(is), listed(was)))
}

fn text(volume: &Volume) -> String {
    let Volume { source, target, read_only } = volume;
    let access = if *read_only { ":ro" } else { "" };
    format!("{source}:{target}{access}")
}

#[cfg(test)]
mod tests;
