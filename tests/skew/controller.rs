//! A controller of the previous release with this checkout's agents, its upgrade, and the way back.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use oml_tests::fleet::{CONTROLLER, SMALL_OF_0_1_0, Topology};
use oml_tests::observe::{InstanceWait, node_of, now_ms, revisions, sh, status, wait_ready};
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

/// The longest time until an agent calls it a crash loop that a program keeps ending.
const CRASH_LOOP_LIMIT: Duration = Duration::from_secs(180);

fn previous_controller(releases: &Releases) -> Result<()> {
    let (previous, current) = (&releases.previous, &releases.current);
    let packages = Packages { controller: previous.controller.clone(), ..current.clone() };
    let topology = Topology { small_catalog: SMALL_OF_0_1_0, ..Topology::tiny() };
    let Some(fleet) = Fleet::up_or_skip(&lab_name("skew-two"), packages, topology)? else {
        return Ok(());
    };
    fleet.apply_first_spec()?;
    for omlctl in [&previous.omlctl, &current.omlctl] {
        change_and_roll_back(&fleet, omlctl, FIRST)?;
    }
    unknown_phase_is_shown(&fleet)?;
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

/// A crash loop is a phase that a controller of the previous release does not know. It shows the instance as
/// unknown, keeps the agent connected and the other instance ready, and a good version ends it.
fn unknown_phase_is_shown(fleet: &Fleet) -> Result<()> {
    let Subject { node, component, container, versions: [first, second] } = FIRST;
    // The line runs at every later start of the container.
    let line = "trap 'exit 3' USR1; (sleep 4; kill -USR1 1) &";
    let put = "cat > /oml/line && sed -i '1r /oml/line' /oml/start";
    let script = format!("docker exec -i {container} sh -c \"{put}\"");
    fleet.host(node)?.exec_with_input(format!("{line}\n").as_bytes(), &["sh", "-c", &script])?;
    sh(fleet, node, &format!("kill -9 $(docker inspect -f '{{{{.State.Pid}}}}' {container})"))?;
    let wait = InstanceWait::new(fleet, node, component).within(CRASH_LOOP_LIMIT);
    let seen = wait.until("its phase is unknown", |seen| seen["phase"]["name"] == "unknown")?;
    let entry = node_of(&status(fleet)?, node);
    let is_connected = entry["state"] == "connected";
    let others = &entry["report"]["instances"]["second"]["phase"]["name"];
    check(is_connected && others == "ready", format!("{seen}, then {entry}"))?;
    for verb in ["status", "explain"] {
        let shown = fleet.ctl_ok(&[verb, "tenant=tiny"])?;
        check(shown.contains("unknown"), format!("{verb} hides it: {shown}"))?;
    }
    for version in [second, first] {
        fleet.ctl_ok(&["set-version", "tenant=tiny", &format!("{component}={version}")])?;
        // Without the container that has the line.
        sh(fleet, node, "docker container prune --force")?;
    }
    wait_ready(fleet, node, component).map(drop)
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
