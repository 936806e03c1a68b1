//! Our own two services, as systemd sees them.

use std::time::Duration;

use anyhow::Result;
use oml_tests::Fleet;
use oml_tests::fleet::CONTROLLER;

use crate::Case;
use crate::look::{now_ms, sh, starts, wait_ready_after};
use crate::pool::{Kind, check};

pub(crate) const CASES: &[Case] = &[
    (Kind::Acme, "the_units_are_hardened", hardened),
    (Kind::Acme, "an_agent_that_hangs_is_ended_by_the_watchdog_and_no_container_with_it", watchdog),
];

const NODE: &str = "acme-data";
/// Beyond the 60 s of the unit.
const WATCHDOG_LIMIT: Duration = Duration::from_secs(180);

/// Tenths of what `systemd-analyze security` calls exposure. Docker's socket and unit files are
/// open to the agent, which is why its figure says little; it must not grow unseen.
const EXPOSURES_MAX: [(&str, &str, u32); 2] =
    [(NODE, "omlagent.service", 30), (CONTROLLER, "omlcontroller.service", 15)];

fn hardened(fleet: &Fleet) -> Result<()> {
    for (host, unit, exposure_max) in EXPOSURES_MAX {
        let threshold = format!("--threshold={exposure_max}");
        let words = ["systemd-analyze", "security", "--no-pager", &threshold, unit];
        let output = fleet.host(host)?.exec(&words)?;
        let told = output.stdout.lines().last().unwrap_or_default().to_owned();
        check(output.is_success() && told.contains("exposure"), format!("{unit}: {told}"))?;
    }
    Ok(())
}

fn watchdog(fleet: &Fleet) -> Result<()> {
    let before = starts(fleet, NODE)?;
    let pid = || sh(fleet, NODE, "systemctl show -P MainPID omlagent");
    let hung = pid()?;
    fleet.host(NODE)?.pause("omlagent")?;
    // Supervisors are the same program: they go on.
    let supervisors = "pkill -CONT -f 'omlagent supervise'";
    sh(fleet, NODE, supervisors)?;
    oml_lab::until("the watchdog ends it", WATCHDOG_LIMIT, || {
        let now = pid().map_err(|error| format!("{error:#}"))?;
        if now != hung && now.trim() != "0" { Ok(()) } else { Err(now) }
    })?;
    let replaced_ms = now_ms()?;
    let result = sh(fleet, NODE, "journalctl -u omlagent --no-pager --output=cat -n 50")?;
    check(result.contains("Watchdog timeout"), result)?;
    wait_ready_after(fleet, replaced_ms, (NODE, "redis"))?;
    check(starts(fleet, NODE)? == before, "a container was started anew")
}
