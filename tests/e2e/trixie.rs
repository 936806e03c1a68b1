//! What every run tries on hosts with Debian 13 besides: the promises that depend most on systemd and Docker.
//! `cargo xtask test --debian 13` tries all of them there.

use anyhow::{Context as _, Result};
use oml_tests::Fleet;
use oml_tests::fleet::CONTROLLER;
use oml_tests::observe::{SOON, now_ms, sh, wait_ready_after};
use oml_tests::trial::check;

use crate::pool::Kind;
use crate::{Case, crashes, drift, removal};

pub(crate) const CASES: &[Case] = &[
    (
        Kind::Trixie,
        "on_debian_13_an_agent_that_stops_or_restarts_restarts_no_container",
        crashes::agent_restarts,
    ),
    (
        Kind::Trixie,
        "on_debian_13_a_docker_restart_with_live_restore_restarts_no_container",
        drift::docker_restart,
    ),
    (
        Kind::Trixie,
        "on_debian_13_a_component_stopped_by_hand_stays_stopped_until_started_or_changed",
        drift::stopped_by_hand,
    ),
    (
        Kind::Trixie,
        "on_debian_13_a_rebooted_host_starts_its_components_without_a_controller",
        rebooted,
    ),
    (
        Kind::Trixie,
        "on_debian_13_a_removed_package_stops_no_component",
        removal::stops_no_component,
    ),
];

const NODE: &str = "tiny-one";

fn rebooted(fleet: &Fleet) -> Result<()> {
    let release = sh(fleet, NODE, ". /etc/os-release; echo $VERSION_ID")?;
    check(release.trim() == "13", format!("the host runs Debian {release}"))?;
    sh(fleet, CONTROLLER, "systemctl stop omlcontroller")?;
    let started = reboot_and_check(fleet);
    sh(fleet, CONTROLLER, "systemctl start omlcontroller")?;
    let restarted_ms = now_ms()?;
    started?;
    wait_ready_after(fleet, restarted_ms, NODE, "first").map(drop)
}

fn reboot_and_check(fleet: &Fleet) -> Result<()> {
    let host = fleet.host(NODE)?;
    host.reboot()?;
    for port in ["8081", "8082"] {
        let url = format!("http://127.0.0.1:{port}/");
        let answers = ["curl", "-sf", "-m", "2", &url];
        host.wait_until(SOON, &answers, |output| output.stdout.trim() == "v1")
            .with_context(|| format!("ask port {port} after the boot"))?;
    }
    Ok(())
}
