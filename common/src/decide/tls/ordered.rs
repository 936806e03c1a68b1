//! The certificate of a tenant that orders it from an ACME directory: which one is used, and a stand-in until
//! the first one has come.

use std::collections::BTreeMap;

use crate::document::spec::{TlsMode, TlsSpec};
use crate::document::tls_facts::TlsFacts;
use crate::time::Timestamp;

use super::{IssueReason, SecretRecords, TlsChoice, TlsInput, pairs, uncovered};

/// Returns the newest kept certificate of the directory that the tenant names, for all its names and valid
/// now; none if it has to be ordered.
#[must_use]
pub fn newest_ordered<'r>(
    records: &'r SecretRecords,
    tls: &TlsSpec,
    now: Timestamp,
) -> Option<(u64, &'r TlsFacts)> {
    let kept = pairs(records).into_iter().rev();
    let mut fitting = kept.filter(|(_, facts)| is_ordered(tls, facts) && is_valid(facts, now));
    fitting.next()
}

/// Chooses the certificate of a tenant that orders it. The newest that was ordered is used, also
/// where a plan names another, because only it is kept valid. Until it has come, the present one stays if browsers know who signed
/// it and it is for a name of the tenant, so that they go on; else the tenant's own authority issues one.
pub(super) fn choose(input: TlsInput<'_>, tls: &TlsSpec) -> TlsChoice {
    let TlsInput { records, named, now, .. } = input;
    if let Some((version, _)) = newest_ordered(records, tls, now) {
        return TlsChoice::Version(version);
    }
    let kept = pairs(records);
    let is_known = |facts: &TlsFacts| facts.authority.is_none() && covers_any(tls, facts);
    let covers_all = |facts: &TlsFacts| uncovered(&tls.names, facts).is_empty();
    let stand_in = newest(&kept, named, |it| is_known(it) && is_valid(it, now))
        .or_else(|| newest(&kept, named, |it| covers_all(it) && is_valid(it, now)))
        // One that has expired stops no other change, and another stand-in would be no better.
        .or_else(|| newest(&kept, named, |it| is_ordered(tls, it)));
    match stand_in {
        Some(version) => TlsChoice::Version(version),
        None if kept.is_empty() => TlsChoice::Issue(IssueReason::First),
        None => TlsChoice::Issue(IssueReason::OtherNames),
    }
}

/// Returns the named version if this is true of it, else the newest of which it is.
fn newest(
    kept: &BTreeMap<u64, &TlsFacts>,
    named: Option<u64>,
    is_it: impl Fn(&TlsFacts) -> bool,
) -> Option<u64> {
    let named = named.and_then(|named| kept.get_key_value(&named));
    let mut all = named.into_iter().chain(kept.iter().rev());
    let found = all.find(|(_, facts)| is_it(facts));
    found.map(|(version, _)| *version)
}

/// Whether a certificate is of the directory that the tenant names, and for all its names.
fn is_ordered(tls: &TlsSpec, facts: &TlsFacts) -> bool {
    let wanted = tls.acme.as_ref().map(|acme| &acme.directory);
    tls.mode == TlsMode::Acme
        && wanted.is_some_and(|wanted| facts.directory.as_ref() == Some(wanted))
        && uncovered(&tls.names, facts).is_empty()
}

fn covers_any(tls: &TlsSpec, facts: &TlsFacts) -> bool {
    tls.names.iter().any(|name| name.is_covered_by(&facts.names))
}

fn is_valid(facts: &TlsFacts, now: Timestamp) -> bool {
    facts.valid_from <= now && facts.expires > now
}

#[cfg(test)]
mod tests;
