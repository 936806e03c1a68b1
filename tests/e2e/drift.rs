//! What people do to a host by hand: mended and told, or respected.

use anyhow::Result;
use oml_lab::until;
use oml_tests::Fleet;

use crate::Case;
use crate::look::{SOON, sh, starts, wait_instance, wait_ready};
use crate::pool::{Kind, check};

pub(crate) const CASES: &[Case] = &[
    (Kind::Tiny, "a_removed_stopped_or_killed_container_comes_back_and_is_told_as_drift", drift),
    (Kind::Tiny, "docker_restarted_with_live_restore_restarts_no_container", docker_restart),
    (
        Kind::Tiny,
        "docker_restarted_without_live_restore_brings_everything_back",
        docker_restart_hard,
    ),
    (Kind::Tiny, "dbus_restarted_is_survived", dbus_restart),
    (Kind::Tiny, "systemctl_restart_by_hand_works", restart_by_hand),
    (Kind::Tiny, "systemctl_stop_by_hand_is_held_until_started_or_changed", held),
    (Kind::Tiny, "a_unit_or_container_that_is_not_ours_is_refused_by_name", foreign),
];

const NODE: &str = "tiny-one";

fn drift(fleet: &Fleet) -> Result<()> {
    let others = starts(fleet, NODE)?["oml-second"].clone();
    for (command, found) in [
        ("docker rm -f oml-first", "removed"),
        ("docker stop -t 1 oml-first", "exit"),
        ("docker kill oml-first", "137"),
    ] {
        let before = wait_ready(fleet, NODE, "first")?;
        let drift_at = before["drift"]["at_ms"].as_u64().unwrap_or(0);
        sh(fleet, NODE, command)?;
        let seen = wait_instance(fleet, (NODE, "first"), command, |seen| {
            seen["phase"]["name"] == "ready"
                && seen["drift"]["at_ms"].as_u64().unwrap_or(0) > drift_at
        })?;
        let told = seen["drift"]["found"].as_str().unwrap_or_default();
        check(told.contains(found), format!("{command}: {told}"))?;
        check(
            starts(fleet, NODE)?.contains_key("oml-first"),
            format!("{command}: not under its name"),
        )?;
    }
    check(starts(fleet, NODE)?["oml-second"] == others, "the other component was touched")
}

fn wait_docker(fleet: &Fleet) -> Result<()> {
    until("docker answers", SOON, || {
        sh(fleet, NODE, "docker version >/dev/null").map_err(|error| format!("{error:#}"))
    })?;
    Ok(())
}

fn docker_restart(fleet: &Fleet) -> Result<()> {
    let host = fleet.host(NODE)?;
    fleet.lab().set_live_restore(host, true)?;
    sh(fleet, NODE, "systemctl restart docker")?;
    wait_docker(fleet)?;
    wait_ready(fleet, NODE, "first")?;
    let before = starts(fleet, NODE)?;
    sh(fleet, NODE, "systemctl restart docker")?;
    wait_docker(fleet)?;
    for component in ["first", "second"] {
        wait_ready(fleet, NODE, component)?;
    }
    check(starts(fleet, NODE)? == before, "a container was started anew")
}

fn docker_restart_hard(fleet: &Fleet) -> Result<()> {
    let host = fleet.host(NODE)?;
    fleet.lab().set_live_restore(host, false)?;
    sh(fleet, NODE, "systemctl restart docker")?;
    wait_docker(fleet)?;
    sh(fleet, NODE, "systemctl restart docker")?;
    wait_docker(fleet)?;
    for component in ["first", "second"] {
        wait_ready(fleet, NODE, component)?;
    }
    let running = starts(fleet, NODE)?;
    check(running.len() == 2, format!("{running:?}"))?;
    fleet.lab().set_live_restore(host, true)?;
    sh(fleet, NODE, "systemctl restart docker")?;
    wait_docker(fleet)
}

fn dbus_restart(fleet: &Fleet) -> Result<()> {
    let before = starts(fleet, NODE)?;
    sh(fleet, NODE, "systemctl restart dbus")?;
    wait_ready(fleet, NODE, "first")?;
    check(starts(fleet, NODE)? == before, "a container was started anew")?;
    // The agent hears of the host again, and changes it.
    fleet.ctl_ok(&["set-version", "tenant=tiny", "first=v2"])?;
    wait_ready(fleet, NODE, "first").map(drop)
}

fn restart_by_hand(fleet: &Fleet) -> Result<()> {
    let before = starts(fleet, NODE)?;
    sh(fleet, NODE, "systemctl restart oml-first")?;
    wait_ready(fleet, NODE, "first")?;
    let after = starts(fleet, NODE)?;
    check(before["oml-first"] != after["oml-first"], "it was not restarted")?;
    check(before["oml-second"] == after["oml-second"], "the other one was")
}

fn held(fleet: &Fleet) -> Result<()> {
    let is_held = |seen: &serde_json::Value| {
        seen["phase"]["name"] == "held" && seen["phase"]["at_ms"].as_u64() > Some(0)
    };
    sh(fleet, NODE, "systemctl stop oml-first")?;
    wait_instance(fleet, (NODE, "first"), "it is shown as held", is_held)?;
    let told = fleet.ctl_ok(&["explain", "tenant=tiny"])?;
    check(told.contains("held on the host since"), told)?;
    // A look at everything does not release it.
    sh(fleet, NODE, "systemctl restart omlagent")?;
    wait_instance(fleet, (NODE, "first"), "it is still held", is_held)?;
    sh(fleet, NODE, "systemctl start oml-first")?;
    wait_ready(fleet, NODE, "first")?;
    sh(fleet, NODE, "systemctl stop oml-first")?;
    wait_instance(fleet, (NODE, "first"), "it is held again", is_held)?;
    fleet.ctl_ok(&["set-version", "tenant=tiny", "first=v2"])?;
    let seen = wait_ready(fleet, NODE, "first")?;
    check(seen["version"] == "v2", format!("{seen}"))
}

fn foreign(fleet: &Fleet) -> Result<()> {
    let without = fleet.spec()?.replace("  second: v1\n", "");
    let path = fleet.write_spec("one.yaml", &without)?;
    fleet.ctl_ok(&["apply", "-f", &path])?;
    sh(
        fleet,
        NODE,
        "printf '[Service]\\nExecStart=/bin/sleep infinity\\n' > /etc/systemd/system/oml-second.service && systemctl daemon-reload",
    )?;
    let path = fleet.write_spec("both.yaml", &fleet.spec()?)?;
    fleet.ctl_ok(&["apply", "-f", &path, "--no-wait"])?;
    let seen = wait_instance(fleet, (NODE, "second"), "the foreign unit is refused", |seen| {
        seen["phase"]["name"] == "blocked"
    })?;
    let reason = seen["reason"].as_str().unwrap_or_default();
    check(reason.contains("oml-second.service") && reason.contains("not ours"), reason)?;
    let untouched = sh(fleet, NODE, "cat /etc/systemd/system/oml-second.service")?;
    check(untouched.contains("sleep infinity"), untouched)?;
    sh(fleet, NODE, "rm /etc/systemd/system/oml-second.service && systemctl daemon-reload")?;
    wait_ready(fleet, NODE, "second").map(drop)
}
