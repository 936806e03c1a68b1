//! The certificate of a tenant: which version a plan names, when another one is issued, and what stays
//! kept.
//!
//! A certificate and its key are two secrets with reserved names, whose versions with the same number
//! belong together.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::document::secret::SecretRecord;
use crate::document::spec::{TenantSpec, TlsMode, TlsSpec};
use crate::document::tls_facts::TlsFacts;
use crate::document::tls_secret::TlsSecret;
use crate::id::{Fingerprint, SecretMark, SecretName, TenantId, TlsName};
use crate::text::problem::Problem;
use crate::time::Timestamp;

use super::secrets::{ChosenSecret, ChosenSecrets, NamedSecrets, chosen_version};

mod exchange;
mod given;
mod ordered;
mod used;

pub use self::exchange::with_certificate;
pub use self::given::{GivenCertificate, GivenKey, GivenPair, check};
pub use self::ordered::newest_ordered;
pub use self::used::{
    NodeInUse, ServesOlder, Successor, TlsInUse, in_use, in_use_now, is_used, uses_version, warning,
};

/// How long a certificate of a tenant's own authority is valid: browsers refuse those of more than 398
/// days.
pub const LEAF_LIFETIME_MS: u64 = 365 * DAY_MS;
/// How long an authority is valid.
pub const AUTHORITY_LIFETIME_MS: u64 = 10 * 365 * DAY_MS;

const DAY_MS: u64 = 86_400_000;

/// The secrets of a tenant by name.
pub type SecretRecords = BTreeMap<SecretName, SecretRecord>;

/// The input of the choice of a certificate.
#[derive(Debug, Clone, Copy)]
pub struct TlsInput<'a> {
    pub spec: &'a TenantSpec,
    pub records: &'a SecretRecords,
    /// The version that the plan names whose content is wanted, or else the newest.
    pub named: Option<u64>,
    pub now: Timestamp,
}

/// What a change does about the certificate of its tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsChoice {
    /// The tenant has none.
    Absent,
    /// Its plan names this version.
    Version(u64),
    /// The tenant's own authority issues another one.
    Issue(IssueReason),
}

/// Why a certificate is issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssueReason {
    /// The tenant has none of its own authority.
    First,
    OtherNames,
    /// An operator asked for it.
    Renewed,
    /// An operator asked for another authority too.
    NewAuthority,
}

impl IssueReason {
    /// Whether an operator asked for another certificate, and not for a document that needs one.
    #[must_use]
    pub fn is_asked(self) -> bool {
        match self {
            Self::Renewed | Self::NewAuthority => true,
            Self::First | Self::OtherNames => false,
        }
    }
}

impl fmt::Display for IssueReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::First => "the first one",
            Self::OtherNames => "for other names",
            Self::Renewed => "renewed",
            Self::NewAuthority => "with another authority",
        })
    }
}

/// Chooses the certificate of a tenant: the version that is named while it is what the tenant wants and
/// is valid now, else the newest such. What has expired is used while there is nothing better, so that it
/// stops no other change.
///
/// # Errors
/// Returns a problem if an operator must give one first.
pub fn choose(input: TlsInput<'_>) -> Result<TlsChoice, Problem> {
    let Some(tls) = &input.spec.tls else { return Ok(TlsChoice::Absent) };
    let kept = pairs(input.records);
    let fitting = kept.iter().filter(|(_, facts)| is_wanted(tls, facts, input.records));
    let fitting: BTreeMap<u64, &TlsFacts> = fitting.map(|(n, facts)| (*n, *facts)).collect();
    let named = input.named.filter(|number| fitting.contains_key(number));
    let newest_first = || named.into_iter().chain(fitting.keys().rev().copied());
    let is_valid_now = |it: &TlsFacts| it.valid_from <= input.now && it.expires > input.now;
    let is_valid = |number: &u64| fitting.get(number).is_some_and(|it| is_valid_now(it));
    if let Some(number) = newest_first().find(is_valid).or_else(|| newest_first().next()) {
        return Ok(TlsChoice::Version(number));
    }
    let of_mode =
        |facts: &&TlsFacts| facts.authority.is_some() == (tls.mode == TlsMode::SelfSigned);
    let other = kept.values().rev().copied().find(of_mode);
    match (tls.mode, other) {
        (TlsMode::SelfSigned, None) => Ok(TlsChoice::Issue(IssueReason::First)),
        (TlsMode::SelfSigned, Some(_)) => Ok(TlsChoice::Issue(IssueReason::OtherNames)),
        (TlsMode::Custom, None) => Err(not_given(input.spec)),
        (TlsMode::Custom, Some(facts)) => Err(wrong_names(input.spec, tls, facts)),
        (TlsMode::Acme, _) => Ok(ordered::choose(input, tls)),
    }
}

/// Returns the versions of which certificate and key are kept, with their facts.
fn pairs(records: &SecretRecords) -> BTreeMap<u64, &TlsFacts> {
    let record = |secret: TlsSecret| records.get(&secret.name());
    let (certificate, key) = (record(TlsSecret::Certificate), record(TlsSecret::Key));
    let Some((certificate, key)) = certificate.zip(key) else { return BTreeMap::new() };
    let both = certificate.versions.iter().filter(|(number, _)| key.versions.contains_key(number));
    both.filter_map(|(number, version)| Some((*number, version.certificate.as_ref()?))).collect()
}

/// Whether a certificate is what a tenant wants that does not order it, apart from its age. One whose
/// authority was removed is not, because browsers could not be given that any more.
fn is_wanted(tls: &TlsSpec, facts: &TlsFacts, records: &SecretRecords) -> bool {
    match tls.mode {
        TlsMode::SelfSigned => {
            let names: BTreeSet<&str> = facts.names.iter().map(String::as_str).collect();
            let wanted: BTreeSet<&str> = tls.names.iter().map(TlsName::as_str).collect();
            let authority = facts.authority.and_then(|it| version_of(records, it));
            authority.is_some() && names == wanted
        }
        TlsMode::Custom => facts.authority.is_none() && uncovered(&tls.names, facts).is_empty(),
        TlsMode::Acme => false,
    }
}

/// Returns the names for which a certificate is not valid.
fn uncovered<'a>(names: &'a BTreeSet<TlsName>, facts: &TlsFacts) -> Vec<&'a str> {
    let missing = names.iter().filter(|name| !name.is_covered_by(&facts.names));
    missing.map(TlsName::as_str).collect()
}

/// Whether a tenant has this part of its certificate, once an operator has given what is his to give.
pub(crate) fn has_part(tls: Option<&TlsSpec>, secret: TlsSecret) -> bool {
    let mode = tls.map(|tls| tls.mode);
    match secret {
        TlsSecret::Certificate | TlsSecret::Key => mode.is_some(),
        // That of a stand-in goes away with it.
        TlsSecret::Authority => mode == Some(TlsMode::SelfSigned),
        // No host gets them.
        TlsSecret::AuthorityKey | TlsSecret::AccountKey | TlsSecret::OrderKey => false,
    }
}

/// Returns why a part of the certificate of a tenant may not be removed; none if its document does not
/// ask for one that has this part.
#[must_use]
pub fn refuse_removal(
    tenant: &TenantId,
    tls: Option<&TlsSpec>,
    secret: TlsSecret,
) -> Option<Problem> {
    let mode = tls?.mode;
    let hint = match (mode, secret) {
        (TlsMode::Custom | TlsMode::Acme, TlsSecret::Authority | TlsSecret::AuthorityKey)
        | (_, TlsSecret::OrderKey)
        | (TlsMode::SelfSigned | TlsMode::Custom, TlsSecret::AccountKey) => return None,
        (TlsMode::SelfSigned, TlsSecret::Authority | TlsSecret::AuthorityKey) => {
            format!(
                "replace it, and give browsers the new one: omlctl tls renew tenant={tenant} --new-ca"
            )
        }
        (TlsMode::SelfSigned | TlsMode::Acme, TlsSecret::Certificate | TlsSecret::Key) => {
            format!("replace it: omlctl tls renew tenant={tenant}")
        }
        (TlsMode::Acme, TlsSecret::AccountKey) => {
            "the hosts answer challenges by it; change the mode first, and apply that".to_owned()
        }
        (TlsMode::Custom, TlsSecret::Certificate | TlsSecret::Key) => {
            format!("replace it: omlctl tls set tenant={tenant} --certificate FILE --key FILE")
        }
    };
    let message = format!(
        "{} is a part of the certificate of {tenant}, whose document says tls: {{mode: {}}}",
        secret.as_str(),
        mode.as_str()
    );
    Some(Problem::new("name", message).hint(hint))
}

/// Says that an operator must give a certificate first.
pub(crate) fn not_given(spec: &TenantSpec) -> Problem {
    let tenant = &spec.tenant;
    let problem = spec.problem("tls", format!("{tenant} has no certificate yet"));
    problem.hint(format!("omlctl tls set tenant={tenant} --certificate FILE --key FILE"))
}

fn wrong_names(spec: &TenantSpec, tls: &TlsSpec, facts: &TlsFacts) -> Problem {
    let (tenant, missing) = (&spec.tenant, uncovered(&tls.names, facts).join(", "));
    let message = format!(
        "the certificate of {tenant} is not for {missing}; it is for {}",
        facts.names.join(", ")
    );
    let hint = format!(
        "give one for all names: omlctl tls set tenant={tenant} --certificate FILE --key FILE"
    );
    spec.problem("tls.names", message).hint(hint)
}

/// Puts a version of the pair into the choice of secrets, with the authority that signed it, and takes
/// every other reserved secret out of it.
pub fn put_version(chosen: &mut ChosenSecrets, records: &SecretRecords, number: Option<u64>) {
    for secret in TlsSecret::ALL {
        chosen.remove(&secret.name());
    }
    let Some(number) = number else { return };
    let version = |secret: TlsSecret, number: u64| -> Option<(SecretName, ChosenSecret)> {
        let sealed = records.get(&secret.name())?.versions.get(&number)?;
        Some((secret.name(), chosen_version(number, sealed)))
    };
    let pair = [TlsSecret::Certificate, TlsSecret::Key].map(|secret| version(secret, number));
    chosen.extend(pair.into_iter().flatten());
    let authority = pairs(records).get(&number).and_then(|facts| facts.authority);
    let authority = authority.and_then(|authority| version_of(records, authority));
    chosen.extend(authority.and_then(|number| version(TlsSecret::Authority, number)));
}

/// Takes the parts of the certificate out of a choice that the tenant does not have for good: the authority
/// of a stand-in.
pub fn withhold(chosen: &mut ChosenSecrets, tls: Option<&TlsSpec>) {
    for secret in TlsSecret::ALL {
        if !has_part(tls, secret) {
            chosen.remove(&secret.name());
        }
    }
}

/// Returns the version of the tenant's authority with this fingerprint, if it is kept.
#[must_use]
pub fn version_of(records: &SecretRecords, authority: Fingerprint) -> Option<u64> {
    let versions = &records.get(&TlsSecret::Authority.name())?.versions;
    let is_it = |facts: &TlsFacts| facts.fingerprint == authority;
    let found =
        versions.iter().find(|(_, version)| version.certificate.as_ref().is_some_and(is_it));
    found.map(|(number, _)| *number)
}

/// Returns the version of the authority that signs the next certificate; none if another authority is
/// needed, because there is none yet or it would end before the certificate.
#[must_use]
pub fn signing_authority(records: &SecretRecords, now: Timestamp) -> Option<u64> {
    let (number, newest) = records.get(&TlsSecret::Authority.name())?.newest()?;
    let serves = newest.certificate.as_ref()?.expires >= now.plus_ms(LEAF_LIFETIME_MS);
    let key = records.get(&TlsSecret::AuthorityKey.name())?;
    (serves && key.versions.contains_key(&number)).then_some(number)
}

/// Returns the number of the next version of the certificate and its parts, which is higher than all those
/// that they had.
#[must_use]
pub fn next_number(records: &SecretRecords) -> u64 {
    let last = |secret: TlsSecret| records.get(&secret.name()).map_or(0, |record| record.last);
    TlsSecret::PARTS.map(last).into_iter().max().unwrap_or_default() + 1
}

/// Returns the marks of the reserved secrets that stay kept: those of every pair of which something is
/// named, and of the authority that signed it; the newest pair of each kind counts like history. The
/// two secrets of a pair go together.
#[must_use]
pub fn retained_marks(records: &SecretRecords, named: &NamedSecrets) -> NamedSecrets {
    let NamedSecrets { live, history } = named;
    let pairs = pairs(records);
    let newest = |is_own: bool| pairs.iter().rev().find(|(_, it)| it.authority.is_some() == is_own);
    let mut past = history.clone();
    for (number, _) in [true, false].map(newest).into_iter().flatten() {
        past.extend(marks_of(records, *number));
    }
    NamedSecrets { live: with_pairs(records, live), history: with_pairs(records, &past) }
}

/// Returns marks with those of everything that belongs to one of them.
fn with_pairs(records: &SecretRecords, named: &BTreeSet<SecretMark>) -> BTreeSet<SecretMark> {
    let mut all = named.clone();
    for (number, facts) in pairs(records) {
        let pair = marks_of(records, number);
        if pair.iter().any(|mark| named.contains(mark)) {
            all.extend(pair);
            let number = facts.authority.and_then(|authority| version_of(records, authority));
            all.extend(number.and_then(|number| mark_of(records, TlsSecret::Authority, number)));
        }
    }
    all
}

/// Returns the marks of a certificate and its key.
fn marks_of(records: &SecretRecords, number: u64) -> Vec<SecretMark> {
    let pair = [TlsSecret::Certificate, TlsSecret::Key];
    pair.into_iter().filter_map(|secret| mark_of(records, secret, number)).collect()
}

fn mark_of(records: &SecretRecords, secret: TlsSecret, number: u64) -> Option<SecretMark> {
    let version = records.get(&secret.name())?.versions.get(&number);
    version.map(|version| version.mark.clone())
}

#[cfg(test)]
mod tests;
