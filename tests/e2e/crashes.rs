//! Tests that kill the programs at every step. Afterwards the host must run the old
//! or the new version, and the rollout must end.

use std::time::Duration;

use anyhow::{Context, Result};
use oml_lab::until;
use oml_tests::Fleet;
use oml_tests::fleet::CONTROLLER;
use oml_tests::observe::{
    SOON, newest_revision, now_ms, sh, start_times, status, wait_ready, wait_ready_after,
};
use oml_tests::trial::check;

use crate::Case;
use crate::omlctl::Running;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] = &[
    (Kind::Tiny, "an_agent_killed_at_any_step_leaves_the_host_running", agent_killed),
    (Kind::Tiny, "an_agent_killed_during_a_rollback_ends_at_the_old_version", rollback_killed),
    (Kind::Tiny, "a_controller_killed_at_any_step_loses_nothing", controller_killed),
    (Kind::Tiny, "an_agent_that_stops_or_restarts_restarts_no_container", agent_restarts),
    (Kind::Tiny, "a_lost_state_folder_is_rebuilt_without_restarting_a_container", state_lost),
    (Kind::Tiny, "a_change_interrupted_by_a_power_cut_completes_after_the_boot", power_cut),
];

const NODE: &str = "tiny-one";
/// The steps of the agent. A1 comes first, in a change to v2, because it pulls an image, and the image of v1 is always
/// present because `second` runs it.
const AGENT_STEPS: [&str; 14] =
    ["A1", "A0", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "A9", "A10", "A11", "A12", "A13"];
const ROLLBACK_STEPS: [&str; 4] = ["R1", "R2", "R3", "R4"];
const CONTROLLER_STEPS: [&str; 8] = ["C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8"];

/// A unit whose program dies once at a step. Dropping the value restores the unit.
struct ArmedFailpoint<'a> {
    fleet: &'a Fleet,
    host: &'a str,
    unit: &'a str,
}

impl<'a> ArmedFailpoint<'a> {
    /// Restarts the unit so that it dies at a step. It may do so before it has said that it is ready: the agents of a
    /// controller call it as soon as its port is open, and systemd then reports the restart as failed.
    fn new(fleet: &'a Fleet, host: &'a str, unit: &'a str, step: &str) -> Result<Self> {
        let armed = Self { fleet, host, unit };
        let markers = markers(unit);
        let script = format!(
            "rm -rf {markers} && mkdir -p /run/systemd/system/{unit}.service.d && \
             printf '[Service]\\nEnvironment=OML_FAILPOINT={step} OML_FAILPOINT_MARKERS={markers}\\nRestart=no\\n' \
             > /run/systemd/system/{unit}.service.d/failpoint.conf && \
             systemctl daemon-reload && {{ systemctl restart {unit} || test -e {markers}/{step}; }}"
        );
        sh(fleet, host, &script)?;
        Ok(armed)
    }

    fn disarm(self) -> Result<()> {
        let disarmed = self.remove_failpoint();
        std::mem::forget(self);
        disarmed
    }

    /// Restores the unit and returns what the component answers, which must be within ten seconds after the restart.
    fn disarm_and_wait_for_answer(self) -> Result<String> {
        let script = format!("{} || exit 1\n{FIRST_ANSWER}", self.disarm_script());
        let outcome = answers_in_time(self.fleet, &script);
        if outcome.is_ok() {
            std::mem::forget(self);
        }
        outcome
    }

    fn remove_failpoint(&self) -> Result<()> {
        sh(self.fleet, self.host, &self.disarm_script()).map(drop)
    }

    fn disarm_script(&self) -> String {
        let unit = self.unit;
        format!(
            "rm -rf /run/systemd/system/{unit}.service.d && systemctl daemon-reload && \
             systemctl reset-failed {unit} 2>/dev/null; systemctl restart {unit}"
        )
    }
}

/// Returns the folder in which the program of a unit records that it has died once.
fn markers(unit: &str) -> &'static str {
    if unit == "omlagent" {
        "/run/omlagent/failpoints"
    } else {
        "/var/lib/omlcontroller/failpoints"
    }
}

impl Drop for ArmedFailpoint<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.remove_failpoint() {
            eprintln!(
                "the failpoint of {} on {} could not be removed: {error:#}",
                self.unit, self.host
            );
        }
    }
}

fn wait_until_died(fleet: &Fleet, host: &str, unit: &str) -> Result<()> {
    let what = format!("{unit} dies at its failpoint");
    until(&what, SOON, || {
        let state = sh(fleet, host, &format!("systemctl is-active {unit} || true"))
            .map_err(|error| format!("{error:#}"))?;
        if state.trim() == "active" || state.trim() == "activating" { Err(state) } else { Ok(()) }
    })?;
    Ok(())
}

/// A script that prints after how many milliseconds the component answers, and what it answers. The
/// host measures the time itself, so that the delay of the test does not count.
const FIRST_ANSWER: &str = "\
began=$(date +%s%3N)
until answer=$(curl -sf -m 2 http://127.0.0.1:8081/); do
  [ $(($(date +%s%3N) - began)) -lt 60000 ] || exit 1
  sleep 0.1
done
echo $(($(date +%s%3N) - began)) $answer";
/// The longest time until a component must answer after the restart of its host or of the agent.
const ANSWER_MS_MAX: u64 = 10_000;
/// The time limit of the whole script, including the restart of a unit.
const SCRIPT_LIMIT: Duration = Duration::from_secs(180);

/// Runs a script that ends with `FIRST_ANSWER`, checks that the answer was in time and returns it.
fn answers_in_time(fleet: &Fleet, script: &str) -> Result<String> {
    let output = fleet.host(NODE)?.exec_within(SCRIPT_LIMIT, &["sh", "-c", script])?;
    check(output.is_success(), format!("nothing answers: {output:?}"))?;
    let (took_ms, answer) =
        output.stdout.trim().split_once(' ').context("read the time and the answer")?;
    let is_soon = took_ms.parse::<u64>().is_ok_and(|took_ms| took_ms <= ANSWER_MS_MAX);
    check(is_soon, format!("{answer} answered only after {took_ms} ms"))?;
    Ok(answer.to_owned())
}

/// Returns what the component's port answers, which is the version of the running program.
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

/// Removes the stopped containers and unused images, so that the next change has to pull its image and create its
/// container.
fn remove_old_versions(fleet: &Fleet) -> Result<()> {
    sh(fleet, NODE, "docker container prune --force && docker image prune --all --force").map(drop)
}

fn agent_killed(fleet: &Fleet) -> Result<()> {
    for (number, step) in AGENT_STEPS.into_iter().enumerate() {
        let (from, to) = if number % 2 == 0 { ("v1", "v2") } else { ("v2", "v1") };
        remove_old_versions(fleet)?;
        let armed = ArmedFailpoint::new(fleet, NODE, "omlagent", step)?;
        fleet.ctl_ok(&["set-version", "tenant=tiny", &format!("first={to}"), "--no-wait"])?;
        wait_until_died(fleet, NODE, "omlagent").with_context(|| format!("step {step}"))?;
        let running =
            armed.disarm_and_wait_for_answer().with_context(|| format!("after {step}"))?;
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

fn rollback_killed(fleet: &Fleet) -> Result<()> {
    for step in ROLLBACK_STEPS {
        let armed = ArmedFailpoint::new(fleet, NODE, "omlagent", step)?;
        let change = ["set-version", "tenant=tiny", "first=exits-at-once", "--no-wait"];
        fleet.ctl_ok(&change)?;
        wait_until_died(fleet, NODE, "omlagent").with_context(|| format!("step {step}"))?;
        let running =
            armed.disarm_and_wait_for_answer().with_context(|| format!("after {step}"))?;
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
        let armed = ArmedFailpoint::new(fleet, CONTROLLER, "omlcontroller", step)?;
        let change =
            ["set-version", "tenant=tiny", &format!("first={next}"), "--no-wait", "--op-id"];
        let op_id = format!("kill-at-{step}-{next}");
        let mut words: Vec<&str> = change.to_vec();
        words.push(&op_id);
        let mut outcome = Running::start(fleet.ctl_command(&words))?;
        wait_until_died(fleet, CONTROLLER, "omlcontroller")
            .with_context(|| format!("step {step}"))?;
        armed.disarm()?;
        outcome.wait()?;
        // Sending the same operation id again is safe and shows the outcome of the first try.
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

pub(crate) fn agent_restarts(fleet: &Fleet) -> Result<()> {
    let before = start_times(fleet, NODE)?;
    sh(
        fleet,
        NODE,
        "systemctl stop omlagent && systemctl start omlagent && systemctl kill -s KILL omlagent",
    )?;
    // The same must hold for supervisors, although they hold the containers.
    for signal in ["KILL", "TERM"] {
        replace_supervisors(fleet, signal).with_context(|| format!("by SIG{signal}"))?;
    }
    // Installing the package again restarts the agent as an upgrade does.
    fleet.host(NODE)?.install_package(&fleet.packages().agent)?;
    wait_ready_after(fleet, now_ms()?, NODE, "first")?;
    check(start_times(fleet, NODE)? == before, "a container was restarted")
}

fn replace_supervisors(fleet: &Fleet, signal: &str) -> Result<()> {
    let supervisors = || sh(fleet, NODE, "systemctl show -P MainPID oml-first oml-second");
    let killed = supervisors()?;
    let is_left = |pid: &str| !pid.is_empty() && killed.lines().any(|before| before == pid);
    sh(fleet, NODE, &format!("systemctl kill -s {signal} oml-first oml-second"))?;
    until("the supervisors have been replaced", SOON, || {
        let state = sh(fleet, NODE, "systemctl is-active oml-first oml-second || true")
            .map_err(|error| format!("{error:#}"))?;
        let others = supervisors().map_err(|error| format!("{error:#}"))?;
        let are_back = state == "active\nactive\n" && !others.lines().any(is_left);
        if are_back { Ok(()) } else { Err(format!("{state}{killed}{others}")) }
    })?;
    Ok(())
}

fn state_lost(fleet: &Fleet) -> Result<()> {
    let before = start_times(fleet, NODE)?;
    // With the controller stopped, the agent can only rebuild its state from the containers' labels.
    sh(fleet, CONTROLLER, "systemctl stop omlcontroller")?;
    let rebuilt = delete_state(fleet);
    sh(fleet, CONTROLLER, "systemctl start omlcontroller")?;
    let restarted_ms = now_ms()?;
    rebuilt?;
    wait_for_files(
        fleet,
        "assignment.json instances/first/current.json instances/second/current.json",
    )?;
    wait_ready_after(fleet, restarted_ms, NODE, "first")?;
    check(start_times(fleet, NODE)? == before, "a container was restarted")
}

/// Deletes the agent's state. The restarted supervisor reads its document from the container's label and writes it to
/// the state folder.
fn delete_state(fleet: &Fleet) -> Result<()> {
    let script = "systemctl stop omlagent && cd /var/lib/omlagent && \
                  ls -A | grep -v identity | xargs rm -rf && \
                  systemctl kill -s KILL oml-first && systemctl start omlagent";
    sh(fleet, NODE, script)?;
    wait_for_files(fleet, "instances/first/current.json")
}

fn wait_for_files(fleet: &Fleet, names: &str) -> Result<()> {
    let script = format!("cd /var/lib/omlagent && cat {names}");
    until(&format!("the files {names} exist again"), SOON, || {
        sh(fleet, NODE, &script).map_err(|error| format!("{error:#}"))
    })?;
    Ok(())
}

fn power_cut(fleet: &Fleet) -> Result<()> {
    let host = fleet.host(NODE)?;
    let armed = ArmedFailpoint::new(fleet, NODE, "omlagent", "A9")?;
    fleet.ctl_ok(&["set-version", "tenant=tiny", "first=v2", "--no-wait"])?;
    wait_until_died(fleet, NODE, "omlagent")?;
    host.power_cut()?;
    host.boot()?;
    answers_in_time(fleet, FIRST_ANSWER)?;
    let state = wait_rollout_ended(fleet)?;
    check(state == "completed", format!("the rollout is {state}"))?;
    let seen = wait_ready(fleet, NODE, "first")?;
    check(seen["version"] == "v2" && answers(fleet)? == "v2", format!("{seen}"))?;
    armed.disarm()
}
