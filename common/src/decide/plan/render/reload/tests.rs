//! What a program takes over while it runs is no part of its workload.

use crate::decide::diff::diff;
use crate::decide::secrets::{ChosenSecret, ChosenSecrets};
use crate::document::Feature;
use crate::document::instance::{Instance, Reload, ReloadBy};
use crate::document::plan::Plan;
use crate::testing::{CATALOG, SPEC, plan_of, plan_with_secrets};

const KEY: &str = "KEY_FILE: {name: key, from: controller, file: /run/secrets/key}";

/// Plans the usual tenant with these versions of secrets. Its database has secrets, and is reloaded
/// by a command.
fn plan(secrets: &str, versions: &[(&str, u64)]) -> Plan {
    plan_by(CATALOG, secrets, versions)
}

fn plan_by(base: &str, secrets: &str, versions: &[(&str, u64)]) -> Plan {
    let lines = format!(
        "    secrets: {{{secrets}}}\n    reload: {{command: [db, \"{{{{ tenant }}}}\"]}}\n    env: {{WHO"
    );
    let catalog = base.replace("    env: {WHO", &lines);
    assert_ne!(catalog, base);
    let secret = |(name, version): &(&str, u64)| {
        let mark = format!("{version:032x}").parse().unwrap();
        (name.parse().unwrap(), ChosenSecret { version: *version, mark, has_lines: false })
    };
    let chosen: ChosenSecrets = versions.iter().map(secret).collect();
    plan_with_secrets(SPEC, &catalog, &chosen, 1).unwrap()
}

fn database(plan: &Plan) -> &Instance {
    let share = &plan.nodes[&"n1".parse().unwrap()];
    &share.instances[&"db".parse().unwrap()].instance
}

fn notes(before: &Plan, after: &Plan) -> Vec<String> {
    let changes = diff(Some(before), after);
    changes.iter().map(|it| format!("{} {}", it.kind.as_str(), it.note)).collect()
}

#[test]
fn another_version_of_a_reloaded_secret_is_another_document_of_the_same_workload() {
    let (before, after) = (plan(KEY, &[("key", 1)]), plan(KEY, &[("key", 2)]));
    let (first, second) = (database(&before), database(&after));
    assert_eq!(first.workload, second.workload);
    assert_ne!(first, second);
    let Reload { by, deadline_ms, files, secrets } = second.reload.clone().unwrap();
    let command = vec!["db".to_owned(), "acme".to_owned()];
    assert_eq!((by, deadline_ms), (ReloadBy::Command { command }, 30_000));
    let secrets: Vec<String> = secrets.iter().map(ToString::to_string).collect();
    assert_eq!((files.len(), secrets), (0, vec!["secret key version 2".to_owned()]));
    let container = second.container().unwrap();
    assert!(container.kept_secrets.is_empty());
    assert_eq!(container.env[&"KEY_FILE".parse().unwrap()], "/run/secrets/key");
    assert_eq!(container.options.reloaded, ["/run/secrets/key".to_owned()].into());
    assert_eq!(notes(&before, &after), ["update reloaded without a restart: secret key version 2"]);
    let named: Vec<u64> = second.named_secrets().map(|secret| secret.version).collect();
    assert_eq!(named, [2]);
}

#[test]
fn a_plan_says_which_checks_run_before_other_files_are_placed() {
    let operations = "    operations:\n      config: {run: check, means: x, command: [x], deadline: \
                      30s}\n    env: {WHO";
    let catalog = CATALOG.replace("    env: {WHO", operations);
    let [before, after] = [1, 2].map(|version| plan_by(&catalog, KEY, &[("key", version)]));
    let expected =
        "update reloaded without a restart: secret key version 2, checked first by config";
    assert_eq!(notes(&before, &after), [expected]);
}

#[test]
fn a_variable_stays_in_the_workload_and_so_does_what_is_not_reloaded() {
    let secrets = format!(
        "{KEY}, PGPASSWORD: {{name: postgres, from: controller}}, OTHER_FILE: {{name: other, \
         from: controller, file: /run/secrets/other, reload: false}}"
    );
    let versions = |postgres, other| [("key", 1), ("postgres", postgres), ("other", other)];
    let before = plan(&secrets, &versions(1, 1));
    for after in [plan(&secrets, &versions(2, 1)), plan(&secrets, &versions(1, 2))] {
        assert_ne!(database(&before).workload, database(&after).workload);
        assert!(notes(&before, &after)[0].starts_with("replace secret "));
    }
    let kept = &database(&before).container().unwrap().kept_secrets;
    let kept: Vec<&str> = kept.values().map(|secret| secret.name.as_str()).collect();
    assert_eq!(kept, ["other", "postgres"]);
}

#[test]
fn another_place_is_another_workload() {
    let moved = KEY.replace("/run/secrets/key", "/run/secrets/moved");
    let (before, after) = (plan(KEY, &[("key", 1)]), plan(&moved, &[("key", 1)]));
    assert_eq!(notes(&before, &after), ["replace environment KEY_FILE, reload"]);
}

#[test]
fn an_agent_must_know_reloads_and_a_component_with_nothing_to_reload_is_as_before() {
    let needs = |plan: &Plan| database(plan).needs().contains(&Feature::Reload);
    assert!(needs(&plan(KEY, &[("key", 1)])));
    let none = plan("", &[]);
    assert!(!needs(&none));
    assert_eq!(database(&none), database(&plan_of(SPEC, 1).unwrap()));
}
