//! Certificate and key fit together after a crash at any moment.

use rcgen::{BasicConstraints, CertifiedIssuer, IsCa, SanType};

use super::*;

fn files() -> (tempfile::TempDir, IdentityFiles) {
    let folder = tempfile::tempdir().unwrap();
    let files = IdentityFiles::new(&Paths::below(folder.path()));
    (folder, files)
}

/// A certificate for the key, by an authority made up for it.
fn issue(key_pem: &str, uri: &str) -> v1::Certificate {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
    params.serial_number = Some(7.into());
    let key = KeyPair::from_pem(key_pem).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    v1::Certificate {
        certificate_pem: certificate.pem(),
        ca_pem: authority.pem(),
        tenant: String::new(),
        node: String::new(),
    }
}

const NODE: &str = "oml://node/acme/voice-1";

#[test]
fn before_enrolment_there_is_no_identity() {
    let (_folder, files) = files();
    assert!(files.load().unwrap().is_none());
}

#[test]
fn a_kept_identity_is_found_again_and_is_secret() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_folder, files) = files();
    let request = KeyRequest::new().unwrap();
    files.keep(&issue(&request.key_pem, NODE), &request.key_pem).unwrap();
    let found = files.load().unwrap().unwrap();
    assert_eq!((found.tenant.as_str(), found.node.as_str()), ("acme", "voice-1"));
    let mode = files.folder.join("node.key").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_certificate_for_another_key_is_not_kept() {
    let (_folder, files) = files();
    let (ours, other) = (KeyRequest::new().unwrap(), KeyRequest::new().unwrap());
    assert!(files.keep(&issue(&other.key_pem, NODE), &ours.key_pem).is_err());
    assert!(files.load().unwrap().is_none());
}

#[test]
fn a_crash_in_the_middle_of_a_renewal_leaves_a_pair_that_fits() {
    let (_folder, files) = files();
    let (old, new) = (KeyRequest::new().unwrap(), KeyRequest::new().unwrap());
    files.keep(&issue(&old.key_pem, NODE), &old.key_pem).unwrap();
    files.keep_next_key(&new).unwrap();
    assert_eq!(files.load().unwrap().unwrap().credentials.key_pem, old.key_pem);
    let issued = issue(&new.key_pem, NODE);
    for (name, pem) in [("ca.pem", &issued.ca_pem), ("node.pem", &issued.certificate_pem)] {
        std::fs::write(files.folder.join(name), pem).unwrap();
    }
    assert_eq!(files.load().unwrap().unwrap().credentials.key_pem, new.key_pem);
    // The next renewal, or an enrolment, begins as if there had been no crash.
    let newer = KeyRequest::new().unwrap();
    files.keep_next_key(&newer).unwrap();
    assert_eq!(files.load().unwrap().unwrap().credentials.key_pem, new.key_pem);
    let issued = issue(&newer.key_pem, NODE);
    files.keep(&issued, &newer.key_pem).unwrap();
    assert_eq!(files.load().unwrap().unwrap().credentials.key_pem, newer.key_pem);
}

#[test]
fn a_crash_at_an_enrolment_after_one_at_a_renewal_leaves_a_pair_that_fits() {
    let (_folder, files) = files();
    let (old, new) = (KeyRequest::new().unwrap(), KeyRequest::new().unwrap());
    files.keep(&issue(&old.key_pem, NODE), &old.key_pem).unwrap();
    files.keep_next_key(&new).unwrap();
    let issued = issue(&new.key_pem, NODE);
    for (name, pem) in [("ca.pem", &issued.ca_pem), ("node.pem", &issued.certificate_pem)] {
        std::fs::write(files.folder.join(name), pem).unwrap();
    }
    // In the way of every file but the key's.
    std::fs::create_dir_all(files.folder.join("ca.pem.tmp/full")).unwrap();
    let third = KeyRequest::new().unwrap();
    assert!(files.keep(&issue(&third.key_pem, NODE), &third.key_pem).is_err());
    assert_eq!(files.load().unwrap().unwrap().credentials.key_pem, new.key_pem);
}

#[test]
fn an_operators_certificate_is_no_hosts_identity() {
    let (_folder, files) = files();
    let request = KeyRequest::new().unwrap();
    let issued = issue(&request.key_pem, "oml://operator/root");
    let kept = files.keep(&issued, &request.key_pem);
    assert!(matches!(kept, Err(IdentityError::NotANode(_))), "{kept:?}");
}
