//! The certificate that the components of a tenant use, and the warning of its end.

use std::collections::{BTreeMap, BTreeSet};

use crate::decide::secrets::of_share;
use crate::document::Share;
use crate::document::plan::Plan;
use crate::document::report::Report;
use crate::document::secret::SecretRecord;
use crate::document::tls_facts::TlsFacts;
use crate::document::tls_secret::TlsSecret;
use crate::id::{ComponentName, NodeName, TenantId};
use crate::time::{Span, Timestamp};

mod older;

pub use self::older::ServesOlder;

/// How long before the end people are warned at most: of a certificate that is short-lived, in the last
/// third of its time; of one that the controller renews by itself, half as long.
const WARNING_MS: u64 = 30 * 86_400_000;

/// The certificate that a plan, or the share of a node, names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsInUse {
    pub version: u64,
    pub facts: TlsFacts,
    /// The components that name the certificate or its key.
    pub used_by: BTreeSet<ComponentName>,
    /// The version that the tenant should have instead; none if it is this one.
    pub replaced_by: Option<Successor>,
    /// The programs that serve an older version than their nodes have.
    pub serves_older: BTreeSet<ServesOlder>,
}

/// The version that a tenant should have instead of the one in use, and what it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Successor {
    /// It is not on all nodes of the tenant yet.
    NotEverywhere(u64),
    /// It is on the nodes, and a program that read the older one when it was started goes on with that.
    NotStarted(u64),
}

/// What a node has of a plan, and what it reports.
#[derive(Debug, Clone, Copy)]
pub struct NodeInUse<'s> {
    pub node: &'s NodeName,
    /// Its share of the plan that it has applied.
    pub share: &'s Share,
    /// Its last report; none if it has never reported.
    pub report: Option<&'s Report>,
}

/// Whether a component of a plan names the certificate of its tenant or the key of that.
#[must_use]
pub fn is_used(plan: &Plan) -> bool {
    !users(plan.nodes.values()).is_empty()
}

/// Whether a component of a plan names this version of the certificate, its key or its authority.
#[must_use]
pub fn uses_version(plan: &Plan, version: u64) -> bool {
    let mut named = plan.nodes.values().flat_map(of_share);
    named.any(|(_, secret)| {
        secret.version == version
            && TlsSecret::of(&secret.name).is_some_and(TlsSecret::is_for_hosts)
    })
}

/// Returns the certificate that the components of a plan use; none if they use none, or it is not kept.
#[must_use]
pub fn in_use(plan: &Plan, certificate: Option<&SecretRecord>) -> Option<TlsInUse> {
    of_shares(plan.nodes.values(), certificate)
}

/// Returns the certificate that ends first of three kinds: the one that the components of the present
/// plan use, those of other plans that nodes have while a rollout has not reached them, and those that
/// programs read when they were started.
#[must_use]
pub fn in_use_now<'s>(
    plan: &Plan,
    nodes: impl IntoIterator<Item = NodeInUse<'s>>,
    certificate: Option<&SecretRecord>,
) -> Option<TlsInUse> {
    let record = certificate?;
    let wanted = in_use(plan, certificate)?;
    let nodes: Vec<NodeInUse<'_>> = nodes.into_iter().collect();
    let serves_older: BTreeSet<ServesOlder> =
        nodes.iter().flat_map(|node| older::on_node(*node, record)).collect();
    let on_nodes = nodes.iter().filter_map(|node| of_shares([node.share], certificate));
    let on_nodes = on_nodes.min_by_key(|other| other.facts.expires);
    let on_nodes = on_nodes.filter(|other| other.facts.expires < wanted.facts.expires);
    let served = serves_older.iter().min_by_key(|it| it.expires);
    let served = served.filter(|it| it.expires < wanted.facts.expires);
    let is_first =
        |other: &TlsInUse| served.is_none_or(|served| other.facts.expires <= served.expires);
    let counted = match (on_nodes.filter(is_first), served) {
        (Some(other), _) => {
            let replaced_by = Some(Successor::NotEverywhere(wanted.version));
            TlsInUse { replaced_by, ..other }
        }
        (None, Some(served)) => TlsInUse {
            version: served.version,
            facts: record.versions.get(&served.version)?.certificate.clone()?,
            used_by: older::components_with(&serves_older, served.version),
            replaced_by: Some(Successor::NotStarted(wanted.version)),
            serves_older: BTreeSet::new(),
        },
        (None, None) => wanted,
    };
    Some(TlsInUse { serves_older, ..counted })
}

/// Returns the components that name the certificate or its key, each with the version.
fn users<'s>(shares: impl IntoIterator<Item = &'s Share>) -> BTreeMap<&'s ComponentName, u64> {
    let parts = [TlsSecret::Certificate, TlsSecret::Key];
    let named = shares.into_iter().flat_map(of_share);
    let named = named
        .filter(|(_, secret)| TlsSecret::of(&secret.name).is_some_and(|it| parts.contains(&it)));
    named.map(|(component, secret)| (component, secret.version)).collect()
}

fn of_shares<'s>(
    shares: impl IntoIterator<Item = &'s Share>,
    certificate: Option<&SecretRecord>,
) -> Option<TlsInUse> {
    let users = users(shares);
    let version = *users.values().max()?;
    let facts = certificate?.versions.get(&version)?.certificate.clone()?;
    let used_by = users.into_keys().cloned().collect();
    Some(TlsInUse { version, facts, used_by, replaced_by: None, serves_older: BTreeSet::new() })
}

/// Returns a sentence about a certificate that has expired, expires soon or is not valid yet, with what to
/// type; none if there is time.
#[must_use]
pub fn warning(tenant: &TenantId, it: &TlsInUse, now: Timestamp) -> Option<String> {
    let TlsInUse { version, facts, used_by: _, replaced_by, serves_older } = it;
    let left_ms = facts.expires.since_ms(now);
    let lifetime_ms = facts.expires.since_ms(facts.valid_from);
    // One that was ordered is renewed from its last third on: whoever is warned then has nothing to do.
    let warned_ms = match facts.directory {
        Some(_) => WARNING_MS.min(lifetime_ms / 3) / 2,
        None => WARNING_MS.min(lifetime_ms / 3),
    };
    // A controller whose clock was ahead made it so.
    let early_ms = facts.valid_from.since_ms(now);
    if early_ms == 0 && left_ms > warned_ms {
        return None;
    }
    let when = match (early_ms, left_ms) {
        (0, 0) => format!("expired {} ago", Span(now.since_ms(facts.expires))),
        (0, left_ms) => format!("expires in {}", Span(left_ms)),
        (early_ms, _) => format!("becomes valid only in {}", Span(early_ms)),
    };
    let what = match (replaced_by, facts.authority) {
        (Some(Successor::NotEverywhere(newer)), _) => {
            format!("version {newer} is not on every host yet: omlctl status tenant={tenant}")
        }
        (Some(Successor::NotStarted(newer)), _) => {
            older::restart(tenant, *newer, serves_older.iter().filter(|it| it.version == *version))
        }
        (None, None) if facts.directory.is_some() => {
            format!("see why it was not renewed: omlctl tls show tenant={tenant}")
        }
        (None, Some(_)) => format!("replace it: omlctl tls renew tenant={tenant}"),
        (None, None) => {
            format!("replace it: omlctl tls set tenant={tenant} --certificate FILE --key FILE")
        }
    };
    Some(format!("the certificate of {tenant} {when}; {what}"))
}

#[cfg(test)]
mod tests;
