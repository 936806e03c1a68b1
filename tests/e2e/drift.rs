//! Tests of what people do to a host by hand. Drift is corrected and reported, and a
//! deliberate stop is respected.

use std::time::Duration;

use anyhow::Result;
use oml_lab::until;
use oml_tests::Fleet;
use oml_tests::observe::{
    InstanceWait, SOON, instance, now_ms, sh, start_times, wait_instance, wait_ready,
    wait_ready_after,
};
use oml_tests::trial::check;
use serde_json::Value;

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] = &[
    (Kind::Tiny, "a_removed_stopped_or_killed_container_is_restored_and_reported_as_drift", drift),
    (Kind::Tiny, "a_docker_restart_with_live_restore_restarts_no_container", docker_restart),
    (
        Kind::Tiny,
        "all_containers_start_again_after_a_docker_restart_without_live_restore",
        docker_restart_hard,
    ),
    (Kind::Tiny, "an_unavailable_docker_is_reported_in_one_sentence", docker_unavailable),
    (Kind::Tiny, "a_dbus_restart_affects_neither_containers_nor_later_changes", dbus_restart),
    (Kind::Tiny, "systemctl_restart_by_hand_works", restart_by_hand),
    (
        Kind::Tiny,
        "a_component_stopped_by_hand_stays_stopped_until_started_or_changed",
        stopped_by_hand,
    ),
    (Kind::Tiny, "a_stop_by_hand_during_the_soak_is_not_a_success", stopped_in_its_soak),
    (Kind::Tiny, "a_foreign_unit_or_container_is_refused_by_name", foreign),
];

const NODE: &str = "tiny-one";
/// This limit is longer than the soak of half a minute that the test configures.
const SOAK_LIMIT: Duration = Duration::from_secs(150);

fn drift(fleet: &Fleet) -> Result<()> {
    let others = start_times(fleet, NODE)?["oml-second"].clone();
    for (command, found) in [
        ("docker rm -f oml-first", "removed"),
        ("docker stop -t 1 oml-first", "exit"),
        ("docker kill oml-first", "137"),
    ] {
        let before = wait_ready(fleet, NODE, "first")?;
        let drift_at = before["drift"]["at_ms"].as_u64().unwrap_or(0);
        sh(fleet, NODE, command)?;
        let seen = wait_instance(fleet, NODE, "first", command, |seen| {
            seen["phase"]["name"] == "ready"
                && seen["drift"]["at_ms"].as_u64().unwrap_or(0) > drift_at
        })?;
        let reported = seen["drift"]["found"].as_str().unwrap_or_default();
        check(reported.contains(found), format!("{command}: {reported}"))?;
        check(
            start_times(fleet, NODE)?.contains_key("oml-first"),
            format!("{command}: no container has the name oml-first"),
        )?;
    }
    check(start_times(fleet, NODE)?["oml-second"] == others, "the other component was restarted")
}

/// Restarts Docker with or without live-restore. The unit's failure counter is reset first, because systemd would
/// otherwise refuse the fourth restart.
fn restart_docker(fleet: &Fleet, live_restore: bool) -> Result<()> {
    fleet.lab().set_live_restore(fleet.host(NODE)?, live_restore)?;
    sh(fleet, NODE, "systemctl reset-failed docker; systemctl restart docker")?;
    until("docker answers", SOON, || {
        sh(fleet, NODE, "docker version >/dev/null").map_err(|error| format!("{error:#}"))
    })?;
    Ok(())
}

pub(crate) fn docker_restart(fleet: &Fleet) -> Result<()> {
    let before = start_times(fleet, NODE)?;
    restart_docker(fleet, true)?;
    let restarted_ms = now_ms()?;
    for component in ["first", "second"] {
        wait_ready_after(fleet, restarted_ms, NODE, component)?;
    }
    check(start_times(fleet, NODE)? == before, "a container was restarted")
}

/// Restarts Docker twice without live-restore. The first restart ends every container when Docker starts with the new
/// setting, the second when Docker stops.
fn docker_restart_hard(fleet: &Fleet) -> Result<()> {
    let recovered =
        restart_and_recover(fleet, false).and_then(|()| restart_and_recover(fleet, false));
    restart_and_recover(fleet, true)?;
    recovered
}

fn restart_and_recover(fleet: &Fleet, live_restore: bool) -> Result<()> {
    let names: Vec<String> = start_times(fleet, NODE)?.into_keys().collect();
    let before = [instance(fleet, NODE, "first")?, instance(fleet, NODE, "second")?];
    restart_docker(fleet, live_restore)?;
    for (component, before) in ["first", "second"].into_iter().zip(before) {
        wait_instance(fleet, NODE, component, "it runs again and is reported as drift", |seen| {
            let is_later = |now: &Value, then: &Value| now.as_u64() > then.as_u64();
            seen["phase"]["name"] == "ready"
                && is_later(&seen["started_at_ms"], &before["started_at_ms"])
                && is_later(&seen["drift"]["at_ms"], &before["drift"]["at_ms"])
        })?;
    }
    let now = start_times(fleet, NODE)?;
    check(now.keys().eq(&names), format!("{names:?}, then {now:?}"))
}

fn docker_unavailable(fleet: &Fleet) -> Result<()> {
    let before = start_times(fleet, NODE)?;
    sh(fleet, NODE, "systemctl stop docker.socket docker.service")?;
    let printed = until("the failure of docker is reported", SOON, || {
        let ended = fleet.ctl(&["explain", "tenant=tiny"]).map_err(|error| format!("{error:#}"))?;
        let is_reported = ended.stdout.contains("docker does not answer");
        if is_reported { Ok(ended) } else { Err(format!("{ended:?}")) }
    });
    sh(fleet, NODE, "systemctl reset-failed docker; systemctl start docker.socket docker.service")?;
    let restarted_ms = now_ms()?;
    let printed = printed?;
    check(
        printed.stdout.contains("since") && !printed.stdout.contains("Error"),
        format!("{printed:?}"),
    )?;
    for component in ["first", "second"] {
        wait_ready_after(fleet, restarted_ms, NODE, component)?;
    }
    let after = start_times(fleet, NODE)?;
    check(after == before, format!("{before:?}, then {after:?}"))
}

fn dbus_restart(fleet: &Fleet) -> Result<()> {
    let before = start_times(fleet, NODE)?;
    sh(fleet, NODE, "systemctl restart dbus")?;
    wait_ready_after(fleet, now_ms()?, NODE, "first")?;
    check(start_times(fleet, NODE)? == before, "a container was restarted")?;
    // The agent must have reconnected to D-Bus, because a change works.
    fleet.ctl_ok(&["set-version", "tenant=tiny", "first=v2"])?;
    wait_ready(fleet, NODE, "first").map(drop)
}

fn restart_by_hand(fleet: &Fleet) -> Result<()> {
    let before = start_times(fleet, NODE)?;
    sh(fleet, NODE, "systemctl restart oml-first")?;
    wait_ready(fleet, NODE, "first")?;
    let after = start_times(fleet, NODE)?;
    check(before["oml-first"] != after["oml-first"], "it was not restarted")?;
    check(before["oml-second"] == after["oml-second"], "the other component was restarted")
}

pub(crate) fn stopped_by_hand(fleet: &Fleet) -> Result<()> {
    let wait_stopped_by_hand = |what: &str| -> Result<()> {
        // Only a report made after this moment describes the current state of the host.
        InstanceWait::new(fleet, NODE, "first").reported_after(now_ms()?).until(what, |seen| {
            seen["phase"]["name"] == "stopped-by-hand" && seen["phase"]["at_ms"].as_u64() > Some(0)
        })?;
        check(!start_times(fleet, NODE)?.contains_key("oml-first"), format!("{what}, but it runs"))
    };
    sh(fleet, NODE, "systemctl stop oml-first")?;
    wait_stopped_by_hand("it is shown as stopped by hand")?;
    let printed = fleet.ctl_ok(&["explain", "tenant=tiny"])?;
    check(printed.contains(": stopped on the host by hand"), printed)?;
    // A restart of the agent must not start the component.
    sh(fleet, NODE, "systemctl restart omlagent")?;
    wait_stopped_by_hand("it is still stopped")?;
    sh(fleet, NODE, "systemctl start oml-first")?;
    wait_ready(fleet, NODE, "first")?;
    sh(fleet, NODE, "systemctl stop oml-first")?;
    wait_stopped_by_hand("it is stopped again")?;
    fleet.ctl_ok(&["set-version", "tenant=tiny", "first=v2"])?;
    let seen = wait_ready(fleet, NODE, "first")?;
    check(seen["version"] == "v2", format!("{seen}"))
}

fn stopped_in_its_soak(fleet: &Fleet) -> Result<()> {
    let patient = fleet.spec()?.replace("min_healthy_for: 2s", "min_healthy_for: 30s");
    let path = fleet.write_spec("patient.yaml", &patient)?;
    fleet.ctl_ok(&["apply", "-f", &path])?;
    fleet.ctl_ok(&["set-version", "tenant=tiny", "first=v2", "--no-wait"])?;
    let is_in = |phase: &'static str| move |seen: &Value| seen["phase"]["name"] == phase;
    wait_instance(fleet, NODE, "first", "its soak has started", is_in("soaking"))?;
    sh(fleet, NODE, "systemctl stop oml-first")?;
    wait_instance(fleet, NODE, "first", "the stop is reported", is_in("blocked"))?;
    let printed = fleet.ctl_ok(&["explain", "tenant=tiny"])?;
    check(printed.contains("stopped on the host by hand before its soak finished"), &printed)?;
    check(printed.contains("progressing"), printed)?;
    sh(fleet, NODE, "systemctl start oml-first")?;
    let what = "it is ready after a complete soak";
    InstanceWait::new(fleet, NODE, "first")
        .within(SOAK_LIMIT)
        .until(what, |seen| seen["phase"]["name"] == "ready" && seen["version"] == "v2")
        .map(drop)
}

fn foreign(fleet: &Fleet) -> Result<()> {
    let without = fleet.spec()?.replace("  second: v1\n", "");
    let path = fleet.write_spec("one.yaml", &without)?;
    fleet.ctl_ok(&["apply", "-f", &path, "--prune"])?;
    let unit = "/etc/systemd/system/oml-second.service";
    let text = "[Service]\\nExecStart=/bin/sleep infinity\\n";
    sh(fleet, NODE, &format!("printf '{text}' > {unit} && systemctl daemon-reload"))?;
    let path = fleet.write_spec("both.yaml", &fleet.spec()?)?;
    fleet.ctl_ok(&["apply", "-f", &path, "--no-wait"])?;
    wait_refused(fleet, "oml-second.service")?;
    let untouched = sh(fleet, NODE, &format!("cat {unit}"))?;
    check(untouched.contains("sleep infinity"), untouched)?;
    // The same must hold for a foreign container instead of the unit.
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
    wait_instance(fleet, NODE, "second", &what, |seen| {
        let reason = seen["reason"].as_str().unwrap_or_default();
        let is_named = reason.contains(name) && reason.contains("not ours");
        seen["phase"]["name"] == "blocked" && is_named
    })
    .map(drop)
}
