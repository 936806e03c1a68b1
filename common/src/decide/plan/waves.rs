//! The order in which nodes change. A node changes after the nodes that run the components
//! on which its own components depend.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::Share;
use crate::id::{ComponentName, NodeName};

/// Sorts the nodes into waves. The nodes of one wave run the same components.
pub(super) fn waves(
    nodes: &BTreeMap<NodeName, Share>,
    order: &[ComponentName],
) -> Vec<Vec<NodeName>> {
    let mut left: BTreeMap<&NodeName, &Share> = nodes.iter().collect();
    let mut waves = Vec::new();
    while !left.is_empty() {
        let mut ready: Vec<(&NodeName, &Share)> = left
            .iter()
            .filter(|(name, share)| {
                !left.iter().any(|(o, other)| o != *name && needs(share, other))
            })
            .map(|(name, share)| (*name, *share))
            .collect();
        if ready.is_empty() {
            // In a cycle of nodes, the node with the first component goes first.
            ready = left.iter().map(|(name, share)| (*name, *share)).collect();
            ready.sort_by_key(|(_, share)| rank(share, order));
            ready.truncate(1);
        }
        for (name, _) in &ready {
            left.remove(name);
        }
        waves.extend(by_components(&ready, order));
    }
    waves
}

/// Whether a component of `share` depends on one that `other` runs and `share` does not.
fn needs(share: &Share, other: &Share) -> bool {
    let wanted: BTreeSet<&ComponentName> =
        share.instances.values().flat_map(|desired| &desired.instance.after).collect();
    wanted
        .iter()
        .any(|name| !share.instances.contains_key(*name) && other.instances.contains_key(*name))
}

/// Returns the position of the first component of a node in the order of components.
fn rank(share: &Share, order: &[ComponentName]) -> usize {
    order.iter().position(|name| share.instances.contains_key(name)).unwrap_or(order.len())
}

fn by_components(
    ready: &[(&NodeName, &Share)],
    order: &[ComponentName],
) -> impl Iterator<Item = Vec<NodeName>> {
    let mut alike: BTreeMap<(usize, Vec<&ComponentName>), Vec<NodeName>> = BTreeMap::new();
    for (name, share) in ready {
        let key = (rank(share, order), share.instances.keys().collect());
        alike.entry(key).or_default().push((*name).clone());
    }
    alike.into_values()
}
