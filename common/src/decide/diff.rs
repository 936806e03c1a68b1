//! Compares two plans. The changes are shown to people and recorded.

use std::collections::BTreeSet;

use crate::document::assignment::{ChangePolicy, Desired};
use crate::document::instance::{Container, Instance, Workload};
use crate::document::plan::Plan;
use crate::document::revision::{Change, ChangeKind};
use crate::document::{Share, Verbatim};
use crate::id::{ComponentName, EnvName, NodeName, SecretName};

mod limits;
mod note;
mod operations;
mod options;
mod reload;

pub use self::limits::strategy;
pub use self::note::{AtDeadline, ChangeNote, StrategyChange, TimeLimit};

/// Returns the changes from one plan to the next, in the order of nodes and components.
#[must_use]
pub fn diff(from: Option<&Plan>, to: &Plan) -> Vec<Change> {
    let nothing = Share::default();
    let before = |node: &NodeName| from.and_then(|plan| plan.nodes.get(node)).unwrap_or(&nothing);
    let mut nodes: Vec<&NodeName> = to.nodes.keys().collect();
    nodes.extend(from.iter().flat_map(|plan| plan.nodes.keys()));
    nodes.sort();
    nodes.dedup();
    let mut changes = Vec::new();
    for node in nodes {
        let (old, new) = (before(node), to.nodes.get(node).unwrap_or(&nothing));
        let components: BTreeSet<&ComponentName> =
            [old, new].into_iter().flat_map(Share::components).collect();
        for component in components {
            let change = if [old, new].iter().any(|s| s.unreadable.contains_key(component)) {
                compare_unreadable(node, component, old, new)
            } else {
                compare(node, component, old.instances.get(component), new.instances.get(component))
            };
            changes.extend(change);
        }
    }
    changes.sort();
    changes
}

/// Compares an instance of which at least one side cannot be read. It only counts as
/// unchanged if its text is the same.
fn compare_unreadable(
    node: &NodeName,
    component: &ComponentName,
    old: &Share,
    new: &Share,
) -> Option<Change> {
    let kind = match (old.contains(component), new.contains(component)) {
        (true, true) if old.unreadable.get(component) == new.unreadable.get(component) => {
            return None;
        }
        (true, true) => ChangeKind::Replace,
        (true, false) => ChangeKind::Remove,
        (false, _) => ChangeKind::Add,
    };
    let version = |share: &Share| version_of(share.instances.get(component));
    Some(Change {
        node: node.clone(),
        component: component.clone(),
        kind,
        from: version(old),
        to: version(new),
        note: ChangeNote::Unreadable.to_string(),
    })
}

fn compare(
    node: &NodeName,
    component: &ComponentName,
    old: Option<&Verbatim<Desired>>,
    new: Option<&Verbatim<Desired>>,
) -> Option<Change> {
    if old == new || old.zip(new).is_some_and(|(old, new)| differ_only_in_the_way_back(old, new)) {
        return None;
    }
    let kind = match (old, new) {
        (None, _) => ChangeKind::Add,
        (_, None) => ChangeKind::Remove,
        (Some(old), Some(new)) if old.instance.workload == new.instance.workload => {
            ChangeKind::Update
        }
        (Some(_), Some(_)) => ChangeKind::Replace,
    };
    let mut notes = match (old, new) {
        (Some(old), Some(new)) => notes(old, new),
        _ => Vec::new(),
    };
    if let Some(new) = new {
        notes.extend(operations::run_first(old.map(|old| &*old.instance), &new.instance));
    }
    let is_stopped = matches!(kind, ChangeKind::Replace | ChangeKind::Remove);
    if is_stopped && old.is_some_and(|old| cuts_voice(&old.instance, new.map(|n| &*n.instance))) {
        notes.push(ChangeNote::CutsCalls);
    }
    Some(Change {
        node: node.clone(),
        component: component.clone(),
        kind,
        from: version_of(old),
        to: version_of(new),
        note: joined(&notes),
    })
}

/// Whether two instances differ in nothing but that one of them was changed to over a step without a way
/// back: that is about the change, which is made.
fn differ_only_in_the_way_back(old: &Desired, new: &Desired) -> bool {
    let policy = ChangePolicy { forward_only: old.policy.forward_only, ..new.policy.clone() };
    let is_other = old.policy.forward_only != new.policy.forward_only;
    is_other && old.instance == new.instance && old.policy == policy
}

/// Returns the notes as they are recorded.
fn joined(notes: &[ChangeNote]) -> String {
    let notes: Vec<String> = notes.iter().map(ToString::to_string).collect();
    notes.join(", ")
}

/// Returns the version of an instance as text, which is empty if it has none.
fn version_of(desired: Option<&Verbatim<Desired>>) -> String {
    let version = desired.and_then(|desired| desired.instance.version());
    version.map(ToString::to_string).unwrap_or_default()
}

/// Whether stopping the container may cut calls that are not counted, neither by the old probe
/// nor by the new one.
fn cuts_voice(old: &Instance, new: Option<&Instance>) -> bool {
    let is_counted = old.active.is_some() || new.is_some_and(|new| new.active.is_some());
    old.may_carry_calls() && !is_counted && old.container().is_some()
}

fn notes(old: &Desired, new: &Desired) -> Vec<ChangeNote> {
    let mut parts = Vec::new();
    match (&*old.instance.workload, &*new.instance.workload) {
        (Workload::Container(old), Workload::Container(new)) => {
            parts.extend(container_note(old, new))
        }
        (Workload::Unit(old), Workload::Unit(new)) if old == new => {}
        (Workload::Unit(_) | Workload::Container(_), _) => parts.push(ChangeNote::UnitSettings),
    }
    if old.instance.pull_from != new.instance.pull_from
        && let Some(source) = new.instance.image_source()
    {
        parts.push(ChangeNote::PulledFrom(source.clone()));
    }
    if old.instance.pull_login != new.instance.pull_login {
        let login = new.instance.pull_login.as_ref();
        let password = login.map(|it| (it.password.name.clone(), it.password.version));
        parts.push(ChangeNote::PulledWith(password));
    }
    if old.instance.probe != new.instance.probe || old.instance.active != new.instance.active {
        parts.push(ChangeNote::Probes);
    }
    parts.extend(reload::differing(&old.instance, &new.instance));
    parts.extend(operations::differing(&old.instance, &new.instance));
    parts.extend(limits::limits(old, new));
    parts
}

fn container_note(old: &Container, new: &Container) -> Vec<ChangeNote> {
    let mut parts = Vec::new();
    if old.version == new.version && old.digest != new.digest {
        parts.push(ChangeNote::OtherImage);
    }
    let names = old.env.keys().chain(new.env.keys());
    let differing = names.filter(|name| old.env.get(*name) != new.env.get(*name));
    let differing: BTreeSet<EnvName> = differing.cloned().collect();
    if !differing.is_empty() {
        parts.push(ChangeNote::Environment(differing));
    }
    let known: BTreeSet<(&SecretName, u64)> = versions(old).collect();
    let others: BTreeSet<_> = versions(new).filter(|it| !known.contains(it)).collect();
    let note = |(name, version): (&SecretName, u64)| ChangeNote::Secret(name.clone(), version);
    parts.extend(others.iter().copied().map(note));
    let limits = |c: &Container| (c.memory_bytes_max, c.pids_limit, c.may_gain_privileges);
    let rest = |c: &Container| {
        (c.name.clone(), c.repository.clone(), c.secrets.clone(), c.command.clone())
    };
    // Another version is named above; this is another variable, another file, or one secret less.
    let has_other_secrets = others.is_empty() && old.kept_secrets != new.kept_secrets;
    if has_other_secrets
        || rest(old) != rest(new)
        || old.volumes != new.volumes
        || limits(old) != limits(new)
    {
        parts.push(ChangeNote::ContainerSettings);
    }
    let options = options::differing(&old.options, &new.options);
    if !options.is_empty() {
        parts.push(ChangeNote::Options(options));
    }
    parts
}

/// Returns the secrets of the controller that a container names.
fn versions(container: &Container) -> impl Iterator<Item = (&SecretName, u64)> {
    container.kept_secrets.values().map(|secret| (&secret.name, secret.version))
}

#[cfg(test)]
mod tests;
