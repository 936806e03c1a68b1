//! The record of changes is lost while the agent is away.

use oml_common::document::report::Phase;
use oml_sim::Behaviour;

use super::bench::{Bench, name};

/// Version 2 soaks, and the agent starts without its record of changes.
async fn lost_in_soak() -> Bench {
    let mut bench = Bench::upgrading("2", Behaviour::Good).await;
    bench.until_soaking().await;
    bench.stop();
    bench.remove_record();
    bench.start();
    bench
}

#[tokio::test(start_paused = true)]
async fn a_version_whose_record_was_lost_in_its_soak_soaks_again() {
    let bench = lost_in_soak().await;
    let starts = bench.host.running(&name("asterisk")).unwrap().starts;
    bench.pass_time(3).await;
    let phase = bench.until(|_| true).await.phase;
    assert!(matches!(phase, Phase::Soaking { .. }), "{phase:?}");
    bench.until_ready("2").await;
    assert_eq!(bench.host.running(&name("asterisk")).unwrap().starts, starts);
}

#[tokio::test(start_paused = true)]
async fn a_version_whose_record_was_lost_in_its_soak_goes_back_when_it_ends() {
    let bench = lost_in_soak().await;
    bench.until_soaking().await;
    bench.end_by_itself(139);
    bench.until_returned("1").await;
}

#[tokio::test(start_paused = true)]
async fn a_version_that_passed_its_soak_does_not_soak_again_without_its_record() {
    let mut bench = Bench::settled().await;
    bench.stop();
    bench.remove_record();
    bench.start();
    bench.pass_time(1).await;
    bench.until_ready("1").await;
}

#[tokio::test(start_paused = true)]
async fn a_version_that_supersedes_one_whose_record_was_lost_goes_back_to_the_last_good_one() {
    let mut bench = Bench::upgrading("2", Behaviour::Good).await;
    bench.until_soaking().await;
    bench.stop();
    bench.remove_record();
    bench.upgrade("3", Behaviour::Good);
    bench.start();
    bench.until_soaking().await;
    bench.end_by_itself(139);
    bench.until_returned("1").await;
}
