//! What is read from texts of people.

use oml_common::decide::tls::check;
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, PKCS_ECDSA_P384_SHA384,
    PKCS_ED25519,
};

use super::*;

/// A server's certificate that lasts a century, and its key.
fn made(key: &KeyPair, name: &str) -> String {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.self_signed(key).unwrap().pem()
}

fn key_of(key: &str) -> GivenKey {
    read_pair("", key).given.key
}

/// A PKCS #8 key that `openssl` wrote, and the same one in other forms.
const EC_SEC1: &str = include_str!("tests/ec.sec1.pem");
const EC_PKCS8: &str = include_str!("tests/ec.pkcs8.pem");
const RSA_PKCS1: &str = include_str!("tests/rsa.pkcs1.pem");
const RSA_CERTIFICATE: &str = include_str!("tests/rsa.certificate.pem");
const EC_CERTIFICATE: &str = include_str!("tests/ec.certificate.pem");
const ENCRYPTED: &str = include_str!("tests/encrypted.pem");
const ENCRYPTED_PKCS1: &str = include_str!("tests/encrypted.pkcs1.pem");
const P521: &str = include_str!("tests/p521.pem");
const RSA_5120: &str = include_str!("tests/rsa5120.pem");

#[test]
fn every_form_of_a_key_is_read_and_compared_with_its_certificate() {
    let fits = GivenKey::Readable { certificate: Some(0) };
    for (certificate, key) in
        [(EC_CERTIFICATE, EC_SEC1), (EC_CERTIFICATE, EC_PKCS8), (RSA_CERTIFICATE, RSA_PKCS1)]
    {
        let pair = read_pair(certificate, key);
        assert_eq!(pair.given.key, fits);
        // It is written again in the same form, and without what people wrote around it.
        let lines = |text: &str| text.lines().map(|it| it.trim().to_owned()).collect::<Vec<_>>();
        let again = read_pair(&pair.certificate_pem, &pair.key_pem);
        assert_eq!(lines(&again.key_pem), lines(&pair.key_pem));
        assert!(key.contains(pair.key_pem.trim_end()), "the same text");
    }
    for algorithm in [&PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let pair = read_pair(&made(&key, "a.example.com"), &key.serialize_pem());
        assert_eq!(pair.given.key, fits);
    }
    assert_eq!(
        read_pair(EC_CERTIFICATE, RSA_PKCS1).given.key,
        GivenKey::Readable { certificate: None }
    );
    let both = format!("{RSA_CERTIFICATE}{EC_CERTIFICATE}");
    assert_eq!(read_pair(&both, EC_SEC1).given.key, GivenKey::Readable { certificate: Some(1) });
}

#[test]
fn one_text_may_hold_both_and_what_people_write_around_them() {
    let text =
        format!("Bag Attributes\r\n  friendlyName: x\r\n{EC_SEC1}\nsubject=a\n{EC_CERTIFICATE}");
    let text = text.replace('\n', "\r\n");
    let pair = read_pair(&text, &text);
    assert_eq!(pair.given.key, GivenKey::Readable { certificate: Some(0) });
    assert!(!pair.certificate_pem.contains('\r') && !pair.key_pem.contains('\r'));
    assert!(!pair.certificate_pem.contains("PRIVATE"), "the key is in its own text only");
}

#[test]
fn a_byte_order_mark_hides_no_certificate_and_no_key() {
    // Both files were saved with one, and one was then written after the other.
    let text = format!("\u{feff}{EC_CERTIFICATE}\u{feff}{EC_SEC1}").replace('\n', "\r\n");
    let pair = read_pair(&text, &text);
    assert_eq!(pair.given.chain.len(), 1);
    assert_eq!(pair.given.key, GivenKey::Readable { certificate: Some(0) });
    assert!(pair.certificate_pem.starts_with("-----BEGIN"), "{}", pair.certificate_pem);
}

#[test]
fn what_a_certificate_may_be_used_for_is_read() {
    use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
    let is_for_servers = |uses: &[ExtendedKeyUsagePurpose]| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["a.example.com".to_owned()]).unwrap();
        params.extended_key_usages = uses.to_vec();
        let pem = params.self_signed(&key).unwrap().pem();
        read_pair(&pem, "").given.chain[0].is_for_servers
    };
    assert!(is_for_servers(&[]) && is_for_servers(&[ClientAuth, ServerAuth]));
    assert!(!is_for_servers(&[ClientAuth]));
}

#[test]
fn what_is_no_usable_key_is_named() {
    let two = format!("{EC_SEC1}{RSA_PKCS1}");
    let cut = EC_SEC1.replace("-----END EC PRIVATE KEY-----", "");
    for (text, key) in [
        ("", GivenKey::Missing),
        ("hello", GivenKey::Missing),
        (EC_CERTIFICATE, GivenKey::Missing),
        (two.as_str(), GivenKey::Several(2)),
        (cut.as_str(), GivenKey::Unreadable),
        ("-----BEGIN PRIVATE KEY-----\n!!!\n-----END PRIVATE KEY-----\n", GivenKey::Unreadable),
        (
            "-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n",
            GivenKey::Unreadable,
        ),
        (ENCRYPTED, GivenKey::Encrypted),
        (ENCRYPTED_PKCS1, GivenKey::Encrypted),
        (P521, GivenKey::UnknownKind),
        (RSA_5120, GivenKey::UnknownKind),
        (
            "-----BEGIN DSA PRIVATE KEY-----\nMAA=\n-----END DSA PRIVATE KEY-----\n",
            GivenKey::UnknownKind,
        ),
    ] {
        assert_eq!(key_of(text), key, "{}", text.lines().next().unwrap_or_default());
    }
}

#[test]
fn garbage_among_certificates_is_named_with_its_line() {
    let text = format!(
        "{EC_CERTIFICATE}-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n\
         -----BEGIN CERTIFICATE-----\nMIIB"
    );
    let given = read_pair(&text, EC_SEC1).given;
    assert_eq!(given.chain.len(), 1);
    let lines = EC_CERTIFICATE.lines().count();
    let said: Vec<String> = given.unreadable.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            format!(
                "line {}: certificate: certificate 2 cannot be read: it is no certificate",
                lines + 1
            ),
            format!(
                "line {}: certificate: certificate 3 cannot be read: its text is cut or damaged",
                lines + 4
            ),
        ]
    );
    let problems = check(&given, &[].into(), Timestamp(1_800_000_000_000));
    assert_eq!(problems.0.len(), 2, "{problems}");
}

#[test]
fn the_facts_of_a_certificate_are_those_that_it_says() {
    let key = KeyPair::generate().unwrap();
    let root = {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "root\u{202e}");
        Issuer::new(params, KeyPair::generate().unwrap())
    };
    let mut params =
        CertificateParams::new(["PBX.example.com", "10.0.0.5"].map(str::to_owned)).unwrap();
    params.distinguished_name.push(DnType::CommonName, "pbx");
    let certificate = params.signed_by(&key, &root).unwrap();
    let facts = facts_of(certificate.der()).unwrap();
    assert_eq!(facts.names, ["PBX.example.com", "10.0.0.5"]);
    assert!(facts.subject.contains("CN=pbx"), "{}", facts.subject);
    assert!(
        facts.issuer.contains("CN=root") && !facts.issuer.contains('\u{202e}'),
        "{}",
        facts.issuer
    );
    assert_eq!(facts.fingerprint, Fingerprint::of(certificate.der()));
    let mut longer = certificate.der().to_vec();
    longer.push(0);
    assert_eq!(facts_of(&longer), Err("something follows the certificate".to_owned()));
}
