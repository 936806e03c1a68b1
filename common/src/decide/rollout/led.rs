//! Which nodes wait for the node on which the migrations of their components run.

use crate::id::ComponentName;

use super::Input;
use super::row::{Direction, Row, Rows};

/// Returns true if a node may not get the wanted revision yet, because another one has to migrate
/// for it first, also if it is busy with what was superseded. It uses no place meanwhile: what it
/// is busy with may never end by itself.
pub(super) fn waits_for_migration(input: Input<'_>, rows: &Rows<'_>, row: &Row<'_>) -> bool {
    let named = rows.of(input.rollout.waves.iter().flatten());
    let mut leaders = named.filter(|leader| leader.name != row.name);
    leaders.any(|leader| is_led(row, leader) && !has_migrated(leader))
}

/// Returns true if one of the node's components is migrated on the other node.
fn is_led(row: &Row<'_>, leader: &Row<'_>) -> bool {
    let instances = leader.to.plan.instances.iter();
    let mut migrating = instances.filter(|(_, desired)| !desired.instance.migrations.is_empty());
    migrating.any(|(component, _)| runs_without_migrations(row, component))
}

fn runs_without_migrations(row: &Row<'_>, component: &ComponentName) -> bool {
    let desired = row.to.plan.instances.get(component);
    desired.is_some_and(|desired| desired.instance.migrations.is_empty())
}

fn has_migrated(leader: &Row<'_>) -> bool {
    let gate = leader.gate(Direction::Forward);
    let is_open = gate.waits_for().is_none() && gate.failures().is_none();
    leader.is_at_destination(Direction::Forward) && is_open
}
