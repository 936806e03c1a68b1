//! Deaths at every step: afterwards the host runs the old or the new version,
//! and the rollout ends.

use std::time::Duration;

use anyhow::{Context, Result};
use oml_lab::until;
use oml_tests::Fleet;
use oml_tests::fleet::CONTROLLER;

use crate::Case;
use crate::look::{
    SOON, newest_revision, now_ms, sh, starts, status, wait_ready, wait_ready_after,
};
use crate::operator::Running;
use crate::pool::{Kind, check};

pub(crate) const CASES: &[Case] = &[
    (Kind::Tiny, "an_agent_killed_at_any_step_leaves_the_host_running", agent_killed),
    (Kind::Tiny, "an_agent_killed_on_the_way_back_ends_at_the_old_version", return_killed),
    (Kind::Tiny, "a_controller_killed_at_any_step_loses_nothing", controller_killed),
    (Kind::Tiny, "an_agent_that_stops_or_restarts_touches_no_container", agent_restarts),
    (Kind::Tiny, "a_lost_state_folder_is_rebuilt_and_nothing_restarts", state_lost),
    (Kind::Tiny, "a_power_cut_in_the_middle_of_a_change_ends_with_a_running_version", power_cut),
];

const NODE: &str = "tiny-one";
/// A1 first, on the way to v2: the image of v1 is always there, because `second` runs it.
const AGENT_STEPS: [&str; 14] =
    ["A1", "A0", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "A9", "A10", "A11", "A12", "A13"];
const RETURN_STEPS: [&str; 4] = ["R1", "R2", "R3", "R4"];
const CONTROLLER_STEPS: [&str; 8] = ["C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8"];

/// A program that dies once at a step, and is itself again when this value goes away.
struct Armed<'a> {
    fleet: &'a Fleet,
    host: &'a str,
    unit: &'a str,
}

impl<'a> Armed<'a> {
    fn new(fleet: &'a Fleet, host: &'a str, unit: &'a str, step: &str) -> Result<Self> {
        let armed = Self { fleet, host, unit };
        let markers = markers(unit);
        let script = format!(
            "rm -rf {markers} && mkdir -p /run/systemd/system/{unit}.service.d && \
             printf '[Service]\\nEnvironment=OML_FAILPOINT={step} OML_FAILPOINT_MARKERS={markers}\\nRestart=no\\n' \
             > /run/systemd/system/{unit}.service.d/failpoint.conf && \
             systemctl daemon-reload && systemctl restart {unit}"
        );
        sh(fleet, host, &script)?;
        Ok(armed)
    }

    fn disarm(self) -> Result<()> {
        let disarmed = self.take_away();
        std::mem::forget(self);
        disarmed
    }

    /// Tells what answers at the latest ten seconds after the agent is back.
    fn disarm_and_ask(self) -> Result<String> {
        let script = format!("{} || exit 1\n{FIRST_ANSWER}", self.disarming());
        let asked = answers_in_time(self.fleet, &script);
        if asked.is_ok() {
            std::mem::forget(self);
        }
        asked
    }

    fn take_away(&self) -> Result<()> {
        sh(self.fleet, self.host, &self.disarming()).map(drop)
    }

    fn disarming(&self) -> String {
        let unit = self.unit;
        format!(
            "rm -rf /run/systemd/system/{unit}.service.d && systemctl daemon-reload && \
             systemctl reset-failed {unit} 2>/dev/null; systemctl restart {unit}"
        )
    }
}

/// Where the program of a unit may write that it died once.
fn markers(unit: &str) -> &'static str {
    if unit == "omlagent" {
        "/run/omlagent/failpoints"
    } else {
        "/var/lib/omlcontroller/failpoints"
    }
}

impl Drop for Armed<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.take_away() {
            eprintln!("{} on {} stays armed: {error:#}", self.unit, self.host);
        }
    }
}

fn has_died(fleet: &Fleet, host: &str, unit: &str) -> Result<()> {
    let what = format!("{unit} dies at its step");
    until(&what, SOON, || {
        let state = sh(fleet, host, &format!("systemctl is-active {unit} || true"))
            .map_err(|error| format!("{error:#}"))?;
        if state.trim() == "active" || state.trim() == "activating" { Err(state) } else { Ok(()) }
    })?;
    Ok(())
}

/// Prints after how many milliseconds the component answers, and what. The host takes the time
/// itself: how long a test needs to come and ask is no part of it.
const FIRST_ANSWER: &str = "\
began=$(date +%s%3N)
until answer=$(curl -sf -m 2 http://127.0.0.1:8081/); do
  [ $(($(date +%s%3N) - began)) -lt 60000 ] || exit 1
  sleep 0.1
done
echo $(($(date +%s%3N) - began)) $answer";
/// A component answers this soon after the restart of its host or of the agent.
const ANSWER_MS_MAX: u64 = 10_000;
/// Of the whole script, the restart of a unit included.
const ASKING_LIMIT: Duration = Duration::from_secs(180);

/// What a script that ends with `FIRST_ANSWER` was answered, which has to be in time.
fn answers_in_time(fleet: &Fleet, script: &str) -> Result<String> {
    let output = fleet.host(NODE)?.exec_within(ASKING_LIMIT, &["sh", "-c", script])?;
    check(output.is_success(), format!("nothing answers: {output:?}"))?;
    let (took_ms, answer) = output.stdout.trim().split_once(' ').context("a time and an answer")?;
    let is_soon = took_ms.parse::<u64>().is_ok_and(|took_ms| took_ms <= ANSWER_MS_MAX);
    check(is_soon, format!("{answer} answered after {took_ms} ms only"))?;
    Ok(answer.to_owned())
}

/// What the component's port answers: the version of the program that runs.
fn answers(fleet: &Fleet) -> Result<String> {
    let answer = until("the component answers", SOON, || {
        sh(fleet, NODE, "curl -sf -m 2 http://127.0.0.1:8081/")
            .map_err(|error| format!("{error:#}"))
    })?;
    Ok(answer.trim().to_owned())
}

fn wait_rollout_ended(fleet: &Fleet) -> Result<String> {
    let ended = until("the rollout ends", Duration::from_secs(300), || {
        let seen = status(fleet).map_err(|error| format!("{error:#}"))?;
        let state = seen["rollout"]["state"].as_str().unwrap_or_default().to_owned();
        if ["completed", "rolled-back", "paused"].contains(&state.as_str()) {
            Ok(state)
        } else {
            Err(state)
        }
    })?;
    Ok(ended)
}

/// What is kept to return to goes, so that the next version is fetched and made anew.
fn forget_old_versions(fleet: &Fleet) -> Result<()> {
    sh(fleet, NODE, "docker container prune --force && docker image prune --all --force").map(drop)
}

fn agent_killed(fleet: &Fleet) -> Result<()> {
    for (number, step) in AGENT_STEPS.into_iter().enumerate() {
        let (from, to) = if number % 2 == 0 { ("v1", "v2") } else { ("v2", "v1") };
        forget_old_versions(fleet)?;
        let armed = Armed::new(fleet, NODE, "omlagent", step)?;
        fleet.ctl_ok(&["set-version", "tenant=tiny", &format!("first={to}"), "--no-wait"])?;
        has_died(fleet, NODE, "omlagent").with_context(|| format!("step {step}"))?;
        let running = armed.disarm_and_ask().with_context(|| format!("after {step}"))?;
        check([from, to].contains(&&*running), format!("after {step}: {running}"))?;
        let state = wait_rollout_ended(fleet).with_context(|| format!("after {step}"))?;
        check(state == "completed", format!("after {step}: the rollout is {state}"))?;
        let seen = wait_ready(fleet, NODE, "first")?;
        check(seen["version"] == to, format!("after {step}: {seen}"))?;
        check(answers(fleet)? == to, format!("after {step}: another version answers"))?;
        let containers = sh(fleet, NODE, "docker ps -q --filter label=io.oml.component=first")?;
        check(containers.lines().count() == 1, format!("after {step}: {containers}"))?;
    }
    Ok(())
}

fn return_killed(fleet: &Fleet) -> Result<()> {
    for step in RETURN_STEPS {
        let armed = Armed::new(fleet, NODE, "omlagent", step)?;
        let change = ["set-version", "tenant=tiny", "first=exits-at-once", "--no-wait"];
        fleet.ctl_ok(&change)?;
        has_died(fleet, NODE, "omlagent").with_context(|| format!("step {step}"))?;
        let running = armed.disarm_and_ask().with_context(|| format!("after {step}"))?;
        check(running == "v1", format!("after {step}: {running}"))?;
        let state = wait_rollout_ended(fleet).with_context(|| format!("after {step}"))?;
        check(state == "rolled-back", format!("after {step}: the rollout is {state}"))?;
        let seen = wait_ready(fleet, NODE, "first")?;
        check(seen["version"] == "v1", format!("after {step}: {seen}"))?;
    }
    Ok(())
}

fn controller_killed(fleet: &Fleet) -> Result<()> {
    let mut version = "v1".to_owned();
    for step in CONTROLLER_STEPS {
        let before = newest_revision(fleet)?;
        let next = if version == "v1" { "v2" } else { "v1" };
        let armed = Armed::new(fleet, CONTROLLER, "omlcontroller", step)?;
        let change =
            ["set-version", "tenant=tiny", &format!("first={next}"), "--no-wait", "--op-id"];
        let op_id = format!("kill-at-{step}-{next}");
        let mut words: Vec<&str> = change.to_vec();
        words.push(&op_id);
        let mut asked = Running::start(fleet.ctl_command(&words))?;
        has_died(fleet, CONTROLLER, "omlcontroller").with_context(|| format!("step {step}"))?;
        armed.disarm()?;
        asked.wait()?;
        // The same id again settles an outcome that was not seen.
        let again = fleet.ctl(&words)?;
        check(again.code == 0, format!("after {step}: {again:?}"))?;
        wait_rollout_ended(fleet).with_context(|| format!("after {step}"))?;
        let seen = wait_ready(fleet, NODE, "first")?;
        check(seen["version"] == next, format!("after {step}: {seen}"))?;
        let after = newest_revision(fleet)?;
        check(after == before + 1, format!("after {step}: revision {before}, then {after}"))?;
        next.clone_into(&mut version);
    }
    Ok(())
}

fn agent_restarts(fleet: &Fleet) -> Result<()> {
    let before = starts(fleet, NODE)?;
    sh(
        fleet,
        NODE,
        "systemctl stop omlagent && systemctl start omlagent && systemctl kill -s KILL omlagent",
    )?;
    // Supervisors too: whoever holds the containers may go without them.
    for signal in ["KILL", "TERM"] {
        replace_supervisors(fleet, signal).with_context(|| format!("by SIG{signal}"))?;
    }
    // A newer package of the agent.
    fleet.host(NODE)?.install_deb(&fleet.packages().agent)?;
    wait_ready_after(fleet, now_ms()?, (NODE, "first"))?;
    check(starts(fleet, NODE)? == before, "a container was started anew")
}

fn replace_supervisors(fleet: &Fleet, signal: &str) -> Result<()> {
    let supervisors = || sh(fleet, NODE, "systemctl show -P MainPID oml-first oml-second");
    let killed = supervisors()?;
    let is_left = |pid: &str| !pid.is_empty() && killed.lines().any(|before| before == pid);
    sh(fleet, NODE, &format!("systemctl kill -s {signal} oml-first oml-second"))?;
    until("the supervisors are back", SOON, || {
        let state = sh(fleet, NODE, "systemctl is-active oml-first oml-second || true")
            .map_err(|error| format!("{error:#}"))?;
        let others = supervisors().map_err(|error| format!("{error:#}"))?;
        let are_back = state == "active\nactive\n" && !others.lines().any(is_left);
        if are_back { Ok(()) } else { Err(format!("{state}{killed}{others}")) }
    })?;
    Ok(())
}

fn state_lost(fleet: &Fleet) -> Result<()> {
    let before = starts(fleet, NODE)?;
    // Without a controller nobody but the labels can say what was there.
    sh(fleet, CONTROLLER, "systemctl stop omlcontroller")?;
    let rebuilt = forget_state(fleet);
    sh(fleet, CONTROLLER, "systemctl start omlcontroller")?;
    let restarted_ms = now_ms()?;
    rebuilt?;
    wait_for_files(
        fleet,
        "assignment.json instances/first/current.json instances/second/current.json",
    )?;
    wait_ready_after(fleet, restarted_ms, (NODE, "first"))?;
    check(starts(fleet, NODE)? == before, "a container was started anew")
}

/// The next supervisor reads from the label what it has to hold, and writes it down.
fn forget_state(fleet: &Fleet) -> Result<()> {
    let script = "systemctl stop omlagent && cd /var/lib/omlagent && \
                  ls -A | grep -v identity | xargs rm -rf && \
                  systemctl kill -s KILL oml-first && systemctl start omlagent";
    sh(fleet, NODE, script)?;
    wait_for_files(fleet, "instances/first/current.json")
}

fn wait_for_files(fleet: &Fleet, names: &str) -> Result<()> {
    let script = format!("cd /var/lib/omlagent && cat {names}");
    until(&format!("{names} are back"), SOON, || {
        sh(fleet, NODE, &script).map_err(|error| format!("{error:#}"))
    })?;
    Ok(())
}

fn power_cut(fleet: &Fleet) -> Result<()> {
    let host = fleet.host(NODE)?;
    let armed = Armed::new(fleet, NODE, "omlagent", "A9")?;
    fleet.ctl_ok(&["set-version", "tenant=tiny", "first=v2", "--no-wait"])?;
    has_died(fleet, NODE, "omlagent")?;
    host.power_cut()?;
    host.boot()?;
    answers_in_time(fleet, FIRST_ANSWER)?;
    let state = wait_rollout_ended(fleet)?;
    check(state == "completed", format!("the rollout is {state}"))?;
    let seen = wait_ready(fleet, NODE, "first")?;
    check(seen["version"] == "v2" && answers(fleet)? == "v2", format!("{seen}"))?;
    armed.disarm()
}
