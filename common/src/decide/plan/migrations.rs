//! Chooses the node on which migrations run: only one, although several may share a database.

use std::collections::BTreeMap;

use crate::document::assignment::Desired;
use crate::document::instance::Instance;
use crate::document::plan::Plan;
use crate::document::{Share, Verbatim};
use crate::id::{ComponentName, NodeName};

/// Leaves the migrations of every component on one of its nodes, and takes them from the others.
/// Returns the waves in which that node changes before all others with the component.
///
/// The nodes of a wave run the same components, so one node of a wave leads it. It is one that ran
/// them before, if there is one: a node that has just joined starts what is migrated already.
pub(super) fn on_one_node(
    nodes: &mut BTreeMap<NodeName, Share>,
    waves: Vec<Vec<NodeName>>,
    before: Option<&Plan>,
) -> Vec<Vec<NodeName>> {
    let mut migrated: Vec<ComponentName> = Vec::new();
    let mut led = Vec::with_capacity(waves.len());
    for wave in waves {
        let first = wave.first().and_then(|node| nodes.get(node));
        let here: Vec<ComponentName> = first.map(migrating).unwrap_or_default();
        for node in &wave {
            take_away(nodes, node, &migrated);
        }
        let new: Vec<ComponentName> =
            here.into_iter().filter(|name| !migrated.contains(name)).collect();
        let had = |node: &NodeName| {
            let share = before.and_then(|before| before.nodes.get(node));
            share.is_some_and(|share| new.iter().any(|name| share.contains(name)))
        };
        let leader = wave.iter().find(|node| had(node)).or(wave.first()).cloned();
        migrated.extend(new.iter().cloned());
        let (Some(leader), false) = (leader, new.is_empty()) else {
            led.push(wave);
            continue;
        };
        let others: Vec<NodeName> = wave.into_iter().filter(|node| *node != leader).collect();
        for node in &others {
            take_away(nodes, node, &new);
        }
        led.push(vec![leader]);
        led.extend((!others.is_empty()).then_some(others));
    }
    led
}

/// Returns the components of a node that have migrations.
fn migrating(share: &Share) -> Vec<ComponentName> {
    let with = share.instances.iter().filter(|(_, it)| !it.instance.migrations.is_empty());
    with.map(|(name, _)| name.clone()).collect()
}

/// Takes the migrations of these components from a node.
fn take_away(nodes: &mut BTreeMap<NodeName, Share>, node: &NodeName, components: &[ComponentName]) {
    let Some(share) = nodes.get_mut(node) else { return };
    for name in components {
        let Some(desired) = share.instances.get_mut(name) else { continue };
        let instance = Instance { migrations: Vec::new(), ..(*desired.instance).clone() };
        let policy = desired.policy.clone();
        *desired = Verbatim::seal(Desired { instance: Verbatim::seal(instance), policy });
    }
}
