//! The loop killed in the middle of everything, and begun again.

use std::time::Duration;

use oml_common::document::report::Phase;
use oml_sim::{Behaviour, Daemon, Verb};
use tokio::time::timeout;

use super::EXITS;
use super::bench::{Bench, name};
use crate::paths::Slot;

/// Calls that an upgrade makes, and those that a rollback makes too.
const UPGRADE: [(Daemon, Verb); 5] = [
    (Daemon::Engine, Verb::Pull),
    (Daemon::Engine, Verb::Create),
    (Daemon::Systemd, Verb::Start),
    (Daemon::Engine, Verb::Rename),
    (Daemon::Engine, Verb::Remove),
];
const ROLLBACK: [(Daemon, Verb); 4] = [
    (Daemon::Engine, Verb::Pull),
    (Daemon::Engine, Verb::Create),
    (Daemon::Systemd, Verb::Start),
    (Daemon::Engine, Verb::Logs),
];
/// Longer than a change takes.
const PATIENCE: Duration = Duration::from_secs(60);

impl Bench {
    /// Ends the loop once it has made so many calls from now on, and begins another.
    async fn kill_after(&mut self, calls: usize) {
        let enough = self.host.host.calls().len() + calls;
        let mut made = self.host.host.calls_made();
        // A loop that waits for a time makes no more calls.
        let _enough = timeout(PATIENCE, made.wait_for(|made| *made >= enough)).await.is_ok();
        self.stop();
        self.start();
    }
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_killed_in_any_call_comes_to_its_end() {
    for (daemon, verb) in UPGRADE {
        let mut bench = Bench::settled().await;
        // A container that the commit of the next upgrade removes.
        bench.upgrade("1.5", Behaviour::Good);
        bench.until_ready("1.5").await;
        bench.upgrade_held("2", Behaviour::Good, daemon, verb).await;
        bench.stop();
        bench.host.host.release(daemon, verb);
        bench.start();
        bench.until_ready("2").await;
        assert_eq!(bench.document(Slot::Current).as_deref(), Some("2"), "{daemon:?} {verb:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_return_killed_in_any_call_comes_to_its_end() {
    for (daemon, verb) in ROLLBACK {
        let mut bench = Bench::settled().await;
        bench.upgrade_held("bad", EXITS, daemon, verb).await;
        bench.stop();
        bench.host.host.release(daemon, verb);
        bench.start();
        let report = bench.until(|report| report.phase == Phase::RolledBack).await;
        assert_eq!(report.version, Some("1".parse().unwrap()), "{daemon:?} {verb:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_killed_after_any_number_of_calls_comes_to_its_end() {
    for calls in 0..30 {
        let mut bench = Bench::upgrading("2", Behaviour::Good).await;
        bench.kill_after(calls).await;
        bench.until_ready("2").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_recovery_that_is_killed_too_comes_to_its_end() {
    for first in 0..12 {
        for second in [0, 1, 2, 4] {
            let mut bench = Bench::upgrading("bad", EXITS).await;
            bench.kill_after(first).await;
            bench.kill_after(second).await;
            let report = bench.until(|report| report.phase == Phase::RolledBack).await;
            assert_eq!(report.version, Some("1".parse().unwrap()), "after {first} and {second}");
            assert!(bench.host.count(Daemon::Systemd, Verb::Start) <= 5);
            assert_eq!(report.failure.unwrap().version, Some("bad".parse().unwrap()));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_loop_begun_again_on_a_settled_host_does_nothing() {
    let mut bench = Bench::settled().await;
    let before = bench.host.count(Daemon::Systemd, Verb::Start);
    for _time in 0..10 {
        bench.stop();
        bench.start();
        bench.until_ready("1").await;
    }
    assert_eq!(bench.host.count(Daemon::Systemd, Verb::Start), before);
    assert_eq!(bench.host.count(Daemon::Systemd, Verb::Stop), 0);
    let running = bench.host.running(&name("asterisk")).unwrap();
    bench.host.host.remove_by_hand(&running.id);
    let report = bench.until(|report| report.drift.is_some() && report.phase == Phase::Ready).await;
    assert!(report.drift.unwrap().found.contains("removed"));
}

#[tokio::test(start_paused = true)]
async fn a_version_superseded_while_it_starts_has_no_say_in_the_next_one() {
    for behaviour in [Behaviour::Good, EXITS] {
        let mut bench = Bench::settled().await;
        bench.offer("3", Behaviour::Good);
        bench.offer("bad", EXITS);
        bench.upgrade_held("2", behaviour, Daemon::Systemd, Verb::Start).await;
        bench.desire(&["3"]);
        bench.until_applied().await;
        bench.host.host.release(Daemon::Systemd, Verb::Start);
        let report = bench.until_ready("3").await;
        assert_eq!(report.failure, None);
        bench.desire(&["bad"]);
        bench.until_returned("3").await;
    }
}
