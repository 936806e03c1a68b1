//! Tests that reports are unchanged by the conversion, and that long ones are cut.

use oml_common::document::operation::{RunOutcome, RunResult};
use oml_common::id::RunId;

use super::*;
use crate::AGENT_MESSAGE_BYTES_MAX;

fn failed(text: &str) -> InstanceReport {
    let hash = format!("sha256:{}", "a".repeat(64));
    InstanceReport {
        phase: Phase::Failed,
        reason: text.to_owned(),
        reason_key: "0123456789ab".to_owned(),
        version: Some("230215.01".parse().unwrap()),
        digest: Some(hash.parse().unwrap()),
        hash: Some("b".repeat(64).parse().unwrap()),
        health: Health::Unhealthy,
        checked_at: None,
        started_at: None,
        restarts: 3,
        active: None,
        calls_cut: Some(0),
        failure: Some(Failure {
            hash: "b".repeat(64).parse().unwrap(),
            version: None,
            at: Timestamp(1),
            message: text.to_owned(),
            exit_code: Some(7),
            log_tail: vec![text.to_owned(); LOG_LINES_MAX],
        }),
        drift: Some(Drift { at: Timestamp(1), found: text.to_owned() }),
        last_exit: Some(LastExit {
            at: Timestamp(2),
            exit_code: Some(3),
            log_tail: vec![text.to_owned()],
        }),
        update_runs: vec![UpdateRun {
            id: RunId { epoch: RunId::OF_HOST, number: 5 },
            operation: "migrate".parse().unwrap(),
            version: Some("230215.01".parse().unwrap()),
            result: Some(RunResult {
                outcome: RunOutcome::Exited { status: 3 },
                started: Some(Timestamp(1)),
                ended: Timestamp(2),
                reason: text.to_owned(),
                last_lines: Vec::new(),
            }),
        }],
    }
}

fn of(count: usize, text: &str) -> Report {
    Report {
        applied: None,
        revision: RevisionNumber(1),
        at: Timestamp(1),
        agent_version: "1".to_owned(),
        errors: vec!["docker does not answer".to_owned()],
        instances: (0..count).map(|n| (format!("c{n}").parse().unwrap(), failed(text))).collect(),
        host: HostUsage::default(),
    }
}

#[test]
fn a_report_is_the_same_after_a_round_trip() {
    let report = of(20, "exited with 7");
    assert_eq!(from_wire(to_wire(&report)).unwrap(), report);
}

#[test]
fn an_instance_that_cannot_be_read_is_unknown_and_does_not_affect_the_others() {
    type Break = fn(&mut v1::InstanceReport);
    let breaks: [(Break, &str); 8] = [
        (|i| i.phase = None, "the controller does not know its phase; upgrade"),
        (|i| i.phase.as_mut().unwrap().name = 4711, "the controller does not know its phase"),
        (|i| i.health = 4711, "the controller does not know its health"),
        (|i| i.version = "a b".to_owned(), "its version is not valid: "),
        (|i| i.digest = "md5:1".to_owned(), "its digest is not valid: "),
        (|i| i.hash = "not hex".to_owned(), "its hash is not valid: "),
        (|i| i.failure.as_mut().unwrap().hash = String::new(), "its failure's hash is not valid: "),
        (
            |i| i.update_runs[0].result.as_mut().unwrap().outcome = 4711,
            "the controller does not know its run's outcome; upgrade",
        ),
    ];
    for (broken, why) in breaks {
        let mut wire = to_wire(&of(2, "exited with 7"));
        broken(wire.instances.get_mut("c1").unwrap());
        let read = from_wire(wire).unwrap();
        assert_eq!(read.instances[&"c0".parse().unwrap()], failed("exited with 7"));
        let instance = &read.instances[&"c1".parse().unwrap()];
        assert_eq!(instance.phase, Phase::Unknown, "{why}");
        let lead = format!("the agent's report cannot be read: {why}");
        assert!(instance.reason.starts_with(&lead), "{}", instance.reason);
        assert_eq!(instance.restarts, 3, "the other fields are kept");
    }
}

#[test]
fn an_outcome_that_an_agent_does_not_know_itself_is_no_matter_of_the_controller() {
    let mut report = of(1, "exited with 7");
    let instance = report.instances.get_mut(&"c0".parse().unwrap()).unwrap();
    instance.update_runs[0].result.as_mut().unwrap().outcome = RunOutcome::Unknown;
    assert_eq!(from_wire(to_wire(&report)).unwrap(), report);
}

#[test]
fn a_key_that_has_not_the_form_of_one_is_left_out() {
    for key in ["a b", "\u{1b}[2J", &"a".repeat(65)] {
        let mut wire = to_wire(&of(1, "exited with 7"));
        wire.instances.get_mut("c0").unwrap().reason_key = key.to_owned();
        let read = from_wire(wire).unwrap();
        assert_eq!(read.instances[&"c0".parse().unwrap()].reason_key, "", "{key:?}");
    }
}

#[test]
fn an_instance_whose_name_cannot_be_read_is_an_error() {
    let mut wire = to_wire(&of(1, ""));
    wire.instances.insert("Not A Name".to_owned(), v1::InstanceReport::default());
    let read = from_wire(wire).unwrap();
    assert_eq!(read.instances.len(), 1);
    assert!(read.errors.last().unwrap().starts_with("an instance of the report is left out: "));
}

#[test]
fn a_report_that_is_too_long_loses_its_logs_and_keeps_the_phases() {
    for count in [64, COMPONENTS_MAX, INSTANCES_MAX] {
        let report = of(count, &"ä".repeat(400));
        let wire = to_wire(&report);
        assert!(wire.encoded_len() <= REPORT_BYTES_MAX, "{count}: {}", wire.encoded_len());
        let read = from_wire(wire).unwrap();
        assert_eq!(read.instances.len(), count);
        assert!(read.instances.values().all(|instance| instance.phase == Phase::Failed));
    }
}

#[test]
fn the_longest_report_fits_into_a_message() {
    let of_length =
        |length: usize| to_wire(&Report { errors: vec!["x".repeat(length)], ..of(1, "") });
    let around = of_length(REPORT_BYTES_MAX / 2).encoded_len() - REPORT_BYTES_MAX / 2;
    let longest = of_length(REPORT_BYTES_MAX - around);
    assert_eq!(longest.encoded_len(), REPORT_BYTES_MAX);
    let message = v1::AgentMessage { kind: Some(v1::agent_message::Kind::Report(longest)) };
    let wrapped = REPORT_BYTES_MAX + 1..=AGENT_MESSAGE_BYTES_MAX;
    assert!(wrapped.contains(&message.encoded_len()), "{}", message.encoded_len());
}
