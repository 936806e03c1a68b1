//! Tests of the checks that the agent makes before it stops the old version.

use anyhow::Result;
use oml_lab::until;
use oml_tests::Fleet;
use oml_tests::observe::{SOON, sh, start_times, wait_instance, wait_ready};
use oml_tests::trial::check;

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] =
    &[(Kind::Tiny, "a_port_in_use_by_another_program_blocks_the_change_and_stops_nothing", port)];

const NODE: &str = "tiny-one";

fn port(fleet: &Fleet) -> Result<()> {
    let exporter = "prometheus-node-exporter --web.listen-address=0.0.0.0:8099";
    sh(fleet, NODE, &format!("systemd-run --collect --unit=port-holder {exporter}"))?;
    let blocked = change_is_blocked(fleet);
    sh(fleet, NODE, "systemctl stop port-holder")?;
    let before = blocked?;
    let what = "second answers on the port after it was freed";
    until(what, SOON, || {
        sh(fleet, NODE, "curl -fsS http://127.0.0.1:8099/").map_err(|error| format!("{error:#}"))
    })?;
    wait_ready(fleet, NODE, "second")?;
    let after = start_times(fleet, NODE)?;
    check(after["oml-second"] != before["oml-second"], "second was not changed")?;
    check(after["oml-first"] == before["oml-first"], "first was restarted")
}

/// Starts a change whose port is in use, checks that it is blocked, and returns the containers' start times.
fn change_is_blocked(fleet: &Fleet) -> Result<std::collections::BTreeMap<String, String>> {
    let listens = "curl -fsS http://127.0.0.1:8099/metrics >/dev/null";
    until("the other program listens on the port", SOON, || {
        sh(fleet, NODE, listens).map_err(|error| format!("{error:#}"))
    })?;
    let before = start_times(fleet, NODE)?;
    let spec = fleet.spec()? + "settings: {second_port: \"8099\"}\n";
    let path = fleet.write_spec("port.yaml", &spec)?;
    fleet.ctl_ok(&["apply", "-f", &path, "--no-wait"])?;
    let seen = wait_instance(fleet, NODE, "second", "the used port blocks it", |seen| {
        seen["phase"]["name"] == "blocked"
    })?;
    let reason = seen["reason"].as_str().unwrap_or_default();
    check(reason.contains("port 8099/tcp is taken by another program"), reason)?;
    check(start_times(fleet, NODE)? == before, "a container was restarted")?;
    Ok(before)
}
