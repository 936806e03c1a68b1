//! The loop on a model of a host: what it does, and that it does it again after
//! any interruption.

use oml_common::document::assignment::OnDeadline;
use oml_common::document::report::Phase;
use oml_common::document::status::Health;
use oml_sim::{Behaviour, Daemon, Verb};

use self::bench::Bench;
use crate::fixtures::digest;
use crate::paths::Slot;

mod bench;
mod by_hand;
mod changed_in_use;
mod checked;
mod copied_documents;
mod copied_files;
mod copies;
mod counts;
mod disabled;
mod downgraded;
mod exchanged;
mod files;
mod full_disk;
mod images;
mod interrupted;
mod lost_record;
mod migrated;
mod own_files;
mod queued;
mod reload;
mod reload_check;
mod revived;
mod secrets;
mod seen_running;
mod skipped;
mod stopped;
mod unhealthy;
mod unreadable;

const EXITS: Behaviour = Behaviour::ExitsAtOnce { code: 3, log: Vec::new() };

/// Steps that stop or start what runs.
fn restarts(bench: &Bench) -> usize {
    bench.host.count(Daemon::Systemd, Verb::Start) + bench.host.count(Daemon::Systemd, Verb::Stop)
}

#[tokio::test(start_paused = true)]
async fn a_first_version_is_brought_up_and_kept() {
    let mut bench = Bench::new();
    bench.offer("1", Behaviour::Good);
    bench.desire(&["1"]);
    let report = bench.until(|report| report.phase == Phase::Ready).await;
    assert_eq!(report.version, Some("1".parse().unwrap()));
    assert_eq!(report.health, Health::Healthy);
    assert_eq!(restarts(&bench), 1);
}

#[tokio::test(start_paused = true)]
async fn a_new_version_takes_the_place_of_the_old_one() {
    let bench = Bench::upgrading("2", Behaviour::Good).await;
    bench.until_ready("2").await;
    assert_eq!(bench.document(Slot::Previous).as_deref(), Some("1"));
    assert_eq!(restarts(&bench), 2);
}

#[tokio::test(start_paused = true)]
async fn the_same_assignment_again_touches_nothing() {
    let mut bench = Bench::settled().await;
    let before = restarts(&bench);
    bench.desire(&["1"]);
    bench.until_applied().await;
    bench.pass_time(600).await;
    assert_eq!(restarts(&bench), before);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_does_not_start_is_rolled_back_and_its_log_reported() {
    let log = vec!["configuration error".to_owned()];
    let bench = Bench::upgrading("bad", Behaviour::ExitsAtOnce { code: 3, log: log.clone() }).await;
    let report = bench.until_returned("1").await;
    let failure = report.failure.unwrap();
    assert_eq!((failure.exit_code, failure.log_tail), (Some(3), log));
    assert_eq!(failure.version, Some("bad".parse().unwrap()));
    assert_eq!(bench.document(Slot::Current).as_deref(), Some("1"));
}

#[tokio::test(start_paused = true)]
async fn a_version_that_dies_while_it_soaks_gives_way() {
    let bench = Bench::upgrading("2", Behaviour::Good).await;
    bench.until_soaking().await;
    bench.end_by_itself(139);
    bench.until_returned("1").await;
}

#[tokio::test(start_paused = true)]
async fn a_rollback_to_a_version_that_was_pruned_pulls_it_before_anything_is_started() {
    let bench = Bench::upgrading("2", Behaviour::Good).await;
    bench.until_soaking().await;
    bench.host.host.prune_by_hand();
    let before = restarts(&bench);
    bench.end_by_itself(139);
    bench.until_returned("1").await;
    assert_eq!(restarts(&bench), before + 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_pruned_after_it_ended_is_pulled_at_its_first_start() {
    let bench = Bench::settled().await;
    let before = restarts(&bench);
    bench.end_by_itself(139);
    bench.host.host.prune_by_hand();
    bench.until(|report| report.restarts > 0).await;
    let report = bench.until_ready("1").await;
    assert!(report.restarts <= 2, "{}", report.restarts);
    assert!(restarts(&bench) <= before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_first_version_that_does_not_start_is_failed() {
    let mut bench = Bench::new();
    bench.offer("1", EXITS);
    bench.desire(&["1"]);
    let report = bench.until(|report| report.phase == Phase::Failed).await;
    assert_eq!(report.failure.unwrap().exit_code, Some(3));
}

#[tokio::test(start_paused = true)]
async fn an_image_that_cannot_be_had_stops_nothing() {
    let mut bench = Bench::settled().await;
    let before = restarts(&bench);
    bench.refuse("2", "toomanyrequests");
    bench.desire(&["2"]);
    let report = bench.until(|report| report.phase == Phase::Blocked).await;
    assert!(report.reason.contains("toomanyrequests"), "{}", report.reason);
    assert_eq!(restarts(&bench), before);
    bench.offer("2", Behaviour::Good);
    bench.until_ready("2").await;
}

#[tokio::test(start_paused = true)]
async fn an_image_that_the_registry_does_not_have_fails_the_change() {
    let mut bench = Bench::settled().await;
    let before = restarts(&bench);
    bench.host.refuse(&digest("2"), "manifest unknown", false);
    bench.desire(&["2"]);
    let report = bench.until(|report| report.phase == Phase::RolledBack).await;
    assert!(report.failure.unwrap().message.ends_with("manifest unknown"), "{}", report.reason);
    assert_eq!(restarts(&bench), before);
}

#[tokio::test(start_paused = true)]
async fn calls_are_waited_for() {
    let mut bench = Bench::with_calls(12).await;
    bench.desire_counted("2", OnDeadline::Wait);
    bench.until(|report| report.reason.contains("12 calls are up")).await;
    bench.pass_time(300).await;
    bench.until(|report| matches!(report.phase, Phase::Draining { .. })).await;
    bench.host.answer_exec(&["count"], 1, "no such command");
    bench.until(|report| report.reason.contains("printed \"no such command\"")).await;
    bench.set_calls(0);
    bench.until_ready("2").await;
}

#[tokio::test(start_paused = true)]
async fn calls_that_come_after_the_count_and_before_the_stop_are_waited_for() {
    let mut bench = Bench::with_calls(12).await;
    let before = restarts(&bench);
    bench.desire_counted("2", OnDeadline::Wait);
    bench.until(|report| report.reason.contains("12 calls are up")).await;
    bench.host.answer_next_exec(0, "0 active calls\n");
    // The count that lets the switch begin, the last one before the stop, and that of the
    // drain that goes on.
    let counts = bench.host.count(Daemon::Engine, Verb::Exec);
    bench
        .until(|report| {
            bench.host.count(Daemon::Engine, Verb::Exec) >= counts + 3
                && report.reason.contains("12 calls are up")
        })
        .await;
    assert_eq!(restarts(&bench), before);
    bench.set_calls(0);
    bench.until_ready("2").await;
    assert_eq!(restarts(&bench), before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_last_count_that_cannot_be_read_before_the_stop_counts_as_calls() {
    let mut bench = Bench::with_calls(12).await;
    let before = restarts(&bench);
    bench.desire_counted("2", OnDeadline::Wait);
    bench.until(|report| report.reason.contains("12 calls are up")).await;
    bench.host.answer_exec(&["count"], 0, "rubbish");
    bench.host.answer_next_exec(0, "0 active calls\n");
    bench.until(|report| report.reason.contains("printed \"rubbish\"")).await;
    assert_eq!(restarts(&bench), before);
    bench.set_calls(0);
    bench.until_ready("2").await;
    assert_eq!(restarts(&bench), before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_last_count_that_cannot_be_read_holds_a_change_up_to_its_deadline() {
    let mut bench = Bench::with_calls(12).await;
    bench.desire_counted("2", OnDeadline::Cut);
    bench.until(|report| report.reason.contains("12 calls are up")).await;
    bench.host.answer_exec(&["count"], 0, "rubbish");
    bench.host.answer_next_exec(0, "0 active calls\n");
    bench.until(|report| report.reason.contains("printed \"rubbish\"")).await;
    let report = bench.until_ready("2").await;
    assert_eq!(report.calls_cut, None, "the number that was cut is unknown, and not 0");
}

#[tokio::test(start_paused = true)]
async fn a_count_that_was_corrected_is_not_asked_in_its_earlier_form_again() {
    let mut bench = Bench::with_calls(12).await;
    bench.host.answer_exec(&["right"], 0, "0 active calls\n");
    bench.desire_counted_by("right", "1", OnDeadline::Wait);
    bench.until_ready("1").await;
    bench.desire_counted_by("right", "2", OnDeadline::Wait);
    bench.until_ready("2").await;
}

#[tokio::test(start_paused = true)]
async fn calls_are_cut_when_the_operator_chose_so_and_counted() {
    let mut bench = Bench::with_calls(7).await;
    bench.desire_counted("2", OnDeadline::Cut);
    let report = bench.until_ready("2").await;
    assert_eq!(report.calls_cut, Some(7));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_ours_is_named_and_left_alone() {
    let mut bench = Bench::new();
    bench.offer("1", Behaviour::Good);
    bench.host.make_foreign_container("oml-asterisk");
    bench.desire(&["1"]);
    let report = bench.until(|report| report.phase == Phase::Blocked).await;
    assert!(report.reason.contains("container oml-asterisk"), "{}", report.reason);
    assert_eq!(restarts(&bench), 0);
    assert_eq!(bench.host.count(Daemon::Engine, Verb::Create), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stop_by_hand_is_respected_until_it_is_started_by_hand() {
    let bench = Bench::settled().await;
    let before = restarts(&bench);
    bench.host.systemctl("stop", "asterisk.service").await;
    bench.until(|report| matches!(report.phase, Phase::StoppedByHand { .. })).await;
    bench.pass_time(600).await;
    assert_eq!(restarts(&bench), before);
    bench.host.systemctl("start", "asterisk.service").await;
    bench.until_ready("1").await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_done_to_a_masked_unit() {
    let mut bench = Bench::settled().await;
    let before = restarts(&bench);
    bench.host.host.mask("asterisk.service");
    bench.upgrade("2", Behaviour::Good);
    let report = bench.until(|report| report.phase == Phase::Blocked).await;
    assert!(report.reason.contains("masked"), "{}", report.reason);
    assert_eq!(restarts(&bench), before);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_never_answers_gives_way() {
    let bench = Bench::upgrading("slow", Behaviour::Hangs).await;
    bench.until_returned("1").await;
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_failed_is_started_and_reported_as_drift() {
    let bench = Bench::settled().await;
    bench.fail_for_good().await;
    let report = bench.until(|report| report.phase == Phase::Ready && report.drift.is_some()).await;
    assert!(report.drift.unwrap().found.contains("failed"));
}

#[tokio::test(start_paused = true)]
async fn a_drift_is_forgotten_with_the_version_that_drifted() {
    let mut bench = Bench::settled().await;
    bench.fail_for_good().await;
    bench.until(|report| report.phase == Phase::Ready && report.drift.is_some()).await;
    bench.upgrade("2", Behaviour::Good);
    assert_eq!(bench.until_ready("2").await.drift, None);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_longer_desired_is_removed() {
    let mut bench = Bench::settled().await;
    bench.desire(&[]);
    bench.until_report(|report| report.instances.is_empty() && report.revision.0 == 2).await;
    assert_eq!(bench.document(Slot::Current), None);
    assert_eq!(bench.versions(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn without_an_assignment_nothing_is_done() {
    let bench = Bench::new();
    bench.pass_time(600).await;
    let verbs: Vec<Verb> = bench.host.host.calls().into_iter().map(|call| call.verb).collect();
    assert!(verbs.iter().all(|verb| *verb == Verb::Read), "{verbs:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_state_folder_restarts_nothing() {
    let mut bench = Bench::settled().await;
    let before = restarts(&bench);
    bench.stop();
    std::fs::remove_dir_all(&bench.host.paths.state).unwrap();
    bench.start();
    bench.until_ready("1").await;
    bench.until_document("1").await;
    assert_eq!(restarts(&bench), before);
}

#[tokio::test(start_paused = true)]
async fn while_a_daemon_is_away_nothing_is_done_and_the_outage_is_reported() {
    for daemon in [Daemon::Engine, Daemon::Systemd] {
        let mut bench = Bench::settled().await;
        let before = restarts(&bench);
        bench.host.host.take_away(daemon);
        bench.until_report(|report| !report.errors.is_empty()).await;
        bench.upgrade("2", Behaviour::Good);
        let report = bench.until(|report| report.phase == Phase::Blocked).await;
        assert!(report.reason.contains("does not answer"), "{}", report.reason);
        bench.pass_time(600).await;
        assert_eq!(restarts(&bench), before);
        bench.host.host.bring_back(daemon);
        bench.until_ready("2").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_goes_away_at_the_switch_is_not_the_versions_fault() {
    let mut bench = Bench::settled().await;
    bench.offer("2", Behaviour::Good);
    bench.host.lose_once(Daemon::Systemd, Verb::Start);
    bench.desire(&["2"]);
    let report = bench.until_ready("2").await;
    assert_eq!(report.failure, None);
}

#[tokio::test(start_paused = true)]
async fn a_switch_that_cannot_be_recorded_is_not_begun() {
    let mut bench = Bench::settled().await;
    let before = restarts(&bench);
    bench.block_record();
    bench.upgrade("2", Behaviour::Good);
    bench.until_report(|report| !report.errors.is_empty()).await;
    bench.pass_time(600).await;
    assert_eq!(restarts(&bench), before);
    bench.free_record();
    bench.until_ready("2").await;
}

#[tokio::test(start_paused = true)]
async fn a_document_that_makes_no_sense_keeps_nothing_from_being_changed_or_undone() {
    for garbage in [&b"{\"tenant\": \"ac"[..], b"{\"of\": \"a later release\"}", b"\xff\xfe\x00"] {
        for slot in [Slot::Current, Slot::Previous] {
            let mut bench = Bench::settled().await;
            bench.offer("2", Behaviour::Good);
            bench.offer("bad", EXITS);
            bench.desire(&["2"]);
            bench.until_ready("2").await;
            bench.garble(slot, garbage);
            bench.desire(&["bad"]);
            bench.until_returned("2").await;
            bench.garble(slot, garbage);
            bench.desire(&["1"]);
            bench.until_ready("1").await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_previous_document_that_makes_no_sense_does_not_cost_the_previous_container() {
    let bench = Bench::upgrading("2", Behaviour::Good).await;
    bench.until_soaking().await;
    bench.garble(Slot::Previous, b"?");
    bench.until_ready("2").await;
    bench.until_report(|_| bench.versions().contains(&"1".to_owned())).await;
    bench.pass_time(600).await;
    assert!(bench.versions().contains(&"1".to_owned()), "{:?}", bench.versions());
}

#[tokio::test(start_paused = true)]
async fn the_last_good_version_is_still_there_after_two_superseded_each_other() {
    let mut bench = Bench::settled().await;
    bench.offer("2", Behaviour::Good);
    bench.offer("3", Behaviour::Good);
    for version in ["2", "3"] {
        bench.desire(&[version]);
        bench.until_soaking().await;
    }
    bench.end_by_itself(139);
    bench.until_returned("1").await;
}

#[tokio::test(start_paused = true)]
async fn a_return_that_failed_for_a_reason_that_passes_is_done_all_the_same() {
    for transient in [true, false] {
        let mut bench = Bench::settled().await;
        bench.upgrade_held("bad", EXITS, Daemon::Systemd, Verb::Start).await;
        bench.host.host.release(Daemon::Systemd, Verb::Start);
        bench.host.refuse_once(Daemon::Systemd, Verb::Start, transient);
        bench.until_returned("1").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_pull_is_reported_in_bytes() {
    let mut bench = Bench::settled().await;
    bench.offer("2", Behaviour::Good);
    bench.host.host.hold(Daemon::Engine, Verb::Pull);
    bench.desire(&["2"]);
    let is_sized = |phase| matches!(phase, Phase::Pulling { bytes_total, .. } if bytes_total > 0);
    bench.until(|report| is_sized(report.phase)).await;
    bench.host.host.release(Daemon::Engine, Verb::Pull);
    bench.until_ready("2").await;
}

#[tokio::test(start_paused = true)]
async fn a_pull_is_reported_in_bytes_while_other_things_keep_the_loop_busy() {
    let mut bench = Bench::settled().await;
    bench.upgrade_held("2", Behaviour::Good, Daemon::Engine, Verb::Pull).await;
    let is_sized = |phase| matches!(phase, Phase::Pulling { bytes_total, .. } if bytes_total > 0);
    tokio::select! {
        _report = bench.until(|report| is_sized(report.phase)) => {}
        () = bench.keep_busy() => {}
    }
    bench.host.host.release(Daemon::Engine, Verb::Pull);
    bench.until_ready("2").await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_loop_asks_rarely() {
    let bench = Bench::settled().await;
    let before = bench.host.host.calls().len();
    bench.pass_time(600).await;
    let asked = bench.host.host.calls().len() - before;
    // A listing of the engine takes three calls.
    assert!(asked <= 60, "{asked} calls in ten idle minutes");
}

#[tokio::test(start_paused = true)]
async fn a_return_that_cannot_be_recorded_is_done_all_the_same() {
    let mut bench = Bench::settled().await;
    bench.upgrade_held("bad", EXITS, Daemon::Systemd, Verb::Start).await;
    bench.block_record();
    bench.host.host.release(Daemon::Systemd, Verb::Start);
    bench.until_returned("1").await;
}

#[tokio::test(start_paused = true)]
async fn a_pull_for_a_version_that_was_superseded_holds_up_nothing() {
    let mut bench = Bench::settled().await;
    bench.upgrade_held("2", Behaviour::Good, Daemon::Engine, Verb::Pull).await;
    bench.desire(&["1"]);
    let report = bench.until_ready("1").await;
    assert_eq!(report.failure, None);
    assert_eq!(report.drift, None);
}

#[tokio::test(start_paused = true)]
async fn calls_of_a_component_that_is_taken_away_are_waited_for_without_its_document() {
    let mut bench = Bench::with_calls(12).await;
    bench.garble(Slot::Current, b"?");
    bench.desire(&[]);
    bench.until(|report| report.reason.contains("12 calls are up")).await;
    bench.pass_time(300).await;
    assert_eq!(bench.host.count(Daemon::Systemd, Verb::Stop), 0);
    bench.set_calls(0);
    bench.until_report(|report| report.instances.is_empty()).await;
}

/// A host on which 12 calls of version 1 are being waited for, for 60 s at most.
async fn draining() -> Bench {
    let mut bench = Bench::with_calls(12).await;
    bench.desire_counted("2", OnDeadline::Cut);
    bench.until(|report| report.reason.contains("12 calls are up")).await;
    bench
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_cuts_no_calls_before_the_deadline_nor_after_it() {
    for restarted in [false, true] {
        for by_ms in [3_600_000, -3_600_000] {
            let mut bench = draining().await;
            let before = restarts(&bench);
            bench.pass_time(20).await;
            if restarted {
                bench.stop();
            }
            bench.set_clock(by_ms);
            if restarted {
                bench.start();
            }
            bench.pass_time(20).await;
            assert_eq!(restarts(&bench), before, "set by {by_ms} ms");
            bench.pass_time(60).await;
            assert_eq!(restarts(&bench), before + 1, "set by {by_ms} ms");
            assert_eq!(bench.until_ready("2").await.calls_cut, Some(12));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn after_another_boot_the_whole_wait_for_calls_begins_again() {
    let mut bench = draining().await;
    let before = restarts(&bench);
    bench.pass_time(50).await;
    bench.stop();
    bench.boot();
    bench.start();
    bench.pass_time(50).await;
    assert_eq!(restarts(&bench), before);
    bench.until_ready("2").await;
}
