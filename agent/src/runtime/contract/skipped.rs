//! The contract of `UnitManager` about starts that systemd skips: what the unit asks for is not so.

use std::path::{Path, PathBuf};

use oml_common::decide::observed::ActiveState;
use oml_common::document::instance::InstanceDocument;
use oml_common::time::Timestamp;

use super::ContractHost;
use crate::runtime::ExitReport;

pub(super) async fn all(host: &ContractHost) {
    in_order!(
        host,
        a_packaged_unit_whose_start_is_skipped_was_not_stopped_and_starts_once_it_can,
        a_supervised_unit_whose_start_is_skipped_was_not_stopped_and_starts_once_it_can,
        a_restart_by_systemd_itself_that_is_skipped_is_no_stop,
        a_stop_after_a_skipped_start_is_known,
    );
}

/// A way in which a unit asks for a path.
#[derive(Clone, Copy)]
enum Asks {
    Condition,
    Assertion,
    /// It requires a unit that asserts it.
    Requirement,
}

const ALL: [Asks; 3] = [Asks::Condition, Asks::Assertion, Asks::Requirement];

impl Asks {
    fn lines(self, path: &Path, required: &InstanceDocument) -> String {
        let (path, unit) = (path.display(), &required.unit);
        match self {
            Self::Condition => format!("[Unit]\nConditionPathExists={path}\n"),
            Self::Assertion => format!("[Unit]\nAssertPathExists={path}\n"),
            Self::Requirement => format!("[Unit]\nRequires={unit}\nAfter={unit}\n"),
        }
    }

    fn words(self, path: &Path) -> String {
        let path = path.display();
        match self {
            Self::Condition => {
                format!("a condition of its unit does not hold (ConditionPathExists={path})")
            }
            Self::Assertion => {
                format!("an assertion of its unit does not hold (AssertPathExists={path})")
            }
            Self::Requirement => "a unit that its unit requires did not start".to_owned(),
        }
    }
}

/// The unit that others require, which does not run and asserts that the path exists.
async fn bring_required(host: &ContractHost, path: &Path) -> InstanceDocument {
    let required = host.packaged("contract-required", "contract-required.service");
    host.manual.bring_packaged_unit(&required);
    host.manual.systemctl("stop", &required).await;
    let asserts = format!("[Unit]\nAssertPathExists={}\n", path.display());
    host.manual.write_drop_in(&required, &asserts).await;
    required
}

async fn take_required_away(host: &ContractHost, required: &InstanceDocument) {
    host.manual.systemctl("stop", required).await;
    host.manual.remove_drop_in(required).await;
    host.manual.take_unit_away(required).await;
}

/// The path for which units are asked in a clause; it does not exist.
fn gone(host: &ContractHost) -> PathBuf {
    let path = host.paths.run.join("contract-path");
    assert!(!path.exists());
    path
}

/// Checks that the start of a unit that runs is skipped, is no stop, and works once the path exists.
async fn check_skip(host: &ContractHost, instance: &InstanceDocument, asks: Asks) {
    let path = gone(host);
    let required = bring_required(host, &path).await;
    host.manual.write_drop_in(instance, &asks.lines(&path, &required)).await;
    assert_eq!(host.unit(instance).await.unwrap().active, ActiveState::Active);
    let expected = asks.words(&path);
    // First it stops what runs, then it is tried at rest.
    for _try in 0..2 {
        let error = host.systemd.start(instance).await.unwrap_err();
        assert!(!error.is_transient(), "{error}");
        let said = error.to_string();
        let hint = format!("systemctl status {}", instance.unit);
        assert!(said.contains(&expected) && said.contains(&hint), "{said}");
        host.until("it is known why it does not run", async || {
            let unit = host.unit(instance).await.unwrap();
            unit.unmet.is_some_and(|unmet| unmet.to_string() == expected)
        })
        .await;
        let unit = host.unit(instance).await.unwrap();
        assert!(unit.active == ActiveState::Inactive && !unit.counts_as_stopped(), "{unit:?}");
        let report = host.systemd.exit_report(&instance.component, Timestamp(0)).await.unwrap();
        assert_eq!(report, ExitReport::default(), "it is of the life before");
    }
    std::fs::write(&path, "").unwrap();
    host.systemd.start(instance).await.unwrap();
    let unit = host.unit(instance).await.unwrap();
    assert_eq!((unit.active, unit.unmet), (ActiveState::Active, None));
    std::fs::remove_file(&path).unwrap();
    host.manual.remove_drop_in(instance).await;
    take_required_away(host, &required).await;
}

async fn a_packaged_unit_whose_start_is_skipped_was_not_stopped_and_starts_once_it_can(
    host: &ContractHost,
) {
    for asks in ALL {
        let instance = host.packaged("contract-skipped", "contract-skipped.service");
        host.manual.bring_packaged_unit(&instance);
        host.systemd.write(&instance).await.unwrap();
        host.systemd.start(&instance).await.unwrap();
        check_skip(host, &instance, asks).await;
        remove_packaged(host, &instance).await;
    }
}

async fn a_supervised_unit_whose_start_is_skipped_was_not_stopped_and_starts_once_it_can(
    host: &ContractHost,
) {
    for asks in ALL {
        let instance = host.instance("contract-asking", "v1", &host.images.first, 8337);
        host.install(&instance).await;
        check_skip(host, &instance, asks).await;
        host.clear(&instance).await;
    }
}

async fn a_restart_by_systemd_itself_that_is_skipped_is_no_stop(host: &ContractHost) {
    let instance = host.instance("contract-lost", "v1", &host.images.first, 8338);
    host.install(&instance).await;
    let path = gone(host);
    let lines = format!("[Unit]\nConditionPathExists={}\n", path.display());
    host.manual.write_drop_in(&instance, &lines).await;
    host.manual.kill_supervisor(&instance);
    // systemd 252 tests conditions before it restarts a unit by itself, and systemd 257 does not.
    host.until("its start was skipped, or it was restarted all the same", async || {
        let unit = host.unit(&instance).await.unwrap();
        unit.unmet.is_some() || (unit.restarts > 0 && unit.active == ActiveState::Active)
    })
    .await;
    let unit = host.unit(&instance).await.unwrap();
    let is_skipped = unit.unmet.is_some();
    assert_eq!(unit.active == ActiveState::Inactive, is_skipped, "{unit:?}");
    assert!(!unit.counts_as_stopped(), "{unit:?}");
    assert!(host.runs(&instance).await, "its container runs on");
    host.manual.remove_drop_in(&instance).await;
    host.systemd.start(&instance).await.unwrap();
    host.clear(&instance).await;
}

async fn a_stop_after_a_skipped_start_is_known(host: &ContractHost) {
    let instance = host.packaged("contract-again", "contract-again.service");
    host.manual.bring_packaged_unit(&instance);
    host.systemd.write(&instance).await.unwrap();
    let path = gone(host);
    let lines = format!("[Unit]\nConditionPathExists={}\n", path.display());
    host.manual.write_drop_in(&instance, &lines).await;
    host.systemd.start(&instance).await.unwrap_err();
    assert!(!host.unit(&instance).await.unwrap().counts_as_stopped());
    std::fs::write(&path, "").unwrap();
    host.systemd.start(&instance).await.unwrap();
    host.manual.systemctl("stop", &instance).await;
    let unit = host.unit(&instance).await.unwrap();
    assert!(unit.was_stopped() && unit.unmet.is_none(), "{unit:?}");
    std::fs::remove_file(&path).unwrap();
    host.manual.remove_drop_in(&instance).await;
    remove_packaged(host, &instance).await;
}

async fn remove_packaged(host: &ContractHost, instance: &InstanceDocument) {
    host.systemd.stop(&instance.component).await.unwrap();
    host.systemd.remove(&instance.component).await.unwrap();
    host.manual.take_unit_away(instance).await;
}
