//! Checks a certificate that an operator gives: the chain, its key, its names and its time.

use std::collections::BTreeSet;

use crate::document::tls_facts::TlsFacts;
use crate::id::TlsName;
use crate::text::plural::counted;
use crate::text::problem::{Problem, Problems};
use crate::time::{Span, Timestamp};

/// The longest chain that is accepted.
const CHAIN_MAX: usize = 10;
/// The field of the certificates and that of the key, as people name them.
const CERTIFICATE: &str = "certificate";
const KEY: &str = "key";

/// A certificate that was given, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenCertificate {
    /// The line at which it begins.
    pub line: u32,
    pub facts: TlsFacts,
    /// Whether it says that its key signs certificates.
    pub is_authority: bool,
    /// Whether servers may use it: it names no use at all, or this one.
    pub is_for_servers: bool,
    /// Whether the key of the next certificate of the chain signed it; `None` if there is no next one, or
    /// the kind of its signature is not known.
    pub is_signed_by_next: Option<bool>,
}

/// A private key that was given, as it was read. Nothing of it can be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenKey {
    /// There is none in the text.
    Missing,
    /// There are so many of them.
    Several(usize),
    /// It can only be read with a password.
    Encrypted,
    Unreadable,
    /// A kind of key that cannot be compared with a certificate.
    UnknownKind,
    /// It belongs to the certificate at this place of the chain, counted from 0, or to none of them.
    Readable {
        certificate: Option<usize>,
    },
}

/// What an operator gives as the certificate of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenPair {
    pub chain: Vec<GivenCertificate>,
    /// The parts of the text that should be certificates and are none, with their lines and why.
    pub unreadable: Vec<Problem>,
    pub key: GivenKey,
}

impl GivenPair {
    /// Returns what is kept of the server's certificate; none if there is none. Its end is that of the
    /// first certificate of the chain to end, without which browsers accept it no more. They have the
    /// root by themselves.
    #[must_use]
    pub fn facts(&self) -> Option<TlsFacts> {
        let (leaf, others) = self.chain.split_first()?;
        let between = others.iter().filter(|it| it.facts.subject != it.facts.issuer);
        let ends = between.map(|it| it.facts.expires);
        let expires = ends.fold(leaf.facts.expires, Timestamp::min);
        Some(TlsFacts { expires, ..leaf.facts.clone() })
    }
}

/// Returns every reason why a certificate cannot be used for these names now.
#[must_use]
pub fn check(given: &GivenPair, names: &BTreeSet<TlsName>, now: Timestamp) -> Problems {
    let mut problems = Problems(given.unreadable.clone());
    let Some(leaf) = given.chain.first() else {
        if given.unreadable.is_empty() {
            let problem = Problem::new(CERTIFICATE, "there is no certificate in the text");
            problems.push(problem.hint("it begins with -----BEGIN CERTIFICATE-----"));
        }
        problems.0.extend(check_key(given, None));
        return problems;
    };
    if given.chain.len() > CHAIN_MAX {
        let count = counted(given.chain.len() as u64, "certificates");
        let problem =
            Problem::new(CERTIFICATE, format!("{count} are too many (maximum {CHAIN_MAX})"));
        problems.push(problem.hint("give the server's certificate and those that signed it"));
    }
    problems.0.extend(check_key(given, Some(leaf)));
    problems.0.extend(check_order(given));
    for (number, certificate) in given.chain.iter().enumerate() {
        problems.0.extend(check_time(number, certificate, now));
    }
    problems.0.extend(check_use(leaf));
    problems.0.extend(check_names(leaf, names));
    problems
}

fn at(certificate: &GivenCertificate, message: String) -> Problem {
    Problem::new(CERTIFICATE, message).at_line(certificate.line)
}

fn check_key(given: &GivenPair, leaf: Option<&GivenCertificate>) -> Option<Problem> {
    let problem = |message: &str, hint: &str| Some(Problem::new(KEY, message).hint(hint));
    match given.key {
        GivenKey::Missing => problem(
            "there is no private key in the text",
            "it begins with -----BEGIN PRIVATE KEY-----",
        ),
        GivenKey::Several(count) => problem(
            &format!("there are {count} private keys in the text"),
            "give only the one of the server's certificate",
        ),
        GivenKey::Encrypted => problem(
            "the private key is encrypted, and the servers could not read it",
            "decrypt it first: openssl pkey -in key.pem -out plain.pem",
        ),
        GivenKey::Unreadable => problem(
            "the private key cannot be read",
            "give the key in PEM: PKCS #8, PKCS #1 or SEC 1",
        ),
        GivenKey::UnknownKind => problem(
            "the private key is of a kind that cannot be checked here",
            "use RSA with 2048 to 4096 bits, ECDSA with P-256 or P-384, or Ed25519",
        ),
        GivenKey::Readable { certificate: Some(0) } => None,
        GivenKey::Readable { certificate: Some(number) } => problem(
            &format!("the private key is that of certificate {} of the chain", number + 1),
            "write the server's certificate first, then each one after the one that it signed",
        ),
        GivenKey::Readable { certificate: None } => {
            let leaf = leaf?;
            let message =
                format!("the private key is not that of the certificate of {}", leaf.facts.subject);
            problem(&message, "give the key with which this certificate was requested")
        }
    }
}

/// Checks that each certificate was signed by the next one.
fn check_order(given: &GivenPair) -> Vec<Problem> {
    let hint = "write the server's certificate first, then each one after the one that it signed";
    let mut problems = Vec::new();
    if let [leaf, _, ..] = given.chain.as_slice()
        && leaf.is_authority
    {
        let message =
            format!("the first certificate is that of an authority, {}", leaf.facts.subject);
        problems.push(at(leaf, message).hint(hint));
    }
    for (number, pair) in given.chain.windows(2).enumerate() {
        let [certificate, next] = pair else { continue };
        let (signer, wanted) = (&next.facts.subject, &certificate.facts.issuer);
        let (this, other) = (number + 1, number + 2);
        let message = if signer != wanted {
            format!(
                "certificate {other} is that of {signer}, and certificate {this} was signed by {wanted}"
            )
        } else if certificate.is_signed_by_next == Some(false) {
            format!(
                "certificate {this} was signed with another key than that of certificate {other}"
            )
        } else {
            continue;
        };
        problems.push(at(next, message).hint(hint));
    }
    problems
}

fn check_time(number: usize, certificate: &GivenCertificate, now: Timestamp) -> Option<Problem> {
    let TlsFacts { subject, valid_from, expires, .. } = &certificate.facts;
    let what = format!("certificate {} ({subject})", number + 1);
    if *expires <= now {
        let message = format!("{what} expired {} ago", Span(now.since_ms(*expires)));
        return Some(at(certificate, message).hint("give one that is valid"));
    }
    if *valid_from > now {
        let message = format!("{what} becomes valid only in {}", Span(valid_from.since_ms(now)));
        return Some(at(certificate, message).hint("give it then, or check the clock"));
    }
    None
}

fn check_use(leaf: &GivenCertificate) -> Option<Problem> {
    if leaf.is_for_servers {
        return None;
    }
    let problem = at(leaf, "the certificate is not for servers (extendedKeyUsage)".to_owned());
    Some(problem.hint("request one for servers (serverAuth); browsers refuse this one"))
}

fn check_names(leaf: &GivenCertificate, names: &BTreeSet<TlsName>) -> Option<Problem> {
    if leaf.facts.names.is_empty() {
        let problem = at(leaf, "the certificate is for no name (subjectAltName)".to_owned());
        return Some(problem.hint("browsers do not read the common name; request one with names"));
    }
    let missing: Vec<&str> = names
        .iter()
        .filter(|it| !it.is_covered_by(&leaf.facts.names))
        .map(TlsName::as_str)
        .collect();
    if missing.is_empty() {
        return None;
    }
    let message = format!(
        "the certificate is not for {}; it is for {}",
        missing.join(", "),
        leaf.facts.names.join(", ")
    );
    Some(at(leaf, message).hint("request one for all names, or change tls.names of the tenant"))
}

#[cfg(test)]
mod tests;
