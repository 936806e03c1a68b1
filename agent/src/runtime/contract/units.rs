//! The contract of `UnitManager`: unit files and drop-ins, starts and stops, and what people do to units by hand.

use std::time::Duration;

use oml_common::decide::observed::ActiveState;

use super::Place;
use super::manual_actions::{answer_of, run};
use crate::documents;
use crate::runtime::{ContainerInstance, RuntimeError};

pub(super) async fn all(place: &Place) {
    in_order!(
        place,
        a_packaged_unit_gets_a_drop_in_and_nothing_else,
        a_unit_of_somebody_else_is_named_and_left_alone,
        a_unit_stopped_by_hand_is_distinguished_from_one_that_failed,
        a_stop_during_the_start_leaves_nothing_running,
        an_edited_or_disabled_unit_is_reported_and_put_right,
        a_drop_in_of_somebody_else_is_reported,
        a_copy_of_a_unit_file_is_reported_and_left_alone,
        a_unit_file_removed_by_hand_is_written_again,
        a_renamed_unit_takes_over_what_runs,
    );
}

/// Clauses about what the model has not: a bus and the order of starts.
pub(super) async fn of_real_daemons(place: &Place) {
    in_order!(place, a_restarted_bus_is_found_again, a_unit_comes_after_the_units_of_what_it_needs);
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
    assert_eq!(place.differs(&instance).await, [reported]);
    place.manual.remove_drop_in(&instance).await;
    assert_eq!(place.differs(&instance).await, [""; 0]);
    place.clear(&instance).await;
}

async fn a_copy_of_a_unit_file_is_reported_and_left_alone(place: &Place) {
    let instance = place.instance("contract-file", "v1", &place.images.first, 8326);
    place.install(&instance).await;
    let copy = place.manual.copy_unit(&instance, "contract-dbg.service").await;
    let reported =
        "unit contract-dbg.service is a copy of contract-file.service: not ours, left alone";
    assert_eq!(place.differs(&instance).await, [reported]);
    place.systemd.write(&instance).await.unwrap();
    place.systemd.start(&instance).await.unwrap();
    assert!(place.runs(&instance).await);
    place.clear(&instance).await;
    assert!(copy.exists());
    std::fs::remove_file(copy).unwrap();
}

async fn a_unit_file_removed_by_hand_is_written_again(place: &Place) {
    let instance = place.instance("contract-erased", "v1", &place.images.first, 8334);
    place.install(&instance).await;
    let since = place.started(&instance).await;
    std::fs::remove_file(place.paths.unit(&instance.unit)).unwrap();
    let (_, listing) = place.listing(&instance).await;
    assert_eq!(listing.foreign, []);
    place.systemd.write(&instance).await.unwrap();
    let unit = place.unit(&instance).await.unwrap();
    assert!(unit.hash.is_some() && !unit.stale, "{unit:?}");
    assert_eq!((unit.active, place.started(&instance).await), (ActiveState::Active, since));
    place.clear(&instance).await;
}

async fn a_renamed_unit_takes_over_what_runs(place: &Place) {
    let old = place.instance("contract-renamed", "v1", &place.images.first, 8335);
    place.install(&old).await;
    let since = place.started(&old).await;
    let new = old.edited(|new| new.unit = "contract-renamed-again.service".parse().unwrap());
    assert_eq!(place.unit(&new).await, None);
    place.prepare(&new).await;
    place.switch(&new).await.unwrap();
    assert_eq!(place.started(&new).await, since);
    assert!(!place.paths.unit(&old.unit).exists());
    let unit = place.unit(&new).await.unwrap();
    assert_eq!((unit.active, unit.restarts, unit.stale), (ActiveState::Active, 0, false));
    place.clear(&new).await;
}

async fn a_restarted_bus_is_found_again(place: &Place) {
    let instance = place.instance("contract-bus", "v1", &place.images.first, 8326);
    place.install(&instance).await;
    let since = place.started(&instance).await;
    run("systemctl", &["restart", "dbus.service"]);
    let desired = std::slice::from_ref(&instance);
    place.until("systemd answers", async || place.systemd.list(desired).await.is_ok()).await;
    assert_eq!(place.started(&instance).await, since);
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
