//! The contract of `UnitManager`: unit files and drop-ins, starts and stops, and what people do to units by hand.

use oml_common::decide::difference::{Difference, FileNotOurs, ForeignObject, UnitChange};
use oml_common::decide::observed::ActiveState;
use oml_common::document::instance::InstanceDocument;

use super::ContractHost;
use super::manual_actions::{answer_of, run};
use crate::documents;
use crate::runtime::{ContainerInstance, RuntimeError};

pub(super) async fn all(host: &ContractHost) {
    in_order!(
        host,
        a_packaged_unit_gets_a_drop_in_and_nothing_else,
        a_packaged_unit_that_was_stopped_is_distinguished_from_one_that_ended,
        a_unit_that_systemd_refuses_to_read_concerns_its_own_component_alone,
        a_unit_of_somebody_else_is_named_and_left_alone,
        a_unit_stopped_by_hand_is_distinguished_from_one_that_failed,
        a_unit_that_was_disabled_and_stopped_is_known_as_stopped,
        a_stop_during_the_start_leaves_nothing_running,
        an_edited_or_disabled_unit_is_reported_and_put_right,
        a_drop_in_of_somebody_else_is_reported,
        a_drop_in_of_somebody_else_at_a_packaged_unit_is_reported,
        a_copy_of_a_unit_file_is_reported_and_left_alone,
        a_unit_file_removed_by_hand_is_written_again,
        a_renamed_unit_takes_over_what_runs,
    );
}

/// Clauses about what the model has not: aliases and the order of starts.
pub(super) async fn of_real_daemons(host: &ContractHost) {
    in_order!(
        host,
        a_packaged_unit_that_systemd_does_not_enable_by_its_name_is_used_all_the_same,
        a_unit_comes_after_the_units_of_what_it_needs,
    );
}

async fn a_packaged_unit_gets_a_drop_in_and_nothing_else(host: &ContractHost) {
    let instance = host.packaged("contract-packaged", "contract-packaged.service");
    let error = host.systemd.write(&instance).await.unwrap_err();
    assert!(matches!(error, RuntimeError::Refused { .. }), "{error}");
    assert!(!error.is_transient(), "{error}");
    host.manual.bring_packaged_unit(&instance);
    let unit = host.unit(&instance).await.unwrap();
    assert!(unit.hash.is_none(), "{unit:?}");
    host.systemd.write(&instance).await.unwrap();
    host.systemd.start(&instance).await.unwrap();
    let unit = host.unit(&instance).await.unwrap();
    assert_eq!(unit.active, ActiveState::Active);
    assert!(unit.hash.is_some() && !unit.stale, "{unit:?}");
    assert!(ContainerInstance::of(&instance).is_none(), "no engine takes a packaged unit");
    host.systemd.stop(&instance.component).await.unwrap();
    host.systemd.remove(&instance.component).await.unwrap();
    let unit = host.unit(&instance).await.unwrap();
    assert!(unit.hash.is_none(), "only the drop-in goes: {unit:?}");
    host.manual.take_unit_away(&instance).await;
}

async fn a_unit_that_systemd_refuses_to_read_concerns_its_own_component_alone(host: &ContractHost) {
    let template = host.packaged("contract-template", "contract-template@.service");
    let other = host.packaged("contract-beside", "contract-beside.service");
    host.manual.bring_packaged_unit(&other);
    let listing = host.systemd.list(&[template.clone(), other.clone()]).await.unwrap();
    let [(component, object)] = listing.foreign.as_slice() else { panic!("{listing:?}") };
    assert_eq!(component, &template.component);
    let said = object.to_string();
    let refused = "systemd refuses to read unit contract-template@.service: ";
    assert!(said.starts_with(refused) && said.contains("missing the instance name"), "{said}");
    assert!(listing.units.iter().any(|(name, _)| name == &other.component), "{listing:?}");
    host.manual.take_unit_away(&other).await;
}

async fn a_unit_of_somebody_else_is_named_and_left_alone(host: &ContractHost) {
    let instance = host.instance("contract-unit", "v1", &host.images.first, 8308);
    host.manual.bring_foreign_unit(&instance).await;
    let (_, systemd) = host.listing(&instance).await;
    let foreign = ForeignObject::Unit { unit: instance.unit.clone(), unreadable: None };
    assert_eq!(systemd.foreign, [(instance.component.clone(), foreign.clone())]);
    assert!(systemd.units.iter().all(|(name, _)| name != &instance.component));
    let error = host.systemd.write(&instance).await.unwrap_err();
    assert!(matches!(&error, RuntimeError::Foreign(what) if *what == foreign), "{error}");
    host.manual.take_unit_away(&instance).await;
}

async fn a_packaged_unit_that_was_stopped_is_distinguished_from_one_that_ended(
    host: &ContractHost,
) {
    let instance = host.packaged("contract-ends", "contract-ends.service");
    host.manual.bring_packaged_unit(&instance);
    host.systemd.write(&instance).await.unwrap();
    host.systemd.start(&instance).await.unwrap();
    host.manual.systemctl("stop", &instance).await;
    let unit = host.unit(&instance).await.unwrap();
    assert!(unit.was_stopped(), "{unit:?}");
    host.manual.systemctl("start", &instance).await;
    assert!(!host.unit(&instance).await.unwrap().counts_as_stopped());
    host.manual.kill_packaged_program(&instance);
    host.until("it has ended", async || {
        host.unit(&instance).await.unwrap().active == ActiveState::Failed
    })
    .await;
    let listing = host.systemd.list(std::slice::from_ref(&instance)).await.unwrap();
    assert!(listing.units.iter().all(|(_, unit)| !unit.counts_as_stopped()), "{listing:?}");
    let (_, noted) = listing.ends.first().expect("its end is noted");
    let code = noted.last_exit.as_ref().and_then(|exit| exit.exit_code);
    assert_eq!((noted.ends.len(), code), (1, Some(137)), "{noted:?}");
    host.systemd.stop(&instance.component).await.unwrap();
    host.systemd.remove(&instance.component).await.unwrap();
    host.manual.take_unit_away(&instance).await;
}

async fn a_unit_stopped_by_hand_is_distinguished_from_one_that_failed(host: &ContractHost) {
    let instance = host.instance("contract-held", "v1", &host.images.first, 8309);
    host.install(&instance).await;
    host.manual.systemctl("stop", &instance).await;
    let unit = host.unit(&instance).await.unwrap();
    assert_eq!(unit.active, ActiveState::Inactive);
    assert!(unit.counts_as_stopped(), "{unit:?}");
    assert!(!host.runs(&instance).await);
    host.manual.systemctl("start", &instance).await;
    let unit = host.unit(&instance).await.unwrap();
    assert_eq!(unit.active, ActiveState::Active);
    assert!(!unit.counts_as_stopped(), "{unit:?}");
    assert!(host.runs(&instance).await);
    host.clear(&instance).await;
}

async fn a_unit_that_was_disabled_and_stopped_is_known_as_stopped(host: &ContractHost) {
    let supervised = host.instance("contract-off", "v1", &host.images.first, 8336);
    host.install(&supervised).await;
    let packaged = host.packaged("contract-packaged-off", "contract-packaged-off.service");
    host.manual.bring_packaged_unit(&packaged);
    host.systemd.write(&packaged).await.unwrap();
    host.systemd.start(&packaged).await.unwrap();
    for instance in [&supervised, &packaged] {
        assert_eq!(host.unit(instance).await.unwrap().active, ActiveState::Active);
        host.manual.disable_unit(instance).await;
        host.manual.systemctl("stop", instance).await;
        let unit = host.unit(instance).await.unwrap();
        assert!(unit.active == ActiveState::Inactive && unit.counts_as_stopped(), "{unit:?}");
        host.systemd.write(instance).await.unwrap();
        let unit = host.unit(instance).await.unwrap();
        assert!(unit.counts_as_stopped() && !unit.stale, "it is enabled again: {unit:?}");
        host.manual.systemctl("start", instance).await;
        assert!(!host.unit(instance).await.unwrap().counts_as_stopped());
    }
    host.clear(&supervised).await;
    host.systemd.stop(&packaged.component).await.unwrap();
    host.systemd.remove(&packaged.component).await.unwrap();
    host.manual.take_unit_away(&packaged).await;
}

async fn a_stop_during_the_start_leaves_nothing_running(host: &ContractHost) {
    let instance = host.instance("contract-early", "hangs", &host.images.hangs, 8328);
    host.prepare(&instance).await;
    documents::advance(&host.paths, &instance.component).unwrap();
    let stop = async {
        host.until("its container runs", async || host.runs(&instance).await).await;
        host.manual.begin("stop", &instance);
    };
    let (started, ()) = futures_util::future::join(host.systemd.start(&instance), stop).await;
    let error = started.unwrap_err();
    assert!(error.is_transient(), "a stop by hand says nothing of the version: {error}");
    host.until("it has stopped", async || {
        host.unit(&instance).await.unwrap().active == ActiveState::Inactive
    })
    .await;
    assert!(!host.runs(&instance).await);
    let unit = host.unit(&instance).await.unwrap();
    assert!(unit.active == ActiveState::Inactive && unit.counts_as_stopped(), "{unit:?}");
    host.clear(&instance).await;
}

async fn an_edited_or_disabled_unit_is_reported_and_put_right(host: &ContractHost) {
    let instance = host.instance("contract-edit", "v1", &host.images.first, 8324);
    host.install(&instance).await;
    assert_eq!(host.unit(&instance).await.unwrap().by_hand, []);
    host.manual.edit_unit(&instance, "RestartSec=1s", "RestartSec=9s").await;
    let unit = host.unit(&instance).await.unwrap();
    let expected = UnitChange::Edited {
        unit: instance.unit.clone(),
        added: Some("RestartSec=9s".to_owned()),
        removed: Some("RestartSec=1s".to_owned()),
    };
    assert_eq!(unit.by_hand, [expected]);
    assert!(unit.stale);
    host.systemd.write(&instance).await.unwrap();
    host.manual.disable_unit(&instance).await;
    let unit = host.unit(&instance).await.unwrap();
    assert_eq!(unit.by_hand, [UnitChange::Disabled { unit: instance.unit.clone() }]);
    assert!(unit.stale);
    host.systemd.write(&instance).await.unwrap();
    let unit = host.unit(&instance).await.unwrap();
    assert_eq!((unit.by_hand, unit.stale), (Vec::new(), false));
    assert!(host.runs(&instance).await);
    host.clear(&instance).await;
}

async fn a_drop_in_of_somebody_else_is_reported(host: &ContractHost) {
    let instance = host.instance("contract-override", "v1", &host.images.first, 8325);
    host.install(&instance).await;
    let path = host.manual.add_drop_in(&instance).await;
    let expected = Difference::ForeignDropIn { path, unit: instance.unit.clone() };
    assert_eq!(host.differs(&instance).await, [expected]);
    host.manual.remove_drop_in(&instance).await;
    assert_eq!(host.differs(&instance).await, []);
    host.clear(&instance).await;
}

async fn a_drop_in_of_somebody_else_at_a_packaged_unit_is_reported(host: &ContractHost) {
    let instance = host.packaged("contract-tuned", "contract-tuned.service");
    host.manual.bring_packaged_unit(&instance);
    host.systemd.write(&instance).await.unwrap();
    assert_eq!(host.differs(&instance).await, []);
    let path = host.manual.add_drop_in(&instance).await;
    let expected = Difference::ForeignDropIn { path, unit: instance.unit.clone() };
    assert_eq!(host.differs(&instance).await, [expected]);
    host.manual.remove_drop_in(&instance).await;
    assert_eq!(host.differs(&instance).await, []);
    assert!(!host.unit(&instance).await.unwrap().stale);
    host.systemd.remove(&instance.component).await.unwrap();
    host.manual.take_unit_away(&instance).await;
}

async fn a_copy_of_a_unit_file_is_reported_and_left_alone(host: &ContractHost) {
    let instance = host.instance("contract-file", "v1", &host.images.first, 8326);
    host.install(&instance).await;
    let copy = host.manual.copy_unit(&instance, "contract-dbg.service").await;
    let expected = Difference::MarkedUnit {
        unit: "contract-dbg.service".parse().unwrap(),
        why: FileNotOurs::CopyOf(instance.unit.clone()),
        runs: false,
    };
    assert_eq!(host.differs(&instance).await, [expected]);
    host.systemd.write(&instance).await.unwrap();
    host.systemd.start(&instance).await.unwrap();
    assert!(host.runs(&instance).await);
    host.clear(&instance).await;
    assert!(copy.exists());
    std::fs::remove_file(copy).unwrap();
}

async fn a_unit_file_removed_by_hand_is_written_again(host: &ContractHost) {
    let instance = host.instance("contract-erased", "v1", &host.images.first, 8334);
    host.install(&instance).await;
    let since = host.started(&instance).await;
    std::fs::remove_file(host.paths.unit(&instance.unit)).unwrap();
    let (_, listing) = host.listing(&instance).await;
    assert_eq!(listing.foreign, []);
    host.systemd.write(&instance).await.unwrap();
    let unit = host.unit(&instance).await.unwrap();
    assert!(unit.hash.is_some() && !unit.stale, "{unit:?}");
    assert_eq!((unit.active, host.started(&instance).await), (ActiveState::Active, since));
    host.clear(&instance).await;
}

async fn a_renamed_unit_takes_over_what_runs(host: &ContractHost) {
    let old = host.instance("contract-renamed", "v1", &host.images.first, 8335);
    host.install(&old).await;
    let since = host.started(&old).await;
    let new = old.edited(|new| new.unit = "contract-renamed-again.service".parse().unwrap());
    assert_eq!(host.unit(&new).await, None);
    host.prepare(&new).await;
    host.switch(&new).await.unwrap();
    assert_eq!(host.started(&new).await, since);
    assert!(!host.paths.unit(&old.unit).exists());
    let unit = host.unit(&new).await.unwrap();
    assert_eq!((unit.active, unit.restarts, unit.stale), (ActiveState::Active, 0, false));
    host.clear(&new).await;
}

async fn a_unit_comes_after_the_units_of_what_it_needs(host: &ContractHost) {
    let first = host.instance("contract-first", "v1", &host.images.first, 8331);
    let after = vec![first.component.clone(), "contract-elsewhere".parse().unwrap()];
    let second = host
        .instance("contract-second", "v1", &host.images.first, 8332)
        .edited(|second| second.after = after);
    let both = [first.clone(), second.clone()];
    host.systemd.list(&both).await.unwrap();
    host.systemd.write(&first).await.unwrap();
    host.systemd.write(&second).await.unwrap();
    let listing = host.systemd.list(&both).await.unwrap();
    assert!(listing.units.iter().all(|(_, unit)| !unit.stale), "{listing:?}");
    let show = |property| answer_of("systemctl", &["show", "-p", property, "contract-second"]);
    assert!(show("After").contains("contract-first.service"), "{}", show("After"));
    assert!(!show("Requires").contains("contract-first.service"), "{}", show("Requires"));
    host.clear(&second).await;
    host.clear(&first).await;
}

/// How `busctl` names the manager of units.
const MANAGER: &[&str] = &[
    "call",
    "org.freedesktop.systemd1",
    "/org/freedesktop/systemd1",
    "org.freedesktop.systemd1.Manager",
];

async fn a_packaged_unit_that_systemd_does_not_enable_by_its_name_is_used_all_the_same(
    host: &ContractHost,
) {
    let sleeps = "[Service]\nExecStart=/bin/sleep infinity\n";
    let wanted = format!("{sleeps}[Install]\nWantedBy=multi-user.target\n");
    let script = "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: contract-generated\n\
                  # Default-Start: 3 4 5\n# Default-Stop: 0 1 6\n### END INIT INFO\n\
                  if [ \"$1\" = start ]; then sleep infinity & fi\n";
    let folder = "/usr/lib/systemd/system";
    // The state of its file, what brings it, and what is done to it before.
    let kinds = [
        ("static", format!("{folder}/contract-static.service"), sleeps.to_owned(), ""),
        (
            "alias",
            format!("{folder}/contract-named.service"),
            format!("{wanted}Alias=contract-alias.service\n"),
            "systemctl enable contract-named",
        ),
        (
            "indirect",
            format!("{folder}/contract-indirect.service"),
            format!("{sleeps}[Install]\nAlso=contract-other.service\n"),
            "",
        ),
        (
            "generated",
            "/etc/init.d/contract-generated".to_owned(),
            script.to_owned(),
            "chmod 755 /etc/init.d/contract-generated; systemctl daemon-reload",
        ),
        (
            "enabled-runtime",
            format!("{folder}/contract-enabled-runtime.service"),
            wanted.clone(),
            "systemctl enable --runtime contract-enabled-runtime",
        ),
    ];
    let mut wrong = Vec::new();
    std::fs::write(format!("{folder}/contract-other.service"), &wanted).unwrap();
    for (state, path, text, prepare) in kinds {
        let unit = format!("contract-{state}.service");
        std::fs::write(&path, text).unwrap();
        run("sh", &["-c", &format!("systemctl daemon-reload; {prepare}")]);
        let of_file = answer_of("busctl", &[MANAGER, &["GetUnitFileState", "s", &unit]].concat());
        assert_eq!(of_file.trim(), format!("s \"{state}\""));
        let instance = host.packaged(&format!("contract-{state}"), &unit);
        let used = use_packaged(host, &instance).await;
        wrong.extend(used.err().map(|error| format!("{state}: {error}")));
        std::fs::remove_file(&path).unwrap();
        run("systemctl", &["daemon-reload"]);
    }
    std::fs::remove_file(format!("{folder}/contract-other.service")).unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Writes the drop-in of a packaged unit, looks at it while the unit runs, and removes it.
async fn use_packaged(host: &ContractHost, instance: &InstanceDocument) -> Result<(), String> {
    let said = |error: RuntimeError| error.to_string();
    host.systemd.write(instance).await.map_err(said)?;
    host.systemd.write(instance).await.map_err(said)?;
    host.systemd.start(instance).await.map_err(said)?;
    let listing = host.systemd.list(std::slice::from_ref(instance)).await.map_err(said)?;
    let (_, unit) = listing.units.first().ok_or("it is not listed")?;
    let is_right = unit.active == ActiveState::Active && !unit.stale && unit.hash.is_some();
    let environment =
        answer_of("systemctl", &["show", "-p", "Environment", instance.unit.as_str()]);
    host.systemd.stop(&instance.component).await.map_err(said)?;
    host.systemd.remove(&instance.component).await.map_err(said)?;
    if is_right && environment.contains("OML=yes") {
        return Ok(());
    }
    Err(format!("{environment:?} {unit:?}"))
}
