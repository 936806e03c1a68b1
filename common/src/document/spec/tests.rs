//! Which specifications are read, and which problems the others have.

use super::*;

const ACME: &str = "\
# Acme's contact centre
tenant: acme
catalog: omnileads
components:
  asterisk: \"230204.01\"   # voice
  nginx:
    version: 230215.10
    env: {ENV: prod}
  node-exporter: {}
rollout:
  min_healthy_for: 5s
";

fn refused(text: &str) -> String {
    TenantSpec::parse(text).map(|_| String::new()).unwrap_or_else(|problems| problems.to_string())
}

#[test]
fn short_and_long_forms_of_a_component_are_read() {
    let spec = TenantSpec::parse(ACME).unwrap();
    let version = |name: &str| {
        spec.components[&name.parse().unwrap()].version.as_ref().map(ToString::to_string)
    };
    assert_eq!(version("asterisk").as_deref(), Some("230204.01"));
    assert_eq!(version("nginx").as_deref(), Some("230215.10"));
    assert_eq!(version("node-exporter"), None);
    assert_eq!(spec.rollout.min_healthy_for_ms, 5_000);
}

#[test]
fn every_unknown_key_is_listed_with_line_and_path() {
    let text = "tenant: acme\ncatalogue: x\ncatalog: omnileads\ncomponents:\n  nginx:\n    \
                verison: 1\nrollout:\n  max_paralel: 2\n";
    assert_eq!(
        refused(text),
        "line 2: catalogue: unknown key (did you mean catalog?)\n\
         line 6: components.nginx.verison: unknown key (did you mean version?)\n\
         line 8: rollout.max_paralel: unknown key (did you mean max_parallel?)"
    );
}

#[test]
fn the_problem_of_an_invalid_value_names_the_rule() {
    let text = "tenant: Acme Inc\ncatalog: omnileads\ncomponents:\n  asterisk: \"1:2\"\n  \
                \"a\\tb\": \"1\"\nrollout: {min_healthy_for: 5, on_failure: panic}\n";
    let problems = refused(text);
    assert!(problems.contains("line 1: tenant: \"Acme Inc\" is not a tenant name"), "{problems}");
    assert!(
        problems.contains("line 4: components.asterisk: \"1:2\" is not a version"),
        "{problems}"
    );
    assert!(problems.contains("line 5: components.a\\tb:"), "{problems}");
    assert!(problems.contains("rollout.min_healthy_for"), "{problems}");
    assert!(problems.contains("rollout.on_failure: \"panic\" is not a valid value"), "{problems}");
}

#[test]
fn a_value_has_no_control_characters_but_line_feeds_and_tabs() {
    let with = |value: &str| {
        refused(&format!("{ACME}settings: {{x: \"{value}\"}}\n"))
            + &refused(&ACME.replace("ENV: prod", &format!("ENV: \"{value}\"")))
    };
    assert_eq!(with("one\\n\\ttwo"), "");
    assert_eq!(
        with("s3cret\\r"),
        "line 12: settings.x: a value cannot contain a carriage return (U+000D)\
         line 8: components.nginx.env.ENV: a value cannot contain a carriage return (U+000D)"
    );
    assert!(with("\\e[2J").contains("an escape character (U+001B)"));
}

#[test]
fn an_empty_version_is_refused() {
    let problems = refused("tenant: acme\ncatalog: omnileads\ncomponents:\n  asterisk: \"\"\n");
    assert!(problems.contains("line 4: components.asterisk: \"\" is not a version"), "{problems}");
}

#[test]
fn ten_thousand_components_are_one_problem() {
    use std::fmt::Write as _;
    let mut text = "tenant: acme\ncatalog: omnileads\ncomponents:\n".to_owned();
    for n in 0..10_000 {
        writeln!(text, "  c{n}: \"1\"").unwrap();
    }
    let problems = refused(&text);
    assert!(
        problems.contains("10000 components are too many; a tenant may have 256"),
        "{problems}"
    );
    assert_eq!(problems.lines().count(), 1);
}

#[test]
fn deep_paths_of_long_keys_are_one_problem() {
    use std::fmt::Write as _;
    let mut text = "tenant: acme\ncatalog: omnileads\ncomponents: {a: \"1\"}\n".to_owned();
    for depth in 0..15 {
        writeln!(text, "{}{}:", " ".repeat(depth), "k".repeat(1024)).unwrap();
    }
    assert_eq!(refused(&text), "line 4: a key is longer than 256 bytes");
}
