//! Contexts are imported, selected, shown and removed, and their keys stay private.

use std::os::unix::fs::PermissionsExt as _;

use oml_daemon::tls::Credentials;

use crate::fake::Script;
use crate::world::*;

#[test]
fn without_a_context_the_message_says_how_to_import_one() {
    let world = World::without_context(Script::default());
    // An empty variable counts as unset.
    let ran = world.run_at_home("", &["status"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("omlctl context import FILE"), "{}", ran.stderr);
    assert_eq!(world.run_at_home("", &["context", "list"]).stderr, "none found\n");
}

#[test]
fn a_named_file_of_contexts_must_exist() {
    let world = World::without_context(Script::default());
    let bundle = world.bundle("main", &world.authority.operator());
    let file = world.folder.path().join("nofile").to_str().unwrap().to_owned();
    let expected = format!("error: cannot read {file}: No such file or directory (os error 2)\n");
    for words in [vec!["status"], vec!["context", "list"], vec!["context", "show"]] {
        let mut named = words.clone();
        named.extend(["--config", &file]);
        for ran in [world.run_at_home(&file, &words), world.run_at_home("", &named)] {
            assert_eq!((ran.code, ran.stderr.as_str()), (2, expected.as_str()), "{words:?}");
        }
    }
    let import = ["context", "import", &bundle, "--config", &file];
    assert_eq!(world.run_at_home("", &import).code, 0);
    assert_eq!(world.run_at_home(&file, &["context", "show"]).code, 0);
}

#[test]
fn an_imported_context_is_private_and_becomes_the_current_one() {
    let world = World::new(Script::default());
    let folder = world.folder.path().join("ctl");
    for file in ["config.toml", "contexts/main/key.pem", "contexts/main/ca.pem"] {
        let mode = folder.join(file).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{file}");
    }
    assert_eq!(world.run(&["status"]).code, 0);
    let listed = world.run(&["context", "list"]).stdout;
    assert!(listed.contains(&format!("*  main  {}", world.address)), "{listed}");
}

#[test]
fn a_context_is_not_replaced_by_accident() {
    let world = World::new(Script::default());
    let bundle = world.bundle("main", &world.authority.operator());
    let ran = world.run(&["context", "import", &bundle]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("already exists"), "{}", ran.stderr);
    assert_eq!(world.run(&["context", "import", &bundle, "--replace"]).code, 0);
    assert_eq!(world.run(&["context", "import", &bundle, "--name", "other"]).code, 0);
    assert_eq!(world.run(&["context", "use", "other"]).code, 0);
    let shown = world.run(&["context", "show", "-o", "json"]).stdout;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["name"], "other");
    assert_eq!(shown["identity"], "oml://operator/admin");
}

#[test]
fn a_removed_context_leaves_no_key() {
    let world = World::new(Script::default());
    assert_eq!(world.run(&["context", "remove", "main"]).code, 0);
    assert!(!world.folder.path().join("ctl/contexts/main").exists());
    assert_eq!(world.run(&["status"]).code, 2);
}

#[test]
fn an_unknown_context_gets_a_hint() {
    let world = World::new(Script::default());
    let ran = world.run(&["status", "--context", "mian"]);
    assert_eq!(ran.code, 2);
    assert_eq!(ran.stderr, "error: there is no context mian (did you mean main?)\n");
}

#[test]
fn a_file_that_is_not_a_bundle_is_refused_without_showing_its_content() {
    let world = World::without_context(Script::default());
    let file = world.write("secret", "key_pem = 'very secret'\n");
    let ran = world.run(&["context", "import", &file]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("is not an operator's bundle"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("very secret"), "{}", ran.stderr);
    let garbled = "name='a'\nendpoint='h:1'\nca_pem='x'\ncertificate_pem='x'\nkey_pem='x'\n";
    let file = world.write("garbled", garbled);
    let ran = world.run(&["context", "import", &file]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("not valid PEM"), "{}", ran.stderr);
    let escaping = garbled.replace("'a'", "'../a'");
    let ran = world.run(&["context", "import", &world.write("escaping", escaping)]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("must be the name of a context"), "{}", ran.stderr);
}

#[test]
fn a_broken_file_of_contexts_is_reported_with_its_line() {
    let world = World::new(Script::default());
    let file = world.config();
    let shown = file.display();
    let reported = |text: &str, arguments: &[&str]| {
        std::fs::write(&file, text).unwrap();
        let ran = world.run(arguments);
        assert_eq!((ran.code, ran.stderr.lines().count()), (2, 1), "{ran:?}");
        ran.stderr
    };
    let broken = reported("current = 'main'\n\n[contexts.main]\nendpoint = ['a:1']\n", &["status"]);
    assert!(broken.starts_with(&format!("error: {shown}: line 4: ")), "{broken}");
    let broken = reported("current = 'main'\ncontexts = [\n", &["context", "list"]);
    assert!(broken.starts_with(&format!("error: {shown}: line 2: ")), "{broken}");
    let none = reported("current = 'main'\n[contexts.main]\nendpoints = []\n", &["status"]);
    let expected = format!(
        "error: {shown}: contexts.main.endpoints: no controller is listed \
         (write endpoints = [\"controller.example.com:7443\"])\n"
    );
    assert_eq!(none, expected);
    let wrong = reported("current = 'main'\n[contexts.main]\nendpoints = ['a']\n", &["status"]);
    let expected = format!(
        "error: {shown}: contexts.main.endpoints: \"a\" is not an address \
         (write host:port, for example controller.example.com:7443)\n"
    );
    assert_eq!(wrong, expected);
    let text = "current = 'gone'\n[contexts.main]\nendpoints = ['a:1']\n";
    let gone = reported(text, &["status"]);
    let hint = "(select one with omlctl context use NAME; known: main)";
    assert_eq!(gone, format!("error: {shown}: current: there is no context gone {hint}\n"));
    // With --endpoint, the file needs no endpoints.
    let none = "current = 'main'\n[contexts.main]\nendpoints = []\n";
    std::fs::write(&file, none).unwrap();
    assert_eq!(world.run(&["status", "--endpoint", &world.address.to_string()]).code, 0);
}

#[test]
fn a_bundle_that_cannot_be_used_is_not_imported() {
    let world = World::without_context(Script::default());
    let refused = |file: &str| {
        let ran = world.run(&["context", "import", file]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(!world.config().exists());
        ran.stderr
    };
    let leaf = world.authority.certify("oml://node/acme/acme-1");
    let node = Credentials {
        ca_pem: world.authority.pem.clone(),
        certificate_pem: leaf.certificate_pem,
        key_pem: leaf.key_pem,
    };
    let file = world.bundle("node", &node);
    let expected = format!(
        "error: {file} is not an operator's bundle: certificate_pem: it belongs to oml://node/acme/acme-1 \
         (use the file that the command init or operator add of the controller wrote)\n"
    );
    assert_eq!(refused(&file), expected);
    let file = world.bundle("main", &world.authority.operator());
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace(&world.address.to_string(), "controller");
    std::fs::write(&file, text).unwrap();
    let expected = format!(
        "error: {file} is not an operator's bundle: endpoint: \"controller\" is not an address \
         (write host:port, for example controller.example.com:7443)\n"
    );
    assert_eq!(refused(&file), expected);
}
