//! The authority's key and certificate, and the certificates it issues.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use oml_common::document::node::CertificateRecord;
use oml_common::time::Timestamp;
use oml_daemon::env::{Random, RandomError};
use oml_daemon::regular_file;
use oml_daemon::tls::{BACKDATED_MS, Fingerprint, Identity, Peer, Serial, certificate};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::record::record_of;
use super::request::CertificateRequest;
use super::serial;

const CERTIFICATE_FILE: &str = "ca.pem";
const KEY_FILE: &str = "ca.key";
const AUTHORITY_LIFETIME_MS: u64 = 10 * 366 * 24 * 3_600_000;

/// The error of making, reading or using the authority.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file could not be read or written.
    #[error("cannot use {}", file.display())]
    File { file: PathBuf, source: io::Error },
    /// A file does not contain the authority's key or certificate.
    #[error("{} does not contain the authority's {what}", file.display())]
    Content {
        file: PathBuf,
        /// The expected content of the file, for example "private key".
        what: &'static str,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate")]
    Issue(#[source] rcgen::Error),
    /// The time or the lifetime is outside of what a certificate can express.
    #[error("cannot make a certificate for the current time; check the clock of this machine")]
    Time,
    /// The authority expires before the certificate would become valid.
    #[error("the cluster's authority has expired")]
    Expired,
    /// The authority of a tenant, as its secrets hold it, is none.
    #[error(
        "the authority of the tenant cannot be read; make another one: omlctl tls renew --new-ca tenant=NAME"
    )]
    TenantAuthority,
    /// The operating system returns no random numbers.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// The time of issue, lifetime and serial number of a new certificate.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// The time of issue.
    pub now: Timestamp,
    /// The lifetime from `now`, in milliseconds.
    pub lifetime_ms: u64,
    /// The epoch of the store.
    pub epoch: u64,
    /// The serial number of the holder's newest certificate, even if it is revoked.
    /// The new number is higher.
    pub after: Option<Serial>,
}

/// A new certificate, with the record of it.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate as PEM.
    pub certificate_pem: String,
    pub record: CertificateRecord,
}

/// A certificate with its private key, which was made here: an operator's or the
/// controller's.
pub struct OwnCertificate {
    pub issued: Issued,
    /// Its private key as PEM.
    pub key_pem: String,
    /// The controller's certificate for the same key with the names of its hosts, for
    /// clients that verify them.
    pub named_pem: Option<String>,
}

/// The certificate authority of the cluster.
pub struct Authority {
    pem: String,
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    expires: Timestamp,
    random: Random,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authority({})", self.fingerprint())
    }
}

impl Authority {
    /// Makes a new authority and writes it into `dir`, which must not contain one.
    pub fn create(
        dir: &Path,
        cluster: &str,
        now: Timestamp,
        random: &Random,
    ) -> Result<Self, PkiError> {
        let key = KeyPair::generate().map_err(PkiError::Issue)?;
        let terms = Terms { now, lifetime_ms: AUTHORITY_LIFETIME_MS, epoch: 0, after: None };
        let name = format!("oml authority {cluster}");
        let mut params =
            params(&name, terms, serial::next(terms.epoch, terms.after, random)?, None)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let made = params.self_signed(&key).map_err(PkiError::Issue)?;
        // The key is written first, because a certificate without its key is useless.
        write_new(&dir.join(KEY_FILE), &key.serialize_pem(), 0o600)?;
        write_new(&dir.join(CERTIFICATE_FILE), &made.pem(), 0o644)?;
        Self::load(dir, random)
    }

    /// Reads the authority in `dir`. It makes serial numbers and tokens with `random`.
    pub fn load(dir: &Path, random: &Random) -> Result<Self, PkiError> {
        let (key_file, certificate_file) = (dir.join(KEY_FILE), dir.join(CERTIFICATE_FILE));
        let content = |file: &Path, what| PkiError::Content { file: file.to_owned(), what };
        let key = KeyPair::from_pem(&read(&key_file)?);
        let key = key.map_err(|_secret| content(&key_file, "private key"))?;
        let pem = read(&certificate_file)?;
        let not_ours = || content(&certificate_file, "certificate");
        let der = certificate(&pem, "authority").map_err(|_not_pem| not_ours())?;
        let expires = {
            let (_rest, parsed) = X509Certificate::from_der(&der).map_err(|_not_der| not_ours())?;
            if parsed.public_key().raw != key.subject_public_key_info() {
                return Err(content(&certificate_file, "certificate for its key"));
            }
            u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0)
        };
        let issuer = Issuer::from_ca_cert_der(&der, key).map_err(|_not_ca| not_ours())?;
        Ok(Self {
            pem,
            der,
            issuer,
            expires: Timestamp(expires.saturating_mul(1000)),
            random: random.clone(),
        })
    }

    /// Returns the source of random numbers for keys and tokens.
    pub(super) fn random(&self) -> &Random {
        &self.random
    }

    /// Returns when the authority's certificate expires.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// Returns the authority's certificate as PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Returns the authority's certificate as DER.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// Returns the hash of the authority's certificate, which join tokens contain.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.der)
    }

    /// Issues a certificate for the key of a request. Every other field of the
    /// request is ignored.
    ///
    /// # Errors
    /// Returns [`PkiError`] if the authority has expired, or the certificate cannot
    /// be made.
    pub fn issue(
        &self,
        identity: &Identity,
        request: &CertificateRequest,
        terms: Terms,
    ) -> Result<Issued, PkiError> {
        let serial = serial::next(terms.epoch, terms.after, &self.random)?;
        self.sign(identity, request.public_key(), terms, serial)
    }

    /// Makes a certificate a second time, for a host that did not receive it. It has
    /// the same serial number, key and times.
    ///
    /// # Errors
    /// As for [`Authority::issue`].
    pub fn issue_again(
        &self,
        identity: &Identity,
        request: &CertificateRequest,
        made: CertificateRecord,
    ) -> Result<Issued, PkiError> {
        let lifetime_ms = made.expires.since_ms(made.issued);
        let terms = Terms { now: made.issued, lifetime_ms, epoch: 0, after: None };
        self.sign(identity, request.public_key(), terms, made.serial)
    }

    /// Makes a key and issues a certificate for it.
    ///
    /// # Errors
    /// As for [`Authority::issue`].
    pub fn issue_with_key(
        &self,
        identity: &Identity,
        terms: Terms,
    ) -> Result<OwnCertificate, PkiError> {
        let key = KeyPair::generate().map_err(PkiError::Issue)?;
        let serial = serial::next(terms.epoch, terms.after, &self.random)?;
        let issued = self.sign(identity, &key, terms, serial)?;
        Ok(OwnCertificate { issued, key_pem: key.serialize_pem(), named_pem: None })
    }

    /// Reads a certificate that this authority issued, including an expired one. Returns
    /// `None` for any other certificate.
    #[must_use]
    pub fn recognize(&self, shown: &CertificateDer<'_>) -> Option<Peer> {
        let (_rest, own) = X509Certificate::from_der(&self.der).ok()?;
        let (_rest, parsed) = X509Certificate::from_der(shown).ok()?;
        parsed.verify_signature(Some(own.public_key())).ok()?;
        Peer::from_certificate(shown).ok()
    }

    /// Makes a key and issues the controller's certificate for it, and a second one that
    /// names these hosts as well.
    ///
    /// # Errors
    /// As for [`Authority::issue`], and for a text that is no host name.
    pub fn issue_for_ports(
        &self,
        hosts: &[String],
        terms: Terms,
    ) -> Result<OwnCertificate, PkiError> {
        let own = self.issue_with_key(&Identity::Controller, terms)?;
        let key = KeyPair::from_pem(&own.key_pem).map_err(PkiError::Issue)?;
        let serial = serial::next(terms.epoch, Some(own.issued.record.serial), &self.random)?;
        let mut params = self.params_of(&Identity::Controller, terms, serial)?;
        for host in hosts {
            params.subject_alt_names.push(host_name(host)?);
        }
        let named = self.finish(&params, &key)?;
        Ok(OwnCertificate { named_pem: Some(named.certificate_pem), ..own })
    }

    fn sign(
        &self,
        identity: &Identity,
        key: &impl PublicKeyData,
        terms: Terms,
        serial: Serial,
    ) -> Result<Issued, PkiError> {
        self.finish(&self.params_of(identity, terms, serial)?, key)
    }

    /// Returns what a certificate for the identity says.
    fn params_of(
        &self,
        identity: &Identity,
        terms: Terms,
        serial: Serial,
    ) -> Result<CertificateParams, PkiError> {
        if terms.now >= self.expires {
            return Err(PkiError::Expired);
        }
        let name = identity.to_string();
        let mut params = params(&name, terms, serial, Some(self.expires))?;
        let uri = name.try_into().map_err(PkiError::Issue)?;
        params.subject_alt_names = vec![SanType::URI(uri)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match identity {
            Identity::Controller => ExtendedKeyUsagePurpose::ServerAuth,
            Identity::Operator(_) | Identity::Node { .. } => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        params.use_authority_key_identifier_extension = true;
        Ok(params)
    }

    fn finish(
        &self,
        params: &CertificateParams,
        key: &impl PublicKeyData,
    ) -> Result<Issued, PkiError> {
        let made = params.signed_by(key, &self.issuer).map_err(PkiError::Issue)?;
        let peer = Peer::from_certificate(made.der());
        let peer = peer.expect("a certificate that was just made for an identity names it");
        let record = record_of(&peer);
        Ok(Issued { certificate_pem: made.pem(), record })
    }
}

/// Returns the parameters that all certificates have in common. `latest` bounds the time
/// of expiry.
fn params(
    name: &str,
    terms: Terms,
    serial: Serial,
    latest: Option<Timestamp>,
) -> Result<CertificateParams, PkiError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let end = terms.now.plus_ms(terms.lifetime_ms);
    params.not_before = calendar(Timestamp(terms.now.0.saturating_sub(BACKDATED_MS)))?;
    params.not_after = calendar(latest.map_or(end, |latest| latest.min(end)))?;
    params.serial_number = Some(SerialNumber::from_slice(&serial.0.to_be_bytes()));
    Ok(params)
}

/// Returns the name of a host in a certificate: an IP address or a DNS name.
fn host_name(host: &str) -> Result<SanType, PkiError> {
    match host.parse() {
        Ok(address) => Ok(SanType::IpAddress(address)),
        Err(_no_address) => Ok(SanType::DnsName(host.try_into().map_err(PkiError::Issue)?)),
    }
}

pub(super) fn calendar(time: Timestamp) -> Result<OffsetDateTime, PkiError> {
    let seconds = i64::try_from(time.0 / 1000).map_err(|_too_far| PkiError::Time)?;
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|_too_far| PkiError::Time)
}

fn read(file: &Path) -> Result<String, PkiError> {
    regular_file::read_to_string(file)
        .map_err(|source| PkiError::File { file: file.to_owned(), source })
}

fn write_new(file: &Path, text: &str, mode: u32) -> Result<(), PkiError> {
    let mut options = OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(mode).open(file);
    let written = opened.and_then(|mut opened| {
        opened.write_all(text.as_bytes())?;
        opened.sync_all()
    });
    written.map_err(|source| PkiError::File { file: file.to_owned(), source })
}
