//! Tests that a difference contains what changes, and nothing else.

use std::collections::BTreeMap;

use super::*;
use crate::document::plan::OnFailure;
use crate::document::spec::TenantSpec;
use crate::testing::{CATALOG, SPEC, plan_of, plan_with, spec_with, with_unreadable_voice};

fn lines(from: Option<&str>, to: &str) -> Vec<String> {
    let from = from.map(|spec| plan_of(spec, 1).unwrap());
    diff(from.as_ref(), &plan_of(to, 2).unwrap())
        .iter()
        .map(|c| {
            format!(
                "{} {}/{} {:?}->{:?} {}",
                c.kind.as_str(),
                c.node,
                c.component,
                c.from,
                c.to,
                c.note
            )
        })
        .collect()
}

#[test]
fn the_same_specification_has_no_changes() {
    assert!(lines(Some(SPEC), SPEC).is_empty());
}

#[test]
fn one_version_changes_one_component_wherever_it_runs() {
    let next = spec_with("voice", "2");
    assert_eq!(
        lines(Some(SPEC), &next),
        ["replace n2/voice \"1\"->\"2\" ", "replace n3/voice \"1\"->\"2\" "]
    );
}

#[test]
fn options_that_differ_are_named_and_replace_the_container() {
    // Whether a published port accepts connections says nothing of the program.
    let before = CATALOG.replace("{check: tcp, port: \"5432\"}", "{check: redis, port: \"5432\"}");
    let options = "    image: db\n    network: bridge\n    ulimits: {nofile: \"9\"}\n    log: {max_files: 2}\n";
    let catalog = before.replace("    image: db\n", options);
    let (from, to) = (plan_with(SPEC, &before, 1).unwrap(), plan_with(SPEC, &catalog, 2).unwrap());
    let changes = diff(Some(&from), &to);
    let change = &changes[0];
    let shown = (changes.len(), change.kind.as_str(), change.note.as_str());
    assert_eq!(shown, (1, "replace", "network, ulimits, log"));
}

#[test]
fn additions_removals_and_settings_are_distinguished() {
    let next = SPEC
        .replace("  exporter: {}\n", "")
        .replace("min_healthy_for: 5s", "min_healthy_for: 6s")
        .replace("db: \"1\"", "db: {version: \"1\", env: {WHO: you}}");
    let changes = lines(Some(SPEC), &next);
    assert!(changes.contains(&"remove n1/exporter \"\"->\"\" ".to_owned()), "{changes:?}");
    assert!(
        changes.contains(
            &"replace n1/db \"1\"->\"1\" environment WHO, min_healthy_for 5s -> 6s".to_owned()
        ),
        "{changes:?}"
    );
    assert!(
        changes.contains(&"update n2/voice \"1\"->\"1\" min_healthy_for 5s -> 6s".to_owned()),
        "{changes:?}"
    );
}

/// Returns the note of the component that counts its calls when the rollout settings change.
fn note(before: &str, after: &str) -> String {
    let with = |line: &str| plan_of(&SPEC.replace("min_healthy_for: 5s", line), 1).unwrap();
    let changes = diff(Some(&with(before)), &with(after));
    changes.into_iter().find(|change| change.component.as_str() == "voice").unwrap().note
}

#[test]
fn every_rollout_setting_is_named_with_its_values_and_what_it_means_for_calls() {
    let cases = [
        (
            "on_deadline: abort",
            "on_deadline: cut",
            "on_deadline abort -> cut: calls that are still up after 30m are cut",
        ),
        (
            "on_deadline: cut",
            "on_deadline: wait",
            "on_deadline cut -> wait: the change waits until all calls have ended, also after 30m",
        ),
        (
            "on_deadline: wait",
            "on_deadline: abort",
            "on_deadline wait -> abort: if calls are still up after 30m, the change fails and cuts none",
        ),
        ("drain_deadline: 1h", "drain_deadline: 3601s", "drain_deadline 1h -> 3601s"),
        ("min_healthy_for: 5s", "min_healthy_for: 90500ms", "min_healthy_for 5s -> 90500ms"),
    ];
    for (before, after, expected) in cases {
        assert_eq!(note(before, after), expected);
    }
}

#[test]
fn a_setting_of_the_whole_rollout_is_named_with_its_values() {
    let with =
        |line: &str| TenantSpec::parse(&SPEC.replace("min_healthy_for: 5s", line)).unwrap().rollout;
    let settings = |before: &str, after: &str| strategy(Some(&with(before)), &with(after));
    assert_eq!(
        settings("max_parallel: 1", "max_parallel: 4"),
        [StrategyChange::MaxParallel { was: 1, is: 4 }]
    );
    assert_eq!(
        settings("on_failure: rollback", "on_failure: pause"),
        [StrategyChange::OnFailure { was: OnFailure::Rollback, is: OnFailure::Pause }]
    );
    assert!(settings("on_deadline: wait", "on_deadline: cut").is_empty());
    assert!(strategy(None, &with("max_parallel: 4")).is_empty());
}

#[test]
fn another_limit_of_processes_or_privileges_is_a_container_setting() {
    let from = plan_of(SPEC, 1).unwrap();
    for line in ["pids_limit: 100", "no_new_privileges: false\n    because: it calls sudo"] {
        let name = "    container: db-server\n";
        let catalog = CATALOG.replace(name, &format!("{name}    {line}\n"));
        let changes = diff(Some(&from), &plan_with(SPEC, &catalog, 2).unwrap());
        let notes: Vec<&str> = changes.iter().map(|change| change.note.as_str()).collect();
        assert_eq!(notes, ["container settings"], "{line}");
    }
}

#[test]
fn a_stop_that_may_cut_uncounted_calls_has_a_note() {
    let counted = "    active: {command: [count], before: active call, noun: calls}\n";
    let catalog = CATALOG.replace(counted, "");
    let plan = |spec: &str, revision| plan_with(spec, &catalog, revision).unwrap();
    let from = plan(SPEC, 1);
    let notes = |next: &str| -> Vec<(String, String)> {
        let changes = diff(Some(&from), &plan(next, 2)).into_iter();
        changes.map(|c| (c.component.to_string(), c.note)).collect()
    };
    let cut = ("voice".to_owned(), "not drained: calls through it are cut".to_owned());
    let next = spec_with("voice", "2");
    assert_eq!(notes(&next), [cut.clone(), cut.clone()]);
    let gone = SPEC.replace("  voice: \"1\"\n", "");
    assert_eq!(notes(&gone), [cut.clone(), cut]);
    let quiet = spec_with("db", "2").replace("for: 5s", "for: 6s");
    assert!(notes(&quiet).iter().all(|(_, note)| !note.contains("cut")), "{:?}", notes(&quiet));
}

#[test]
fn values_of_the_environment_are_never_shown() {
    let next = SPEC.replace("db: \"1\"", "db: {version: \"1\", env: {WHO: s3cret}}");
    assert!(!lines(Some(SPEC), &next).join("\n").contains("s3cret"));
}

#[test]
fn an_instance_that_cannot_be_read_is_unchanged_only_in_the_same_bytes() {
    let (one, two) = (plan_of(SPEC, 1).unwrap(), plan_of(&spec_with("voice", "2"), 2).unwrap());
    let (one_held, two_held) = (with_unreadable_voice(&one), with_unreadable_voice(&two));
    let empty = Plan { nodes: BTreeMap::new(), ..one.clone() };
    let kinds = |from: &Plan, to: &Plan| {
        let mut kinds: Vec<&str> = diff(Some(from), to)
            .iter()
            .filter(|change| change.component.as_str() == "voice")
            .map(|change| change.kind.as_str())
            .collect();
        kinds.dedup();
        kinds
    };
    assert!(kinds(&one_held, &one_held).is_empty());
    assert_eq!(kinds(&one_held, &two_held), ["replace"]);
    assert_eq!(kinds(&one_held, &two), ["replace"]);
    assert_eq!(kinds(&one, &one_held), ["replace"]);
    assert_eq!(kinds(&empty, &one_held), ["add"]);
    assert_eq!(kinds(&one_held, &empty), ["remove"]);
}
