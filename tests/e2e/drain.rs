//! Tests of changes to a component while calls are up.

use anyhow::{Context as _, Result};
use oml_lab::{HostProcess, until};
use oml_tests::Fleet;
use oml_tests::observe::{SOON, sh, start_times, wait_instance, wait_ready};
use oml_tests::trial::check;

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] = &[
    (Kind::Acme, "a_change_waits_for_the_calls_and_cuts_none", waits),
    (Kind::Acme, "a_change_is_aborted_at_the_deadline_and_the_calls_continue", aborts),
    (Kind::Acme, "a_deadline_that_cuts_calls_reports_how_many", cuts),
];

pub(crate) const VOICE: &str = "acme-voice";
pub(crate) const CONTAINER: &str = "oml-asterisk-server";
const CALLS: &str = "2";
pub(crate) const CHANGE: [&str; 3] = ["set-version", "tenant=acme", "asterisk=230215.01"];

/// The sipp scenario of a caller who stays until the other side hangs up.
const CALLER: &str = include_str!("caller.xml");

/// Calls that are up. Dropping the value hangs them up, so that none is left for the next test.
pub(crate) struct Calls<'a> {
    fleet: &'a Fleet,
    sipp: HostProcess,
    are_over: bool,
}

/// Starts real calls to Asterisk from another host and waits until they are up.
pub(crate) fn start_calls(fleet: &Fleet) -> Result<Calls<'_>> {
    let caller = fleet.host("acme-app")?;
    caller.push("/run/caller.xml", CALLER.as_bytes(), 0o644)?;
    let words = [
        "sipp",
        "-sf",
        "/run/caller.xml",
        "-s",
        "wait",
        "-m",
        CALLS,
        "-l",
        CALLS,
        "-nostdin",
        VOICE,
    ];
    let calls = Calls { fleet, sipp: caller.spawn(&words)?, are_over: false };
    wait_instance(fleet, VOICE, "asterisk", "the calls are counted", |seen| seen["active"] == 2)?;
    let printed = sh(fleet, VOICE, "systemctl show -P StatusText asterisk")?;
    check(printed.contains("healthy") && printed.contains("2 channels"), printed)?;
    Ok(calls)
}

impl Calls<'_> {
    fn are_up(&mut self) -> Result<bool> {
        Ok(self.sipp.exit_code()?.is_none())
    }

    /// Makes Asterisk hang up every call, and checks with sipp's exit code that no call was cut before.
    pub(crate) fn hang_up(mut self) -> Result<()> {
        self.request_hangup()?;
        let code = until("the calls end", SOON, || {
            let ended = self.sipp.exit_code().map_err(|error| error.to_string())?;
            ended.context("the calls are still up").map_err(|error| error.to_string())
        })?;
        check(code == 0, format!("a call was cut: sipp ended with {code}"))
    }

    /// Kills sipp, which still waits for calls that were cut.
    fn kill_caller(mut self) -> Result<()> {
        self.are_over = true;
        Ok(self.sipp.kill()?)
    }

    fn request_hangup(&mut self) -> Result<()> {
        let command = format!("docker exec {CONTAINER} asterisk -rx 'channel request hangup all'");
        sh(self.fleet, VOICE, &command)?;
        self.are_over = true;
        Ok(())
    }
}

impl Drop for Calls<'_> {
    fn drop(&mut self) {
        if self.are_over {
            return;
        }
        if let Err(error) = self.request_hangup() {
            eprintln!("some calls may still be up: {error:#}");
        }
    }
}

pub(crate) fn set_deadline(fleet: &Fleet, deadline: &str, choice: &str) -> Result<()> {
    let policy = format!("drain_deadline: {deadline}\n  on_deadline: {choice}");
    let spec = fleet.spec()?.replace("drain_deadline: 20s", &policy);
    let path = fleet.write_spec("deadline.yaml", &spec)?;
    fleet.ctl_ok(&["apply", "-f", &path]).map(drop)
}

fn waits(fleet: &Fleet) -> Result<()> {
    set_deadline(fleet, "10m", "abort")?;
    let before = start_times(fleet, VOICE)?;
    let mut calls = start_calls(fleet)?;
    fleet.ctl_ok(&[&CHANGE[..], &["--no-wait"]].concat())?;
    wait_instance(fleet, VOICE, "asterisk", "it drains", |seen| {
        seen["phase"]["name"] == "draining" && seen["active"] == 2
    })?;
    let printed = fleet.ctl_ok(&["explain", "tenant=acme"])?;
    check(printed.contains("2 channels are up"), printed)?;
    check(start_times(fleet, VOICE)? == before, "a container was restarted while calls were up")?;
    check(calls.are_up()?, "the calls ended before they were hung up")?;
    calls.hang_up()?;
    let seen = wait_instance(fleet, VOICE, "asterisk", "the change goes on", |seen| {
        seen["phase"]["name"] == "ready" && seen["version"] == "230215.01"
    })?;
    check(seen["calls_cut"] == 0, format!("{seen}"))?;
    let mut after = start_times(fleet, VOICE)?;
    check(after.get(CONTAINER) != before.get(CONTAINER), "asterisk was not restarted")?;
    after.remove(CONTAINER);
    let is_untouched = after.iter().all(|(name, at)| before.get(name) == Some(at));
    check(is_untouched, "another container was restarted")
}

fn aborts(fleet: &Fleet) -> Result<()> {
    set_deadline(fleet, "4s", "abort")?;
    let before = start_times(fleet, VOICE)?;
    let mut calls = start_calls(fleet)?;
    let ended = fleet.ctl(&CHANGE)?;
    let printed = format!("{}{}", ended.stdout, ended.stderr);
    check(ended.code == 3, format!("exit code {}: {printed}", ended.code))?;
    check(printed.contains("2 channels are up"), printed)?;
    check(calls.are_up()?, "the calls ended")?;
    check(start_times(fleet, VOICE)? == before, "a container was restarted")?;
    let seen = wait_ready(fleet, VOICE, "asterisk")?;
    check(seen["version"] == "230204.01" && seen["active"] == 2, format!("{seen}"))?;
    calls.hang_up()?;
    wait_instance(fleet, VOICE, "asterisk", "no call is up", |seen| seen["active"] == 0).map(drop)
}

fn cuts(fleet: &Fleet) -> Result<()> {
    set_deadline(fleet, "4s", "cut")?;
    let calls = start_calls(fleet)?;
    let ended = fleet.ctl(&CHANGE)?;
    let printed = format!("{}{}", ended.stdout, ended.stderr);
    check(ended.code == 0, format!("exit code {}: {printed}", ended.code))?;
    check(printed.contains("2 channels"), printed)?;
    let seen = wait_ready(fleet, VOICE, "asterisk")?;
    check(seen["version"] == "230215.01" && seen["calls_cut"] == 2, format!("{seen}"))?;
    wait_instance(fleet, VOICE, "asterisk", "no call is up", |seen| seen["active"] == 0)?;
    calls.kill_caller()
}
