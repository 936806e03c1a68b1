//! Tests of what is made of the probes after a reload, and of its words.

use super::*;
use crate::document::instance::Check;
use crate::id::ContentHash;

const AT: Timestamp = Timestamp(1_000);

/// The status after an answer that took half a second.
fn status(asked_at: u64, health: Health, failures: u32) -> Status {
    Status {
        container: "web-1".to_owned(),
        health,
        failures,
        asked_at: Some(Timestamp(asked_at)),
        ..Status::new(ContentHash::of(b"web"), Timestamp(asked_at + 500))
    }
}

fn probe() -> Probe {
    Probe {
        check: Check::Tcp { port: 443 },
        address: None,
        interval_ms: 10_000,
        timeout_ms: 2_000,
        failures_max: 3,
    }
}

fn reload(was_healthy: bool) -> ReloadMoment<'static> {
    ReloadMoment { container: "web-1", at: AT, was_healthy }
}

#[test]
fn only_a_probe_that_was_asked_after_the_reload_counts() {
    let good = |at| probed(Some(&status(at, Health::Healthy, 0)), reload(true));
    assert_eq!(
        (good(999), good(1_000), good(1_001)),
        (Probed::NotYet, Probed::NotYet, Probed::Good)
    );
    assert_eq!(probed(None, reload(true)), Probed::NotYet);
    let other = Status { container: "web-2".to_owned(), ..status(2_000, Health::Healthy, 0) };
    assert_eq!(probed(Some(&other), reload(true)), Probed::NotYet);
}

#[test]
fn an_answer_of_a_supervisor_that_does_not_say_when_it_asked_counts_a_limit_later() {
    let good = |checked_at| {
        let healthy = status(0, Health::Healthy, 0);
        let checked_at = Timestamp(checked_at);
        let status = Status { asked_at: None, checked_at, probe: Some(probe()), ..healthy };
        probed(Some(&status), reload(true))
    };
    assert_eq!((good(1_001), good(3_000)), (Probed::NotYet, Probed::NotYet));
    assert_eq!(good(3_001), Probed::Good);
}

#[test]
fn one_wrong_answer_decides_nothing_and_a_program_that_was_unhealthy_before_is_not_blamed() {
    let probed = |health, failures, was_healthy| {
        probed(Some(&status(2_000, health, failures)), reload(was_healthy))
    };
    assert_eq!(probed(Health::Healthy, 1, true), Probed::NotYet);
    assert_eq!(probed(Health::Starting, 0, true), Probed::NotYet);
    assert_eq!(probed(Health::Unknown, 0, true), Probed::NotYet);
    assert_eq!(probed(Health::Unhealthy, 3, true), Probed::Bad);
    assert_eq!(probed(Health::Unhealthy, 3, false), Probed::Good);
    assert_eq!(probed(Health::Unknown, 0, false), Probed::Good);
}

#[test]
fn as_many_probes_are_waited_for_as_make_a_program_unhealthy_and_one_more() {
    let probe = probe();
    assert_eq!(probe_limit_ms(&probe), 4 * 12_000 + 10_000);
    assert_eq!(not_probed(&probe), "no probe ended within 58s after its reload");
    let endless = Probe { interval_ms: u64::MAX, ..probe };
    assert_eq!(probe_limit_ms(&endless), u64::MAX);
}

#[test]
fn a_reload_that_failed_says_why_and_what_is_loaded_now() {
    let exited = |line: &str| NotTaken::Exited {
        program: "nginx".to_owned(),
        exit_code: 1,
        line: line.to_owned(),
    };
    let detail = "connection refused".to_owned();
    for (why, put_back, words) in [
        (
            exited("[emerg] key values mismatch"),
            PutBack::Done,
            "the reload failed: nginx ended with exit code 1: [emerg] key values mismatch; its \
             former files are back, and nothing was restarted",
        ),
        (
            NotTaken::NotRun { error: "it does not run".to_owned() },
            PutBack::Unknown,
            "the reload failed: it does not run; its former files are not known any more; nothing \
             was restarted",
        ),
        (
            NotTaken::Unhealthy { detail },
            PutBack::NotTaken(exited("")),
            "the reload failed: the program stopped answering after it: connection refused; its \
             former files are back, but that reload failed too: nginx ended with exit code 1; \
             nothing was restarted",
        ),
    ] {
        assert_eq!(ReloadFailed { why, put_back }.to_string(), words);
    }
}
