//! The certificate of a tenant with its key, as secrets whose names are reserved: new versions of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use oml_common::decide::head::base;
use oml_common::decide::secrets::{NamedSecrets, retained};
use oml_common::decide::tls::{
    self, IssueReason, SecretRecords, next_number, retained_marks, signing_authority,
};
use oml_common::document::spec::{TenantSpec, TlsSpec};
use oml_common::document::tls_facts::TlsFacts;
use oml_common::document::tls_secret::TlsSecret;
use oml_common::id::{SecretName, TenantId, TlsName};
use oml_common::text::problem::{Problem, Problems};
use oml_common::text::secret_text::SecretText;
use oml_common::time::Timestamp;
use oml_daemon::tls::OperatorName;
use zeroize::Zeroizing;

use super::refused::check_size;
use super::{NewVersion, Secrets};
use crate::ops::{OpsError, Result};
use crate::pki::{self, MadeCertificate, PemPair, read_pair};
use crate::records::values::{SealedVersion, SecretRecord};
use crate::records::{Batch, Entry, keys};
use crate::seal::SecretPlace;

/// The longest text that is read as a certificate or as a key, in bytes.
const PEM_BYTES_MAX: usize = 64 << 10;

/// A certificate with its chain and its key, as an operator gives them.
#[derive(Clone)]
pub struct GivenPem {
    pub certificate: Zeroizing<String>,
    pub key: Zeroizing<String>,
}

/// Says that there is one, and not which.
impl fmt::Debug for GivenPem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GivenPem(..)")
    }
}

/// A certificate that an ACME directory gave for an order, with the key of the order.
#[derive(Debug, Clone)]
pub struct OrderedPem {
    pub pem: GivenPem,
    /// The address of the directory.
    pub directory: String,
}

/// A certificate that a change makes, as people may know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsPart {
    pub version: u64,
    pub facts: TlsFacts,
}

/// A certificate that is not recorded yet: new versions of its secrets with the same number.
#[derive(Debug, Clone)]
pub(in crate::ops) struct NewCertificate {
    pub(in crate::ops) part: TlsPart,
    /// Whether its authority is a new one, which no browser knows yet.
    pub(in crate::ops) has_new_authority: bool,
    versions: Vec<NewVersion>,
    /// The line of the audit trail, without the revision that follows.
    what: String,
}

/// The records of a tenant's secrets.
type Entries = BTreeMap<SecretName, Entry<SecretRecord>>;

/// The value of a reserved secret; with facts if it is a certificate.
type Value = (TlsSecret, Zeroizing<String>, Option<TlsFacts>);

/// What is sealed as the next version of a certificate.
struct Unsealed {
    values: Vec<Value>,
    facts: TlsFacts,
    /// Whether an operator asked for exactly this one, and not for a document that needs one.
    is_asked: bool,
    /// How it came to be, for the audit trail.
    how: String,
}

impl Secrets {
    /// Refuses to remove a part of the certificate that the tenant's document asks for, whether or not a
    /// component uses it: without the key of its authority, the next certificate would be of another
    /// one, which no browser knows.
    pub(super) async fn check_removable(&self, tenant: &TenantId, name: &SecretName) -> Result<()> {
        let Some(secret) = TlsSecret::of(name) else { return Ok(()) };
        let spec = self.present_spec(tenant).await?;
        let tls = spec.as_ref().and_then(|spec| spec.tls.as_ref());
        match tls::refuse_removal(tenant, tls, secret) {
            Some(problem) => Err(problem.into()),
            None => Ok(()),
        }
    }

    /// Returns the certificate with this number, as people may know it; none if it is not kept.
    pub(in crate::ops) async fn certificate(
        &self,
        tenant: &TenantId,
        version: u64,
    ) -> Result<Option<TlsPart>> {
        let key = keys::secret(tenant, &TlsSecret::Certificate.name());
        let record = self.records.get(&key).await?;
        let sealed = record.as_ref().and_then(|record| record.value.versions.get(&version));
        let facts = sealed.and_then(|sealed| sealed.certificate.clone());
        Ok(facts.map(|facts| TlsPart { version, facts }))
    }

    /// Returns the document of the revision that the tenant has; none if there is none that can be read.
    pub(in crate::ops) async fn present_spec(
        &self,
        tenant: &TenantId,
    ) -> Result<Option<TenantSpec>> {
        let Some(head) = self.records.get(&keys::head(tenant)).await? else { return Ok(None) };
        let rollout = self.records.get(&keys::rollout(tenant)).await?;
        let base = base(head.value, rollout.as_ref().map(|rollout| &rollout.value));
        let revision = self.tenants.revision(tenant, base).await?;
        Ok(revision.and_then(|revision| TenantSpec::parse(&revision.spec_yaml).ok()))
    }

    /// Opens a version of a reserved secret.
    pub(super) fn open_part(
        &self,
        tenant: &TenantId,
        records: &SecretRecords,
        secret: TlsSecret,
        version: u64,
    ) -> Result<SecretText> {
        let name = secret.name();
        let record = records.get(&name);
        let mark = record.and_then(|it| it.versions.get(&version)).map(|it| it.mark.clone());
        let Some(mark) = mark else {
            let message = format!("secret {name} version {version} of {tenant} is not kept");
            return Err(Problem::new("", message).into());
        };
        self.open(record, SecretPlace { tenant, name: &name, version }, &mark)
    }

    /// Reads and checks a certificate that an operator gives, for the names that the tenant wants, and
    /// seals it.
    pub(in crate::ops) async fn given_certificate(
        &self,
        who: &OperatorName,
        tenant: &TenantId,
        tls: Option<&TlsSpec>,
        given: &GivenPem,
    ) -> Result<NewCertificate> {
        let none = BTreeSet::<TlsName>::new();
        let names = tls.map_or(&none, |tls| &tls.names);
        let (certificate, key, facts) = checked(given, names, self.env.now())?;
        let values = vec![
            (TlsSecret::Certificate, certificate, Some(facts.clone())),
            (TlsSecret::Key, key, None),
        ];
        let all = self.of_tenant(tenant).await?;
        let unsealed = Unsealed { values, facts, is_asked: true, how: "gave".to_owned() };
        self.seal_certificate(who, tenant, &all, unsealed).await
    }

    /// Reads and checks a certificate that was ordered, for the names that the tenant wants, and seals it.
    pub(in crate::ops) async fn ordered_certificate(
        &self,
        who: &OperatorName,
        tenant: &TenantId,
        tls: &TlsSpec,
        ordered: &OrderedPem,
    ) -> Result<NewCertificate> {
        let OrderedPem { pem, directory } = ordered;
        let (certificate, key, facts) = checked(pem, &tls.names, self.env.now())?;
        let facts = TlsFacts { directory: Some(directory.clone()), ..facts };
        let values = vec![
            (TlsSecret::Certificate, certificate, Some(facts.clone())),
            (TlsSecret::Key, key, None),
        ];
        let all = self.of_tenant(tenant).await?;
        let (is_asked, how) = (false, "ordered".to_owned());
        self.seal_certificate(who, tenant, &all, Unsealed { values, facts, is_asked, how }).await
    }

    /// Issues a certificate for the names that the tenant wants, by its own authority, which is made if
    /// there is none.
    pub(in crate::ops) async fn issue_certificate(
        &self,
        who: &OperatorName,
        tenant: &TenantId,
        tls: &TlsSpec,
        reason: IssueReason,
    ) -> Result<NewCertificate> {
        let all = self.of_tenant(tenant).await?;
        let (records, now, random) = (records(&all), self.env.now(), self.env.random());
        let mut values: Vec<Value> = Vec::new();
        let known =
            signing_authority(&records, now).filter(|_| reason != IssueReason::NewAuthority);
        let (authority_pem, authority_key) = match known {
            Some(number) => {
                let open = |secret| self.open_part(tenant, &records, secret, number);
                let text = |opened: SecretText| Zeroizing::new(opened.reveal().to_owned());
                (text(open(TlsSecret::Authority)?), text(open(TlsSecret::AuthorityKey)?))
            }
            None => {
                let MadeCertificate { certificate_pem, key_pem, facts } =
                    pki::new_authority(tenant, now, random)?;
                let pem = Zeroizing::new(certificate_pem);
                values.push((TlsSecret::Authority, pem.clone(), Some(facts)));
                values.push((TlsSecret::AuthorityKey, key_pem.clone(), None));
                (pem, key_pem)
            }
        };
        let made = pki::issue(&authority_pem, &authority_key, &tls.names, now, random)?;
        let MadeCertificate { certificate_pem, key_pem, facts } = made;
        let pem = Zeroizing::new(certificate_pem);
        values.push((TlsSecret::Certificate, pem, Some(facts.clone())));
        values.push((TlsSecret::Key, key_pem, None));
        let (is_asked, how) = (reason.is_asked(), format!("issued ({reason})"));
        let unsealed = Unsealed { values, facts, is_asked, how };
        self.seal_certificate(who, tenant, &all, unsealed).await
    }

    /// Seals the values as new versions with one number. What nothing names any more is dropped.
    async fn seal_certificate(
        &self,
        who: &OperatorName,
        tenant: &TenantId,
        all: &Entries,
        unsealed: Unsealed,
    ) -> Result<NewCertificate> {
        let Unsealed { values, facts, is_asked, how } = unsealed;
        let mut after = records(all);
        let version = next_number(&after);
        let present = after.get(&TlsSecret::Certificate.name()).and_then(SecretRecord::newest);
        // After the key of all secrets was lost, a certificate is replaced like every other secret.
        if !is_asked || present.is_none() {
            self.check_key().await?;
        }
        let has_new_authority = values.iter().any(|(secret, ..)| *secret == TlsSecret::Authority);
        let mut versions = Vec::with_capacity(values.len());
        for (secret, text, facts) in values {
            let name = secret.name();
            let place = SecretPlace { tenant, name: &name, version };
            let value = SecretText::read(text);
            let value = value.map_err(|error| Problem::new(field(secret), error.to_string()))?;
            let sealed = self.sealed(who, place, &value)?;
            let sealed = SealedVersion { certificate: facts, ..sealed };
            let made = NewVersion::after(all.get(&name).cloned(), place, sealed);
            after.insert(name, made.record.clone());
            versions.push(made);
        }
        let mut named = NamedSecrets::default();
        for made in &versions {
            let of_record = self.named(tenant, &made.record).await?;
            named.live.extend(of_record.live);
            named.history.extend(of_record.history);
        }
        let named = retained_marks(&after, &named);
        for made in &mut versions {
            made.record = retained(made.record.clone(), &named);
            check_size(tenant, &made.name, &made.record)?;
        }
        let what = format!("{how} certificate version {version} for {}", shown(&facts.names));
        let part = TlsPart { version, facts };
        Ok(NewCertificate { part, has_new_authority, versions, what })
    }
}

impl NewCertificate {
    /// Puts its new records in the place of the former ones.
    pub(in crate::ops) fn replace_in(&self, records: &mut SecretRecords) {
        let made = self.versions.iter().map(|made| (made.name.clone(), made.record.clone()));
        records.extend(made);
    }

    /// Adds the writes of its records.
    pub(in crate::ops) fn put(&self, batch: Batch, tenant: &TenantId) -> Batch {
        self.versions.iter().fold(batch, |batch, made| made.put(batch, tenant))
    }

    /// Returns what is audited of it.
    pub(in crate::ops) fn what(&self) -> &str {
        &self.what
    }
}

/// Reads a certificate with its key and checks it for these names. Returns both in PEM, with what is kept of
/// the certificate.
fn checked(
    pem: &GivenPem,
    names: &BTreeSet<TlsName>,
    now: Timestamp,
) -> Result<(Zeroizing<String>, Zeroizing<String>, TlsFacts)> {
    let mut long = Problems::default();
    for (field, text) in [("certificate", &pem.certificate), ("key", &pem.key)] {
        if text.len() > PEM_BYTES_MAX {
            let message = format!("it has {} bytes (maximum {PEM_BYTES_MAX})", text.len());
            let hint = "give only the certificate with those that signed it, and its key";
            long.push(Problem::new(field, message).hint(hint));
        }
    }
    long.into_result(()).map_err(OpsError::Problems)?;
    let PemPair { given, certificate_pem, key_pem } = read_pair(&pem.certificate, &pem.key);
    tls::check(&given, names, now).into_result(()).map_err(OpsError::Problems)?;
    let Some(facts) = given.facts() else {
        return Err(Problem::new("certificate", "there is no certificate in the text").into());
    };
    Ok((Zeroizing::new(certificate_pem), key_pem, facts))
}

/// Returns the field in which people give a reserved secret, or else its name.
fn field(secret: TlsSecret) -> &'static str {
    match secret {
        TlsSecret::Certificate => "certificate",
        TlsSecret::Key => "key",
        TlsSecret::Authority
        | TlsSecret::AuthorityKey
        | TlsSecret::AccountKey
        | TlsSecret::OrderKey => secret.as_str(),
    }
}

/// Writes the first names of a certificate, and how many more it has.
fn shown(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let first = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => first,
        Some(more) => format!("{first} and {more} more"),
    }
}

/// Returns the records alone.
pub(in crate::ops) fn records(all: &Entries) -> SecretRecords {
    all.iter().map(|(name, entry)| (name.clone(), entry.value.clone())).collect()
}
