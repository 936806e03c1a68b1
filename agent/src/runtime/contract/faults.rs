//! What must hold when programs, daemons and people misbehave.

use std::time::Duration;

use oml_common::decide::observed::{ActiveState, ContainerState};
use oml_common::document::instance::InstanceDocument;
use oml_common::document::instance::{Check, Timing, Workload};
use oml_common::document::status::{Health, Status};
use oml_common::time::Timestamp;
use tokio::time::Instant;

use super::Place;
use super::in_container;
use super::manual_actions::{answer_of, run};
use crate::documents;
use crate::runtime::RuntimeError;

pub(super) async fn all(place: &Place) {
    in_order!(
        place,
        a_program_that_never_answers_is_stopped_and_reported,
        a_killed_supervisor_leaves_its_container_and_the_next_adopts_it,
        a_stopped_or_killed_container_comes_back_and_is_reported_as_drift,
        a_restarted_engine_with_live_restore_moves_nothing,
        a_restarted_engine_without_live_restore_brings_everything_back,
        a_start_waits_for_an_engine_that_is_away,
        a_start_waits_for_an_image_that_is_pulled_meanwhile,
        a_missing_secret_is_reported_before_anything_is_made,
        a_stop_during_the_start_leaves_nothing_running,
        a_unit_file_removed_by_hand_is_written_again,
        a_renamed_unit_takes_over_what_runs,
    );
}

/// Clauses about what the model has not: a bus, ports, the order of starts and a watchdog.
pub(super) async fn of_real_daemons(place: &Place) {
    in_order!(
        place,
        a_restarted_bus_is_found_again,
        changed_timing_is_taken_up_without_a_restart,
        a_unit_comes_after_the_units_of_what_it_needs,
        a_stuck_supervisor_is_replaced_and_its_container_stays,
    );
}

async fn a_program_that_never_answers_is_stopped_and_reported(place: &Place) {
    let instance = place.instance("contract-hangs", "hangs", &place.images.hangs, 8320);
    let instance = instance.edited(|instance| instance.timing.start_timeout_ms = 1_500);
    place.prepare(&instance).await;
    let begun = Instant::now();
    let error = place.switch(&instance).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert!(matches!(error, RuntimeError::Refused { verb: "start", .. }), "{error}");
    let said = status(place, &instance).detail;
    let refused = "connection refused (asked 127.0.0.1:8320)";
    assert_eq!(said, format!("did not answer within 1500 ms of its start: {refused}"));
    place.clear(&instance).await;
}

async fn a_killed_supervisor_leaves_its_container_and_the_next_adopts_it(place: &Place) {
    let instance = place.instance("contract-killed", "v1", &place.images.first, 8321);
    place.install(&instance).await;
    let since = started(place, &instance).await;
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
    assert_eq!(started(place, &instance).await, since);
    assert_eq!(status(place, &instance).drift, None);
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
        let since = started(place, &instance).await;
        match command {
            "stop" => place.manual.stop_container(name).await,
            _ => place.manual.kill_container(name),
        }
        place
            .until("it runs and answers again", async || {
                let status = status(place, &instance);
                status.health == Health::Healthy
                    && started_if_running(place, &instance).await.is_some_and(|again| again > since)
            })
            .await;
        let found = status(place, &instance).drift.map(|drift| drift.found).unwrap();
        assert!(found.starts_with(&format!("container {name} was {words}")), "{found}");
    }
    place.clear(&instance).await;
}

async fn a_restarted_engine_with_live_restore_moves_nothing(place: &Place) {
    let instance = place.instance("contract-restore", "v1", &place.images.first, 8323);
    place.install(&instance).await;
    let since = started(place, &instance).await;
    place.manual.restart_engine();
    place.until("the engine answers", async || place.docker.list(&[]).await.is_ok()).await;
    assert_eq!(started(place, &instance).await, since);
    let unit = place.unit(&instance).await.unwrap();
    assert_eq!((unit.active, unit.restarts), (ActiveState::Active, 0));
    // It is still held: its end is noticed.
    place.manual.kill_container("oml-contract-restore-server");
    place
        .until("its end is noticed", async || {
            started_if_running(place, &instance).await.is_some_and(|again| again > since)
        })
        .await;
    place.clear(&instance).await;
}

async fn a_restarted_engine_without_live_restore_brings_everything_back(place: &Place) {
    let instance = place.instance("contract-down", "v1", &place.images.first, 8324);
    place.install(&instance).await;
    let since = started(place, &instance).await;
    place.manual.restart_engine_without_live_restore().await;
    place
        .until("it runs and answers again", async || {
            let status = status(place, &instance);
            status.health == Health::Healthy
                && started_if_running(place, &instance).await.is_some_and(|again| again > since)
        })
        .await;
    assert!(status(place, &instance).drift.is_some());
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

async fn a_restarted_bus_is_found_again(place: &Place) {
    let instance = place.instance("contract-bus", "v1", &place.images.first, 8326);
    place.install(&instance).await;
    let since = started(place, &instance).await;
    run("systemctl", &["restart", "dbus.service"]);
    let desired = std::slice::from_ref(&instance);
    place.until("systemd answers", async || place.systemd.list(desired).await.is_ok()).await;
    assert_eq!(started(place, &instance).await, since);
    // Signals too.
    let mut changes = place.systemd.changes();
    place
        .until("signals flow", async || {
            changes.mark_unchanged();
            run("systemctl", &["reload", instance.unit.as_str()]);
            let waiting = tokio::time::timeout(Duration::from_secs(1), changes.changed()).await;
            waiting.is_ok()
        })
        .await;
    place.systemd.start(&instance).await.unwrap();
    place.clear(&instance).await;
}

async fn a_missing_secret_is_reported_before_anything_is_made(place: &Place) {
    let instance = place.instance("contract-secret", "v1", &place.images.first, 8327);
    let workload = instance.workload.edited(|workload| {
        let Workload::Container(container) = workload else { panic!("it is a container") };
        container.secrets.insert("TOKEN".parse().unwrap(), "contract_token".parse().unwrap());
    });
    let instance = instance.edited(|instance| instance.workload = workload);
    place.pull(&instance).await.unwrap();
    let error = place.docker.create(in_container(&instance)).await.unwrap_err().to_string();
    let path = place.paths.secret(&"contract_token".parse().unwrap());
    assert!(error.contains(&format!("{} is missing", path.display())), "{error}");
    assert!(place.containers(&instance.component).await.is_empty());
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "sesame\n").unwrap();
    place.install(&instance).await;
    let environment = place.manual.environment("oml-contract-secret-server");
    assert!(environment.contains("TOKEN=sesame "), "{environment}");
    std::fs::remove_file(path).unwrap();
    place.clear(&instance).await;
}

async fn a_stop_during_the_start_leaves_nothing_running(place: &Place) {
    let instance = place.instance("contract-early", "hangs", &place.images.hangs, 8328);
    place.prepare(&instance).await;
    documents::advance(&place.paths, &instance.component).unwrap();
    let stop = async {
        place.until("its container runs", async || place.runs(&instance).await).await;
        place.manual.begin("stop", &instance);
    };
    let (started, ()) = futures_util::future::join(place.systemd.start(&instance), stop).await;
    let error = started.unwrap_err();
    assert!(error.is_transient(), "a stop by hand says nothing of the version: {error}");
    place
        .until("it has stopped", async || {
            place.unit(&instance).await.unwrap().active == ActiveState::Inactive
        })
        .await;
    assert!(!place.runs(&instance).await);
    let unit = place.unit(&instance).await.unwrap();
    assert!(unit.active == ActiveState::Inactive && unit.stopped_by_hand, "{unit:?}");
    place.clear(&instance).await;
}

async fn changed_timing_is_taken_up_without_a_restart(place: &Place) {
    let instance = place.instance("contract-reread", "v1", &place.images.first, 8329);
    place.install(&instance).await;
    let since = started(place, &instance).await;
    // A port on which nobody answers.
    let instance = instance.edited(|instance| instance.probe.check = Check::Tcp { port: 8330 });
    documents::write(&place.paths, &instance, crate::paths::Slot::Current).unwrap();
    run("systemctl", &["reload", instance.unit.as_str()]);
    place
        .until("the new question is asked", async || {
            status(place, &instance).health == Health::Unhealthy
        })
        .await;
    assert_eq!(status(place, &instance).detail, "connection refused (asked 127.0.0.1:8330)");
    assert_eq!(started(place, &instance).await, since);
    place.clear(&instance).await;
}

async fn a_unit_comes_after_the_units_of_what_it_needs(place: &Place) {
    let first = place.instance("contract-first", "v1", &place.images.first, 8331);
    let after = vec![first.component.clone(), "contract-elsewhere".parse().unwrap()];
    let second = place
        .instance("contract-second", "v1", &place.images.first, 8332)
        .edited(|second| second.after = after);
    let both = [first.clone(), second.clone()];
    place.systemd.list(&both).await.unwrap();
    place.systemd.write(&first).await.unwrap();
    place.systemd.write(&second).await.unwrap();
    let listing = place.systemd.list(&both).await.unwrap();
    assert!(listing.units.iter().all(|(_, unit)| !unit.stale), "{listing:?}");
    let show = |property| answer_of("systemctl", &["show", "-p", property, "contract-second"]);
    assert!(show("After").contains("contract-first.service"), "{}", show("After"));
    assert!(!show("Requires").contains("contract-first.service"), "{}", show("Requires"));
    place.clear(&second).await;
    place.clear(&first).await;
}

async fn a_stuck_supervisor_is_replaced_and_its_container_stays(place: &Place) {
    let instance = place.instance("contract-stuck", "v1", &place.images.first, 8333);
    place.install(&instance).await;
    let since = started(place, &instance).await;
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
    assert_eq!(started(place, &instance).await, since);
    std::fs::remove_dir_all(folder).unwrap();
    place.clear(&instance).await;
}

async fn a_unit_file_removed_by_hand_is_written_again(place: &Place) {
    let instance = place.instance("contract-erased", "v1", &place.images.first, 8334);
    place.install(&instance).await;
    let since = started(place, &instance).await;
    std::fs::remove_file(place.paths.unit(&instance.unit)).unwrap();
    let (_, listing) = place.listing(&instance).await;
    assert_eq!(listing.foreign, []);
    place.systemd.write(&instance).await.unwrap();
    let unit = place.unit(&instance).await.unwrap();
    assert!(unit.hash.is_some() && !unit.stale, "{unit:?}");
    assert_eq!((unit.active, started(place, &instance).await), (ActiveState::Active, since));
    place.clear(&instance).await;
}

async fn a_renamed_unit_takes_over_what_runs(place: &Place) {
    let old = place.instance("contract-renamed", "v1", &place.images.first, 8335);
    place.install(&old).await;
    let since = started(place, &old).await;
    let new = old.edited(|new| new.unit = "contract-renamed-again.service".parse().unwrap());
    assert_eq!(place.unit(&new).await, None);
    place.prepare(&new).await;
    place.switch(&new).await.unwrap();
    assert_eq!(started(place, &new).await, since);
    assert!(!place.paths.unit(&old.unit).exists());
    let unit = place.unit(&new).await.unwrap();
    assert_eq!((unit.active, unit.restarts, unit.stale), (ActiveState::Active, 0, false));
    place.clear(&new).await;
}

fn status(place: &Place, instance: &InstanceDocument) -> Status {
    documents::read_status(&place.paths, &instance.component).unwrap().unwrap()
}

async fn started(place: &Place, instance: &InstanceDocument) -> Timestamp {
    started_if_running(place, instance).await.unwrap()
}

async fn started_if_running(place: &Place, instance: &InstanceDocument) -> Option<Timestamp> {
    match place.container(instance).await?.state {
        ContainerState::Running { since } => Some(since),
        ContainerState::Created | ContainerState::Exited { .. } => None,
    }
}
