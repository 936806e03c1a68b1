//! What one change cannot hand over on a host: a unit, a container's name or a
//! port of something that the same change takes away, and a component that
//! becomes another kind of thing.
//!
//! What goes may have calls and is waited for, and what comes is started without
//! regard to it. In two changes nothing of that can go wrong.

use crate::document::Share;
use crate::document::instance::{Instance, Workload};
use crate::document::plan::Plan;
use crate::id::{ComponentName, NodeName};
use crate::text::problem::{Problem, Problems};

/// Everything in the way of a change from one plan to the next.
#[must_use]
pub fn check(from: &Plan, to: &Plan) -> Problems {
    let mut problems = Problems::default();
    for (node, share) in &to.nodes {
        let Some(before) = from.nodes.get(node) else { continue };
        for (component, desired) in &share.instances {
            let new = &desired.instance;
            match before.instances.get(component) {
                Some(old) => {
                    problems.0.extend(becomes(component, &old.instance, new));
                    problems.0.extend(takes(
                        node,
                        (Some(&old.instance), new),
                        leaving(before, share),
                    ));
                }
                None => problems.0.extend(takes(node, (None, new), leaving(before, share))),
            }
        }
    }
    // Of many hosts it is said once.
    problems.0.sort();
    problems.0.dedup();
    problems
}

fn leaving<'a>(before: &'a Share, after: &'a Share) -> impl Iterator<Item = &'a Instance> {
    let leaves = before.instances.iter().filter(|(name, _)| !after.instances.contains_key(*name));
    leaves.map(|(_, desired)| &*desired.instance)
}

/// The same component as another kind of thing: the unit of the one would have
/// to give way to that of the other, with no way back.
fn becomes(component: &ComponentName, old: &Instance, new: &Instance) -> Option<Problem> {
    let message = match (&*old.workload, &*new.workload) {
        (Workload::Container(_), Workload::Unit(_)) => {
            format!("was a container and would be the packaged unit {}", new.unit)
        }
        (Workload::Unit(_), Workload::Container(_)) => {
            format!("was the packaged unit {} and would be a container", old.unit)
        }
        (Workload::Unit(_), Workload::Unit(_)) if old.unit != new.unit => {
            format!("was the packaged unit {} and would be {}", old.unit, new.unit)
        }
        (Workload::Unit(_), Workload::Unit(_))
        | (Workload::Container(_), Workload::Container(_)) => {
            return None;
        }
    };
    let problem = Problem::new(format!("components.{component}"), message);
    Some(problem.hint(format!("take {component} away in a change of its own first")))
}

/// What it had before, it has of nobody.
fn takes<'a>(
    node: &NodeName,
    (had, new): (Option<&Instance>, &Instance),
    mut leaving: impl Iterator<Item = &'a Instance>,
) -> Option<Problem> {
    let is_its_own = |old: &&Instance| had.is_some_and(|had| shared(old, had).is_some());
    let (old, shared) =
        leaving.find_map(|old| Some((old, shared(old, new).filter(|_| !is_its_own(&old))?)))?;
    let (component, gone) = (&new.component, &old.component);
    let message = format!("takes {shared} of {gone} on {node}, which the same change takes away");
    let problem = Problem::new(format!("components.{component}"), message);
    Some(problem.hint(format!("take {gone} away in a change of its own first")))
}

fn shared(old: &Instance, new: &Instance) -> Option<String> {
    if old.unit == new.unit {
        return Some(format!("the unit {}", old.unit));
    }
    let name = |instance: &Instance| instance.container().map(|container| container.name.clone());
    if let Some(name) = name(old).filter(|old| Some(old) == name(new).as_ref()) {
        return Some(format!("the container {name}"));
    }
    let port = old.ports.iter().find(|port| new.ports.contains(port))?;
    Some(format!("port {port}"))
}

#[cfg(test)]
mod tests;
