//! Programs that read the certificate only when they are started, and so serve the one that they had then.

use std::collections::BTreeSet;

use super::NodeInUse;
use crate::document::instance::ReloadBy;
use crate::document::secret::{SealedVersion, SecretRecord};
use crate::document::tls_secret::TlsSecret;
use crate::id::{ComponentName, NodeName, TenantId, UnitName};
use crate::time::Timestamp;

/// A program that read the certificate when it was started, and serves an older version than its node
/// has until it is started again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServesOlder {
    pub component: ComponentName,
    pub node: NodeName,
    /// The unit that starts it.
    pub unit: UnitName,
    /// The version that it serves.
    pub version: u64,
    /// The end of that version.
    pub expires: Timestamp,
    /// Whether its restart may cut calls.
    pub may_cut_calls: bool,
}

/// Returns the programs of a node that serve an older version than its share names.
pub(super) fn on_node(on: NodeInUse<'_>, record: &SecretRecord) -> BTreeSet<ServesOlder> {
    let certificate = TlsSecret::Certificate.name();
    let older = on.share.instances.iter().filter_map(|(component, desired)| {
        let instance = &desired.instance;
        let reload = instance.reload.as_ref().filter(|reload| reload.by == ReloadBy::NextStart)?;
        let named = reload.secrets.iter().find(|secret| secret.name == certificate)?.version;
        let reported = on.report.and_then(|report| report.instances.get(component));
        let started = reported.and_then(|instance| instance.started_at);
        let (version, expires) = read_at_start(record, named, started)?;
        Some(ServesOlder {
            component: component.clone(),
            node: on.node.clone(),
            unit: instance.unit.clone(),
            version,
            expires,
            may_cut_calls: instance.may_carry_calls(),
        })
    });
    older.collect()
}

/// Returns the older version that a program read at its start, with its end; none if it read the one
/// that is named, or if nothing is known of older ones.
///
/// It read the newest one that was made before its start. If that is not kept, the oldest that is counts,
/// which ends later. Of a program whose start is not known, the version before the named one counts.
fn read_at_start(
    record: &SecretRecord,
    named: u64,
    started: Option<Timestamp>,
) -> Option<(u64, Timestamp)> {
    let made = record.versions.get(&named)?.at;
    if started.is_some_and(|started| made <= started) {
        return None;
    }
    let before = record.versions.range(..named).filter(|(_, it)| it.certificate.is_some());
    let before: Vec<(&u64, &SealedVersion)> = before.collect();
    let read = match started {
        None => before.last(),
        Some(started) => before.iter().rfind(|(_, it)| it.at <= started).or_else(|| before.first()),
    };
    read.and_then(|(number, it)| Some((**number, it.certificate.as_ref()?.expires)))
}

/// Returns the components that serve this version.
pub(super) fn components_with(
    all: &BTreeSet<ServesOlder>,
    version: u64,
) -> BTreeSet<ComponentName> {
    let those = all.iter().filter(|it| it.version == version);
    those.map(|it| it.component.clone()).collect()
}

/// Says which program is to be started again for a newer version, and what to type.
pub(super) fn restart<'a>(
    tenant: &TenantId,
    newer: u64,
    waiting: impl Iterator<Item = &'a ServesOlder>,
) -> String {
    let waiting: Vec<&ServesOlder> = waiting.collect();
    let Some((first, others)) = waiting.split_first() else {
        return format!(
            "version {newer} is read at the next start: omlctl tls show tenant={tenant}"
        );
    };
    let ServesOlder { component, node, unit, may_cut_calls, .. } = first;
    let cuts = if *may_cut_calls { ", which may cut calls" } else { "" };
    let more = match others.len() {
        0 => String::new(),
        more => format!("; so do {more} more: omlctl tls show tenant={tenant}"),
    };
    format!(
        "{component} on {node} reads version {newer} only when it is started again{cuts}: systemctl \
         restart {unit} on that host{more}"
    )
}
