//! The clauses of the contract, one after the other on one host.

use std::num::NonZeroU32;

use oml_common::decide::observed::{ActiveState, ContainerState};
use oml_common::document::Verbatim;
use oml_common::document::instance::{Container, Instance, PidsLimit, Workload};
use oml_common::document::status::Health;
use oml_common::id::Digest;

use super::in_container;
use super::{Place, exit_code};
use crate::documents;
use crate::paths::Slot;
use crate::runtime::ContainerInstance;
use crate::runtime::RuntimeError;
use oml_common::time::Timestamp;

pub(super) async fn all(place: &Place) {
    in_order!(
        place,
        an_image_is_fetched_once_and_a_missing_one_is_refused_for_good,
        an_image_for_another_processor_is_refused_for_good,
        what_is_put_does_not_run,
        a_container_is_confined_unless_its_document_says_otherwise,
        what_is_started_runs_and_answers,
        a_switch_leaves_exactly_the_new_version_running,
        the_last_two_before_a_version_are_left_when_it_takes_its_name,
        a_version_that_exits_is_refused_with_its_last_words,
        only_what_does_not_run_and_is_not_kept_is_removed,
        a_container_of_somebody_else_is_named_and_left_alone,
        a_unit_of_somebody_else_is_named_and_left_alone,
        a_unit_stopped_by_hand_is_distinguished_from_one_that_failed,
        a_container_removed_by_hand_comes_back,
        a_lost_document_is_read_from_the_container,
        a_command_gives_its_status_and_output,
        every_change_is_counted,
        a_packaged_unit_gets_a_drop_in_and_nothing_else,
        taking_away_what_is_not_there_is_fine,
    );
}

async fn an_image_is_fetched_once_and_a_missing_one_is_refused_for_good(place: &Place) {
    let instance = place.instance("contract-fetch", "v1", &place.images.first, 8301);
    place.pull(&instance).await.unwrap();
    place.pull(&instance).await.unwrap();
    let (docker, _) = place.listing(&instance).await;
    assert!(docker.images.contains(&place.images.first));

    let absent: Digest = format!("sha256:{}", "f".repeat(64)).parse().unwrap();
    let missing = place.instance("contract-fetch", "v9", &absent, 8301);
    let error = place.pull(&missing).await.unwrap_err();
    assert!(!error.is_transient(), "{error}");
    assert!(matches!(error, RuntimeError::Refused { verb: "pull", .. }), "{error}");
    // Nothing to make a container from.
    let error = place.docker.create(in_container(&missing)).await.unwrap_err();
    assert!(matches!(error, RuntimeError::Refused { .. }), "{error}");
}

async fn an_image_for_another_processor_is_refused_for_good(place: &Place) {
    let instance = place.instance("contract-foreign", "v1", &place.images.foreign, 8316);
    let error = place.pull(&instance).await.unwrap_err();
    assert!(!error.is_transient() && error.to_string().contains("no matching manifest"), "{error}");
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

async fn a_container_is_confined_unless_its_document_says_otherwise(place: &Place) {
    let instance = place.instance("contract-pids", "v1", &place.images.first, 8315);
    place.install(&instance).await;
    let name = &instance.container().unwrap().name;
    assert_eq!(place.manual.confinement(name.as_str()), "4096 [no-new-privileges]");
    let container = Container {
        pids_limit: PidsLimit(NonZeroU32::new(64).unwrap()),
        may_gain_privileges: true,
        ..instance.container().unwrap().clone()
    };
    let workload = Verbatim::seal(Workload::Container(container));
    let instance = Verbatim::seal(Instance { workload, ..(*instance).clone() });
    place.install(&instance).await;
    assert_eq!(place.manual.confinement(name.as_str()), "64 []");
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

async fn the_last_two_before_a_version_are_left_when_it_takes_its_name(place: &Place) {
    let versions = [("v1", &place.images.first), ("v2", &place.images.second)]
        .into_iter()
        .chain([("v3", &place.images.first)])
        .map(|(version, digest)| place.instance("contract-third", version, digest, 8314));
    let versions: Vec<_> = versions.collect();
    for version in &versions {
        place.install(version).await;
    }
    let mut names = Vec::new();
    for version in &versions {
        names.push(place.container(version).await.map(|container| container.name));
    }
    let own = "oml-contract-third-server";
    let spare = format!("{own}-next-{}", versions[0].workload_hash().short());
    assert_eq!(names, [Some(spare), Some(format!("{own}-prev")), Some(own.to_owned())]);
    place.clear(&versions[2]).await;
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

async fn only_what_does_not_run_and_is_not_kept_is_removed(place: &Place) {
    let old = place.instance("contract-keep", "v1", &place.images.first, 8306);
    let new = place.instance("contract-keep", "v2", &place.images.second, 8306);
    let spare = place.instance("contract-keep", "v3", &place.images.second, 8306);
    place.install(&old).await;
    place.prepare(&spare).await;
    place.prepare(&new).await;
    place.switch(&new).await.unwrap();
    let keep = [new.workload_hash(), old.workload_hash()];
    place.docker.remove(&old.component, &keep).await.unwrap();
    assert!(place.container(&spare).await.is_none());
    assert!(place.container(&old).await.is_some());
    place.docker.remove(&old.component, &[]).await.unwrap();
    assert!(place.container(&old).await.is_none());
    assert!(place.runs(&new).await, "what runs is never removed");
    place.systemd.remove(&old.component).await.unwrap();
    assert!(place.unit(&new).await.is_some_and(|unit| unit.active == ActiveState::Active));
    place.clear(&new).await;
}

async fn a_container_of_somebody_else_is_named_and_left_alone(place: &Place) {
    let instance = place.instance("contract-name", "v1", &place.images.first, 8307);
    place.pull(&instance).await.unwrap();
    place.manual.take_name(&instance, "oml-contract-name-server");
    let (docker, _) = place.listing(&instance).await;
    let foreign = "container oml-contract-name-server".to_owned();
    assert_eq!(docker.foreign, [(instance.component.clone(), foreign.clone())]);
    assert!(place.containers(&instance.component).await.is_empty());
    let error = place.docker.create(in_container(&instance)).await.unwrap_err();
    assert!(matches!(&error, RuntimeError::Foreign(what) if *what == foreign), "{error}");
    place.docker.remove(&instance.component, &[]).await.unwrap();
    let (docker, _) = place.listing(&instance).await;
    assert_eq!(docker.foreign.len(), 1, "it must still be there");
    place.manual.remove_container("oml-contract-name-server");
}

async fn a_unit_of_somebody_else_is_named_and_left_alone(place: &Place) {
    let instance = place.instance("contract-unit", "v1", &place.images.first, 8308);
    place.manual.bring_foreign_unit(&instance).await;
    let (_, systemd) = place.listing(&instance).await;
    let foreign = "unit contract-unit.service".to_owned();
    assert_eq!(systemd.foreign, [(instance.component.clone(), foreign.clone())]);
    assert!(systemd.units.iter().all(|(name, _)| name != &instance.component));
    let error = place.systemd.write(&instance).await.unwrap_err();
    assert!(matches!(&error, RuntimeError::Foreign(what) if *what == foreign), "{error}");
    place.manual.take_unit_away(&instance).await;
}

async fn a_unit_stopped_by_hand_is_distinguished_from_one_that_failed(place: &Place) {
    let instance = place.instance("contract-held", "v1", &place.images.first, 8309);
    place.install(&instance).await;
    place.manual.systemctl("stop", &instance).await;
    let unit = place.unit(&instance).await.unwrap();
    assert_eq!(unit.active, ActiveState::Inactive);
    assert!(unit.stopped_by_hand, "{unit:?}");
    assert!(!place.runs(&instance).await);
    place.manual.systemctl("start", &instance).await;
    let unit = place.unit(&instance).await.unwrap();
    assert_eq!(unit.active, ActiveState::Active);
    assert!(!unit.stopped_by_hand, "{unit:?}");
    assert!(place.runs(&instance).await);
    place.clear(&instance).await;
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

async fn a_lost_document_is_read_from_the_container(place: &Place) {
    let instance = place.instance("contract-label", "v1", &place.images.first, 8311);
    place.install(&instance).await;
    documents::remove(&place.paths, &instance.component).unwrap();
    let hash = instance.workload_hash();
    let labelled = place.docker.document(&instance.component, &hash).await.unwrap();
    assert_eq!(labelled.as_ref(), Some(&instance));
    place.systemd.start(&instance).await.unwrap();
    assert!(place.runs(&instance).await);
    place.clear(&instance).await;
}

async fn a_command_gives_its_status_and_output(place: &Place) {
    let instance = place.instance("contract-exec", "v1", &place.images.first, 8312);
    let component = instance.component.clone();
    let command = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let echo = command(&["echo", "three"]);
    assert!(place.docker.exec(&component, &echo, 5_000).await.is_err(), "nothing runs yet");
    place.install(&instance).await;
    let output = place.docker.exec(&component, &echo, 5_000).await.unwrap();
    assert_eq!((output.exit_code, output.stdout.as_str()), (0, "three\n"));
    let output = place.docker.exec(&component, &command(&["false"]), 5_000).await.unwrap();
    assert_eq!(output.exit_code, 1);
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

async fn a_packaged_unit_gets_a_drop_in_and_nothing_else(place: &Place) {
    let instance = place.packaged("contract-packaged", "contract-packaged.service");
    let error = place.systemd.write(&instance).await.unwrap_err();
    assert!(matches!(error, RuntimeError::Refused { .. }), "{error}");
    assert!(!error.is_transient(), "{error}");
    place.manual.bring_packaged_unit(&instance);
    let unit = place.unit(&instance).await.unwrap();
    assert!(unit.hash.is_none(), "{unit:?}");
    place.systemd.write(&instance).await.unwrap();
    place.systemd.start(&instance).await.unwrap();
    let unit = place.unit(&instance).await.unwrap();
    assert_eq!(unit.active, ActiveState::Active);
    assert!(unit.hash.is_some() && !unit.stale, "{unit:?}");
    assert!(ContainerInstance::of(&instance).is_none(), "no engine takes a packaged unit");
    place.systemd.stop(&instance.component).await.unwrap();
    place.systemd.remove(&instance.component).await.unwrap();
    let unit = place.unit(&instance).await.unwrap();
    assert!(unit.hash.is_none(), "only the drop-in goes: {unit:?}");
    place.manual.take_unit_away(&instance).await;
}

async fn taking_away_what_is_not_there_is_fine(place: &Place) {
    let instance = place.instance("contract-nothing", "v1", &place.images.first, 8314);
    place.clear(&instance).await;
    place.clear(&instance).await;
}
