//! What is looked at before the old version is stopped.

use anyhow::Result;
use oml_lab::until;
use oml_tests::Fleet;

use crate::Case;
use crate::look::{SOON, sh, starts, wait_instance, wait_ready};
use crate::pool::{Kind, check};

pub(crate) const CASES: &[Case] =
    &[(Kind::Tiny, "a_port_that_another_program_holds_blocks_the_change_and_cuts_nothing", port)];

const NODE: &str = "tiny-one";

fn port(fleet: &Fleet) -> Result<()> {
    let exporter = "prometheus-node-exporter --web.listen-address=0.0.0.0:8099";
    sh(fleet, NODE, &format!("systemd-run --collect --unit=squatter {exporter}"))?;
    let blocked = blocked_by_the_squatter(fleet);
    sh(fleet, NODE, "systemctl stop squatter")?;
    let before = blocked?;
    let what = "second answers on the port that is free again";
    until(what, SOON, || {
        sh(fleet, NODE, "curl -fsS http://127.0.0.1:8099/").map_err(|error| format!("{error:#}"))
    })?;
    wait_ready(fleet, NODE, "second")?;
    let after = starts(fleet, NODE)?;
    check(after["oml-second"] != before["oml-second"], "second was not changed")?;
    check(after["oml-first"] == before["oml-first"], "first was touched")
}

/// Gives when everything was started, with the change waiting.
fn blocked_by_the_squatter(fleet: &Fleet) -> Result<std::collections::BTreeMap<String, String>> {
    let listens = "curl -fsS http://127.0.0.1:8099/metrics >/dev/null";
    until("the squatter listens", SOON, || {
        sh(fleet, NODE, listens).map_err(|error| format!("{error:#}"))
    })?;
    let before = starts(fleet, NODE)?;
    let spec = fleet.spec()? + "settings: {second_port: \"8099\"}\n";
    let path = fleet.write_spec("port.yaml", &spec)?;
    fleet.ctl_ok(&["apply", "-f", &path, "--no-wait"])?;
    let seen = wait_instance(fleet, (NODE, "second"), "the taken port blocks it", |seen| {
        seen["phase"]["name"] == "blocked"
    })?;
    let reason = seen["reason"].as_str().unwrap_or_default();
    check(reason.contains("port 8099/tcp is taken by another program"), reason)?;
    check(starts(fleet, NODE)? == before, "something was started anew")?;
    Ok(before)
}
