//! The authority of a tenant, and the certificates of its web servers that it signs. Both are kept as
//! secrets of the tenant.

use std::collections::BTreeSet;

use oml_common::decide::tls::{AUTHORITY_LIFETIME_MS, LEAF_LIFETIME_MS};
use oml_common::document::tls_facts::TlsFacts;
use oml_common::id::{Fingerprint, TenantId, TlsName};
use oml_common::time::Timestamp;
use oml_daemon::env::Random;
use oml_daemon::tls::{BACKDATED_MS, certificate};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use zeroize::Zeroizing;

use super::authority::{PkiError, calendar};
use super::pem_pair::facts_of;

/// The longest common name (RFC 5280, ub-common-name).
const COMMON_NAME_LEN_MAX: usize = 64;

/// A certificate that was made, with its key.
pub struct MadeCertificate {
    pub certificate_pem: String,
    pub key_pem: Zeroizing<String>,
    pub facts: TlsFacts,
}

/// Makes the authority of a tenant.
///
/// # Errors
/// Returns an error if the system has no randomness, or its clock is far off.
pub fn new_authority(
    tenant: &TenantId,
    now: Timestamp,
    random: &Random,
) -> Result<MadeCertificate, PkiError> {
    let key = KeyPair::generate().map_err(PkiError::Issue)?;
    // Browsers list authorities by this name, and two of one tenant should be told apart by more.
    let until = now.plus_ms(AUTHORITY_LIFETIME_MS);
    let mut params = params(&format!("{tenant} authority {}", now.0 / 1000), now, until, random)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let made = params.self_signed(&key).map_err(PkiError::Issue)?;
    finish(&made, &key, None)
}

/// Makes a key and a certificate for these names, signed by the authority of a tenant.
///
/// # Errors
/// Returns an error if the authority cannot be read, the system has no randomness, or its clock is far off.
pub fn issue(
    authority_pem: &str,
    authority_key_pem: &str,
    names: &BTreeSet<TlsName>,
    now: Timestamp,
    random: &Random,
) -> Result<MadeCertificate, PkiError> {
    let der =
        certificate(authority_pem, "authority").map_err(|_not_pem| PkiError::TenantAuthority)?;
    let key =
        KeyPair::from_pem(authority_key_pem).map_err(|_not_a_key| PkiError::TenantAuthority)?;
    let issuer =
        Issuer::from_ca_cert_der(&der, key).map_err(|_not_ca| PkiError::TenantAuthority)?;
    let common_name = names.iter().map(TlsName::as_str).find(|it| it.len() <= COMMON_NAME_LEN_MAX);
    let until = now.plus_ms(LEAF_LIFETIME_MS);
    let mut params = params(common_name.unwrap_or_default(), now, until, random)?;
    for name in names {
        params.subject_alt_names.push(match name.address() {
            Some(address) => SanType::IpAddress(address),
            None => SanType::DnsName(name.as_str().try_into().map_err(PkiError::Issue)?),
        });
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let leaf = KeyPair::generate().map_err(PkiError::Issue)?;
    let made = params.signed_by(&leaf, &issuer).map_err(PkiError::Issue)?;
    finish(&made, &leaf, Some(Fingerprint::of(&der)))
}

fn params(
    common_name: &str,
    now: Timestamp,
    until: Timestamp,
    random: &Random,
) -> Result<CertificateParams, PkiError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    if !common_name.is_empty() {
        params.distinguished_name.push(DnType::CommonName, common_name);
    }
    params.not_before = calendar(Timestamp(now.0.saturating_sub(BACKDATED_MS)))?;
    params.not_after = calendar(until)?;
    let mut serial = random.bytes::<16>()?;
    // It is positive and not 0 (RFC 5280 §4.1.2.2).
    serial[0] = (serial[0] & 0x7f) | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}

fn finish(
    made: &Certificate,
    key: &KeyPair,
    authority: Option<Fingerprint>,
) -> Result<MadeCertificate, PkiError> {
    let facts = facts_of(made.der()).map_err(|_unreadable| PkiError::TenantAuthority)?;
    Ok(MadeCertificate {
        certificate_pem: made.pem(),
        key_pem: Zeroizing::new(key.serialize_pem()),
        facts: TlsFacts { authority, ..facts },
    })
}

#[cfg(test)]
mod tests;
