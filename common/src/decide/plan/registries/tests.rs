//! What a plan says of logins to registries.

use crate::decide::diff::diff;
use crate::decide::secrets::{ChosenSecret, ChosenSecrets, users};
use crate::document::Feature;
use crate::document::instance::InstanceDocument;
use crate::document::plan::Plan;
use crate::testing::{CATALOG, SPEC, plan_of, plan_with_secrets};
use crate::text::problem::Problems;

fn chosen(version: u64, has_lines: bool) -> ChosenSecrets {
    let mark = format!("{version:032x}").parse().unwrap();
    [("hub".parse().unwrap(), ChosenSecret { version, mark, has_lines })].into()
}

/// Plans the usual tenant with a login to the registry of its images.
fn planned(secrets: &ChosenSecrets) -> Result<Plan, Problems> {
    let login = "registries:\n  index.docker.io: {username: puller, password: hub}\n";
    plan_with_secrets(&format!("{login}{SPEC}"), CATALOG, secrets, 1)
}

fn voice(plan: &Plan) -> &InstanceDocument {
    let share = &plan.nodes[&"n2".parse().unwrap()];
    &share.instances[&"voice".parse().unwrap()].instance
}

fn notes(before: &Plan, after: &Plan) -> Vec<String> {
    let changes = diff(Some(before), after);
    let notes = changes.iter().filter(|change| change.node.as_str() == "n2");
    notes.map(|it| format!("{} {}: {}", it.kind.as_str(), it.component, it.note)).collect()
}

#[test]
fn a_login_is_no_part_of_what_runs_and_another_password_replaces_nothing() {
    let without = plan_of(SPEC, 1).unwrap();
    let (first, second) =
        (planned(&chosen(1, false)).unwrap(), planned(&chosen(2, false)).unwrap());
    let login = voice(&first).pull_login.clone().unwrap();
    assert_eq!((login.user.as_str(), login.password.version), ("puller", 1));
    assert_eq!(voice(&without).pull_login, None);
    for plan in [&first, &second] {
        assert_eq!(voice(plan).workload_hash(), voice(&without).workload_hash());
        assert!(voice(plan).needs().contains(&Feature::PullLogin));
    }
    assert!(!voice(&without).needs().contains(&Feature::PullLogin));
    assert_eq!(notes(&without, &first), ["update voice: pulled with secret hub version 1"]);
    assert_eq!(notes(&first, &second), ["update voice: pulled with secret hub version 2"]);
    assert_eq!(notes(&second, &without), ["update voice: pulled without a login of the tenant"]);
}

#[test]
fn whoever_pulls_with_a_secret_uses_it() {
    let plan = planned(&chosen(3, false)).unwrap();
    let used = users(&plan, &"hub".parse().unwrap());
    let used: Vec<String> =
        used.iter().map(|(name, version)| format!("{name} {version}")).collect();
    assert_eq!(used, ["db 3", "voice 3"]);
}

#[test]
fn a_login_to_another_registry_is_given_to_nobody() {
    let login = "registries:\n  quay.io: {username: puller, password: hub}\n";
    let plan = plan_with_secrets(&format!("{login}{SPEC}"), CATALOG, &chosen(1, false), 1);
    assert_eq!(voice(&plan.unwrap()).pull_login, None);
}

#[test]
fn a_password_that_lacks_is_refused_with_what_to_type() {
    assert_eq!(
        planned(&ChosenSecrets::new()).unwrap_err().to_string(),
        "line 2: registries.index.docker.io.password: acme has no secret hub \
         (omlctl secret set tenant=acme hub)"
    );
    assert_eq!(
        planned(&chosen(1, true)).unwrap_err().to_string(),
        "line 2: registries.index.docker.io.password: the value of secret hub has several lines, \
         and a password is one (omlctl secret rotate tenant=acme hub)"
    );
}
