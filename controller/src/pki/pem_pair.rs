//! Reads a certificate with its chain and its private key from PEM (RFC 7468), and writes them again in
//! one form. Which of them can be used is decided elsewhere.

use core::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oml_common::decide::tls::{GivenCertificate, GivenKey, GivenPair};
use oml_common::document::tls_facts::TlsFacts;
use oml_common::id::Fingerprint;
use oml_common::text::printable::{printable, shortened};
use oml_common::text::problem::Problem;
use oml_common::time::Timestamp;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};
use x509_parser::error::X509Error;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};
use x509_parser::time::ASN1Time;
use zeroize::Zeroizing;

mod section;

use self::section::{Section, sections};

/// The most characters of a distinguished name or of another name that are kept.
const NAME_CHARS_MAX: usize = 255;

/// A certificate with its key, as it was read.
pub struct PemPair {
    /// The facts that are checked before it is used.
    pub given: GivenPair,
    /// The certificates alone, in PEM.
    pub certificate_pem: String,
    /// The key alone, in PEM; empty if there is none that can be read.
    pub key_pem: Zeroizing<String>,
}

/// Reads the certificates of one text and the key of the other. The two may be the same text.
#[must_use]
pub fn read_pair(certificates: &str, key: &str) -> PemPair {
    let (mut ders, mut unreadable) = (Vec::new(), Vec::new());
    for (number, section) in sections(certificates).into_iter().filter(is_certificate).enumerate() {
        let der = section.der().ok_or_else(|| "its text is cut or damaged".to_owned());
        match der.and_then(|der| facts_of(&der).map(|facts| (der, facts))) {
            Ok((der, facts)) => ders.push((section.line, der, facts)),
            Err(why) => {
                let message = format!("certificate {} cannot be read: {why}", number + 1);
                unreadable.push(Problem::new("certificate", message).at_line(section.line));
            }
        }
    }
    let keys: Vec<Section> =
        sections(key).into_iter().filter(|it| it.label.ends_with(KEY)).collect();
    let (key, key_pem) = read_key(&keys, &ders);
    let certificate_pem = ders.iter().map(|(_, der, _)| to_pem(CERTIFICATE, der)).collect();
    let chain = ders.iter().enumerate().map(|(number, (line, der, facts))| {
        let next = ders.get(number + 1).map(|(_, next, _)| next.as_slice());
        let Rights { is_authority, is_for_servers } = rights(der);
        GivenCertificate {
            line: *line,
            facts: facts.clone(),
            is_authority,
            is_for_servers,
            is_signed_by_next: next.and_then(|next| is_signed_by(der, next)),
        }
    });
    let given = GivenPair { chain: chain.collect(), unreadable, key };
    PemPair { given, certificate_pem, key_pem }
}

const CERTIFICATE: &str = "CERTIFICATE";
const KEY: &str = "PRIVATE KEY";

/// A certificate that can be read: its line, its DER and its facts.
type Read = (u32, Zeroizing<Vec<u8>>, TlsFacts);

fn is_certificate(section: &Section<'_>) -> bool {
    matches!(section.label, CERTIFICATE | "X509 CERTIFICATE")
}

/// Returns what everybody may know of a certificate, without who signed it.
///
/// # Errors
/// Returns why it is none.
pub(super) fn facts_of(der: &[u8]) -> Result<TlsFacts, String> {
    let (rest, parsed) = X509Certificate::from_der(der).map_err(|_error| "it is no certificate")?;
    if !rest.is_empty() {
        return Err("something follows the certificate".to_owned());
    }
    let names = parsed.subject_alternative_name().map_err(|_error| "its names cannot be read")?;
    let names = names.iter().flat_map(|names| &names.value.general_names);
    let text = |text: String| shortened(&printable(&text), NAME_CHARS_MAX);
    Ok(TlsFacts {
        names: names.filter_map(name_of).map(text).collect(),
        subject: text(parsed.subject().to_string()),
        issuer: text(parsed.issuer().to_string()),
        valid_from: timestamp(parsed.validity().not_before),
        expires: timestamp(parsed.validity().not_after),
        fingerprint: Fingerprint::of(der),
        authority: None,
        directory: None,
    })
}

fn timestamp(time: ASN1Time) -> Timestamp {
    Timestamp(u64::try_from(time.timestamp()).unwrap_or(0).saturating_mul(1000))
}

/// Returns a host name or an address; none for the other kinds of names.
fn name_of(name: &GeneralName<'_>) -> Option<String> {
    if let GeneralName::DNSName(name) = name {
        return Some((*name).to_owned());
    }
    let GeneralName::IPAddress(bytes) = name else { return None };
    let four: Option<[u8; 4]> = (*bytes).try_into().ok();
    let sixteen: Option<[u8; 16]> = (*bytes).try_into().ok();
    let address = four.map(IpAddr::from).or_else(|| sixteen.map(IpAddr::from));
    address.map(|address| address.to_string())
}

/// The uses that a certificate allows.
#[derive(Default)]
struct Rights {
    is_authority: bool,
    is_for_servers: bool,
}

fn rights(der: &[u8]) -> Rights {
    let Ok((_, parsed)) = X509Certificate::from_der(der) else { return Rights::default() };
    let uses = parsed.extended_key_usage().ok().flatten();
    // One that names no use is for every use (RFC 5280 §4.2.1.12).
    let is_for_servers = uses.is_none_or(|uses| uses.value.any || uses.value.server_auth);
    Rights { is_authority: parsed.is_ca(), is_for_servers }
}

/// Whether the key of the second certificate signed the first one; none if the kind of its signature is
/// not known.
fn is_signed_by(der: &[u8], next: &[u8]) -> Option<bool> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    let (_, next) = X509Certificate::from_der(next).ok()?;
    match parsed.verify_signature(Some(next.public_key())) {
        Ok(()) => Some(true),
        Err(X509Error::SignatureVerificationError) => Some(false),
        // The kind of the signature is not known here.
        Err(_unknown) => None,
    }
}

/// Reads the one key of a text, and finds the certificate to which it belongs.
fn read_key(keys: &[Section<'_>], chain: &[Read]) -> (GivenKey, Zeroizing<String>) {
    let none = Zeroizing::default;
    let section = match keys {
        [] => return (GivenKey::Missing, none()),
        [section] => section,
        [_, _, ..] => return (GivenKey::Several(keys.len()), none()),
    };
    if section.label.starts_with("ENCRYPTED") || section.has_headers {
        return (GivenKey::Encrypted, none());
    }
    let Some(der) = section.der() else { return (GivenKey::Unreadable, none()) };
    let private: PrivateKeyDer<'_> = match section.label {
        "PRIVATE KEY" => PrivatePkcs8KeyDer::from(der.as_slice()).into(),
        "RSA PRIVATE KEY" => PrivatePkcs1KeyDer::from(der.as_slice()).into(),
        "EC PRIVATE KEY" => PrivateSec1KeyDer::from(der.as_slice()).into(),
        _ => return (GivenKey::UnknownKind, none()),
    };
    let public =
        any_supported_type(&private).ok().and_then(|key| key.public_key().map(|it| it.to_vec()));
    let Some(public) = public else {
        // Every private key is a sequence (X.690 §8.9).
        let is_sequence = der.first() == Some(&0x30);
        return (if is_sequence { GivenKey::UnknownKind } else { GivenKey::Unreadable }, none());
    };
    let is_of_it = |(_, der, _): &Read| {
        let parsed = X509Certificate::from_der(der);
        parsed.is_ok_and(|(_, parsed)| parsed.public_key().raw == public)
    };
    let certificate = chain.iter().position(is_of_it);
    (GivenKey::Readable { certificate }, Zeroizing::new(to_pem(section.label, &der)))
}

/// Writes a section of PEM.
fn to_pem(label: &str, der: &[u8]) -> String {
    const LINE: usize = 64;
    let body = Zeroizing::new(STANDARD.encode(der));
    let mut text = String::with_capacity(body.len() + body.len() / LINE + 2 * label.len() + 40);
    text.push_str(&format!("-----BEGIN {label}-----\n"));
    let mut rest = body.as_str();
    while !rest.is_empty() {
        // Base64 is ASCII, so that every place is one between two characters.
        let (line, after) = rest.split_at(rest.len().min(LINE));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

#[cfg(test)]
mod tests;
