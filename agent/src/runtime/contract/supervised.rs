//! What an engine and a unit manager keep together: a unit whose supervisor runs a container.

use std::time::Duration;

use oml_common::decide::observed::{ActiveState, ContainerState};
use oml_common::document::instance::{Check, Timing};
use oml_common::document::status::Health;
use oml_common::time::Timestamp;
use tokio::time::Instant;

use super::manual_actions::run;
use super::{Place, exit_code, in_container};
use crate::documents;
use crate::paths::Slot;
use crate::runtime::RuntimeError;

pub(super) async fn all(place: &Place) {
    in_order!(
        place,
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
pub(super) async fn of_real_daemons(place: &Place) {
    in_order!(
        place,
        changed_timing_is_taken_up_without_a_restart,
        a_stuck_supervisor_is_replaced_and_its_container_stays
    );
}

async fn what_is_put_does_not_run(place: &Place) {
    let instance = place.instance("contract-put", "v1", &place.images.first, 8302);
    place.prepare(&instance).await;
    place.prepare(&instance).await;
    let containers = place.containers(&instance.component).await;
    assert_eq!(containers.len(), 1);
    assert_eq!(containers[0].state, ContainerState::Created);
    assert_eq!(containers[0].version.as_str(), "v1");
    assert_ne!(containers[0].name, "oml-contract-put-server");
    let unit = place.unit(&instance).await.unwrap();
    assert_eq!(unit.active, ActiveState::Inactive);
    assert!(unit.hash.is_some() && !unit.stale && !unit.stopped_by_hand, "{unit:?}");
    place.clear(&instance).await;
}

async fn what_is_started_runs_and_answers(place: &Place) {
    let instance = place.instance("contract-start", "v1", &place.images.first, 8303);
    place.install(&instance).await;
    let container = place.container(&instance).await.unwrap();
    assert!(container.is_running());
    assert_eq!(container.name, "oml-contract-start-server");
    let unit = place.unit(&instance).await.unwrap();
    assert_eq!(unit.active, ActiveState::Active);
    assert!(!unit.stale, "{unit:?}");
    let status = documents::read_status(&place.paths, &instance.component).unwrap().unwrap();
    assert_eq!(status.health, Health::Healthy);
    assert_eq!(status.container, container.id);
    // Again: the same container, restarted.
    place.systemd.start(&instance).await.unwrap();
    assert_eq!(place.container(&instance).await.map(|c| c.id), Some(container.id));
    assert_eq!(place.containers(&instance.component).await.len(), 1);
    place.clear(&instance).await;
}

async fn a_switch_leaves_exactly_the_new_version_running(place: &Place) {
    let old = place.instance("contract-switch", "v1", &place.images.first, 8304);
    let new = place.instance("contract-switch", "v2", &place.images.second, 8304);
    place.install(&old).await;
    let before = place.unit(&old).await.unwrap();
    place.prepare(&new).await;
    assert!(place.runs(&old).await, "preparing must not stop what runs");
    let prepared = place.unit(&new).await.unwrap();
    assert_eq!(prepared.hash, before.hash, "a new version does not change the unit");
    place.switch(&new).await.unwrap();
    assert!(place.runs(&new).await && !place.runs(&old).await);
    place.docker.promote(in_container(&new)).await.unwrap();
    let names = |c: Option<oml_common::decide::observed::ObservedContainer>| c.map(|c| c.name);
    assert_eq!(names(place.container(&new).await).unwrap(), "oml-contract-switch-server");
    assert_eq!(names(place.container(&old).await).unwrap(), "oml-contract-switch-server-prev");

    // And back: what was made is used again, and takes its name back.
    documents::write(&place.paths, &old, Slot::Current).unwrap();
    place.systemd.start(&old).await.unwrap();
    place.docker.promote(in_container(&old)).await.unwrap();
    place.docker.promote(in_container(&old)).await.unwrap();
    assert!(place.runs(&old).await && !place.runs(&new).await);
    assert_eq!(names(place.container(&old).await).unwrap(), "oml-contract-switch-server");
    assert_eq!(place.containers(&old.component).await.len(), 2);
    place.clear(&old).await;
}

async fn a_version_that_exits_is_refused_with_its_last_words(place: &Place) {
    let good = place.instance("contract-exits", "v1", &place.images.first, 8305);
    let bad = place.instance("contract-exits", "bad", &place.images.exits, 8305);
    place.install(&good).await;
    place.prepare(&bad).await;
    let error = place.switch(&bad).await.unwrap_err();
    assert!(!error.is_transient(), "{error}");
    let hash = bad.workload_hash();
    let words = place.docker.exit_report(&bad.component, &hash, Timestamp(0)).await.unwrap();
    assert_eq!(words.exit_code, Some(1));
    assert!(words.log_tail.iter().any(|line| line.contains("exits at once")), "{words:?}");
    assert_eq!(place.container(&bad).await.as_ref().and_then(exit_code), Some(1));
    assert!(!place.runs(&good).await);
    // The way back.
    documents::write(&place.paths, &good, Slot::Current).unwrap();
    place.systemd.start(&good).await.unwrap();
    assert!(place.runs(&good).await);
    place.clear(&good).await;
}

async fn a_container_removed_by_hand_comes_back(place: &Place) {
    let instance = place.instance("contract-drift", "v1", &place.images.first, 8310);
    place.install(&instance).await;
    let first = place.container(&instance).await.unwrap();
    place.manual.remove_container(&first.name);
    place
        .until("another container of it runs and answers", async || {
            let status = documents::read_status(&place.paths, &instance.component).unwrap();
            let answers = status.is_some_and(|status| {
                status.health == Health::Healthy && status.container != first.id
            });
            answers && place.runs(&instance).await
        })
        .await;
    let status = documents::read_status(&place.paths, &instance.component).unwrap().unwrap();
    let found = status.drift.map(|drift| drift.found);
    assert_eq!(found.as_deref(), Some("container oml-contract-drift-server was removed"));
    place
        .until("its unit is active again", async || {
            place.unit(&instance).await.is_some_and(|unit| unit.active == ActiveState::Active)
        })
        .await;
    assert_eq!(place.unit(&instance).await.unwrap().restarts, 1);
    place.clear(&instance).await;
}

async fn every_change_is_counted(place: &Place) {
    let instance = place.instance("contract-count", "v1", &place.images.first, 8313);
    place.prepare(&instance).await;
    // Which units count is known from a listing.
    place.listing(&instance).await;
    let (mut docker, mut systemd) = (place.docker.changes(), place.systemd.changes());
    docker.mark_unchanged();
    systemd.mark_unchanged();
    place.switch(&instance).await.unwrap();
    place.until("the engine reports a change", async || docker.has_changed().unwrap()).await;
    place.until("systemd reports a change", async || systemd.has_changed().unwrap()).await;
    place.clear(&instance).await;
}

async fn taking_away_what_is_not_there_is_fine(place: &Place) {
    let instance = place.instance("contract-nothing", "v1", &place.images.first, 8314);
    place.clear(&instance).await;
    place.clear(&instance).await;
}

async fn a_program_that_never_answers_is_stopped_and_reported(place: &Place) {
    let instance = place.instance("contract-hangs", "hangs", &place.images.hangs, 8320);
    let instance = instance.edited(|instance| instance.timing.start_timeout_ms = 1_500);
    place.prepare(&instance).await;
    let begun = Instant::now();
    let error = place.switch(&instance).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert!(matches!(error, RuntimeError::Refused { verb: "start", .. }), "{error}");
    let said = place.status(&instance).detail;
    let refused = "connection refused (asked 127.0.0.1:8320)";
    assert_eq!(said, format!("did not answer within 1500 ms of its start: {refused}"));
    place.clear(&instance).await;
}

async fn a_killed_supervisor_leaves_its_container_and_the_next_adopts_it(place: &Place) {
    let instance = place.instance("contract-killed", "v1", &place.images.first, 8321);
    place.install(&instance).await;
    let since = place.started(&instance).await;
    place.manual.kill_supervisor(&instance);
    for restarts in 1..=2 {
        place
            .until("another supervisor holds it", async || {
                let unit = place.unit(&instance).await.unwrap();
                unit.active == ActiveState::Active && unit.restarts == restarts
            })
            .await;
        if restarts == 1 {
            place.systemd.replace_supervisor(&instance.component).await.unwrap();
        }
    }
    assert_eq!(place.started(&instance).await, since);
    assert_eq!(place.status(&instance).drift, None);
    // It holds what it adopted.
    place.systemd.stop(&instance.component).await.unwrap();
    assert!(!place.runs(&instance).await);
    place.clear(&instance).await;
}

async fn a_stopped_or_killed_container_comes_back_and_is_reported_as_drift(place: &Place) {
    let instance = place.instance("contract-hand", "v1", &place.images.first, 8322);
    place.install(&instance).await;
    let name = "oml-contract-hand-server";
    for (command, words) in [("stop", "stopped on the host"), ("kill", "killed on the host")] {
        let since = place.started(&instance).await;
        match command {
            "stop" => place.manual.stop_container(name).await,
            _ => place.manual.kill_container(name),
        }
        place
            .until("it runs and answers again", async || {
                let status = place.status(&instance);
                status.health == Health::Healthy
                    && place.started_if_running(&instance).await.is_some_and(|again| again > since)
            })
            .await;
        let found = place.status(&instance).drift.map(|drift| drift.found).unwrap();
        assert!(found.starts_with(&format!("container {name} was {words}")), "{found}");
    }
    place.clear(&instance).await;
}

async fn a_restarted_engine_with_live_restore_moves_nothing(place: &Place) {
    let instance = place.instance("contract-restore", "v1", &place.images.first, 8323);
    place.install(&instance).await;
    let since = place.started(&instance).await;
    place.manual.restart_engine();
    place.until("the engine answers", async || place.docker.list(&[]).await.is_ok()).await;
    assert_eq!(place.started(&instance).await, since);
    let unit = place.unit(&instance).await.unwrap();
    assert_eq!((unit.active, unit.restarts), (ActiveState::Active, 0));
    // It is still held: its end is noticed.
    place.manual.kill_container("oml-contract-restore-server");
    place
        .until("its end is noticed", async || {
            place.started_if_running(&instance).await.is_some_and(|again| again > since)
        })
        .await;
    place.clear(&instance).await;
}

async fn a_restarted_engine_without_live_restore_brings_everything_back(place: &Place) {
    let instance = place.instance("contract-down", "v1", &place.images.first, 8324);
    place.install(&instance).await;
    let since = place.started(&instance).await;
    place.manual.restart_engine_without_live_restore().await;
    place
        .until("it runs and answers again", async || {
            let status = place.status(&instance);
            status.health == Health::Healthy
                && place.started_if_running(&instance).await.is_some_and(|again| again > since)
        })
        .await;
    assert!(place.status(&instance).drift.is_some());
    place.manual.allow_live_restore();
    place
        .until("its unit is active", async || {
            place.unit(&instance).await.is_some_and(|unit| unit.active == ActiveState::Active)
        })
        .await;
    place.clear(&instance).await;
}

async fn a_start_waits_for_an_engine_that_is_away(place: &Place) {
    let timing = Timing { start_timeout_ms: 5_000, stop_grace_ms: 1_000 };
    let instance = place
        .instance("contract-away", "v1", &place.images.first, 8325)
        .edited(|instance| instance.timing = timing);
    place.install(&instance).await;
    place.systemd.stop(&instance.component).await.unwrap();
    place.manual.take_engine_away();
    let error = place.docker.list(&[]).await.unwrap_err();
    assert!(matches!(error, RuntimeError::Unavailable { daemon: "docker", .. }), "{error}");
    place.manual.begin("start", &instance);
    place
        .until("its supervisor says what it waits for", async || {
            place.manual.status_text(&instance).contains("docker does not answer since")
        })
        .await;
    place.manual.bring_engine_back();
    place
        .until("it started", async || {
            place.unit(&instance).await.is_some_and(|unit| unit.active == ActiveState::Active)
        })
        .await;
    assert_eq!(place.unit(&instance).await.unwrap().restarts, 0);
    assert!(place.runs(&instance).await);
    place.clear(&instance).await;
}

async fn a_start_waits_for_an_image_that_is_pulled_meanwhile(place: &Place) {
    let instance = place.instance("contract-pruned", "v2", &place.images.second, 8331);
    place.install(&instance).await;
    place.systemd.stop(&instance.component).await.unwrap();
    place.manual.prune();
    assert!(place.containers(&instance.component).await.is_empty());
    place.manual.begin("start", &instance);
    place
        .until("its supervisor says what it waits for", async || {
            place.manual.status_text(&instance).contains("No such image")
        })
        .await;
    place.pull(&instance).await.unwrap();
    place
        .until("it started", async || {
            place.unit(&instance).await.is_some_and(|unit| unit.active == ActiveState::Active)
        })
        .await;
    assert_eq!(place.unit(&instance).await.unwrap().restarts, 0);
    assert!(place.runs(&instance).await);
    place.clear(&instance).await;
}

async fn changed_timing_is_taken_up_without_a_restart(place: &Place) {
    let instance = place.instance("contract-reread", "v1", &place.images.first, 8329);
    place.install(&instance).await;
    let since = place.started(&instance).await;
    // A port on which nobody answers.
    let instance = instance.edited(|instance| instance.probe.check = Check::Tcp { port: 8330 });
    documents::write(&place.paths, &instance, Slot::Current).unwrap();
    run("systemctl", &["reload", instance.unit.as_str()]);
    place
        .until("the new question is asked", async || {
            place.status(&instance).health == Health::Unhealthy
        })
        .await;
    assert_eq!(place.status(&instance).detail, "connection refused (asked 127.0.0.1:8330)");
    assert_eq!(place.started(&instance).await, since);
    place.clear(&instance).await;
}

async fn a_stuck_supervisor_is_replaced_and_its_container_stays(place: &Place) {
    let instance = place.instance("contract-stuck", "v1", &place.images.first, 8333);
    place.install(&instance).await;
    let since = place.started(&instance).await;
    // The unit's own watchdog time would make the test wait for a minute.
    let folder = "/run/systemd/system/contract-stuck.service.d";
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(format!("{folder}/watchdog.conf"), "[Service]\nWatchdogSec=10s\n").unwrap();
    run("systemctl", &["daemon-reload"]);
    run("systemctl", &["kill", "--signal=KILL", instance.unit.as_str()]);
    // The number of restarts is not checked: on a slow machine the next one may time out too.
    let restarts = async || place.unit(&instance).await.unwrap().restarts;
    let restarted = async |before| {
        place
            .until("another supervisor holds it", async || {
                let unit = place.unit(&instance).await.unwrap();
                unit.active == ActiveState::Active && unit.restarts > before
            })
            .await;
    };
    restarted(0).await;
    let before = restarts().await;
    run("systemctl", &["kill", "--signal=STOP", instance.unit.as_str()]);
    restarted(before).await;
    assert_eq!(place.started(&instance).await, since);
    std::fs::remove_dir_all(folder).unwrap();
    place.clear(&instance).await;
}
