//! What cannot be done to a secret of a tenant, and what can be done instead.

use std::collections::BTreeMap;

use oml_common::document;
use oml_common::document::tls_secret::TlsSecret;
use oml_common::id::{SecretName, TenantId};
use oml_common::text::problem::Problem;

use crate::ops::Result;
use crate::records::Entry;
use crate::records::values::SecretRecord;
use crate::store::VALUE_SIZE_BYTES_MAX;

/// Refuses to give the certificate of a tenant, or its key, by itself: they are checked together.
pub(super) fn check_unreserved(tenant: &TenantId, name: &SecretName) -> Result<()> {
    if TlsSecret::of(name).is_none() {
        return Ok(());
    }
    let message = format!("{name} is a part of the certificate of {tenant}");
    let hint = format!("give both: omlctl tls set tenant={tenant} --certificate FILE --key FILE");
    Err(Problem::new("name", message).hint(hint).into())
}

/// Returns the problem of a secret that a tenant does not have.
pub(super) fn unknown(
    tenant: &TenantId,
    name: &SecretName,
    others: BTreeMap<SecretName, Entry<SecretRecord>>,
) -> Problem {
    let known = others.iter().filter(|(_, entry)| entry.value.newest().is_some());
    let known: Vec<&str> = known.map(|(name, _)| name.as_str()).collect();
    Problem::new("name", format!("{tenant} has no secret {name}")).suggest(name.as_str(), known)
}

/// Refuses a version with which the record would be too large for the store. Only versions that are
/// live can make it so large, because they are never dropped.
pub(super) fn check_size(
    tenant: &TenantId,
    name: &SecretName,
    record: &SecretRecord,
) -> Result<()> {
    if document::write(record).len() <= VALUE_SIZE_BYTES_MAX {
        return Ok(());
    }
    let count = record.versions.len();
    let message = format!(
        "the hosts of {tenant} run up to {count} versions of secret {name}, and no more fit"
    );
    let hint = format!("bring them to one revision first: omlctl status tenant={tenant}");
    Err(Problem::new("name", message).hint(hint).into())
}
