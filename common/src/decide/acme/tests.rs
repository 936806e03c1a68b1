//! When a certificate is ordered, and what follows from a failure.

use super::*;
use crate::document::acme::AcmeAccount;
use crate::document::rollout::{FailureSummary, PauseReason};
use crate::document::secret::SealedVersion;
use crate::document::spec::{LETS_ENCRYPT, TenantSpec};
use crate::document::tls_secret::TlsSecret;
use crate::id::{AccountThumbprint, Fingerprint};
use crate::testing::SPEC;

const NOW: Timestamp = Timestamp(1_764_000_000_000);
const DAYS: i64 = 86_400_000;

fn tls() -> TlsSpec {
    let tls = "tls: {mode: acme, names: [a.example.com], contact: it@example.com}";
    let text = SPEC.replace("components:", &format!("{tls}\ncomponents:"));
    TenantSpec::parse(&text).unwrap().tls.unwrap()
}

fn facts(left_days: i64) -> TlsFacts {
    TlsFacts {
        names: vec!["a.example.com".to_owned()],
        subject: "CN=leaf".to_owned(),
        issuer: "CN=authority".to_owned(),
        valid_from: NOW.shifted_ms((left_days - 90) * DAYS),
        expires: NOW.shifted_ms(left_days * DAYS),
        fingerprint: Fingerprint([0; 32]),
        authority: None,
        directory: Some(LETS_ENCRYPT.to_owned()),
    }
}

/// The secrets of a tenant whose certificate, version 2, is valid for so many more days.
fn secrets(left_days: Option<i64>) -> SecretRecords {
    let mut all = SecretRecords::new();
    let Some(left_days) = left_days else { return all };
    for (secret, facts) in
        [(TlsSecret::Certificate, Some(facts(left_days))), (TlsSecret::Key, None)]
    {
        let version = SealedVersion {
            mark: format!("{:032x}", secret as u64).parse().unwrap(),
            at: NOW,
            who: "omlcontroller".to_owned(),
            key: "key".to_owned(),
            sealed: "AAAA".to_owned(),
            has_lines: true,
            certificate: facts,
        };
        let record = all.entry(secret.name()).or_default();
        record.last = 2;
        record.versions.insert(2, version);
    }
    all
}

fn record() -> AcmeRecord {
    AcmeRecord::new(1, AccountThumbprint::of_nothing())
}

fn order(begun: Timestamp) -> AcmeOrder {
    AcmeOrder {
        url: "https://ca.example.com/order/1".to_owned(),
        directory: LETS_ENCRYPT.to_owned(),
        names: vec!["a.example.com".to_owned()],
        key: 1,
        begun,
    }
}

/// What is done next if the plan names this version and the kept certificate is valid for so many days.
fn decided(left_days: Option<i64>, in_use: Option<u64>, record: &AcmeRecord) -> AcmeNext {
    let (tls, secrets) = (tls(), secrets(left_days));
    let (rollout, now) = (&State::Completed, NOW);
    next(AcmeInput { tls: &tls, secrets: &secrets, record, in_use, rollout, now })
}

fn wait(until: Timestamp, why: AcmeWait) -> AcmeNext {
    AcmeNext::Wait { until: Some(until), why }
}

#[test]
fn a_certificate_is_ordered_at_once_and_renewed_in_its_last_third() {
    assert_eq!(decided(None, Some(1), &record()), AcmeNext::Order);
    let later = NOW.shifted_ms(10 * DAYS);
    assert_eq!(decided(Some(40), Some(2), &record()), wait(later, AcmeWait::NotDue));
    assert_eq!(decided(Some(30), Some(2), &record()), AcmeNext::Order);
    assert_eq!(decided(Some(-1), Some(2), &record()), AcmeNext::Order);
    let unused = AcmeNext::Wait { until: None, why: AcmeWait::Unused };
    assert_eq!(decided(None, None, &record()), unused);
}

#[test]
fn an_operator_who_asks_and_an_order_under_way_do_not_wait() {
    let asked = AcmeRecord { asked: true, ..record() };
    assert_eq!(decided(Some(80), Some(2), &asked), AcmeNext::Order);
    let under_way = AcmeRecord { order: Some(order(NOW)), ..record() };
    assert_eq!(decided(Some(80), Some(2), &under_way), AcmeNext::Order);
    // The certificate came, and the record of that was lost.
    let came = AcmeRecord { order: Some(order(NOW.shifted_ms(-1))), ..record() };
    assert_eq!(decided(Some(80), Some(2), &came), AcmeNext::Note { version: 2 });
}

#[test]
fn nothing_is_ordered_while_a_rollout_goes_on_or_an_operator_has_to_decide() {
    let (tls, secrets, record) = (tls(), secrets(None), record());
    let failures = FailureSummary { named: Vec::new(), more: 1 };
    let of = |rollout: &State| {
        let (in_use, now) = (Some(1), NOW);
        next(AcmeInput { tls: &tls, secrets: &secrets, record: &record, in_use, rollout, now })
    };
    let waits = |why| AcmeNext::Wait { until: None, why };
    assert_eq!(of(&State::Progressing { wave: 0 }), waits(AcmeWait::Rollout));
    assert_eq!(of(&State::RollingBack { why: failures.clone() }), waits(AcmeWait::Rollout));
    let paused = State::Paused { why: PauseReason::Restored, returning: false };
    assert_eq!(of(&paused), waits(AcmeWait::Paused));
    assert_eq!(of(&State::RolledBack { why: failures }), AcmeNext::Order);
    let said = [AcmeWait::Rollout, AcmeWait::Paused, AcmeWait::Failed].map(AcmeWait::waits_for);
    let paused = "the next change, because the rollout is paused";
    assert_eq!(said, [Some("the end of the rollout"), Some(paused), None]);
}

#[test]
fn a_kept_certificate_that_hosts_do_not_have_is_given_and_given_again_after_a_day() {
    assert_eq!(decided(Some(80), Some(1), &record()), AcmeNext::Give { version: 2 });
    let given = after_giving(record(), 2, NOW);
    let again = wait(NOW.plus_ms(DAY_MS), AcmeWait::Failed);
    assert_eq!(decided(Some(80), Some(1), &given), again);
    let before = after_giving(record(), 2, NOW.shifted_ms(-DAYS));
    assert_eq!(decided(Some(80), Some(1), &before), AcmeNext::Give { version: 2 });
    assert_eq!(decided(Some(80), Some(1), &after_asking(given)), AcmeNext::Give { version: 2 });
}

fn refusal(is_limit: bool, retry_after_ms: Option<u64>) -> AcmeRefusal {
    let refusal = AcmeRefusal::of_order("no route to host".to_owned());
    AcmeRefusal { is_limit, retry_after_ms, ..refusal }
}

#[test]
fn each_failure_doubles_the_wait_and_an_operator_ends_it() {
    let mut failed = AcmeRecord { order: Some(order(NOW)), asked: true, ..record() };
    let mut waits_min = Vec::new();
    for _ in 0..10 {
        failed = after_failure(failed, refusal(false, None), NOW, 0);
        waits_min.push(failed.not_before.since_ms(NOW) / MINUTE_MS);
    }
    assert_eq!(waits_min, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 1440]);
    assert!(failed.order.is_none());
    assert_eq!(decided(None, Some(1), &failed), wait(failed.not_before, AcmeWait::Failed));
    assert_eq!(decided(None, Some(1), &after_asking(failed.clone())), AcmeNext::Order);
    let spread = after_failure(record(), refusal(false, None), NOW, u32::MAX);
    assert_eq!(spread.not_before.since_ms(NOW) / 1000, 5 * 60 + 37);
    let line = failed_line(&"acme".parse().unwrap(), &failed, NOW.plus_ms(MINUTE_MS));
    let expected = "no certificate could be ordered for acme 1m 0s ago: no route to host; it is \
                    tried again in 23h 59m, or when you ask for it: omlctl tls renew tenant=acme";
    assert_eq!(line.as_deref(), Some(expected));
    let at_rest = at_rest(failed);
    assert_eq!((at_rest.failed, at_rest.failures), (None, 0));
}

#[test]
fn what_an_operator_asked_for_is_tried_until_it_has_succeeded() {
    let asked = after_asking(record());
    assert_eq!(decided(Some(80), Some(2), &asked), AcmeNext::Order);
    let failed = after_failure(asked, refusal(false, None), NOW, 0);
    assert_eq!(decided(Some(80), Some(2), &failed), wait(failed.not_before, AcmeWait::Failed));
    let later = AcmeRecord { not_before: NOW, ..failed };
    assert_eq!(decided(Some(80), Some(2), &later), AcmeNext::Order);
    assert!(!after_giving(later, 2, NOW).asked);
}

#[test]
fn a_certificate_that_could_not_be_given_waits_also_if_an_operator_asked_before() {
    for record in [record(), after_asking(record()), after_asking(after_giving(record(), 2, NOW))] {
        assert_eq!(decided(Some(80), Some(1), &record), AcmeNext::Give { version: 2 });
        let failed = after_failure(record, refusal(false, None), NOW, 0);
        assert_eq!(decided(Some(80), Some(1), &failed), wait(failed.not_before, AcmeWait::Failed));
        let asked = after_asking(failed);
        assert_eq!(decided(Some(80), Some(1), &asked), AcmeNext::Give { version: 2 });
    }
}

#[test]
fn what_the_directory_asks_for_is_obeyed_also_when_an_operator_asks() {
    let limited = after_failure(record(), refusal(true, None), NOW, 0);
    assert_eq!(limited.limited_until, NOW.plus_ms(HOUR_MS));
    let asked = after_asking(limited);
    assert_eq!(decided(None, Some(1), &asked), wait(NOW.plus_ms(HOUR_MS), AcmeWait::Failed));
    let three_hours = Some(3 * HOUR_MS);
    let wanted = after_failure(record(), refusal(false, three_hours), NOW, 0);
    assert_eq!(wanted.limited_until, NOW.plus_ms(3 * HOUR_MS));
    let forever = after_failure(record(), refusal(true, Some(u64::MAX)), NOW, 0);
    assert_eq!(forever.limited_until, NOW.plus_ms(7 * DAY_MS));
}

#[test]
fn what_still_may_succeed_is_kept_and_an_unknown_account_is_not() {
    let account = AcmeAccount {
        directory: LETS_ENCRYPT.to_owned(),
        contact: "it@example.com".to_owned(),
        url: "https://ca.example.com/account/1".to_owned(),
    };
    let (account, order) = (Some(account), Some(order(NOW)));
    let record = AcmeRecord { account: account.clone(), order: order.clone(), ..record() };
    let passing = AcmeRefusal { keeps_order: true, ..refusal(false, None) };
    let kept = after_failure(record.clone(), passing, NOW, 0);
    assert_eq!((kept.account, kept.order), (account, order));
    let unknown = AcmeRefusal { is_unknown: true, ..refusal(false, None) };
    let forgotten = after_failure(record, unknown, NOW, 0);
    assert_eq!((forgotten.account, forgotten.order), (None, None));
}

#[test]
fn renewals_of_certificates_that_were_issued_together_are_spread() {
    let of = |fingerprint: [u8; 32]| {
        let facts = TlsFacts { fingerprint: Fingerprint(fingerprint), ..facts(90) };
        renewed_from(&facts).since_ms(NOW) / HOUR_MS
    };
    assert_eq!([of([0; 32]), of([0x80; 32]), of([0xff; 32])], [1440, 1403, 1368]);
}

#[test]
fn an_order_goes_on_only_for_what_the_document_says() {
    let tls = tls();
    let acme = tls.acme.clone().unwrap();
    let is_kept = |order: &AcmeOrder, now| goes_on(order, &tls, &acme, now);
    assert!(is_kept(&order(NOW), NOW.plus_ms(DAY_MS - 1)));
    assert!(!is_kept(&order(NOW), NOW.plus_ms(DAY_MS)));
    let names = vec!["b.example.com".to_owned()];
    assert!(!is_kept(&AcmeOrder { names, ..order(NOW) }, NOW));
    let directory = "https://other.example.com/".to_owned();
    assert!(!is_kept(&AcmeOrder { directory, ..order(NOW) }, NOW));
    let (young, old) = (poll_ms(&order(NOW), None, NOW), NOW.plus_ms(MINUTE_MS));
    assert_eq!((young, poll_ms(&order(NOW), None, old)), (3_000, 30_000));
    assert_eq!(poll_ms(&order(NOW), Some(10_000), NOW), 10_000);
    assert_eq!(poll_ms(&order(NOW), Some(u64::MAX), NOW), HOUR_MS);
}

#[test]
fn what_was_written_while_the_clock_was_ahead_holds_nothing_up() {
    let ahead = NOW.shifted_ms(400 * DAYS);
    let paced = after_failure(record(), refusal(true, None), ahead, 0);
    assert_eq!(decided(None, Some(1), &paced), AcmeNext::Order);
    let line = failed_line(&"acme".parse().unwrap(), &paced, NOW).unwrap();
    assert!(line.contains("it is tried again now"), "{line}");
    let not_given = AcmeRecord { limited_until: Timestamp::default(), ..paced };
    assert_eq!(decided(Some(80), Some(1), &not_given), AcmeNext::Give { version: 2 });
    let given = after_giving(record(), 2, ahead);
    assert_eq!(decided(Some(80), Some(1), &given), AcmeNext::Give { version: 2 });
    // A due renewal begins another order, and one that is not due waits for its time.
    let ordered = AcmeRecord { order: Some(order(ahead)), ..record() };
    assert_eq!(decided(Some(30), Some(2), &ordered), AcmeNext::Order);
    let later = NOW.shifted_ms(20 * DAYS);
    assert_eq!(decided(Some(50), Some(2), &ordered), wait(later, AcmeWait::NotDue));
    let tls = tls();
    let acme = tls.acme.clone().unwrap();
    assert!(!goes_on(&order(ahead), &tls, &acme, NOW));
    assert!(goes_on(&order(NOW.plus_ms(HOUR_MS)), &tls, &acme, NOW), "it was set back a little");
}

#[test]
fn the_longest_honest_waits_are_kept() {
    let failures = AcmeRecord { failures: 20, ..record() };
    let paced = after_failure(failures, refusal(false, None), NOW, u32::MAX);
    assert_eq!(decided(None, Some(1), &paced), wait(paced.not_before, AcmeWait::Failed));
    let limited = after_failure(record(), refusal(true, Some(u64::MAX)), NOW, 0);
    assert_eq!(decided(None, Some(1), &limited), wait(limited.limited_until, AcmeWait::Failed));
}

#[test]
fn a_certificate_that_was_kept_while_the_clock_was_ahead_did_not_come_of_a_later_order() {
    let (tls, mut secrets) = (tls(), secrets(Some(30)));
    let kept = secrets.get_mut(&TlsSecret::Certificate.name()).unwrap();
    kept.versions.get_mut(&2).unwrap().at = NOW.shifted_ms(400 * DAYS);
    let record = AcmeRecord { order: Some(order(NOW)), ..record() };
    let (in_use, rollout, now) = (Some(2), &State::Completed, NOW);
    let input = AcmeInput { tls: &tls, secrets: &secrets, record: &record, in_use, rollout, now };
    assert_eq!(next(input), AcmeNext::Order);
}
