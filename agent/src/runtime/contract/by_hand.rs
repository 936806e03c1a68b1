//! Changes by hand to our containers and units, and what is reported about them.

use oml_common::decide::observed::ActiveState;

use super::{Place, in_container};
use crate::documents;

pub(super) async fn all(place: &Place) {
    in_order!(
        place,
        a_copy_of_a_container_is_reported_and_left_alone,
        a_copy_under_the_name_of_a_kept_container_blocks_nothing,
        a_container_renamed_by_hand_stays_ours_and_gets_its_name_back,
        a_paused_or_updated_container_is_reported,
        an_edited_or_disabled_unit_is_reported_and_put_right,
        a_drop_in_of_somebody_else_is_reported,
        a_copy_of_a_unit_file_is_reported_and_left_alone,
    );
}

async fn differs(place: &Place, instance: &super::InstanceDocument) -> Vec<String> {
    let (engine, systemd) = place.listing(instance).await;
    engine.differs.into_iter().chain(systemd.differs).map(|(_, differs)| differs).collect()
}

async fn a_copy_of_a_container_is_reported_and_left_alone(place: &Place) {
    let instance = place.instance("contract-copy", "v1", &place.images.first, 8320);
    let component = &instance.component;
    place.install(&instance).await;
    let original = place.container(&instance).await.unwrap();
    assert_eq!(differs(place, &instance).await, [""; 0], "an installed one differs in nothing");
    place.manual.copy_container(&original.name, "contract-dbg");
    let reported =
        "container contract-dbg has its labels but runs another image: not ours, left alone";
    assert_eq!(differs(place, &instance).await, [reported]);
    assert_eq!(place.containers(component).await.len(), 1);
    place.docker.promote(in_container(&instance)).await.unwrap();
    place.manual.systemctl("stop", &instance).await;
    assert!(!place.runs(&instance).await);
    let echo = ["echo", "three"].map(str::to_owned);
    assert!(place.docker.exec(component, &echo, 5_000).await.is_err(), "only the copy runs");
    place.docker.stop(component).await.unwrap();
    // Without a document, the supervisor has only the labels to go by.
    documents::remove(&place.paths, component).unwrap();
    place.systemd.start(&instance).await.unwrap();
    assert_eq!(place.container(&instance).await.map(|c| c.id), Some(original.id));
    assert_eq!(place.unit(&instance).await.unwrap().active, ActiveState::Active);
    place.clear(&instance).await;
    assert!(place.manual.is_running("contract-dbg"));
    place.manual.remove_copy("contract-dbg");
}

async fn a_copy_under_the_name_of_a_kept_container_blocks_nothing(place: &Place) {
    let old = place.instance("contract-prev", "v1", &place.images.first, 8321);
    let new = place.instance("contract-prev", "v2", &place.images.second, 8321);
    place.install(&old).await;
    let own = place.container(&old).await.unwrap().name;
    let previous = format!("{own}-prev");
    place.manual.copy_container(&own, &previous);
    place.install(&new).await;
    assert!(place.runs(&new).await);
    assert_eq!(place.container(&new).await.map(|c| c.name), Some(own));
    assert!(place.container(&old).await.is_some_and(|kept| kept.name != previous));
    place.clear(&new).await;
    assert!(place.manual.is_running(&previous));
    place.manual.remove_copy(&previous);
}

async fn a_container_renamed_by_hand_stays_ours_and_gets_its_name_back(place: &Place) {
    let instance = place.instance("contract-renamed", "v1", &place.images.first, 8322);
    place.install(&instance).await;
    let original = place.container(&instance).await.unwrap();
    place.manual.rename_container(&original.name, "contract-mine");
    place.manual.systemctl("restart", &instance).await;
    let renamed = place.container(&instance).await.unwrap();
    assert_eq!((renamed.name.as_str(), &renamed.id), ("contract-mine", &original.id));
    assert!(renamed.is_running());
    place.docker.promote(in_container(&instance)).await.unwrap();
    let again = place.container(&instance).await.unwrap();
    assert_eq!((again.name, again.id), (original.name, original.id));
    place.clear(&instance).await;
}

async fn a_paused_or_updated_container_is_reported(place: &Place) {
    let instance = place.instance("contract-update", "v1", &place.images.first, 8323);
    place.install(&instance).await;
    let name = place.container(&instance).await.unwrap().name;
    place.manual.pause_container(&name, true);
    assert_eq!(differs(place, &instance).await, [format!("container {name} is paused")]);
    assert!(place.runs(&instance).await);
    place.manual.pause_container(&name, false);
    assert_eq!(differs(place, &instance).await, [""; 0]);
    place.manual.update_container(&name);
    let reported = [
        format!("container {name} has the restart policy always, not no"),
        format!("container {name} has the memory limit 64 MiB, not none"),
    ];
    assert_eq!(differs(place, &instance).await, reported);
    place.clear(&instance).await;
}

async fn an_edited_or_disabled_unit_is_reported_and_put_right(place: &Place) {
    let instance = place.instance("contract-edit", "v1", &place.images.first, 8324);
    place.install(&instance).await;
    assert_eq!(place.unit(&instance).await.unwrap().by_hand, None);
    place.manual.edit_unit(&instance, "RestartSec=1s", "RestartSec=9s").await;
    let unit = place.unit(&instance).await.unwrap();
    let reported =
        "unit contract-edit.service was edited: has \"RestartSec=9s\", lacks \"RestartSec=1s\"";
    assert_eq!(unit.by_hand.as_deref(), Some(reported));
    assert!(unit.stale);
    place.systemd.write(&instance).await.unwrap();
    place.manual.disable_unit(&instance).await;
    let unit = place.unit(&instance).await.unwrap();
    assert_eq!(unit.by_hand.as_deref(), Some("unit contract-edit.service was disabled"));
    assert!(unit.stale);
    place.systemd.write(&instance).await.unwrap();
    let unit = place.unit(&instance).await.unwrap();
    assert_eq!((unit.by_hand, unit.stale), (None, false));
    assert!(place.runs(&instance).await);
    place.clear(&instance).await;
}

async fn a_drop_in_of_somebody_else_is_reported(place: &Place) {
    let instance = place.instance("contract-override", "v1", &place.images.first, 8325);
    place.install(&instance).await;
    let path = place.manual.add_drop_in(&instance).await;
    let reported = format!("{path} changes unit contract-override.service: not ours, left alone");
    assert_eq!(differs(place, &instance).await, [reported]);
    place.manual.remove_drop_in(&instance).await;
    assert_eq!(differs(place, &instance).await, [""; 0]);
    place.clear(&instance).await;
}

async fn a_copy_of_a_unit_file_is_reported_and_left_alone(place: &Place) {
    let instance = place.instance("contract-file", "v1", &place.images.first, 8326);
    place.install(&instance).await;
    let copy = place.manual.copy_unit(&instance, "contract-dbg.service").await;
    let reported =
        "unit contract-dbg.service is a copy of contract-file.service: not ours, left alone";
    assert_eq!(differs(place, &instance).await, [reported]);
    place.systemd.write(&instance).await.unwrap();
    place.systemd.start(&instance).await.unwrap();
    assert!(place.runs(&instance).await);
    place.clear(&instance).await;
    assert!(copy.exists());
    std::fs::remove_file(copy).unwrap();
}
