//! A controller of the previous release with this checkout's agents, its upgrade, and the way back.

use std::path::Path;

use anyhow::Result;
use oml_tests::fleet::{CONTROLLER, Topology};
use oml_tests::observe::{now_ms, revisions};
use oml_tests::trial::{check, lab_name};
use oml_tests::{Fleet, Packages};

use crate::steps::{StartTimes, Subject, change_and_roll_back, install, wait_all_ready_after};
use crate::{Case, Releases};

pub(crate) const CASES: &[Case] = &[(
    "a_controller_of_the_previous_release_works_and_is_exchanged_without_restarting_a_component",
    previous_controller,
)];

const FIRST: Subject = Subject {
    node: "tiny-one",
    component: "first",
    container: "oml-first",
    versions: ["v1", "v2"],
};

fn previous_controller(releases: &Releases) -> Result<()> {
    let (previous, current) = (&releases.previous, &releases.current);
    let packages = Packages { controller: previous.controller.clone(), ..current.clone() };
    let Some(fleet) = Fleet::up_or_skip(&lab_name("skew-two"), packages, Topology::tiny())? else {
        return Ok(());
    };
    fleet.apply_first_spec()?;
    for omlctl in [&previous.omlctl, &current.omlctl] {
        change_and_roll_back(&fleet, omlctl, FIRST)?;
    }
    for (controller, omlctl) in
        [(&current.controller, &previous.omlctl), (&previous.controller, &current.omlctl)]
    {
        exchange(&fleet, CONTROLLER, "omlcontroller", controller)?;
        change_and_roll_back(&fleet, omlctl, FIRST)?;
    }
    // An upgrade of the agents can be undone too.
    exchange(&fleet, FIRST.node, "omlagent", &previous.agent)?;
    change_and_roll_back(&fleet, &current.omlctl, FIRST)?;
    fleet.down()
}

/// Installs another release's package under running components. No component restarts and no revision is lost.
fn exchange(fleet: &Fleet, host: &str, service: &str, package: &Path) -> Result<()> {
    let (times, history) = (StartTimes::of(fleet)?, revisions(fleet)?);
    install(fleet, host, service, package)?;
    wait_all_ready_after(fleet, now_ms()?)?;
    times.check_unmoved(fleet)?;
    let after = revisions(fleet)?;
    check(after == history, format!("{history:?}, then {after:?}"))
}
