//! Two components whose containers' names somebody exchanged while one or both were stopped by hand
//! and nothing is known of the supervisors that held them.

use oml_common::document::report::{Phase, Report};
use oml_sim::{Behaviour, Container};

use super::bench::{Bench, name};
use crate::documents;

const ASTERISK: &str = "oml-asterisk";
const REDIS: &str = "oml-redis";

/// The container of a component, by its labels, which a new name does not change.
fn container(bench: &Bench, component: &str) -> Container {
    let mut found = bench.host.host.containers().into_iter();
    found.find(|found| found.labels["io.oml.component"] == component).unwrap()
}

fn phase(report: &Report, component: &str) -> Phase {
    report.instances[&name(component)].phase
}

fn drift(report: &Report, component: &str) -> String {
    let drift = report.instances[&name(component)].drift.clone();
    drift.map(|drift| drift.found).unwrap_or_default()
}

/// Both components run.
async fn both_ready() -> Bench {
    let mut bench = Bench::new();
    bench.offer("1", Behaviour::Good);
    bench.desire_with("1", "redis");
    until_phase(&bench, "asterisk", Phase::Ready).await;
    until_phase(&bench, "redis", Phase::Ready).await;
    bench
}

async fn until_phase(bench: &Bench, component: &str, wanted: Phase) {
    let is_there = |report: &Report| {
        report.instances.contains_key(&name(component)) && phase(report, component) == wanted
    };
    bench.until_report(is_there).await;
}

async fn stop(bench: &Bench, component: &str) {
    bench.host.systemctl("stop", &format!("{component}.service")).await;
    let is_stopped =
        |report: &Report| matches!(phase(report, component), Phase::StoppedByHand { .. });
    bench.until_report(is_stopped).await;
}

/// Removes the supervisors' status files, exchanges the names, and returns the ids of both containers.
fn exchange(bench: &Bench) -> (String, String) {
    let (asterisk, redis) = (container(bench, "asterisk").id, container(bench, "redis").id);
    std::fs::remove_dir_all(bench.host.paths.statuses()).unwrap();
    let host = &bench.host.host;
    host.rename_by_hand(&redis, "tmp").unwrap();
    host.rename_by_hand(&asterisk, REDIS).unwrap();
    host.rename_by_hand(&redis, ASTERISK).unwrap();
    (asterisk, redis)
}

#[tokio::test(start_paused = true)]
async fn a_name_that_a_stopped_container_of_ours_holds_is_taken_back_without_a_start() {
    let bench = both_ready().await;
    stop(&bench, "redis").await;
    let (asterisk, redis) = exchange(&bench);
    let is_back = |_: &Report| container(&bench, "asterisk").name == ASTERISK;
    let report = bench.until_report(is_back).await;
    assert_eq!(phase(&report, "asterisk"), Phase::Ready);
    bench.pass_time(600).await;
    let report = bench.until_ready("1").await;
    assert!(report.drift.unwrap().found.contains("was renamed to oml-redis"));
    assert_eq!(report.restarts, 0);
    assert_eq!(container(&bench, "asterisk").id, asterisk);
    assert!(!container(&bench, "redis").is_running());
    bench.host.systemctl("start", "redis.service").await;
    until_phase(&bench, "redis", Phase::Ready).await;
    let is_back = |_: &Report| container(&bench, "redis").name == REDIS;
    bench.until_report(is_back).await;
    assert_eq!(container(&bench, "redis").id, redis);
}

#[tokio::test(start_paused = true)]
async fn exchanged_names_of_two_stopped_containers_are_reported_and_put_right_at_the_next_start() {
    let bench = both_ready().await;
    stop(&bench, "redis").await;
    stop(&bench, "asterisk").await;
    let (asterisk, redis) = exchange(&bench);
    let is_reported = |report: &Report| {
        drift(report, "redis").contains("oml-asterisk was renamed; its own name is oml-redis")
            && drift(report, "asterisk").contains("oml-redis was renamed")
    };
    bench.until_report(is_reported).await;
    for component in ["asterisk", "redis"] {
        bench.host.systemctl("start", &format!("{component}.service")).await;
        until_phase(&bench, component, Phase::Ready).await;
        let own = format!("oml-{component}");
        bench.until_report(|_| container(&bench, component).name == own).await;
    }
    assert_eq!(container(&bench, "asterisk").id, asterisk);
    assert_eq!(container(&bench, "redis").id, redis);
}

#[tokio::test(start_paused = true)]
async fn exchanged_names_are_put_right_though_the_document_of_the_running_one_is_lost_too() {
    let bench = both_ready().await;
    stop(&bench, "redis").await;
    documents::remove(&bench.host.paths, &name("asterisk")).unwrap();
    let (asterisk, redis) = exchange(&bench);
    bench.until_report(|_| container(&bench, "asterisk").name == ASTERISK).await;
    bench.until_document("1").await;
    bench.until_ready("1").await;
    assert_eq!(container(&bench, "asterisk").id, asterisk);
    assert_eq!(container(&bench, "redis").id, redis);
    assert!(!container(&bench, "redis").is_running());
}

#[tokio::test(start_paused = true)]
async fn a_second_container_under_the_name_of_another_component_is_not_ours() {
    let bench = both_ready().await;
    stop(&bench, "redis").await;
    std::fs::remove_dir_all(bench.host.paths.statuses()).unwrap();
    let redis = container(&bench, "redis");
    bench.host.host.run_by_hand(oml_sim::NewContainer {
        name: "oml-asterisk-prev".to_owned(),
        image: redis.image.clone(),
        labels: redis.labels.clone(),
        ..oml_sim::NewContainer::default()
    });
    let is_left = |report: &Report| drift(report, "redis").contains("has another name");
    bench.until_report(is_left).await;
    bench.host.systemctl("start", "redis.service").await;
    until_phase(&bench, "redis", Phase::Ready).await;
    let containers = bench.host.host.containers();
    let runs = |name: &str| containers.iter().any(|c| c.name == name && c.is_running());
    assert!(runs("oml-asterisk-prev") && runs(REDIS));
}
