//! Sources, their order, and what is refused.

use oml_common::text::error::chain;

use super::*;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("conf.d")).unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn refusal(files: &[(&str, &str)]) -> String {
    chain(&load(folder(files).path()).unwrap_err())
}

#[test]
fn without_any_file_the_defaults_hold() {
    let settings = load(Path::new("/nonexistent")).unwrap();
    assert_eq!(settings.listen.to_string(), LISTEN);
    assert_eq!(settings.enrollment_listen.to_string(), ENROLLMENT_LISTEN);
    assert_eq!(settings.web_listen.unwrap().to_string(), WEB_LISTEN);
    assert_eq!(settings.store_dir(), Path::new("/var/lib/omlcontroller/store"));
    assert_eq!(settings.node_lifetime_ms, NODE_LIFETIME_MS_DEFAULT);
}

#[test]
fn drop_ins_go_over_the_main_file_in_the_order_of_their_names() {
    let dir = folder(&[
        ("controller.toml", "listen = \"127.0.0.1:1\"\nlog = \"warn\"\n"),
        ("conf.d/10.toml", "listen = \"127.0.0.1:2\"\nweb_listen = \"off\"\n"),
        ("conf.d/20.toml", "listen = \"127.0.0.1:3\"\n"),
        ("conf.d/ignored.txt", "nonsense"),
    ]);
    let settings = load(dir.path()).unwrap();
    assert_eq!(settings.listen.port(), 3);
    assert_eq!((settings.log.as_str(), settings.web_listen), ("warn", None));
}

#[test]
fn a_registry_is_named_by_its_address_with_dots_and_port() {
    let dir = folder(&[("password", "s3cret\n")]);
    let password = dir.path().join("password");
    let text = format!(
        "[registries.\"registry.Lab.example:5000\"]\nusername = \"oml\"\npassword_file = {password:?}\ninsecure = true\n\
         [registries.\"10.0.0.1:5000\"]\ninsecure = true\n"
    );
    std::fs::write(dir.path().join("conf.d/lab.toml"), text).unwrap();
    let settings = load(dir.path()).unwrap();
    let access = &settings.reach.access["registry.lab.example:5000"];
    let login = access.login.as_ref().unwrap();
    assert!(access.plain_http);
    assert_eq!((login.user.as_str(), login.password.as_str()), ("oml", "s3cret"));
    assert!(settings.reach.access["10.0.0.1:5000"].login.is_none());
}

#[test]
fn every_spelling_of_a_registry_is_the_same_key_and_two_are_refused() {
    for written in ["docker.io", "index.docker.io", "https://index.docker.io/v1/"] {
        let text = format!("[registries.\"{written}\"]\ninsecure = true\n");
        let dir = folder(&[("conf.d/hub.toml", &text)]);
        assert!(load(dir.path()).unwrap().reach.access["docker.io"].plain_http, "{written}");
    }
    let both = "[registries.\"docker.io\"]\n[registries.\"index.docker.io\"]\n";
    let refused = refusal(&[("controller.toml", both)]);
    let expected = "registries.\"index.docker.io\": it is the same registry as \
                    registries.\"docker.io\" (remove one of them)";
    assert_eq!(refused, expected);
}

#[test]
fn a_password_is_one_line_and_anything_else_is_refused_with_its_file() {
    let with = |text: &str| {
        let dir = folder(&[("password", text)]);
        let path = dir.path().join("password");
        let entry = "[registries.\"x.lab\"]\nusername = \"oml\"";
        let settings = format!("{entry}\npassword_file = {path:?}\n");
        std::fs::write(dir.path().join("conf.d/lab.toml"), settings).unwrap();
        let loaded = load(dir.path()).map_err(|error| error.to_string());
        let login =
            |settings: Settings| settings.reach.access["x.lab"].login.clone().unwrap().password;
        loaded.map(login).map_err(|error| error.replace(&path.display().to_string(), "FILE"))
    };
    assert_eq!(with("s3cret\r\n"), Ok("s3cret".to_owned().into()));
    assert_eq!(
        with("\n"),
        Err("registries.\"x.lab\".password_file: the password file FILE is empty".to_owned())
    );
    let why = "registries.\"x.lab\".password_file: the password file FILE contains a carriage return \
               (U+000D); write the value alone, on one line";
    assert_eq!(with("s3cret\r\n\n"), Err(why.to_owned()));
}

#[test]
fn authorities_of_directories_are_read_from_their_file() {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap().pem();
    let dir = folder(&[("ca.pem", &authority)]);
    let settings = |file: &str| {
        let path = dir.path().join(file);
        let text = format!("[acme]\nca_file = {path:?}\n");
        std::fs::write(dir.path().join("conf.d/acme.toml"), text).unwrap();
        load(dir.path()).map_err(|error| error.to_string())
    };
    assert_eq!(settings("ca.pem").unwrap().acme_authorities.len(), 1);
    let refused = settings("other.pem").unwrap_err();
    assert!(refused.contains("acme.ca_file: cannot read"), "{refused}");
}

#[test]
fn an_unknown_key_is_refused_with_its_file() {
    let refused = refusal(&[("conf.d/typo.toml", "lissten = \"0.0.0.0:1\"\n")]);
    assert!(refused.contains("typo.toml") && refused.contains("lissten"), "{refused}");
    let refused = refusal(&[("controller.toml", "[registries.\"x.lab\"]\ninsecur = true\n")]);
    assert!(refused.contains("insecur"), "{refused}");
}

#[test]
fn an_impossible_value_is_refused_with_its_key() {
    let refused = refusal(&[("controller.toml", "listen = \"7443\"\n")]);
    assert_eq!(refused, "listen: \"7443\" is not an IP address and a port, such as 0.0.0.0:7443");
    let refused = refusal(&[("controller.toml", "node_certificate_life = \"5s\"\n")]);
    assert!(refused.contains("node_certificate_life"), "{refused}");
    let refused = refusal(&[("controller.toml", "[registries.\"x.lab\"]\nusername = \"u\"\n")]);
    assert!(refused.contains("password_file"), "{refused}");
}
