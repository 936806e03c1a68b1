//! Components and variables that come and go with the settings of a tenant.

use super::*;
use crate::decide::diff::diff;
use crate::document::plan::Plan;
use crate::testing::{CATALOG, SPEC, plan_with};

const REASON: &str = "only if db_host is empty, and db_host is db.example";

/// The catalog of the tests, whose database exists only if there is none outside, and whose voice
/// server has a variable only if there is one.
fn catalog() -> String {
    let replaced = [
        ("db_host: \"\"", "db_host: {type: host, default: \"\"}"),
        ("  db:\n", "  db:\n    when: {db_host: \"\"}\n"),
        (
            "DB: \"{{ settings.db_host or host.db }}\"",
            "DB: {value: \"{{ settings.db_host }}\", when: {db_host: {not: \"\"}}}",
        ),
    ];
    replaced.into_iter().fold(CATALOG.to_owned(), |catalog, (old, new)| {
        assert!(catalog.contains(old), "{old}");
        catalog.replace(old, new)
    })
}

fn inside() -> Plan {
    plan_with(SPEC, &catalog(), 1).unwrap()
}

/// The specification with a database outside of the tenant.
fn outside() -> String {
    SPEC.replace("colour: blue", "colour: blue, db_host: db.example")
}

fn voice_env(plan: &Plan) -> Vec<String> {
    let share = &plan.nodes[&"n2".parse().unwrap()];
    let voice = &share.instances[&"voice".parse().unwrap()];
    let env = voice.instance.container().unwrap().env.iter();
    env.map(|(name, value)| format!("{name}={value}")).collect()
}

#[test]
fn a_component_whose_condition_does_not_hold_is_not_planned_and_nothing_waits_for_it() {
    assert_eq!(inside().absent, Absent::new());
    // Nothing of the database can be wrong while there is none.
    let spec = outside().replace("db: \"1\"", "db: {nodes: [nowhere]}");
    let spec = spec.replace("exporter: {}", "exporter: {after: [db]}");
    let plan = plan_with(&spec, &catalog(), 2).unwrap();
    let instances = || plan.nodes.values().flat_map(|share| &share.instances);
    let names: Vec<&str> = instances().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["exporter", "exporter", "voice", "exporter", "voice"]);
    assert!(instances().all(|(_, desired)| desired.instance.after.is_empty()));
    assert_eq!(plan.absent, [("db".parse().unwrap(), REASON.to_owned())].into());
}

#[test]
fn a_variable_whose_condition_does_not_hold_is_not_set() {
    assert_eq!(voice_env(&inside()), ["HERE=10.0.0.2"]);
    let plan = plan_with(&outside(), &catalog(), 1).unwrap();
    assert_eq!(voice_env(&plan), ["DB=db.example", "HERE=10.0.0.2"]);
    let own = SPEC.replace("voice: \"1\"", "voice: {version: \"1\", env: {DB: own}}");
    let plan = plan_with(&own, &catalog(), 1).unwrap();
    assert_eq!(voice_env(&plan), ["DB=own", "HERE=10.0.0.2"]);
}

#[test]
fn a_setting_that_takes_a_component_away_removes_it_with_the_reason_and_may_bring_it_back() {
    let (before, after) = (inside(), plan_with(&outside(), &catalog(), 2).unwrap());
    let mut changes = diff(Some(&before), &after);
    explain(&mut changes, &after.absent);
    let line = |it: &Change| format!("{} {:?} {}: {}", it.node, it.kind, it.component, it.note);
    assert_eq!(line(&changes[0]), format!("n1 Remove db: exists {REASON}"));
    let others = &changes[1..];
    assert!(others.iter().all(|it| line(it).contains("voice: environment DB")), "{others:?}");
    let back = diff(Some(&after), &before);
    assert!(back.iter().any(|it| line(it) == "n1 Add db: "), "{back:?}");
}

#[test]
fn a_component_that_is_named_and_does_not_exist_is_noted_where_it_is_named() {
    let plan = plan_with(&outside(), &catalog(), 2).unwrap();
    let line = format!("components.db: not there; it exists {REASON}");
    assert_eq!(notes(&plan.absent, |_| true), [line]);
    assert!(notes(&plan.absent, |name| name.as_str() == "voice").is_empty());
}

#[test]
fn a_wrong_value_makes_no_component_come_or_go() {
    let wrong = outside().replace("db.example", "\"db:1\"");
    let problems = plan_with(&wrong, &catalog(), 2).unwrap_err().to_string();
    let expected = "line 3: settings.db_host: \"db:1\" is not a host name or an IP address";
    assert_eq!(problems, expected);
}
