//! A last good version may take its time, and a crash loop or a lasting unhealthy state is reported.

use oml_common::document::assignment::OnDeadline;
use oml_common::document::report::Phase;
use oml_sim::{Behaviour, Daemon, Fault, Verb};

use super::bench::{Bench, name};

#[tokio::test(start_paused = true)]
async fn a_version_that_passed_its_soak_may_take_its_time_to_start() {
    let bench = Bench::settled().await;
    bench.offer("1", Behaviour::AnswersAfter { after_ms: 900_000 });
    bench.end_by_itself(1);
    let reported = bench.until(|report| report.reason.contains("connection refused")).await;
    assert_eq!(reported.phase, Phase::Starting);
    let running = bench.host.running(&name("asterisk")).unwrap();
    bench.pass_time(600).await;
    let still = bench.host.running(&name("asterisk")).unwrap();
    assert_eq!((still.id, still.starts), (running.id, running.starts), "it was stopped by us");
    let report = bench.until_ready("1").await;
    assert_eq!(report.restarts, 1);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_passed_its_soak_and_never_answers_is_stopped_after_an_hour() {
    let bench = Bench::settled().await;
    bench.offer("1", Behaviour::Hangs);
    bench.end_by_itself(1);
    bench.until(|report| report.reason.contains("connection refused")).await;
    let starts = bench.host.running(&name("asterisk")).unwrap().starts;
    bench.pass_time(3_700).await;
    assert_eq!(bench.host.running(&name("asterisk")).unwrap().starts, starts + 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_program_prints_is_shown_while_its_start_is_waited_for() {
    let mut bench = Bench::settled().await;
    bench.upgrade("2", Behaviour::Hangs);
    bench.until(|report| report.reason.contains("connection refused")).await;
    let running = bench.host.running(&name("asterisk")).unwrap();
    for number in 0..30 {
        bench.host.host.print(&running.id, &format!("replaying segment {number}"));
    }
    let reported = bench.until(|report| report.reason.contains("replaying segment 29")).await;
    assert_eq!(reported.phase, Phase::Starting);
    assert!(!reported.reason.contains("segment 20"), "bounded: {}", reported.reason);
    bench.until_returned("1").await;
}

#[tokio::test(start_paused = true)]
async fn a_program_that_dies_every_17_seconds_is_crash_looping_until_it_runs_for_five_minutes() {
    let bench = Bench::settled().await;
    bench.offer("1", Behaviour::DiesAfter { after_ms: 17_000 });
    bench.end_by_itself(1);
    let reported = bench.until(|report| report.phase == Phase::CrashLooping).await;
    let exit = reported.last_exit.unwrap();
    assert_eq!(exit.exit_code, Some(1));
    assert!(reported.reason.contains("last with exit code 1"), "{}", reported.reason);
    for _second in 0..120 {
        bench.pass_time(1).await;
        let report = bench.until(|_| true).await;
        assert_eq!(report.phase, Phase::CrashLooping, "{}", report.reason);
        assert!(report.restarts > 1);
    }
    bench.offer("1", Behaviour::Good);
    let report = bench.until(|report| report.phase == Phase::Ready).await;
    assert!(report.last_exit.is_some());
    bench.until(|report| report.last_exit.is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn one_end_is_no_crash_loop() {
    let bench = Bench::settled().await;
    bench.end_by_itself(1);
    bench.until(|report| report.restarts == 1).await;
    let report = bench.until(|report| report.phase == Phase::Ready).await;
    assert!(report.reason.contains("answers"), "{}", report.reason);
}

#[tokio::test(start_paused = true)]
async fn an_end_after_docker_was_restarted_is_the_programs_own_and_counts() {
    let bench = Bench::settled().await;
    bench.host.host.restart_engine(true);
    bench.pass_time(60).await;
    bench.offer("1", Behaviour::DiesAfter { after_ms: 17_000 });
    bench.end_by_itself(7);
    let report = bench.until(|report| report.restarts == 1).await;
    assert_eq!(report.drift, None);
    assert_eq!(report.last_exit.unwrap().exit_code, Some(7));
    let reported = bench.until(|report| report.phase == Phase::CrashLooping).await;
    assert!(reported.reason.contains("3 times"), "{}", reported.reason);
}

#[tokio::test(start_paused = true)]
async fn an_end_without_a_record_long_after_docker_was_restarted_does_not_say_that_docker_was_away()
{
    let bench = Bench::settled().await;
    bench.host.host.restart_engine(true);
    bench.pass_time(60).await;
    let running = bench.host.running(&name("asterisk")).unwrap();
    bench.host.host.end_on_full_disk(&running.id, 137);
    bench.until(|report| report.restarts == 1).await;
    let report = bench.until(|report| report.phase == Phase::Ready).await;
    let found = report.drift.unwrap().found;
    assert!(found.contains("no record of its end") && !found.contains("away"), "{found}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_after_an_end_accuses_nobody() {
    for fault in [
        Fault::Away,
        Fault::Refused { detail: "no space left on device".to_owned(), transient: true },
    ] {
        let bench = Bench::settled().await;
        bench.host.host.fail_once(Daemon::Engine, Verb::Read, fault.clone());
        bench.end_by_itself(7);
        bench.until(|report| report.restarts == 1).await;
        let report = bench.until(|report| report.phase == Phase::Ready).await;
        assert_eq!(report.drift, None, "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_somebody_kills_on_the_host_is_in_no_crash_loop() {
    let bench = Bench::settled().await;
    for _kill in 0..5 {
        let running = bench.host.running(&name("asterisk")).unwrap();
        bench.host.host.kill_by_hand(&running.id);
        bench.until(|report| report.phase != Phase::Ready).await;
        bench.until(|report| report.phase == Phase::Ready).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_program_that_stays_unhealthy_is_restarted_ever_more_rarely() {
    let bench = Bench::settled().await;
    bench.offer("1", Behaviour::UnhealthyAfter { after_ms: 60_000 });
    bench.end_by_itself(1);
    let reported = bench.until(|report| report.reason.contains("has been unhealthy for 5m")).await;
    assert_eq!(reported.phase, Phase::Unhealthy);
    let starts = || bench.host.running(&name("asterisk")).map(|found| found.starts);
    let first = starts();
    bench.pass_time(240).await;
    assert_eq!(starts(), first);
    let reported = bench.until(|report| report.reason.contains("unhealthy for 10m")).await;
    assert!(reported.reason.contains("1 restart"), "{}", reported.reason);
    let after = bench.host.count(Daemon::Engine, Verb::Start);
    bench.pass_time(7_200).await;
    let more = bench.host.count(Daemon::Engine, Verb::Start) - after;
    assert!((2..=5).contains(&more), "{more} restarts in two hours");
}

#[tokio::test(start_paused = true)]
async fn a_program_with_calls_is_not_restarted_because_it_is_unhealthy() {
    let mut bench = Bench::with_calls(3).await;
    bench.offer("1", Behaviour::UnhealthyAfter { after_ms: 60_000 });
    bench.desire_counted("1", OnDeadline::Wait);
    bench.end_by_itself(1);
    bench.until(|report| report.reason.contains("not restarted while calls are up")).await;
    let starts = bench.host.running(&name("asterisk")).unwrap().starts;
    bench.pass_time(3_600).await;
    assert_eq!(bench.host.running(&name("asterisk")).unwrap().starts, starts);
    bench.set_calls(0);
    bench.pass_time(60).await;
    assert_ne!(bench.host.running(&name("asterisk")).map(|found| found.starts), Some(starts));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_comes_right_before_the_restart_of_an_unhealthy_program_is_not_cut() {
    let mut bench = Bench::with_calls(0).await;
    bench.offer("1", Behaviour::UnhealthyAfter { after_ms: 50_000 });
    bench.desire_counted("1", OnDeadline::Wait);
    bench.end_by_itself(1);
    bench.until(|report| report.reason.contains("has been unhealthy for 5m")).await;
    let starts = bench.host.running(&name("asterisk")).unwrap().starts;
    bench.pass_time(275).await;
    // The call comes right after a count, so the next one is 15 seconds away.
    let before = bench.host.count(Daemon::Engine, Verb::Exec);
    bench.until_report(|_| bench.host.count(Daemon::Engine, Verb::Exec) > before).await;
    bench.set_calls(1);
    bench.pass_time(600).await;
    assert_eq!(bench.host.running(&name("asterisk")).unwrap().starts, starts);
    bench.set_calls(0);
    bench.pass_time(60).await;
    assert_ne!(bench.host.running(&name("asterisk")).map(|found| found.starts), Some(starts));
}

#[tokio::test(start_paused = true)]
async fn a_program_with_calls_that_never_answers_after_its_start_is_not_stopped() {
    let mut bench = Bench::with_calls(3).await;
    bench.pass_time(60).await;
    bench.offer("1", Behaviour::Hangs);
    bench.desire_counted("1", OnDeadline::Wait);
    bench.end_by_itself(1);
    bench.until(|report| report.reason.contains("connection refused")).await;
    let starts = bench.host.running(&name("asterisk")).unwrap().starts;
    bench.pass_time(7_200).await;
    assert_eq!(bench.host.running(&name("asterisk")).unwrap().starts, starts);
    bench.until(|report| report.reason.contains("not stopped while calls are up")).await;
    bench.set_calls(0);
    bench.pass_time(120).await;
    assert_ne!(bench.host.running(&name("asterisk")).map(|found| found.starts), Some(starts));
}

#[tokio::test(start_paused = true)]
async fn a_program_with_calls_is_not_stopped_by_a_supervisor_that_finds_no_status() {
    let mut bench = Bench::with_calls(3).await;
    bench.pass_time(60).await;
    bench.offer("1", Behaviour::UnhealthyAfter { after_ms: 60_000 });
    bench.desire_counted("1", OnDeadline::Wait);
    bench.end_by_itself(1);
    bench.until(|report| report.reason.contains("not restarted while calls are up")).await;
    let running = bench.host.running(&name("asterisk")).unwrap();
    std::fs::remove_file(bench.host.paths.status(&name("asterisk"))).unwrap();
    bench.host.host.kill_main_process("asterisk.service");
    bench.pass_time(7_200).await;
    let still = bench.host.running(&name("asterisk")).unwrap();
    assert_eq!((still.id, still.starts), (running.id, running.starts));
}

#[tokio::test(start_paused = true)]
async fn a_paused_program_is_not_restarted_because_it_does_not_answer() {
    let bench = Bench::settled().await;
    let running = bench.host.running(&name("asterisk")).unwrap();
    bench.host.host.pause_by_hand(&running.id, true);
    bench.until(|report| report.phase == Phase::Unhealthy).await;
    bench.pass_time(3_600).await;
    let still = bench.host.running(&name("asterisk")).unwrap();
    assert_eq!(
        (still.id, still.starts, still.is_paused),
        (running.id.clone(), running.starts, true)
    );
    bench.host.host.pause_by_hand(&running.id, false);
    bench.until_ready("1").await;
    assert_eq!(bench.host.running(&name("asterisk")).unwrap().starts, running.starts);
}

#[tokio::test(start_paused = true)]
async fn a_restart_of_an_unhealthy_program_whose_stop_fails_is_not_tried_again_at_once() {
    let bench = Bench::settled().await;
    bench.offer("1", Behaviour::UnhealthyAfter { after_ms: 60_000 });
    bench.end_by_itself(1);
    bench.until(|report| report.reason.contains("has been unhealthy for 5m")).await;
    let starts = || bench.host.running(&name("asterisk")).map(|found| found.starts);
    let (first, stops) = (starts(), || bench.host.count(Daemon::Engine, Verb::Stop));
    let before = stops();
    bench.host.refuse_once(Daemon::Engine, Verb::Stop, true);
    bench.until(|_| stops() > before).await;
    let reported = bench.until(|report| report.reason.contains("unhealthy for 10m")).await;
    assert!(reported.reason.contains("1 restart"), "{}", reported.reason);
    bench.pass_time(60).await;
    assert_eq!((starts(), stops()), (first, before + 1));
}

#[tokio::test(start_paused = true)]
async fn media_that_nothing_counts_is_not_restarted_by_a_document_of_an_earlier_release() {
    let mut bench = Bench::settled().await;
    bench.desire_media("1");
    bench.until_ready("1").await;
    bench.offer("1", Behaviour::UnhealthyAfter { after_ms: 60_000 });
    bench.end_by_itself(1);
    bench.until(|report| report.reason.contains("not restarted while calls are up")).await;
    let starts = bench.host.running(&name("asterisk")).unwrap().starts;
    bench.pass_time(3_600).await;
    assert_eq!(bench.host.running(&name("asterisk")).unwrap().starts, starts);
}

#[tokio::test(start_paused = true)]
async fn the_last_good_version_is_recorded_again_when_the_files_of_a_component_are_removed() {
    let bench = Bench::settled().await;
    let note = bench.host.paths.last_good(&name("asterisk"));
    std::fs::remove_dir_all(note.parent().unwrap()).unwrap();
    bench.pass_time(60).await;
    bench.until_ready("1").await;
    assert!(note.exists());
}

#[tokio::test(start_paused = true)]
async fn a_program_that_dies_every_six_minutes_is_crash_looping_and_its_last_exit_is_reported() {
    let bench = Bench::settled().await;
    bench.offer("1", Behaviour::DiesAfter { after_ms: 360_000 });
    bench.end_by_itself(1);
    let reported = bench.until(|report| report.restarts == 1 && report.phase == Phase::Ready).await;
    assert_eq!(reported.last_exit.unwrap().exit_code, Some(1));
    bench.until(|report| report.phase == Phase::CrashLooping).await;
    for _minute in 0..60 {
        bench.pass_time(60).await;
        let report = bench.until(|_| true).await;
        assert_eq!(report.phase, Phase::CrashLooping, "{}", report.reason);
    }
}
