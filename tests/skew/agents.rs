//! Agents of the previous release under this checkout's controller, and their upgrade. The hosts run the
//! whole stack.

use anyhow::Result;
use oml_tests::fleet::Topology;
use oml_tests::observe::{SOON, now_ms, sh, wait_ready, wait_ready_after};
use oml_tests::trial::{check, lab_name};
use oml_tests::{Fleet, Packages};

use crate::steps::{
    StartTimes, agent_versions, change_and_roll_back, installed_version, wait_all_ready_after,
};
use crate::{Case, Releases};

pub(crate) const CASES: &[Case] = &[(
    "agents_of_the_previous_release_work_and_are_upgraded_without_restarting_a_component",
    previous_agents,
)];

const VOICE: &str = "acme-voice";
/// A component with calls, its container and its versions.
const ASTERISK: (&str, &str) = (VOICE, "asterisk");
const VERSIONS: [&str; 2] = ["230204.01", "230215.01"];
/// A feature that Asterisk's instance needs, because its probe is SIP OPTIONS.
const FEATURE: &str = "probe-sip-options";

fn previous_agents(releases: &Releases) -> Result<()> {
    let packages = Packages { agent: releases.previous.agent.clone(), ..releases.current.clone() };
    let Some(fleet) = Fleet::up_or_skip(&lab_name("skew-one"), packages, Topology::acme())? else {
        return Ok(());
    };
    fleet.apply_first_spec()?;
    check_versions(&fleet)?;
    for omlctl in [&releases.previous.omlctl, &releases.current.omlctl] {
        change_and_roll_back(&fleet, omlctl, ASTERISK, VERSIONS)?;
    }
    missing_feature_is_told(&fleet)?;
    upgrade(&fleet, &releases.current)?;
    change_and_roll_back(&fleet, &releases.current.omlctl, ASTERISK, VERSIONS)?;
    fleet.down()
}

/// Checks that `omlctl get nodes` shows the version of every agent.
fn check_versions(fleet: &Fleet) -> Result<()> {
    for (node, version) in agent_versions(fleet)? {
        let installed = installed_version(fleet, &node, "omlagent")?;
        check(version == installed, format!("{node} runs {installed}, and {version} is shown"))?;
    }
    Ok(())
}

/// A change that the agent of a node cannot make is refused by name and changes nothing. The previous
/// release's agent leaves the feature out of its greeting, in the place of one that is older still.
fn missing_feature_is_told(fleet: &Fleet) -> Result<()> {
    let before = StartTimes::of(fleet)?;
    let folder = "/run/systemd/system/omlagent.service.d";
    let variable = format!("Environment=OML_FAILPOINT=without-{FEATURE}");
    restart_agent(
        fleet,
        &format!("mkdir -p {folder} && printf '[Service]\\n{variable}\\n' > {folder}/skew.conf"),
    )?;
    let version = format!("asterisk={}", VERSIONS[1]);
    let refused = fleet.ctl(&["set-version", "tenant=acme", &version])?;
    restart_agent(fleet, &format!("rm -r {folder}"))?;
    check(refused.code == 2, format!("{refused:?}"))?;
    for part in [VOICE, FEATURE, "upgrade the agent"] {
        check(refused.stderr.contains(part), format!("{part} is not in {refused:?}"))?;
    }
    before.check_unmoved(fleet)
}

fn restart_agent(fleet: &Fleet, script: &str) -> Result<()> {
    sh(
        fleet,
        VOICE,
        &format!("{script} && systemctl daemon-reload && systemctl restart omlagent"),
    )?;
    wait_ready_after(fleet, now_ms()?, ASTERISK).map(drop)
}

/// Upgrades the agent of every host under its running components.
fn upgrade(fleet: &Fleet, current: &Packages) -> Result<()> {
    let before = StartTimes::of(fleet)?;
    for node in fleet.nodes() {
        fleet.host(node)?.install_deb(&current.agent)?;
    }
    wait_all_ready_after(fleet, now_ms()?)?;
    before.check_unmoved(fleet)?;
    check_versions(fleet)?;
    replace_supervisor(fleet)?;
    before.check_unmoved(fleet)
}

/// Lets a supervisor of the previous release die. Its successor is of this checkout and adopts the container.
fn replace_supervisor(fleet: &Fleet) -> Result<()> {
    let program = "readlink /proc/$(systemctl show -p MainPID --value asterisk)/exe";
    let replaced = sh(fleet, VOICE, program)?;
    check(replaced.contains("deleted"), format!("the supervisor runs {replaced}"))?;
    sh(fleet, VOICE, "systemctl kill --kill-whom=main --signal=KILL asterisk")?;
    let script = ["sh", "-c", program];
    fleet
        .host(VOICE)?
        .wait_until(SOON, &script, |output| output.stdout == "/usr/bin/omlagent\n")?;
    wait_ready_after(fleet, now_ms()?, ASTERISK)?;
    wait_ready(fleet, VOICE, "asterisk").map(drop)
}
