//! Agents of the previous release under this checkout's controller, and their upgrade. The hosts run the
//! whole stack.

use anyhow::Result;
use oml_lab::until;
use oml_tests::fleet::{CONTROLLER, Topology};
use oml_tests::observe::{SOON, now_ms, revisions, sh, wait_ready_after};
use oml_tests::trial::{check, lab_name};
use oml_tests::{Fleet, Packages};

use crate::steps::{
    StartTimes, Subject, agent_versions, change_and_roll_back, install, program_of,
    wait_all_ready_after,
};
use crate::{Case, Releases};

pub(crate) const CASES: &[Case] = &[(
    "agents_of_the_previous_release_work_and_are_upgraded_without_restarting_a_component",
    previous_agents,
)];

const VOICE: &str = "acme-voice";
/// A component that has calls.
const ASTERISK: Subject = Subject {
    node: VOICE,
    component: "asterisk",
    container: "oml-asterisk-server",
    versions: ["230204.01", "230215.01"],
};
/// A feature that Asterisk's instance needs, because its probe is SIP OPTIONS.
const FEATURE: &str = "probe-sip-options";
/// The catalog of the tenant, on the controller.
const CATALOG: &str = "/usr/share/omlcontroller/catalog/omnileads.yaml";
/// What its versions say of each other. The package has no such file for this catalog.
const RELEASES: &str = "/usr/share/omlcontroller/catalog/omnileads.releases.yaml";
/// The program of supervisors.
const PROGRAM: &str = "/usr/bin/omlagent";
/// The unit of a package that runs on every host of the stack.
const PACKAGED_UNIT: &str = "prometheus-node-exporter.service";
/// The version of this checkout's programs.
const VERSION: &str = env!("CARGO_PKG_VERSION");

fn previous_agents(releases: &Releases) -> Result<()> {
    let packages = Packages { agent: releases.previous.agent.clone(), ..releases.current.clone() };
    let Some(fleet) = Fleet::up_or_skip(&lab_name("skew-one"), packages, Topology::acme())? else {
        return Ok(());
    };
    fleet.apply_first_spec()?;
    check_versions(&fleet, |version| version != VERSION)?;
    StartTimes::of(&fleet)?.check_packaged(PACKAGED_UNIT)?;
    for omlctl in [&releases.previous.omlctl, &releases.current.omlctl] {
        change_and_roll_back(&fleet, omlctl, ASTERISK)?;
    }
    missing_feature_is_reported(&fleet)?;
    later_feature_is_refused(&fleet)?;
    step_without_a_way_back_is_refused(&fleet)?;
    later_workload_is_held(&fleet)?;
    upgrade(&fleet, &releases.current)?;
    later_workload_is_held(&fleet)?;
    change_and_roll_back(&fleet, &releases.current.omlctl, ASTERISK)?;
    fleet.down()
}

/// Checks what `omlctl get nodes` shows as the version of every agent.
fn check_versions(fleet: &Fleet, is_right: impl Fn(&str) -> bool) -> Result<()> {
    let shown = agent_versions(fleet)?;
    check(shown.values().all(|version| is_right(version)), format!("{VERSION}: {shown:?}"))
}

/// A change that the agent of a node cannot make is refused by name and changes nothing. The agent leaves the
/// feature out of its greeting, in the place of one that lacks it.
fn missing_feature_is_reported(fleet: &Fleet) -> Result<()> {
    let (times, history) = (StartTimes::of(fleet)?, revisions(fleet)?);
    let folder = "/run/systemd/system/omlagent.service.d";
    let variable = format!("Environment=OML_FAILPOINT=without-{FEATURE}");
    let set =
        format!("mkdir -p {folder} && printf '[Service]\\n{variable}\\n' > {folder}/skew.conf");
    restart_agent(fleet, &format!("{set} && systemctl daemon-reload"))?;
    let version = format!("asterisk={}", ASTERISK.versions[1]);
    let refused = fleet.ctl(&["set-version", "tenant=acme", &version])?;
    restart_agent(fleet, &format!("rm -r {folder} && systemctl daemon-reload"))?;
    check(refused.code == 2, format!("{refused:?}"))?;
    for part in [VOICE, FEATURE, "upgrade the agent"] {
        check(refused.stderr.contains(part), format!("{part} is not in {refused:?}"))?;
    }
    let after = revisions(fleet)?;
    check(after == history, format!("{history:?}, then {after:?}"))?;
    times.check_unmoved(fleet)
}

/// A catalog that asks for a probe which agents of the previous release do not know is refused by name, and
/// changes nothing.
fn later_feature_is_refused(fleet: &Fleet) -> Result<()> {
    let port = "check: sip-options, port: \"5060\"";
    let edit = format!("s/{port}}}/{port}, address: \"{{{{ node.address }}}}\"}}/");
    let edited = format!("cp {CATALOG} /root/catalog.yaml && sed -i '{edit}' {CATALOG}");
    refused_by_catalog(fleet, &edited, &format!("mv /root/catalog.yaml {CATALOG}"), "probe-address")
}

/// So is a step without a way back: these agents would start the version before on what it cannot read.
fn step_without_a_way_back_is_refused(fleet: &Fleet) -> Result<()> {
    let from = ASTERISK.versions[1];
    let step = format!("{{component: asterisk, from: '{from}', because: a test, loses: nothing}}");
    let text = format!("catalog: omnileads\none_way:\n  - {step}\n");
    fleet.host(CONTROLLER)?.push(RELEASES, text.as_bytes(), 0o644)?;
    refused_by_catalog(fleet, "true", &format!("rm {RELEASES}"), "forward-only")
}

/// Sets a version with an edited catalog, which the controller refuses because of a feature.
fn refused_by_catalog(fleet: &Fleet, edit: &str, undo: &str, feature: &str) -> Result<()> {
    let (times, history) = (StartTimes::of(fleet)?, revisions(fleet)?);
    sh(fleet, CONTROLLER, &format!("{edit} && systemctl restart omlcontroller"))?;
    let version = format!("asterisk={}", ASTERISK.versions[1]);
    let refused = fleet.ctl(&["set-version", "tenant=acme", &version, "--yes"]);
    sh(fleet, CONTROLLER, &format!("{undo} && systemctl restart omlcontroller"))?;
    wait_all_ready_after(fleet, now_ms()?)?;
    let refused = refused?;
    check(refused.code == 2, format!("{refused:?}"))?;
    for part in [VOICE, feature, "upgrade the agent"] {
        check(refused.stderr.contains(part), format!("{part} is not in {refused:?}"))?;
    }
    let after = revisions(fleet)?;
    check(after == history, format!("{history:?}, then {after:?}"))?;
    times.check_unmoved(fleet)
}

/// An instance with a field that this agent does not know is held: it keeps running, and the others are looked
/// after. The field is written into the agent's copy of its assignment, in the place of a later controller.
fn later_workload_is_held(fleet: &Fleet) -> Result<()> {
    let times = StartTimes::of(fleet)?;
    sh(fleet, CONTROLLER, "systemctl stop omlcontroller")?;
    let held = edit_assignment(fleet, "s/\"kind\":\"container\"/&,\"of_a_later_release\":true/")
        .and_then(|()| wait_held(fleet));
    edit_assignment(fleet, "s/,\"of_a_later_release\":true//")?;
    sh(fleet, CONTROLLER, "systemctl start omlcontroller")?;
    held?;
    wait_all_ready_after(fleet, now_ms()?)?;
    times.check_unmoved(fleet)
}

/// Edits the agent's copy of its assignment while the agent is stopped.
fn edit_assignment(fleet: &Fleet, edit: &str) -> Result<()> {
    let script = format!(
        "systemctl stop omlagent; sed -i '{edit}' /var/lib/omlagent/assignment.json; \
         systemctl start omlagent"
    );
    sh(fleet, VOICE, &script).map(drop)
}

/// Waits until the agent itself says that one instance is held and another one is ready.
fn wait_held(fleet: &Fleet) -> Result<()> {
    fleet.host(VOICE)?.wait_until(SOON, &["omlagent", "status"], |output| {
        output.stdout.contains("needs a newer agent") && output.stdout.contains("ready")
    })?;
    Ok(())
}

fn restart_agent(fleet: &Fleet, script: &str) -> Result<()> {
    sh(fleet, VOICE, &format!("{script} && systemctl restart omlagent"))?;
    wait_ready_after(fleet, now_ms()?, VOICE, ASTERISK.component).map(drop)
}

/// Upgrades the agent of every host under its running components.
fn upgrade(fleet: &Fleet, current: &Packages) -> Result<()> {
    let before = StartTimes::of(fleet)?;
    for node in fleet.nodes() {
        install(fleet, node, "omlagent", &current.agent)?;
    }
    wait_all_ready_after(fleet, now_ms()?)?;
    before.check_unmoved(fleet)?;
    check_versions(fleet, |version| version == VERSION)?;
    replace_supervisor(fleet)?;
    before.check_unmoved(fleet)
}

/// Lets a supervisor of the previous release die. Its successor is of this checkout and adopts the container.
fn replace_supervisor(fleet: &Fleet) -> Result<()> {
    let replaced = program_of(fleet, VOICE, "asterisk")?;
    check(replaced.contains("deleted"), format!("the supervisor runs {replaced}"))?;
    sh(fleet, VOICE, "systemctl kill --kill-whom=main --signal=KILL asterisk")?;
    until("a supervisor of this checkout runs", SOON, || {
        let program = program_of(fleet, VOICE, "asterisk").map_err(|error| format!("{error:#}"))?;
        if program == PROGRAM { Ok(()) } else { Err(program) }
    })?;
    wait_ready_after(fleet, now_ms()?, VOICE, ASTERISK.component).map(drop)
}
