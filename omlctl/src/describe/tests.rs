//! Tests of the words for states.

use oml_proto::v1::{Phase, Report};

use super::*;

const NOON_MS: u64 = 1_714_564_800_000;

fn message(phase: Phase, change: impl FnOnce(&mut InstanceReport)) -> String {
    let mut instance = InstanceReport { phase: Some(phase), ..InstanceReport::default() };
    change(&mut instance);
    super::phase(&Clock::utc(), &reported_at(NOON_MS - 60_000), &instance)
}

fn reported_at(at_ms: u64) -> NodeStatus {
    NodeStatus { report: Some(Report { at_ms, ..Report::default() }), ..NodeStatus::default() }
}

fn named(name: PhaseName) -> Phase {
    Phase { name: name.into(), at_ms: NOON_MS, ..Phase::default() }
}

#[test]
fn every_phase_has_words() {
    let pull =
        |bytes_done, bytes_total| Phase { bytes_done, bytes_total, ..named(PhaseName::Pulling) };
    let because = |i: &mut InstanceReport| i.reason = "port 80 is taken".into();
    insta::assert_snapshot!(
        [
            message(named(PhaseName::Pending), because),
            message(pull(0, 0), because),
            message(pull(5 << 20, 0), because),
            message(pull(12 << 20, 40 << 20), because),
            message(named(PhaseName::Preparing), because),
            message(named(PhaseName::Draining), |i| i.reason = "12 conferences are up".into()),
            message(named(PhaseName::Draining), |_| {}),
            message(named(PhaseName::Starting), because),
            message(named(PhaseName::Soaking), because),
            message(named(PhaseName::Ready), because),
            message(named(PhaseName::Unhealthy), because),
            message(named(PhaseName::StoppedByHand), because),
            message(named(PhaseName::RolledBack), because),
            message(named(PhaseName::RolledBack), |i| i.version = "230204.01".into()),
            message(named(PhaseName::Failed), because),
            message(named(PhaseName::Blocked), because),
            message(named(PhaseName::Removing), because),
            message(Phase { name: 4711, ..Phase::default() }, because),
            message(named(PhaseName::Unspecified), because),
        ]
        .join("\n")
    );
}

#[test]
fn a_deadline_that_has_passed_or_does_not_exist_is_not_shown() {
    let message = |at_ms| {
        let phase = Some(Phase { at_ms, ..named(PhaseName::Draining) });
        let reason = "12 calls are up".into();
        let instance = InstanceReport { phase, reason, ..InstanceReport::default() };
        super::phase(&Clock::utc(), &reported_at(NOON_MS), &instance)
    };
    assert_eq!(message(NOON_MS + 1), "draining until 12:00:00: 12 calls are up");
    assert_eq!(message(NOON_MS), "draining: 12 calls are up");
    assert_eq!(message(u64::MAX), "draining: 12 calls are up");
}

#[test]
fn an_age_is_right_even_if_the_clock_of_the_host_is_wrong() {
    let hour_ms = 3_600_000;
    let node = NodeStatus {
        last_seen_ms: NOON_MS,
        report: Some(Report { at_ms: NOON_MS - hour_ms, ..Report::default() }),
        ..NodeStatus::default()
    };
    let seen = |at_ms| host_age(&node, NOON_MS + 5_000, at_ms);
    assert_eq!(seen(NOON_MS - hour_ms - 2_000), "7s ago");
    assert_eq!(seen(0), "");
}

#[test]
fn an_exit_code_has_its_own_line() {
    let failure = |message: &str| Failure {
        message: message.into(),
        exit_code: Some(137),
        ..Failure::default()
    };
    for message in ["ended during its soak", "ended with exit code 137 before it answered"] {
        assert_eq!(failure_lines(&failure(message)), [message, "    exit code 137"]);
    }
    let without = Failure { message: "did not answer within 60s".into(), ..Failure::default() };
    assert_eq!(failure_lines(&without), ["did not answer within 60s"]);
}

#[test]
fn an_exit_without_a_code_is_not_explained() {
    let exit = |exit_code| LastExit { exit_code, ..LastExit::default() };
    assert_eq!(exit_lines(&exit(Some(3)), "5s ago"), ["ended 5s ago with exit code 3"]);
    assert_eq!(exit_lines(&exit(None), "5s ago"), ["ended 5s ago; its exit code is not known"]);
}

#[test]
fn the_current_wave_is_counted_from_one() {
    let rollout = |wave, waves| Rollout {
        state: RolloutState::Progressing.into(),
        wave,
        waves,
        ..Rollout::default()
    };
    assert_eq!(rollout_state(&rollout(0, 3)), "progressing (wave 1 of 3)");
    assert_eq!(rollout_state(&rollout(3, 3)), "progressing (wave 3 of 3)");
    assert_eq!(rollout_state(&rollout(0, 1)), "progressing");
}
