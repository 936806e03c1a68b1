//! What people do to a host by hand: mended and told, or respected.

use std::time::Duration;

use anyhow::Result;
use oml_lab::until;
use oml_tests::Fleet;
use serde_json::Value;

use crate::Case;
use crate::look::{
    SOON, instance, now_ms, sh, starts, wait_instance, wait_instance_within, wait_ready,
    wait_ready_after, wait_told_after,
};
use crate::pool::{Kind, check};

pub(crate) const CASES: &[Case] = &[
    (Kind::Tiny, "a_removed_stopped_or_killed_container_comes_back_and_is_told_as_drift", drift),
    (Kind::Tiny, "docker_restarted_with_live_restore_restarts_no_container", docker_restart),
    (
        Kind::Tiny,
        "docker_restarted_without_live_restore_brings_everything_back",
        docker_restart_hard,
    ),
    (Kind::Tiny, "docker_that_is_away_is_told_in_a_sentence", docker_away),
    (Kind::Tiny, "dbus_restarted_is_survived", dbus_restart),
    (Kind::Tiny, "systemctl_restart_by_hand_works", restart_by_hand),
    (Kind::Tiny, "systemctl_stop_by_hand_is_held_until_started_or_changed", held),
    (Kind::Tiny, "systemctl_stop_before_a_version_proved_good_is_no_success", held_in_its_soak),
    (Kind::Tiny, "a_unit_or_container_that_is_not_ours_is_refused_by_name", foreign),
];

const NODE: &str = "tiny-one";
/// Beyond the minute for which a patient fleet wants its components healthy.
const SOAK_LIMIT: Duration = Duration::from_secs(180);

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

/// Restarts Docker with these settings; systemd would count such restarts and refuse the fourth.
fn restart_docker(fleet: &Fleet, live_restore: bool) -> Result<()> {
    fleet.lab().set_live_restore(fleet.host(NODE)?, live_restore)?;
    sh(fleet, NODE, "systemctl reset-failed docker; systemctl restart docker")?;
    until("docker answers", SOON, || {
        sh(fleet, NODE, "docker version >/dev/null").map_err(|error| format!("{error:#}"))
    })?;
    Ok(())
}

fn docker_restart(fleet: &Fleet) -> Result<()> {
    let before = starts(fleet, NODE)?;
    restart_docker(fleet, true)?;
    let restarted_ms = now_ms()?;
    for component in ["first", "second"] {
        wait_ready_after(fleet, restarted_ms, (NODE, component))?;
    }
    check(starts(fleet, NODE)? == before, "a container was started anew")
}

/// Without live-restore Docker ends every container: first as it starts, then as it stops.
fn docker_restart_hard(fleet: &Fleet) -> Result<()> {
    let came_back = comes_back(fleet, false).and_then(|()| comes_back(fleet, false));
    comes_back(fleet, true)?;
    came_back
}

fn comes_back(fleet: &Fleet, live_restore: bool) -> Result<()> {
    let names: Vec<String> = starts(fleet, NODE)?.into_keys().collect();
    let before = [instance(fleet, NODE, "first")?, instance(fleet, NODE, "second")?];
    restart_docker(fleet, live_restore)?;
    for (component, before) in ["first", "second"].into_iter().zip(before) {
        wait_instance(fleet, (NODE, component), "it is back, and told as drift", |seen| {
            let is_later = |now: &Value, then: &Value| now.as_u64() > then.as_u64();
            seen["phase"]["name"] == "ready"
                && is_later(&seen["started_at_ms"], &before["started_at_ms"])
                && is_later(&seen["drift"]["at_ms"], &before["drift"]["at_ms"])
        })?;
    }
    let now = starts(fleet, NODE)?;
    check(now.keys().eq(&names), format!("{names:?}, then {now:?}"))
}

fn docker_away(fleet: &Fleet) -> Result<()> {
    let before = starts(fleet, NODE)?;
    sh(fleet, NODE, "systemctl stop docker.socket docker.service")?;
    let told = until("it is told that docker is away", SOON, || {
        let ended = fleet.ctl(&["explain", "tenant=tiny"]).map_err(|error| format!("{error:#}"))?;
        let is_told = ended.stdout.contains("docker does not answer");
        if is_told { Ok(ended) } else { Err(format!("{ended:?}")) }
    });
    sh(fleet, NODE, "systemctl reset-failed docker; systemctl start docker.socket docker.service")?;
    let restarted_ms = now_ms()?;
    let told = told?;
    check(told.stdout.contains("since") && !told.stdout.contains("Error"), format!("{told:?}"))?;
    for component in ["first", "second"] {
        wait_ready_after(fleet, restarted_ms, (NODE, component))?;
    }
    let after = starts(fleet, NODE)?;
    check(after == before, format!("{before:?}, then {after:?}"))
}

fn dbus_restart(fleet: &Fleet) -> Result<()> {
    let before = starts(fleet, NODE)?;
    sh(fleet, NODE, "systemctl restart dbus")?;
    wait_ready_after(fleet, now_ms()?, (NODE, "first"))?;
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
    let is_told_as_held = |what: &str| -> Result<()> {
        // What is told after this moment is told of the host as it is now.
        wait_told_after(fleet, now_ms()?, (NODE, "first"), what, |seen| {
            seen["phase"]["name"] == "stopped-by-hand" && seen["phase"]["at_ms"].as_u64() > Some(0)
        })?;
        check(!starts(fleet, NODE)?.contains_key("oml-first"), format!("{what}, and it runs"))
    };
    sh(fleet, NODE, "systemctl stop oml-first")?;
    is_told_as_held("it is shown as held")?;
    let told = fleet.ctl_ok(&["explain", "tenant=tiny"])?;
    check(told.contains("stopped by hand since"), told)?;
    // A look at everything does not release it.
    sh(fleet, NODE, "systemctl restart omlagent")?;
    is_told_as_held("it is still held")?;
    sh(fleet, NODE, "systemctl start oml-first")?;
    wait_ready(fleet, NODE, "first")?;
    sh(fleet, NODE, "systemctl stop oml-first")?;
    is_told_as_held("it is held again")?;
    fleet.ctl_ok(&["set-version", "tenant=tiny", "first=v2"])?;
    let seen = wait_ready(fleet, NODE, "first")?;
    check(seen["version"] == "v2", format!("{seen}"))
}

fn held_in_its_soak(fleet: &Fleet) -> Result<()> {
    let patient = fleet.spec()?.replace("min_healthy_for: 2s", "min_healthy_for: 60s");
    let path = fleet.write_spec("patient.yaml", &patient)?;
    fleet.ctl_ok(&["apply", "-f", &path])?;
    fleet.ctl_ok(&["set-version", "tenant=tiny", "first=v2", "--no-wait"])?;
    let is_in = |phase: &'static str| move |seen: &Value| seen["phase"]["name"] == phase;
    wait_instance(fleet, (NODE, "first"), "it has to stay healthy", is_in("soaking"))?;
    sh(fleet, NODE, "systemctl stop oml-first")?;
    wait_instance(fleet, (NODE, "first"), "the stop is told", is_in("blocked"))?;
    let told = fleet.ctl_ok(&["explain", "tenant=tiny"])?;
    check(told.contains("stopped on the host by hand before it had proved good"), &told)?;
    check(told.contains("progressing"), told)?;
    sh(fleet, NODE, "systemctl start oml-first")?;
    let what = "it is ready after a whole soak";
    wait_instance_within(fleet, (NODE, "first"), what, SOAK_LIMIT, |seen| {
        seen["phase"]["name"] == "ready" && seen["version"] == "v2"
    })
    .map(drop)
}

fn foreign(fleet: &Fleet) -> Result<()> {
    let without = fleet.spec()?.replace("  second: v1\n", "");
    let path = fleet.write_spec("one.yaml", &without)?;
    fleet.ctl_ok(&["apply", "-f", &path])?;
    let unit = "/etc/systemd/system/oml-second.service";
    let text = "[Service]\\nExecStart=/bin/sleep infinity\\n";
    sh(fleet, NODE, &format!("printf '{text}' > {unit} && systemctl daemon-reload"))?;
    let path = fleet.write_spec("both.yaml", &fleet.spec()?)?;
    fleet.ctl_ok(&["apply", "-f", &path, "--no-wait"])?;
    wait_refused(fleet, "oml-second.service")?;
    let untouched = sh(fleet, NODE, &format!("cat {unit}"))?;
    check(untouched.contains("sleep infinity"), untouched)?;
    // The unit gives way to a container of the same kind.
    let container = "docker create --name oml-second $(docker inspect -f '{{.Image}}' oml-first)";
    let id = sh(fleet, NODE, container)?;
    sh(fleet, NODE, &format!("rm {unit} && systemctl daemon-reload"))?;
    wait_refused(fleet, "container oml-second")?;
    check(sh(fleet, NODE, "docker inspect -f '{{.Id}}' oml-second")? == id, "it was replaced")?;
    sh(fleet, NODE, "docker rm oml-second")?;
    wait_ready(fleet, NODE, "second").map(drop)
}

fn wait_refused(fleet: &Fleet, name: &str) -> Result<()> {
    let what = format!("{name} is refused");
    wait_instance(fleet, (NODE, "second"), &what, |seen| {
        let reason = seen["reason"].as_str().unwrap_or_default();
        let is_named = reason.contains(name) && reason.contains("not ours");
        seen["phase"]["name"] == "blocked" && is_named
    })
    .map(drop)
}
