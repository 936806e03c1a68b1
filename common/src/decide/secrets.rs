//! Which version of each secret a plan names, and which versions stay kept.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::instance::KeptSecret;
use crate::document::plan::Plan;
use crate::document::secret::SecretRecord;
use crate::document::{Share, Verbatim};
use crate::id::{ComponentName, SecretMark, SecretName};

/// The largest number of versions of a secret that are kept.
pub const VERSIONS_MAX: usize = 16;
/// The largest number of secrets of a tenant, so that all those of a node are one message.
pub const SECRETS_MAX: usize = 128;

/// The version of a secret that a plan names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenSecret {
    pub version: u64,
    pub mark: SecretMark,
    /// Whether its value has several lines.
    pub has_lines: bool,
}

/// The versions that a plan names, by the names of the secrets.
pub type ChosenSecrets = BTreeMap<SecretName, ChosenSecret>;

/// Chooses a version of every secret of a tenant: that of the plan whose content is wanted, else
/// that of the present plan, else the newest. A version of a plan counts only while it is kept.
///
/// A change of something else therefore leaves every secret as it is, and a rollback brings the
/// former versions back.
#[must_use]
pub fn choose(
    records: &BTreeMap<SecretName, SecretRecord>,
    wanted: Option<&Plan>,
    present: Option<&Plan>,
) -> ChosenSecrets {
    let named: Vec<BTreeSet<SecretMark>> =
        [wanted, present].into_iter().flatten().map(marks).collect();
    let choose = |record: &SecretRecord| {
        let in_plan = named.iter().find_map(|marks| {
            record.versions.iter().rev().find(|(_, version)| marks.contains(&version.mark))
        });
        let chosen = in_plan.or_else(|| record.versions.last_key_value());
        chosen.map(|(number, version)| ChosenSecret {
            version: *number,
            mark: version.mark.clone(),
            has_lines: version.has_lines,
        })
    };
    records.iter().filter_map(|(name, record)| Some((name.clone(), choose(record)?))).collect()
}

/// Returns the marks of all versions that a plan names.
#[must_use]
pub fn marks(plan: &Plan) -> BTreeSet<SecretMark> {
    let secrets = plan.nodes.values().flat_map(of_share);
    secrets.map(|(_, secret)| secret.mark.clone()).collect()
}

/// Returns the components of a plan that name a secret, each with the number of the version.
#[must_use]
pub fn users(plan: &Plan, name: &SecretName) -> BTreeMap<ComponentName, u64> {
    let secrets = plan.nodes.values().flat_map(of_share);
    let users = secrets.filter(|(_, secret)| secret.name == *name);
    users.map(|(component, secret)| (component.clone(), secret.version)).collect()
}

/// Returns the secrets that the instances of a node name, each with its component.
pub fn of_share(share: &Share) -> impl Iterator<Item = (&ComponentName, &KeptSecret)> {
    share.instances.iter().flat_map(|(component, desired): (_, &Verbatim<_>)| {
        let container = desired.instance.container();
        let secrets = container.into_iter().flat_map(|container| container.kept_secrets.values());
        secrets.map(move |secret| (component, secret))
    })
}

/// Returns the record with the newest version and those that are named somewhere, at most
/// [`VERSIONS_MAX`] of them, of which the newer ones.
#[must_use]
pub fn retained(record: SecretRecord, named: &BTreeSet<SecretMark>) -> SecretRecord {
    let last = record.last;
    let stays = |number: &u64, mark: &SecretMark| *number == last || named.contains(mark);
    let versions = record.versions.into_iter().rev();
    let versions = versions.filter(|(number, version)| stays(number, &version.mark));
    SecretRecord { last, versions: versions.take(VERSIONS_MAX).collect() }
}

#[cfg(test)]
mod tests;
