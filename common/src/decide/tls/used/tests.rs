//! Which certificate is in use, and when people are warned of its end.

use super::*;
use crate::decide::secrets::{ChosenSecret, ChosenSecrets};
use crate::document::report::{HostUsage, InstanceReport, Phase};
use crate::document::secret::SealedVersion;
use crate::id::{Fingerprint, RevisionNumber};
use crate::testing::{CATALOG, SPEC, plan_with_secrets};

const NOW: Timestamp = Timestamp(1_764_000_000_000);
const DAY_MS: i64 = 86_400_000;
/// The fingerprint of an authority of the tenant.
const OWN: Fingerprint = Fingerprint([1; 32]);

/// A certificate that was issued a year before its end.
fn facts(authority: Option<Fingerprint>, left_days: i64) -> TlsFacts {
    TlsFacts {
        names: vec!["a.example.com".to_owned()],
        subject: "CN=leaf".to_owned(),
        issuer: "CN=authority".to_owned(),
        valid_from: NOW.shifted_ms((left_days - 365) * DAY_MS),
        expires: NOW.shifted_ms(left_days * DAY_MS),
        fingerprint: Fingerprint([9; 32]),
        authority,
        directory: None,
    }
}

/// The record of certificates, by their numbers with the days that are left.
fn record(versions: &[(u64, i64)]) -> SecretRecord {
    let sealed = |(number, left_days): &(u64, i64)| {
        let version = SealedVersion {
            mark: format!("{number:032x}").parse().unwrap(),
            at: NOW,
            who: "maria".to_owned(),
            key: "key".to_owned(),
            sealed: "AAAA".to_owned(),
            has_lines: true,
            certificate: Some(facts(Some(OWN), *left_days)),
        };
        (*number, version)
    };
    SecretRecord { last: 9, versions: versions.iter().map(sealed).collect() }
}

/// A plan whose database names a version of the certificate and its key.
fn plan(version: u64) -> Plan {
    plan_by(CATALOG, version)
}

/// The same of a database that reads them only when it is started, and that may carry calls.
fn read_at_start(version: u64) -> Plan {
    let catalog = CATALOG.replace("    image: db\n", "    image: db\n    reload: next-start\n");
    plan_by(&catalog.replace("[5432/tcp]", "[5432/tcp, 5432/udp]"), version)
}

fn plan_by(catalog: &str, version: u64) -> Plan {
    let part = |name: &str| format!("{{name: {name}, from: controller, file: /{name}}}");
    let secrets = format!("C: {}, K: {}", part("tls_certificate"), part("tls_key"));
    let line = format!("  db: {{version: \"1\", secrets: {{{secrets}}}}}");
    let tls = "tls: {mode: selfsigned, names: [a.example.com]}\ncomponents:";
    let text = SPEC.replace("  db: \"1\"", &line).replace("components:", tls);
    let chosen = |name: &str| {
        let mark = format!("{version:032x}").parse().unwrap();
        (name.parse().unwrap(), ChosenSecret { version, mark, has_lines: true })
    };
    let chosen: ChosenSecrets = ["tls_certificate", "tls_key"].map(chosen).into();
    plan_with_secrets(&text, catalog, &chosen, version).unwrap()
}

#[test]
fn the_certificate_of_a_plan_is_the_one_that_its_components_name() {
    let (plan, record) = (plan(7), record(&[(7, 300)]));
    let found = in_use(&plan, Some(&record)).unwrap();
    assert_eq!((found.version, found.used_by), (7, ["db".parse().unwrap()].into()));
    assert_eq!(in_use(&plan, None), None);
    assert!(is_used(&plan) && uses_version(&plan, 7) && !uses_version(&plan, 8));
}

#[test]
fn a_certificate_counts_until_the_last_node_has_another_one() {
    let (before, after) = (plan(1), plan(2));
    let others =
        || before.nodes.iter().map(|(node, share)| NodeInUse { node, share, report: None });
    let found = |versions: &[(u64, i64)]| {
        let found = in_use_now(&after, others(), Some(&record(versions))).unwrap();
        (found.version, found.replaced_by)
    };
    assert_eq!(found(&[(1, 3), (2, 300)]), (1, Some(Successor::NotEverywhere(2))));
    assert_eq!(found(&[(1, 300), (2, 3)]), (2, None), "the one that ends first");
    assert_eq!(found(&[(2, 300)]), (2, None), "nothing is known of the other");
    let record = record(&[(1, 3), (2, 300)]);
    assert_eq!(in_use_now(&after, [], Some(&record)), in_use(&after, Some(&record)));
    let late = in_use_now(&after, others(), Some(&record)).unwrap();
    let said = warning(&"acme".parse().unwrap(), &late, NOW);
    let expected = "the certificate of acme expires in 3d 0h; version 2 is not on every host yet: \
                    omlctl status tenant=acme";
    assert_eq!(said.as_deref(), Some(expected));
}

/// A report of a host whose database was started that many days ago, or is not known to run.
fn started(days_ago: Option<i64>) -> Report {
    let started_at = days_ago.map(|days| NOW.shifted_ms(-days * DAY_MS));
    let instance = InstanceReport { started_at, ..InstanceReport::new(Phase::Ready) };
    Report {
        applied: None,
        revision: RevisionNumber(1),
        at: NOW,
        agent_version: String::new(),
        errors: Vec::new(),
        instances: [("db".parse().unwrap(), instance)].into(),
        host: HostUsage::default(),
    }
}

/// Versions by their numbers, with the days that are left and those since they were made.
fn made(versions: &[(u64, i64, i64)]) -> SecretRecord {
    let ends: Vec<(u64, i64)> = versions.iter().map(|(number, left, _)| (*number, *left)).collect();
    let mut record = record(&ends);
    for (number, _, days_ago) in versions {
        record.versions.get_mut(number).unwrap().at = NOW.shifted_ms(-days_ago * DAY_MS);
    }
    record
}

/// What is in use of a plan that all nodes have, whose database was started then.
fn in_use_since(plan: &Plan, report: Option<&Report>, record: &SecretRecord) -> TlsInUse {
    let nodes = plan.nodes.iter().map(|(node, share)| NodeInUse { node, share, report });
    in_use_now(plan, nodes, Some(record)).unwrap()
}

#[test]
fn a_program_that_reads_the_certificate_at_its_start_counts_with_the_one_that_it_started_with() {
    let (plan, record) = (read_at_start(2), made(&[(1, 3, 87), (2, 63, 27)]));
    let found = |days_ago: Option<i64>| in_use_since(&plan, Some(&started(days_ago)), &record);
    let late = found(Some(40));
    assert_eq!((late.version, late.replaced_by), (1, Some(Successor::NotStarted(2))));
    assert_eq!(late.facts.expires, NOW.shifted_ms(3 * DAY_MS));
    assert_eq!(late.used_by, ["db".parse().unwrap()].into());
    let expected = "the certificate of acme expires in 3d 0h; db on n1 reads version 2 only when it \
                    is started again, which may cut calls: systemctl restart db.service on that host";
    assert_eq!(warning(&"acme".parse().unwrap(), &late, NOW).as_deref(), Some(expected));
    let new = found(Some(1));
    assert_eq!((new.version, new.replaced_by, new.serves_older.len()), (2, None, 0));
    assert_eq!(found(None), late, "a start that is not known counts as an early one");
    assert_eq!(in_use_since(&plan, None, &record), late);
    // One that is asked to take it over has it.
    let reloaded = in_use_since(&self::plan(2), Some(&started(Some(40))), &record);
    assert_eq!((reloaded.version, reloaded.serves_older.len()), (2, 0));
}

#[test]
fn the_version_that_a_program_started_with_is_the_newest_of_that_time() {
    let plan = read_at_start(3);
    let serves = |days_ago: Option<i64>, versions: &[(u64, i64, i64)]| -> Vec<u64> {
        let found = in_use_since(&plan, Some(&started(days_ago)), &made(versions));
        found.serves_older.iter().map(|it| it.version).collect()
    };
    let all = [(1, 10, 30), (2, 20, 20), (3, 30, 10)];
    let seen = [Some(25), Some(15), Some(10), None].map(|days_ago| serves(days_ago, &all));
    assert_eq!(seen, [vec![1], vec![2], vec![], vec![2]]);
    assert_eq!(serves(Some(25), &all[1..]), [2], "the oldest that is kept");
    assert!(serves(Some(25), &all[2..]).is_empty(), "nothing is known of an older one");
}

#[test]
fn a_program_with_an_older_certificate_that_ends_later_is_named_and_does_not_count() {
    let found = in_use_since(&read_at_start(2), None, &made(&[(1, 300, 60), (2, 90, 30)]));
    assert_eq!((found.version, found.replaced_by), (2, None));
    let older = found.serves_older.first().unwrap();
    let seen = (older.version, older.node.as_str(), older.unit.as_str(), older.may_cut_calls);
    assert_eq!(seen, (1, "n1", "db.service", true));
}

#[test]
fn a_restart_is_not_asked_for_before_the_new_certificate_is_on_the_host() {
    let (before, after) = (read_at_start(1), read_at_start(2));
    let nodes = before.nodes.iter().map(|(node, share)| NodeInUse { node, share, report: None });
    let found = in_use_now(&after, nodes, Some(&made(&[(1, 3, 87), (2, 63, 27)]))).unwrap();
    assert_eq!((found.version, found.replaced_by), (1, Some(Successor::NotEverywhere(2))));
}

fn said(facts: TlsFacts) -> Option<String> {
    let (used_by, serves_older) = (BTreeSet::new(), BTreeSet::new());
    let it = TlsInUse { version: 1, facts, used_by, replaced_by: None, serves_older };
    warning(&"acme".parse().unwrap(), &it, NOW)
}

#[test]
fn people_are_warned_thirty_days_before_the_end_with_what_to_type() {
    assert_eq!(said(facts(Some(OWN), 31)), None);
    let soon =
        "the certificate of acme expires in 30d 0h; replace it: omlctl tls renew tenant=acme";
    assert_eq!(said(facts(Some(OWN), 30)).as_deref(), Some(soon));
    let late = "the certificate of acme expired 2d 0h ago; replace it: \
                omlctl tls set tenant=acme --certificate FILE --key FILE";
    assert_eq!(said(facts(None, -2)).as_deref(), Some(late));
    let early = "the certificate of acme becomes valid only in 5d 0h; replace it: \
                 omlctl tls renew tenant=acme";
    assert_eq!(said(facts(Some(OWN), 370)).as_deref(), Some(early));
}

#[test]
fn of_a_short_lived_certificate_people_are_warned_in_its_last_third() {
    let is_warned = |left_hours: i64| {
        let expires = NOW.shifted_ms(left_hours * 3_600_000);
        let valid_from = expires.shifted_ms(-DAY_MS);
        said(TlsFacts { valid_from, expires, ..facts(None, 0) }).is_some()
    };
    assert_eq!([24, 9, 8, 1, -1].map(is_warned), [false, false, true, true, true]);
}
