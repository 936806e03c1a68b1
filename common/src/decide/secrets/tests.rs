//! Which versions are chosen, and which are kept.

use super::*;
use crate::testing::{CATALOG, SPEC, plan_with_secrets};
use crate::time::Timestamp;

fn mark(number: u64) -> SecretMark {
    format!("{number:032x}").parse().unwrap()
}

fn record(numbers: impl IntoIterator<Item = u64>) -> SecretRecord {
    let version = |number: u64| {
        let (who, key, sealed) = ("maria".to_owned(), "key".to_owned(), "AAAA".to_owned());
        let at = Timestamp(number);
        let (has_lines, certificate) = (false, None);
        let mark = mark(number);
        (number, SealedVersion { mark, at, who, key, sealed, has_lines, certificate })
    };
    let versions: BTreeMap<u64, SealedVersion> = numbers.into_iter().map(version).collect();
    SecretRecord { last: versions.keys().max().copied().unwrap_or(9), versions }
}

fn records(numbers: &[u64]) -> BTreeMap<SecretName, SecretRecord> {
    [("postgres".parse().unwrap(), record(numbers.iter().copied()))].into()
}

/// The plan whose database names a version of the secret.
fn plan(version: u64) -> Plan {
    let line = "  db: {version: \"1\", secrets: {P: {name: postgres, from: controller}}}";
    let spec = SPEC.replace("  db: \"1\"", line);
    let chosen = ChosenSecret { version, mark: mark(version), has_lines: false };
    let secrets = [("postgres".parse().unwrap(), chosen)].into();
    plan_with_secrets(&spec, CATALOG, &secrets, version).unwrap()
}

fn chosen(numbers: &[u64], wanted: Option<&Plan>, present: Option<&Plan>) -> Option<u64> {
    let chosen = choose(&records(numbers), wanted, present);
    chosen.values().next().map(|chosen| chosen.version)
}

#[test]
fn a_secret_keeps_the_version_of_the_plan_that_is_wanted_while_that_is_kept() {
    let (one, two) = (plan(1), plan(2));
    assert_eq!(chosen(&[1, 2, 3], None, None), Some(3), "nothing names it yet");
    assert_eq!(chosen(&[1, 2, 3], Some(&two), Some(&two)), Some(2), "another change");
    assert_eq!(chosen(&[1, 2, 3], Some(&one), Some(&two)), Some(1), "a rollback");
    assert_eq!(chosen(&[2, 3], Some(&one), Some(&two)), Some(2), "its former version is gone");
    assert_eq!(chosen(&[3], Some(&one), Some(&two)), Some(3));
    assert_eq!(chosen(&[], Some(&one), Some(&two)), None, "it was removed");
}

#[test]
fn a_version_of_the_same_number_and_another_mark_is_not_the_one_of_the_plan() {
    let mut restored = records(&[1, 2]);
    let versions = &mut restored.values_mut().next().unwrap().versions;
    versions.get_mut(&1).unwrap().mark = mark(7);
    let chosen = choose(&restored, Some(&plan(1)), None);
    assert_eq!(chosen.values().next().unwrap().version, 2);
}

#[test]
fn the_users_of_a_secret_are_those_that_name_it() {
    let name = "postgres".parse().unwrap();
    assert_eq!(users(&plan(2), &name), [("db".parse().unwrap(), 2)].into());
    assert_eq!(users(&plan(2), &"redis".parse().unwrap()), BTreeMap::new());
    assert_eq!(marks(&plan(2)), [mark(2)].into());
}

/// Returns the numbers of the versions that stay of these.
fn kept(numbers: std::ops::RangeInclusive<u64>, live: &[u64], history: &[u64]) -> Vec<u64> {
    let marks = |numbers: &[u64]| numbers.iter().map(|number| mark(*number)).collect();
    let named = NamedSecrets { live: marks(live), history: marks(history) };
    retained(record(numbers), &named).versions.into_keys().collect()
}

#[test]
fn the_newest_version_and_those_that_are_named_stay_and_no_more_than_a_few() {
    assert_eq!(kept(1..=5, &[], &[]), [5]);
    assert_eq!(kept(1..=5, &[], &[2, 4]), [2, 4, 5]);
    let all: Vec<u64> = (1..=40).collect();
    assert_eq!(kept(1..=40, &[], &all), (25..=40).collect::<Vec<u64>>());
}

#[test]
fn a_version_that_a_node_runs_stays_however_many_came_after_it() {
    let all: Vec<u64> = (1..=40).collect();
    let newer: Vec<u64> = (27..=40).collect();
    assert_eq!(kept(1..=40, &[1, 7], &all), [&[1, 7][..], &newer].concat());
    // No host may lose what it runs, so that there are more of them only if more run.
    let live: Vec<u64> = (1..=20).collect();
    assert_eq!(kept(1..=40, &live, &all), [live.as_slice(), &[40]].concat());
}
