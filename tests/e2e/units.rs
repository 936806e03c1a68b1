//! Tests of the systemd units of the agent and the controller.

use std::time::Duration;

use anyhow::Result;
use oml_tests::Fleet;
use oml_tests::fleet::CONTROLLER;
use oml_tests::observe::{now_ms, sh, start_times, wait_ready_after};
use oml_tests::trial::check;

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] = &[
    (Kind::Acme, "the_units_are_hardened", hardened),
    (Kind::Acme, "the_watchdog_restarts_a_hanging_agent_and_no_container", watchdog),
];

const NODE: &str = "acme-data";
/// This limit is longer than the 60 s of the unit's watchdog.
const WATCHDOG_LIMIT: Duration = Duration::from_secs(180);

/// The highest allowed exposure of `systemd-analyze security`, in tenths. The agent can use Docker's
/// socket and write unit files, so its figure says little, but it must not grow unnoticed.
const EXPOSURES_MAX: [(&str, &str, u32); 2] =
    [(NODE, "omlagent.service", 20), (CONTROLLER, "omlcontroller.service", 12)];

fn hardened(fleet: &Fleet) -> Result<()> {
    for (host, unit, exposure_max) in EXPOSURES_MAX {
        let threshold = format!("--threshold={exposure_max}");
        let words = ["systemd-analyze", "security", "--no-pager", &threshold, unit];
        let output = fleet.host(host)?.exec(&words)?;
        let printed = output.stdout.lines().last().unwrap_or_default().to_owned();
        check(output.is_success() && printed.contains("exposure"), format!("{unit}: {printed}"))?;
    }
    Ok(())
}

fn watchdog(fleet: &Fleet) -> Result<()> {
    let before = start_times(fleet, NODE)?;
    let pid = || sh(fleet, NODE, "systemctl show -P MainPID omlagent");
    let hung = pid()?;
    fleet.host(NODE)?.pause("omlagent")?;
    // Supervisors run the same program and were paused too, so they are continued.
    let supervisors = "pkill -CONT -f 'omlagent supervise'";
    sh(fleet, NODE, supervisors)?;
    oml_lab::until("the watchdog restarts the agent", WATCHDOG_LIMIT, || {
        let now = pid().map_err(|error| format!("{error:#}"))?;
        if now != hung && now.trim() != "0" { Ok(()) } else { Err(now) }
    })?;
    let replaced_ms = now_ms()?;
    let result = sh(fleet, NODE, "journalctl -u omlagent --no-pager --output=cat -n 50")?;
    check(result.contains("Watchdog timeout"), result)?;
    wait_ready_after(fleet, replaced_ms, NODE, "redis")?;
    check(start_times(fleet, NODE)? == before, "a container was restarted")
}
