//! Files that settings of registries name, right and wrong.

use oml_daemon::proxy::{Proxies, Use};
use oml_daemon::settings::SettingsError;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::super::load;
use super::*;

/// A folder with these files, whose settings are `controller.toml`.
fn loaded(files: &[(&str, &str)]) -> Result<Reach, String> {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().display().to_string();
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text.replace("DIR", &place)).unwrap();
    }
    let settings = load(dir.path()).map_err(|error: SettingsError| error.to_string());
    settings.map(|settings| settings.reach).map_err(|error| error.replace(&place, "DIR"))
}

/// Returns the PEM of an authority and that of a server that it vouches for.
fn certificates() -> (String, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "Authority of the lab");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let mut params = CertificateParams::new(vec!["secure.lab".to_owned()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, "secure.lab");
    let server = params.signed_by(&KeyPair::generate().unwrap(), &authority).unwrap();
    (authority.pem(), server.pem())
}

#[test]
fn an_authority_of_a_registry_is_read_from_its_file() {
    let (authority, _) = certificates();
    let settings = "[registries.\"secure.lab:5443\"]\nca_file = \"DIR/ca.pem\"\n";
    let both = format!("{authority}{authority}");
    let reach = loaded(&[("controller.toml", settings), ("ca.pem", &both)]).unwrap();
    assert_eq!(reach.access["secure.lab:5443"].authorities.len(), 2);
}

#[test]
fn a_file_without_an_authority_is_refused_with_what_is_in_it() {
    let (authority, server) = certificates();
    let settings = "[registries.\"secure.lab\"]\nca_file = \"DIR/ca.pem\"\n";
    let key = KeyPair::generate().unwrap().serialize_pem();
    let cut = authority.replace("-----END CERTIFICATE-----", "");
    for (text, words) in [
        ("", "DIR/ca.pem holds no certificate (it has to hold"),
        (&key, "DIR/ca.pem holds no certificate (it has to hold"),
        (&cut, "DIR/ca.pem is not valid PEM: "),
        (&server, "certificate 1 in DIR/ca.pem is that of a server (CN=secure.lab) and of no"),
        (&format!("{authority}{server}"), "certificate 2 in DIR/ca.pem is that of a server"),
    ] {
        let refused = loaded(&[("controller.toml", settings), ("ca.pem", text)]).unwrap_err();
        assert!(refused.starts_with("registries.\"secure.lab\".ca_file: "), "{refused}");
        assert!(refused.contains(words), "{words}: {refused}");
    }
    let missing = loaded(&[("controller.toml", settings)]).unwrap_err();
    assert!(missing.contains("cannot read DIR/ca.pem: No such file"), "{missing}");
}

#[test]
fn every_mistake_about_registries_and_mirrors_is_refused_at_once() {
    let settings = "
        [registries.\"one.lab\"]
        ca_file = \"DIR/none.pem\"
        usernam = \"oml\"
        [registries.\"two.lab\"]
        username = \"oml\"
        [registries.\"three.lab\"]
        username = \"oml\"
        password_file = \"DIR/none\"
        [mirrors]
        \"docker.io/omnileads/\" = \"docker.io/\"
        \"Quay.io/A/\" = \"mirror.lab/\"\n";
    let refused = loaded(&[("controller.toml", settings)]).unwrap_err();
    for words in [
        "registries.\"one.lab\".ca_file: cannot read DIR/none.pem: No such file",
        "registries.\"one.lab\".usernam: unknown key (did you mean username?)",
        "registries.\"two.lab\": a login takes both username and password_file",
        "registries.\"three.lab\".password_file: cannot read DIR/none: No such file",
        "mirrors.\"docker.io/omnileads/\": its target docker.io is in the images that it is for",
        "mirrors.\"Quay.io/A/\": \"Quay.io/A/\": the name of an image is in lower case",
    ] {
        assert!(refused.contains(words), "{words}\n{refused}");
    }
    assert_eq!(refused.lines().count(), 6, "{refused}");
}

#[test]
fn a_wrong_proxy_is_refused_together_with_the_rest() {
    let variable = |name: &str| (name == "HTTPS_PROXY").then(|| "socks5://p".to_owned());
    let proxies = Proxies::read(Use::TlsAndHttp, variable);
    let mirrors = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
    let refused = reach(BTreeMap::new(), &mirrors, proxies).unwrap_err().to_string();
    assert!(refused.contains("HTTPS_PROXY: ") && refused.contains("mirrors.\"a\": "), "{refused}");
}
