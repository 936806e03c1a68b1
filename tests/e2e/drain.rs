//! Calls that are up when their component changes.

use anyhow::{Context as _, Result};
use oml_lab::{HostProcess, until};
use oml_tests::Fleet;

use crate::Case;
use crate::look::{SOON, sh, starts, wait_instance, wait_ready};
use crate::pool::{Kind, check};

pub(crate) const CASES: &[Case] = &[
    (Kind::Acme, "a_change_waits_for_the_calls_and_cuts_none", waits),
    (Kind::Acme, "a_change_that_calls_outlast_is_given_up_and_the_calls_live", gives_up),
    (Kind::Acme, "a_deadline_that_cuts_calls_tells_how_many", cuts),
];

const VOICE: &str = "acme-voice";
const CONTAINER: &str = "oml-asterisk-server";
const CALLS: &str = "2";
const CHANGE: [&str; 3] = ["set-version", "tenant=acme", "asterisk=230215.01"];

/// A caller who stays until the other side hangs up.
const CALLER: &str = include_str!("caller.xml");

/// Calls that are up. They end with this value, so that none is left to the next test.
struct Calls<'a> {
    fleet: &'a Fleet,
    sipp: HostProcess,
    are_over: bool,
}

/// Real calls to Asterisk from another host, up when this returns.
fn call(fleet: &Fleet) -> Result<Calls<'_>> {
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
    wait_instance(fleet, (VOICE, "asterisk"), "the calls are counted", |seen| seen["active"] == 2)?;
    let told = sh(fleet, VOICE, "systemctl show -P StatusText asterisk")?;
    check(told.contains("healthy") && told.contains("2 calls"), told)?;
    Ok(calls)
}

impl Calls<'_> {
    fn last(&mut self) -> Result<bool> {
        Ok(self.sipp.exit_code()?.is_none())
    }

    /// Asterisk says goodbye to every caller; the answer is sipp's word on how the calls went.
    fn hang_up(mut self) -> Result<()> {
        self.say_goodbye()?;
        let code = until("the calls end", SOON, || {
            let ended = self.sipp.exit_code().map_err(|error| error.to_string())?;
            ended.context("they last").map_err(|error| error.to_string())
        })?;
        check(code == 0, format!("a call was cut: sipp ended with {code}"))
    }

    /// For calls that were cut: what waits for them goes.
    fn forget(mut self) -> Result<()> {
        self.are_over = true;
        Ok(self.sipp.kill()?)
    }

    fn say_goodbye(&mut self) -> Result<()> {
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
        if let Err(error) = self.say_goodbye() {
            eprintln!("calls may be left: {error:#}");
        }
    }
}

fn drain(fleet: &Fleet, deadline: &str, choice: &str) -> Result<()> {
    let policy = format!("drain_deadline: {deadline}\n  on_deadline: {choice}");
    let spec = fleet.spec()?.replace("drain_deadline: 20s", &policy);
    let path = fleet.write_spec("deadline.yaml", &spec)?;
    fleet.ctl_ok(&["apply", "-f", &path]).map(drop)
}

fn waits(fleet: &Fleet) -> Result<()> {
    drain(fleet, "10m", "abort")?;
    let before = starts(fleet, VOICE)?;
    let mut calls = call(fleet)?;
    fleet.ctl_ok(&[&CHANGE[..], &["--no-wait"]].concat())?;
    wait_instance(fleet, (VOICE, "asterisk"), "it drains", |seen| {
        seen["phase"]["name"] == "draining" && seen["active"] == 2
    })?;
    let told = fleet.ctl_ok(&["explain", "tenant=acme"])?;
    check(told.contains("2 calls are up"), told)?;
    check(starts(fleet, VOICE)? == before, "something was started anew under the calls")?;
    check(calls.last()?, "the calls ended before they were hung up")?;
    calls.hang_up()?;
    let seen = wait_instance(fleet, (VOICE, "asterisk"), "the change goes on", |seen| {
        seen["phase"]["name"] == "ready" && seen["version"] == "230215.01"
    })?;
    check(seen["calls_cut"] == 0, format!("{seen}"))?;
    let mut after = starts(fleet, VOICE)?;
    check(after.get(CONTAINER) != before.get(CONTAINER), "asterisk was not started anew")?;
    after.remove(CONTAINER);
    check(after.iter().all(|(name, at)| before.get(name) == Some(at)), "something else was")
}

fn gives_up(fleet: &Fleet) -> Result<()> {
    drain(fleet, "4s", "abort")?;
    let before = starts(fleet, VOICE)?;
    let mut calls = call(fleet)?;
    let ended = fleet.ctl(&CHANGE)?;
    let told = format!("{}{}", ended.stdout, ended.stderr);
    check(ended.code == 3, format!("exit code {}: {told}", ended.code))?;
    check(told.contains("2 calls are up"), told)?;
    check(calls.last()?, "the calls ended")?;
    check(starts(fleet, VOICE)? == before, "something was started anew")?;
    let seen = wait_ready(fleet, VOICE, "asterisk")?;
    check(seen["version"] == "230204.01" && seen["active"] == 2, format!("{seen}"))?;
    calls.hang_up()?;
    wait_instance(fleet, (VOICE, "asterisk"), "no call is up", |seen| seen["active"] == 0).map(drop)
}

fn cuts(fleet: &Fleet) -> Result<()> {
    drain(fleet, "4s", "cut")?;
    let calls = call(fleet)?;
    let ended = fleet.ctl(&CHANGE)?;
    let told = format!("{}{}", ended.stdout, ended.stderr);
    check(ended.code == 0, format!("exit code {}: {told}", ended.code))?;
    check(told.contains("2 calls"), told)?;
    let seen = wait_ready(fleet, VOICE, "asterisk")?;
    check(seen["version"] == "230215.01" && seen["calls_cut"] == 2, format!("{seen}"))?;
    wait_instance(fleet, (VOICE, "asterisk"), "no call is up", |seen| seen["active"] == 0)?;
    calls.forget()
}
