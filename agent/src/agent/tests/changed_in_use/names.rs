//! Containers of the version in use that were renamed to a name that the agent gives itself.

use oml_common::decide::ownership::spare_names;
use oml_sim::Container;

use super::*;

/// The running container, and a name that the agent gives to containers that do not run.
pub(super) fn running_and_spare(bench: &Bench) -> (Container, String) {
    let running = bench.host.running(&name("asterisk")).unwrap();
    let hash = running.labels["io.oml.hash"].parse().unwrap();
    let spare = spare_names(OWN, &hash).next().unwrap();
    (running, spare)
}

async fn until_named(bench: &Bench, id: &str) {
    let is_back = |found: Container| found.id == id && found.name == OWN;
    bench.until_report(|_| bench.host.running(&name("asterisk")).is_some_and(is_back)).await;
}

#[tokio::test(start_paused = true)]
async fn a_container_in_use_that_was_given_a_name_of_ours_gets_its_own_back_and_is_reported() {
    for bench in in_use().await {
        let before = restarts(&bench);
        let (running, spare) = running_and_spare(&bench);
        bench.host.host.rename_by_hand(&running.id, &spare).unwrap();
        until_named(&bench, &running.id).await;
        until_drift(&bench, &format!("container oml-asterisk was renamed to {spare}")).await;
        assert_eq!(restarts(&bench), before);
    }
    let bench = settled_beside_a_blocked_change().await;
    let (running, _) = running_and_spare(&bench);
    bench.host.host.rename_by_hand(&running.id, "oml-asterisk-prev").unwrap();
    until_named(&bench, &running.id).await;
    until_drift(&bench, "container oml-asterisk was renamed to oml-asterisk-prev").await;
}

#[tokio::test(start_paused = true)]
async fn a_container_in_use_that_was_renamed_while_the_agent_was_stopped_gets_its_name_back() {
    for mut bench in in_use().await {
        let (running, spare) = running_and_spare(&bench);
        bench.stop();
        bench.host.host.rename_by_hand(&running.id, &spare).unwrap();
        bench.start();
        until_named(&bench, &running.id).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_container_that_was_given_a_name_of_ours_in_its_soak_gets_its_own_back_and_is_reported() {
    let bench = Bench::upgrading("2", Behaviour::Good).await;
    bench.until_soaking().await;
    bench.until_report(|_| bench.host.running(&name("asterisk")).unwrap().name == OWN).await;
    let (running, spare) = running_and_spare(&bench);
    bench.host.host.rename_by_hand(&running.id, &spare).unwrap();
    bench.until_ready("2").await;
    until_named(&bench, &running.id).await;
    until_drift(&bench, &format!("container oml-asterisk was renamed to {spare}")).await;
}
