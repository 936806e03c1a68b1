//! The names of the labels and the forms of their values are pinned.

use super::*;
use crate::id::ContentHash;

const FIXTURE: &str = include_str!("../fixtures/run_labels.txt");
const FIXTURE_HASH: &str = "3348a3e8ffe4646d45f11c893d6592497189d17a088845374a9e7f453c7700ab";

fn labels() -> RunLabels {
    RunLabels {
        id: RunId { epoch: 2, number: 17 },
        tenant: "acme".parse().unwrap(),
        component: "omnileads".parse().unwrap(),
        operation: "reset-password".parse().unwrap(),
        stop_grace_ms: 30_000,
    }
}

fn found() -> FoundRun {
    let RunLabels { id, tenant, stop_grace_ms, .. } = labels();
    FoundRun { id, tenant: Some(tenant), stop_grace_ms }
}

fn fixture() -> HashMap<String, String> {
    let pairs = FIXTURE.lines().map(|line| line.split_once('=').unwrap());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn labels_are_written_as_they_are_pinned_and_read_again() {
    let written = labels().write();
    let lines: String = written.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    assert_eq!(lines, FIXTURE);
    assert_eq!(ContentHash::of(lines.as_bytes()).as_str(), FIXTURE_HASH);
    assert_eq!(FoundRun::read(&fixture()), Some(found()));
}

#[test]
fn labels_of_a_later_release_may_be_more_and_those_for_people_may_be_of_another_form() {
    let mut later = fixture();
    later.insert("io.oml.run.of-a-later-release".to_owned(), "1".to_owned());
    later.insert(COMPONENT.to_owned(), "omnileads/blue".to_owned());
    later.insert(OPERATION.to_owned(), String::new());
    assert_eq!(FoundRun::read(&later), Some(found()));
}

#[test]
fn a_container_without_a_grace_has_that_of_the_engine_and_one_without_a_number_is_of_no_run() {
    let mut without = fixture();
    without.remove(STOP_GRACE).unwrap();
    assert_eq!(FoundRun::read(&without), Some(FoundRun { stop_grace_ms: 10_000, ..found() }));
    without.insert(TENANT.to_owned(), "no tenant".to_owned());
    assert_eq!(FoundRun::read(&without).unwrap().tenant, None);
    without.insert(RUN.to_owned(), "seventeen".to_owned());
    assert_eq!(FoundRun::read(&without), None);
    assert_eq!(FoundRun::read(&HashMap::new()), None);
}

#[test]
fn the_container_of_a_run_is_not_one_of_a_component() {
    use crate::document::container_labels::ContainerLabels;
    let labels = fixture();
    assert!(!labels.contains_key(ContainerLabels::COMPONENT));
    assert_eq!(ContainerLabels::read(&labels), None);
}
