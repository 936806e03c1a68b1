//! Tests of the count of calls on a real Asterisk whose answer is not the usual one.

use anyhow::Result;
use oml_tests::observe::{sh, start_times, wait_instance, wait_ready};
use oml_tests::trial::check;
use oml_tests::{CtlOutput, Fleet};

use crate::Case;
use crate::drain::{CHANGE, CONTAINER, VOICE, set_deadline, start_calls};
use crate::pool::Kind;

pub(crate) const CASES: &[Case] =
    &[(Kind::Acme, "calls_are_counted_where_a_maximum_of_calls_is_set", maximum)];

/// Runs a command of Asterisk's console.
fn asterisk(fleet: &Fleet, command: &str) -> Result<String> {
    sh(fleet, VOICE, &format!("docker exec {CONTAINER} asterisk -rx '{command}'"))
}

fn wait_channels(fleet: &Fleet, channels: u64) -> Result<()> {
    let what = format!("{channels} channels are counted");
    wait_instance(fleet, VOICE, "asterisk", &what, |seen| seen["active"] == channels).map(drop)
}

/// Asks for another version and checks that the change is given up at its deadline without a stop.
fn gives_up(fleet: &Fleet, reason: &str) -> Result<()> {
    let before = start_times(fleet, VOICE)?;
    let CtlOutput { code, stdout, stderr } = fleet.ctl(&CHANGE)?;
    check(code == 3, format!("exit code {code}: {stdout}{stderr}"))?;
    check(format!("{stdout}{stderr}").contains(reason), format!("{stdout}{stderr}"))?;
    check(start_times(fleet, VOICE)? == before, "a container was restarted")
}

fn maximum(fleet: &Fleet) -> Result<()> {
    set_deadline(fleet, "4s", "abort")?;
    let file = "/etc/asterisk/asterisk.conf";
    let edit = format!("docker exec {CONTAINER} sed -i '$ a maxcalls = 100' {file}");
    sh(fleet, VOICE, &format!("{edit} && systemctl restart asterisk"))?;
    wait_ready(fleet, VOICE, "asterisk")?;
    let calls = start_calls(fleet)?;
    let printed = asterisk(fleet, "core show channels count")?;
    check(printed.contains("of 100 max active"), printed)?;
    gives_up(fleet, "2 channels are up")?;
    calls.hang_up()?;
    wait_channels(fleet, 0)?;
    fleet.ctl_ok(&CHANGE).map(drop)
}
