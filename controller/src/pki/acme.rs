//! The keys of a tenant at an ACME directory: that of its account, and those of the certificates that it orders.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oml_common::id::{AccountThumbprint, TlsName};
use rcgen::{CertificateParams, DistinguishedName, KeyPair, SanType};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::authority::PkiError;

/// The length of a coordinate of P-256, in bytes.
const COORDINATE_LEN: usize = 32;

/// Makes a key of P-256, PKCS #8 in PEM: ACME directories take it for accounts (ES256) and for certificates.
///
/// # Errors
/// Returns an error if the system has no randomness.
pub fn new_key() -> Result<Zeroizing<String>, PkiError> {
    let key = KeyPair::generate().map_err(PkiError::Issue)?;
    Ok(Zeroizing::new(key.serialize_pem()))
}

/// Returns the thumbprint of a key of P-256 (RFC 7638), by which HTTP-01 challenges are answered.
///
/// # Errors
/// Returns an error if it is no such key.
pub fn thumbprint(key_pem: &str) -> Result<AccountThumbprint, PkiError> {
    let key = KeyPair::from_pem(key_pem).map_err(PkiError::Issue)?;
    let text = thumbprint_of(key.public_key_raw()).and_then(|text| text.parse().ok());
    text.ok_or(PkiError::Issue(rcgen::Error::UnsupportedSignatureAlgorithm))
}

/// Returns the thumbprint of an uncompressed point (SEC 1 §2.3.3); none if it is of another curve.
fn thumbprint_of(point: &[u8]) -> Option<String> {
    let (first, coordinates) = point.split_first()?;
    if *first != 4 || coordinates.len() != 2 * COORDINATE_LEN {
        return None;
    }
    let (x, y) = coordinates.split_at(COORDINATE_LEN);
    let [x, y] = [x, y].map(|it| URL_SAFE_NO_PAD.encode(it));
    // The required members in the order of their names, without spaces (RFC 7638 §3.2).
    let jwk = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    Some(URL_SAFE_NO_PAD.encode(Sha256::digest(jwk.as_bytes())))
}

/// Makes a certificate request (PKCS #10) for host names in DER.
///
/// # Errors
/// Returns an error if the key cannot be read.
pub fn certificate_request(names: &BTreeSet<TlsName>, key_pem: &str) -> Result<Vec<u8>, PkiError> {
    let key = KeyPair::from_pem(key_pem).map_err(PkiError::Issue)?;
    let mut params = CertificateParams::default();
    // A directory takes the names from the extension, and some refuse any other subject.
    params.distinguished_name = DistinguishedName::new();
    for name in names {
        let name = name.as_str().try_into().map_err(PkiError::Issue)?;
        params.subject_alt_names.push(SanType::DnsName(name));
    }
    let request = params.serialize_request(&key).map_err(PkiError::Issue)?;
    Ok(request.der().to_vec())
}

#[cfg(test)]
mod tests {
    use rcgen::CertificateSigningRequestParams;

    use super::*;

    #[test]
    fn a_thumbprint_is_that_of_the_standard() {
        // The key of the example in RFC 7517 §A.1.
        let [x, y] = [
            "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        ]
        .map(|text| URL_SAFE_NO_PAD.decode(text).unwrap());
        let point = [vec![4], x, y].concat();
        let expected = "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s";
        assert_eq!(thumbprint_of(&point).as_deref(), Some(expected));
        assert_eq!(thumbprint_of(&point[1..]), None);
        let (one, two) = (new_key().unwrap(), new_key().unwrap());
        assert_ne!(thumbprint(&one).unwrap(), thumbprint(&two).unwrap());
        assert!(thumbprint("x").is_err());
    }

    #[test]
    fn a_request_is_for_the_names_and_nothing_else() {
        let names = ["pbx.example.com", "www.example.com"].map(|name| name.parse().unwrap());
        let request = certificate_request(&names.into(), &new_key().unwrap()).unwrap();
        let read = CertificateSigningRequestParams::from_der(&request.into()).unwrap();
        let names: Vec<String> = read
            .params
            .subject_alt_names
            .iter()
            .map(|name| {
                let SanType::DnsName(name) = name else { panic!("{name:?}") };
                name.as_str().to_owned()
            })
            .collect();
        assert_eq!(names, ["pbx.example.com", "www.example.com"]);
        assert!(read.params.distinguished_name.iter().next().is_none());
    }
}
