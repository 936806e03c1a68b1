//! Finds conflicts between the components that one change removes and adds on a host.
//!
//! A new component cannot use the unit, the container name or a port of a component that the
//! same change removes: the old one may still drain calls, and the new one starts without
//! waiting for it. A component also cannot become another kind of workload. Two changes, one
//! after the other, avoid both.

use std::collections::BTreeSet;

use crate::document::Share;
use crate::document::instance::{Instance, PortRange, Workload};
use crate::document::plan::Plan;
use crate::id::{ComponentName, NodeName};
use crate::text::problem::{Problem, Problems};

/// Returns all conflicts of a change from one plan to the next. The next one may lack components that
/// have other mistakes; those are not removed by the change.
#[must_use]
pub fn check(from: &Plan, to: &Plan, lacking: &BTreeSet<ComponentName>) -> Problems {
    let mut problems = Problems::default();
    for (node, share) in &to.nodes {
        let Some(before) = from.nodes.get(node) else { continue };
        for (component, desired) in &share.instances {
            let old = before.instances.get(component).map(|old| &*old.instance);
            let new = &*desired.instance;
            problems.0.extend(old.and_then(|old| becomes(component, old, new)));
            problems.0.extend(takes(node, old, new, leaving(before, share, lacking)));
        }
    }
    // A conflict that occurs on many hosts is reported once.
    problems.0.sort();
    problems.0.dedup();
    problems
}

fn leaving<'a>(
    before: &'a Share,
    after: &'a Share,
    lacking: &'a BTreeSet<ComponentName>,
) -> impl Iterator<Item = &'a Instance> {
    let stays =
        move |name: &ComponentName| after.instances.contains_key(name) || lacking.contains(name);
    let leaves = before.instances.iter().filter(move |(name, _)| !stays(name));
    leaves.map(|(_, desired)| &*desired.instance)
}

/// Reports a component that becomes another kind of workload. Its unit would be replaced, and
/// a rollback would be impossible.
fn becomes(component: &ComponentName, old: &Instance, new: &Instance) -> Option<Problem> {
    let message = match (&*old.workload, &*new.workload) {
        (Workload::Container(_), Workload::Unit(_)) => {
            format!("cannot change from a container to the packaged unit {}", new.unit)
        }
        (Workload::Unit(_), Workload::Container(_)) => {
            format!("cannot change from the packaged unit {} to a container", old.unit)
        }
        (Workload::Unit(_), Workload::Unit(_)) if old.unit != new.unit => {
            format!("cannot change from the packaged unit {} to {}", old.unit, new.unit)
        }
        (Workload::Unit(_), Workload::Unit(_))
        | (Workload::Container(_), Workload::Container(_)) => {
            return None;
        }
    };
    let problem = Problem::new(format!("components.{component}"), message);
    Some(problem.hint(format!("remove {component} in a separate change first")))
}

/// Reports a resource of a component that the same change removes. A resource that the
/// component already owned is not a conflict.
fn takes<'a>(
    node: &NodeName,
    had: Option<&Instance>,
    new: &Instance,
    mut leaving: impl Iterator<Item = &'a Instance>,
) -> Option<Problem> {
    let is_its_own = |old: &&Instance| had.is_some_and(|had| shared(old, had).is_some());
    let (old, shared) =
        leaving.find_map(|old| Some((old, shared(old, new).filter(|_| !is_its_own(&old))?)))?;
    let (component, gone) = (&new.component, &old.component);
    let message = format!("uses {shared} of {gone} on {node}, which the same change removes");
    let problem = Problem::new(format!("components.{component}"), message);
    Some(problem.hint(format!("remove {gone} in a separate change first")))
}

fn shared(old: &Instance, new: &Instance) -> Option<String> {
    if old.unit == new.unit {
        return Some(format!("the unit {}", old.unit));
    }
    let name = |instance: &Instance| instance.container().map(|container| container.name.clone());
    if let Some(name) = name(old).filter(|old| Some(old) == name(new).as_ref()) {
        return Some(format!("the container {name}"));
    }
    let ranges = new.port_ranges();
    let in_common = |old: PortRange| ranges.iter().find_map(|new| old.common(*new));
    let common = old.port_ranges().into_iter().find_map(in_common)?;
    let noun = if common.first == common.last { "port" } else { "ports" };
    Some(format!("{noun} {common}"))
}

#[cfg(test)]
mod tests;
