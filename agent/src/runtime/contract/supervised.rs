//! What an engine and a unit manager keep together: a unit whose supervisor runs a container.

use std::time::Duration;

use oml_common::decide::observed::{ActiveState, ContainerState};
use oml_common::document::instance::{Check, Timing};
use oml_common::document::status::Health;
use oml_common::time::Timestamp;
use tokio::time::Instant;

use super::manual_actions::run;
use super::{ContractHost, exit_code, in_container};
use crate::documents;
use crate::paths::Slot;
use crate::runtime::RuntimeError;

pub(super) async fn all(host: &ContractHost) {
    in_order!(
        host,
        what_is_put_does_not_run,
        what_is_started_runs_and_answers,
        a_switch_leaves_exactly_the_new_version_running,
        a_version_that_exits_is_refused_with_its_last_words,
        a_container_removed_by_hand_comes_back,
        every_change_is_counted,
        taking_away_what_is_not_there_is_fine,
        a_program_that_never_answers_is_stopped_and_reported,
        a_killed_supervisor_leaves_its_container_and_the_next_adopts_it,
        a_stopped_or_killed_container_comes_back_and_is_reported_as_drift,
        a_restarted_engine_with_live_restore_moves_nothing,
        a_restarted_engine_without_live_restore_brings_everything_back,
        a_start_waits_for_an_engine_that_is_away,
        a_start_waits_for_an_image_that_is_pulled_meanwhile,
    );
}

/// Clauses about what the model has not: ports and a watchdog.
pub(super) async fn of_real_daemons(host: &ContractHost) {
    in_order!(
        host,
        changed_timing_is_taken_up_without_a_restart,
        a_stuck_supervisor_is_replaced_and_its_container_stays
    );
}

async fn what_is_put_does_not_run(host: &ContractHost) {
    let instance = host.instance("contract-put", "v1", &host.images.first, 8302);
    host.prepare(&instance).await;
    host.prepare(&instance).await;
    let containers = host.containers(&instance.component).await;
    assert_eq!(containers.len(), 1);
    assert_eq!(containers[0].state, ContainerState::Created);
    assert_eq!(containers[0].version.as_str(), "v1");
    assert_ne!(containers[0].name, "oml-contract-put-server");
    let unit = host.unit(&instance).await.unwrap();
    assert_eq!(unit.active, ActiveState::Inactive);
    assert!(unit.hash.is_some() && !unit.stale && !unit.counts_as_stopped(), "{unit:?}");
    host.clear(&instance).await;
}

async fn what_is_started_runs_and_answers(host: &ContractHost) {
    let instance = host.instance("contract-start", "v1", &host.images.first, 8303);
    host.install(&instance).await;
    let container = host.container(&instance).await.unwrap();
    assert!(container.is_running());
    assert_eq!(container.name, "oml-contract-start-server");
    let unit = host.unit(&instance).await.unwrap();
    assert_eq!(unit.active, ActiveState::Active);
    assert!(!unit.stale, "{unit:?}");
    let status = documents::read_status(&host.paths, &instance.component).unwrap().unwrap();
    assert_eq!(status.health, Health::Healthy);
    assert_eq!(status.container, container.id);
    // Again: the same container, restarted.
    host.systemd.start(&instance).await.unwrap();
    assert_eq!(host.container(&instance).await.map(|c| c.id), Some(container.id));
    assert_eq!(host.containers(&instance.component).await.len(), 1);
    host.clear(&instance).await;
}

async fn a_switch_leaves_exactly_the_new_version_running(host: &ContractHost) {
    let old = host.instance("contract-switch", "v1", &host.images.first, 8304);
    let new = host.instance("contract-switch", "v2", &host.images.second, 8304);
    host.install(&old).await;
    let before = host.unit(&old).await.unwrap();
    host.prepare(&new).await;
    assert!(host.runs(&old).await, "preparing must not stop what runs");
    let prepared = host.unit(&new).await.unwrap();
    assert_eq!(prepared.hash, before.hash, "a new version does not change the unit");
    host.switch(&new).await.unwrap();
    assert!(host.runs(&new).await && !host.runs(&old).await);
    host.docker.promote(in_container(&new)).await.unwrap();
    let names = |c: Option<oml_common::decide::observed::ObservedContainer>| c.map(|c| c.name);
    assert_eq!(names(host.container(&new).await).unwrap(), "oml-contract-switch-server");
    assert_eq!(names(host.container(&old).await).unwrap(), "oml-contract-switch-server-prev");

    // And back: what was made is used again, and takes its name back.
    documents::write(&host.paths, &old, Slot::Current).unwrap();
    host.systemd.start(&old).await.unwrap();
    host.docker.promote(in_container(&old)).await.unwrap();
    host.docker.promote(in_container(&old)).await.unwrap();
    assert!(host.runs(&old).await && !host.runs(&new).await);
    assert_eq!(names(host.container(&old).await).unwrap(), "oml-contract-switch-server");
    assert_eq!(host.containers(&old.component).await.len(), 2);
    host.clear(&old).await;
}

async fn a_version_that_exits_is_refused_with_its_last_words(host: &ContractHost) {
    let good = host.instance("contract-exits", "v1", &host.images.first, 8305);
    let bad = host.instance("contract-exits", "bad", &host.images.exits, 8305);
    host.install(&good).await;
    host.prepare(&bad).await;
    let error = host.switch(&bad).await.unwrap_err();
    assert!(!error.is_transient(), "{error}");
    let hash = bad.workload_hash();
    let words = host.docker.exit_report(&bad.component, &hash, Timestamp(0)).await.unwrap();
    assert_eq!(words.exit_code, Some(1));
    assert!(words.log_tail.iter().any(|line| line.contains("exits at once")), "{words:?}");
    assert_eq!(host.container(&bad).await.as_ref().and_then(exit_code), Some(1));
    assert!(!host.runs(&good).await);
    // The way back.
    documents::write(&host.paths, &good, Slot::Current).unwrap();
    host.systemd.start(&good).await.unwrap();
    assert!(host.runs(&good).await);
    host.clear(&good).await;
}

async fn a_container_removed_by_hand_comes_back(host: &ContractHost) {
    let instance = host.instance("contract-drift", "v1", &host.images.first, 8310);
    host.install(&instance).await;
    let first = host.container(&instance).await.unwrap();
    host.manual.remove_container(&first.name);
    host.until("another container of it runs and answers", async || {
        let status = documents::read_status(&host.paths, &instance.component).unwrap();
        let answers = status
            .is_some_and(|status| status.health == Health::Healthy && status.container != first.id);
        answers && host.runs(&instance).await
    })
    .await;
    let status = documents::read_status(&host.paths, &instance.component).unwrap().unwrap();
    let found = status.drift.map(|drift| drift.found);
    assert_eq!(found.as_deref(), Some("container oml-contract-drift-server was removed"));
    host.until("its unit is active again", async || {
        host.unit(&instance).await.is_some_and(|unit| unit.active == ActiveState::Active)
    })
    .await;
    assert_eq!(host.unit(&instance).await.unwrap().restarts, 1);
    host.clear(&instance).await;
}

async fn every_change_is_counted(host: &ContractHost) {
    let instance = host.instance("contract-count", "v1", &host.images.first, 8313);
    host.prepare(&instance).await;
    // Which units count is known from a listing.
    host.listing(&instance).await;
    let (mut docker, mut systemd) = (host.docker.changes(), host.systemd.changes());
    docker.mark_unchanged();
    systemd.mark_unchanged();
    host.switch(&instance).await.unwrap();
    host.until("the engine reports a change", async || docker.has_changed().unwrap()).await;
    host.until("systemd reports a change", async || systemd.has_changed().unwrap()).await;
    host.clear(&instance).await;
}

async fn taking_away_what_is_not_there_is_fine(host: &ContractHost) {
    let instance = host.instance("contract-nothing", "v1", &host.images.first, 8314);
    host.clear(&instance).await;
    host.clear(&instance).await;
}

async fn a_program_that_never_answers_is_stopped_and_reported(host: &ContractHost) {
    let instance = host.instance("contract-hangs", "hangs", &host.images.hangs, 8320);
    let instance = instance.edited(|instance| instance.timing.start_timeout_ms = 1_500);
    host.prepare(&instance).await;
    let begun = Instant::now();
    let error = host.switch(&instance).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert!(matches!(error, RuntimeError::Refused { verb: "start", .. }), "{error}");
    let said = host.status(&instance).detail;
    let refused = "connection refused (asked 127.0.0.1:8320)";
    assert_eq!(said, format!("did not answer within 1500 ms of its start: {refused}"));
    host.clear(&instance).await;
}

async fn a_killed_supervisor_leaves_its_container_and_the_next_adopts_it(host: &ContractHost) {
    let instance = host.instance("contract-killed", "v1", &host.images.first, 8321);
    host.install(&instance).await;
    let since = host.started(&instance).await;
    host.manual.kill_supervisor(&instance);
    for restarts in 1..=2 {
        host.until("another supervisor holds it", async || {
            let unit = host.unit(&instance).await.unwrap();
            unit.active == ActiveState::Active && unit.restarts == restarts
        })
        .await;
        if restarts == 1 {
            host.systemd.replace_supervisor(&instance.component).await.unwrap();
        }
    }
    assert_eq!(host.started(&instance).await, since);
    assert_eq!(host.status(&instance).drift, None);
    // It holds what it adopted.
    host.systemd.stop(&instance.component).await.unwrap();
    assert!(!host.runs(&instance).await);
    host.clear(&instance).await;
}

async fn a_stopped_or_killed_container_comes_back_and_is_reported_as_drift(host: &ContractHost) {
    let instance = host.instance("contract-hand", "v1", &host.images.first, 8322);
    host.install(&instance).await;
    let name = "oml-contract-hand-server";
    for (command, words) in [("stop", "stopped on the host"), ("kill", "killed on the host")] {
        let since = host.started(&instance).await;
        match command {
            "stop" => host.manual.stop_container(name).await,
            _ => host.manual.kill_container(name),
        }
        host.until("it runs and answers again", async || {
            let status = host.status(&instance);
            status.health == Health::Healthy
                && host.started_if_running(&instance).await.is_some_and(|again| again > since)
        })
        .await;
        let found = host.status(&instance).drift.map(|drift| drift.found).unwrap();
        assert!(found.starts_with(&format!("container {name} was {words}")), "{found}");
    }
    host.clear(&instance).await;
}

async fn a_restarted_engine_with_live_restore_moves_nothing(host: &ContractHost) {
    let instance = host.instance("contract-restore", "v1", &host.images.first, 8323);
    host.install(&instance).await;
    let since = host.started(&instance).await;
    host.manual.restart_engine();
    host.until("the engine answers", async || host.docker.list(&[]).await.is_ok()).await;
    assert_eq!(host.started(&instance).await, since);
    let unit = host.unit(&instance).await.unwrap();
    assert_eq!((unit.active, unit.restarts), (ActiveState::Active, 0));
    // It is still held: its end is noticed.
    host.manual.kill_container("oml-contract-restore-server");
    host.until("its end is noticed", async || {
        host.started_if_running(&instance).await.is_some_and(|again| again > since)
    })
    .await;
    host.clear(&instance).await;
}

async fn a_restarted_engine_without_live_restore_brings_everything_back(host: &ContractHost) {
    let instance = host.instance("contract-down", "v1", &host.images.first, 8324);
    host.install(&instance).await;
    let since = host.started(&instance).await;
    host.manual.restart_engine_without_live_restore().await;
    host.until("it runs and answers again", async || {
        let status = host.status(&instance);
        status.health == Health::Healthy
            && host.started_if_running(&instance).await.is_some_and(|again| again > since)
    })
    .await;
    assert!(host.status(&instance).drift.is_some());
    host.manual.allow_live_restore();
    host.until("its unit is active", async || {
        host.unit(&instance).await.is_some_and(|unit| unit.active == ActiveState::Active)
    })
    .await;
    host.clear(&instance).await;
}

async fn a_start_waits_for_an_engine_that_is_away(host: &ContractHost) {
    let timing = Timing { start_timeout_ms: 5_000, stop_grace_ms: 1_000 };
    let instance = host
        .instance("contract-away", "v1", &host.images.first, 8325)
        .edited(|instance| instance.timing = timing);
    host.install(&instance).await;
    host.systemd.stop(&instance.component).await.unwrap();
    host.manual.take_engine_away();
    let error = host.docker.list(&[]).await.unwrap_err();
    assert!(matches!(error, RuntimeError::Unavailable { daemon: "docker", .. }), "{error}");
    host.manual.begin("start", &instance);
    host.until("its supervisor says what it waits for", async || {
        host.manual.status_text(&instance).contains("docker does not answer since")
    })
    .await;
    host.manual.bring_engine_back();
    host.until("it started", async || {
        host.unit(&instance).await.is_some_and(|unit| unit.active == ActiveState::Active)
    })
    .await;
    assert_eq!(host.unit(&instance).await.unwrap().restarts, 0);
    assert!(host.runs(&instance).await);
    host.clear(&instance).await;
}

async fn a_start_waits_for_an_image_that_is_pulled_meanwhile(host: &ContractHost) {
    let instance = host.instance("contract-pruned", "v2", &host.images.second, 8331);
    host.install(&instance).await;
    host.systemd.stop(&instance.component).await.unwrap();
    host.manual.prune();
    assert!(host.containers(&instance.component).await.is_empty());
    host.manual.begin("start", &instance);
    host.until("its supervisor says what it waits for", async || {
        host.manual.status_text(&instance).contains("No such image")
    })
    .await;
    host.pull(&instance).await.unwrap();
    host.until("it started", async || {
        host.unit(&instance).await.is_some_and(|unit| unit.active == ActiveState::Active)
    })
    .await;
    assert_eq!(host.unit(&instance).await.unwrap().restarts, 0);
    assert!(host.runs(&instance).await);
    host.clear(&instance).await;
}

async fn changed_timing_is_taken_up_without_a_restart(host: &ContractHost) {
    let instance = host.instance("contract-reread", "v1", &host.images.first, 8329);
    host.install(&instance).await;
    let since = host.started(&instance).await;
    // A port on which nobody answers.
    let instance = instance.edited(|instance| instance.probe.check = Check::Tcp { port: 8330 });
    documents::write(&host.paths, &instance, Slot::Current).unwrap();
    run("systemctl", &["reload", instance.unit.as_str()]);
    host.until("the new question is asked", async || {
        host.status(&instance).health == Health::Unhealthy
    })
    .await;
    assert_eq!(host.status(&instance).detail, "connection refused (asked 127.0.0.1:8330)");
    assert_eq!(host.started(&instance).await, since);
    host.clear(&instance).await;
}

async fn a_stuck_supervisor_is_replaced_and_its_container_stays(host: &ContractHost) {
    let instance = host.instance("contract-stuck", "v1", &host.images.first, 8333);
    host.install(&instance).await;
    let since = host.started(&instance).await;
    // The unit's own watchdog time would make the test wait for a minute.
    let folder = "/run/systemd/system/contract-stuck.service.d";
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(format!("{folder}/watchdog.conf"), "[Service]\nWatchdogSec=10s\n").unwrap();
    run("systemctl", &["daemon-reload"]);
    run("systemctl", &["kill", "--signal=KILL", instance.unit.as_str()]);
    // The number of restarts is not checked: on a slow machine the next one may time out too.
    let restarts = async || host.unit(&instance).await.unwrap().restarts;
    let restarted = async |before| {
        host.until("another supervisor holds it", async || {
            let unit = host.unit(&instance).await.unwrap();
            unit.active == ActiveState::Active && unit.restarts > before
        })
        .await;
    };
    restarted(0).await;
    let before = restarts().await;
    run("systemctl", &["kill", "--signal=STOP", instance.unit.as_str()]);
    restarted(before).await;
    assert_eq!(host.started(&instance).await, since);
    std::fs::remove_dir_all(folder).unwrap();
    host.clear(&instance).await;
}
