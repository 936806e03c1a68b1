//! Which version of each secret a plan names, and which versions stay kept.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::instance::KeptSecret;
use crate::document::plan::Plan;
use crate::document::secret::{SealedVersion, SecretRecord};
use crate::document::{Share, Verbatim};
use crate::id::{ComponentName, SecretMark, SecretName};

/// The number of versions of a secret up to which those of earlier revisions are kept.
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

/// The marks of the versions that a tenant's plans and assignments name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamedSecrets {
    /// Those that a host may run now, or that a rollout leads to or back to.
    pub live: BTreeSet<SecretMark>,
    /// Those that only a rollback to an earlier revision would bring back.
    pub history: BTreeSet<SecretMark>,
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
        chosen.map(|(number, version)| chosen_version(*number, version))
    };
    records.iter().filter_map(|(name, record)| Some((name.clone(), choose(record)?))).collect()
}

/// Returns a version of a secret as a plan names it.
#[must_use]
pub fn chosen_version(number: u64, sealed: &SealedVersion) -> ChosenSecret {
    let SealedVersion { mark, has_lines, .. } = sealed;
    ChosenSecret { version: number, mark: mark.clone(), has_lines: *has_lines }
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
        desired.instance.named_secrets().map(move |secret| (component, secret))
    })
}

/// Returns the record with the newest version and every live one, however many came after it, and
/// with the newer ones of history until there are [`VERSIONS_MAX`].
#[must_use]
pub fn retained(record: SecretRecord, named: &NamedSecrets) -> SecretRecord {
    let last = record.last;
    let is_needed = |number: u64, mark: &SecretMark| number == last || named.live.contains(mark);
    let (mut kept, others): (BTreeMap<_, _>, BTreeMap<_, _>) = record
        .versions
        .into_iter()
        .partition(|(number, version)| is_needed(*number, &version.mark));
    let room = VERSIONS_MAX.saturating_sub(kept.len());
    let others = others.into_iter().rev();
    let others = others.filter(|(_, version)| named.history.contains(&version.mark));
    kept.extend(others.take(room));
    SecretRecord { last, versions: kept }
}

#[cfg(test)]
mod tests;
