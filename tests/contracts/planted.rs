//! The check finds every kind of violation, and names where it is.

use oml_common::document::catalog::Catalog;

use crate::check::violations;
use crate::contract::parse;
use crate::line_of;
use crate::values::empty_values;

const CATALOG: &str = r#"
catalog: test
registry: registry.example/oml
settings: {bucket: ""}
components:
  web:
    roles: [app]
    unit: web.service
    container: web
    image: web
    command: [serve]
    env:
      NEEDED: "1"
      USEFUL: "{{ settings.bucket }}"
    secrets: {KEY: key}
    volumes: ["data:/data"]
    ports: [443/tcp]
    probe: {check: unit-active}
"#;

const CONTRACT: &str = "
catalog: test.yaml
tenant: {roles: [app], settings: {}}
contracts:
  - image: registry.example/oml/web
    source: [example/web@1 start.sh]
    reads: {required: [NEEDED, KEY], optional: [USEFUL]}
    has_command: false
    mounts: [/data]
    no_mounts: [/old]
    ports: [443/tcp]
    programs: [x]
";

/// Returns what is found after a text in the catalog was replaced.
fn planted(from: &str, to: &str) -> Vec<String> {
    assert!(CATALOG.contains(from), "{from}");
    found(&CATALOG.replace(from, to), CONTRACT)
}

fn found(catalog: &str, contracts: &str) -> Vec<String> {
    let catalog = Catalog::parse(catalog).unwrap_or_else(|problems| panic!("{problems}"));
    violations(&parse(contracts), &catalog)
}

/// Asserts that one violation was found, with all that leads to it.
fn assert_one(found: &[String], says: &str) {
    let [one] = found else { panic!("{found:#?}") };
    for part in ["test.yaml", "component web", says, "example/web@1 start.sh"] {
        assert!(one.contains(part), "{one} does not say {part}");
    }
}

#[test]
fn a_catalog_that_keeps_its_contracts_passes() {
    assert_eq!(found(CATALOG, CONTRACT), [""; 0]);
}

#[test]
fn a_key_that_the_image_does_not_read_is_found() {
    let typing_error = planted("USEFUL:", "USEFULL:");
    assert_one(&typing_error, "sets USEFULL, which the image does not read");
    let secret = planted("{KEY: key}", "{KEY: key, PASS: key}");
    assert_one(&secret, "sets PASS, which the image does not read");
    let operation = "    operations:\n      later: {run: on-demand, means: It runs., command: [x], \
                     env: {LATER: \"1\"}}\n";
    let of_operation = found(&format!("{CATALOG}{operation}"), CONTRACT);
    assert_one(&of_operation, "sets LATER, which the image does not read");
}

#[test]
fn an_operation_whose_program_is_not_in_the_image_is_found() {
    let operation = |program: &str| {
        let text = format!("later: {{run: on-demand, means: It runs., {program}}}");
        found(&format!("{CATALOG}    operations:\n      {text}\n"), CONTRACT)
    };
    assert_eq!(operation("command: [x]"), [""; 0]);
    let says = "runs y in its operation later, which is not in the image";
    assert_one(&operation("command: [y]"), says);
    assert_one(&operation("entrypoint: [y], command: [x]"), says);
}

#[test]
fn a_key_that_the_image_needs_is_missed() {
    assert_one(&planted("      NEEDED: \"1\"\n", ""), "lacks NEEDED, which the image needs");
    assert_one(&planted("    secrets: {KEY: key}\n", ""), "lacks KEY, which the image needs");
    let conditional = planted("NEEDED: \"1\"", "NEEDED: {value: \"1\", when: {bucket: \"1\"}}");
    assert_one(&conditional, "sets NEEDED only under a condition");
    assert_one(&planted("NEEDED: \"1\"", "NEEDED: \"\""), "sets NEEDED to nothing");
}

#[test]
fn a_needed_value_that_is_empty_by_default_is_found() {
    let catalog = CATALOG.replace("NEEDED: \"1\"", "NEEDED: \"{{ settings.bucket }}\"");
    let catalog = Catalog::parse(&catalog).unwrap_or_else(|problems| panic!("{problems}"));
    let empty = empty_values(&parse(CONTRACT), &catalog);
    let [one] = &empty[..] else { panic!("{empty:#?}") };
    assert!(one.contains("test.yaml, component web: NEEDED is empty"), "{one}");
}

#[test]
fn an_image_without_a_command_needs_one() {
    assert_one(&planted("    command: [serve]\n", ""), "has no command, and the image has none");
    let entry = planted("    command: [serve]\n", "    entrypoint: [/serve]\n");
    assert_eq!(entry, [""; 0]);
}

#[test]
fn a_volume_that_is_missing_or_refused_is_found() {
    let elsewhere = planted("data:/data", "data:/elsewhere");
    assert_one(&elsewhere, "mounts nothing at /data, where the image wants it");
    let old = planted("[\"data:/data\"]", "[\"data:/data\", \"old:/old\"]");
    assert_one(&old, "mounts /old, which the image refuses");
}

#[test]
fn a_certificate_that_is_not_where_the_image_reads_it_is_found() {
    let contract = CONTRACT.replace(
        "    ports:",
        "    certificate: {chain: /certs/cert.pem, key: /certs/key.pem}\n    ports:",
    );
    let mounted = |name: &str, file: &str| {
        format!("{name}: {{name: {name}, from: controller, file: {file}, optional: true}}")
    };
    let with = |parts: [String; 2]| {
        let secrets = format!("{{KEY: key, {}}}", parts.join(", "));
        found(&CATALOG.replace("{KEY: key}", &secrets), &contract)
    };
    let [chain, key] = [("tls_certificate", "cert"), ("tls_key", "key")]
        .map(|(name, file)| mounted(name, &format!("/certs/{file}.pem")));
    assert_eq!(with([chain.clone(), key.clone()]), [""; 0]);
    let elsewhere = with([chain.clone(), mounted("tls_key", "/certs/other.pem")]);
    assert_one(&elsewhere, "does not mount tls_key at /certs/key.pem, where the image reads it");
    let always = with([chain, key.replace(", optional: true", "")]);
    assert_one(&always, "does not mount tls_key at /certs/key.pem");
}

#[test]
fn a_port_that_no_variable_moves_has_to_be_named() {
    assert_one(&planted("443/tcp", "8443/tcp"), "does not name the port 443/tcp");
}

#[test]
fn a_component_without_a_contract_and_a_contract_without_a_component_are_found() {
    let found = planted("image: web", "image: web-ng");
    let [missing, idle] = &found[..] else { panic!("{found:#?}") };
    let image = "registry.example/oml/web-ng";
    assert!(missing.contains(&format!("component web: 0 contracts are of its image {image}")));
    assert!(idle.contains("no component is of the contract of registry.example/oml/web"));
}

#[test]
fn nothing_is_compared_with_an_image_that_is_unknown() {
    let unknown = "
catalog: test.yaml
tenant: {roles: [app], settings: {}}
contracts:
  - {image: registry.example/oml/web, unknown: true, because: Its source is not public.}
";
    assert_eq!(found(CATALOG, unknown), [""; 0]);
}

#[test]
fn what_was_wrong_in_the_shipped_catalogs_would_be_found_again() {
    for (file, from, to, says) in [
        ("omnileads-3.yaml", "OMNILEADS_PROTOCOL:", "OMNILEADS_PROTOCO:", "OMNILEADS_PROTOCO,"),
        (
            "omnileads-3.yaml",
            "oml_postgres_data:/var/lib/postgresql",
            "x:/var/lib/postgresql/data",
            "refuses",
        ),
        ("omnileads-2.6.yaml", "      ASGI_PORT:", "      PORT:", "lacks ASGI_PORT"),
        ("omnileads-2.6.yaml", "      OML_BUILD_DATE: unknown\n", "", "lacks OML_BUILD_DATE"),
        ("omnileads-2.2.yaml", "    command: [/opt/omnileads/bin/init_uwsgi.sh]\n", "", "command"),
        ("omnileads-2.2.yaml", "certs/key.pem, opt", "certs/k.pem, opt", "does not mount tls_key"),
        ("omnileads-1.26.yaml", "      LAN_IP:", "      RTPENGINE_NG_PORT:", "RTPENGINE_NG_PORT"),
        ("omnileads-3.yaml", "bin/django_migrations.sh]", "bin/migrate.sh]", "bin/migrate.sh"),
    ] {
        let path = crate::contract::folder().join("../../catalog").join(file);
        let text = std::fs::read_to_string(path).expect("the catalog is there");
        assert!(text.contains(from), "{file}: {from}");
        let catalog = Catalog::parse(&text.replacen(from, to, 1)).expect("it is still one");
        let found = violations(&line_of(file), &catalog);
        assert!(found.iter().any(|one| one.contains(says)), "{file}: {found:#?}");
    }
}
