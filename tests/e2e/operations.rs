//! Tests of operations that run once: their output and exit code, a deadline, an agent that is restarted
//! meanwhile, and one that is interrupted. What runs beside them is not touched.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Stdio};

use anyhow::{Context as _, Result};
use oml_lab::until;
use oml_tests::observe::{SOON, now_ms, sh, start_times, wait_ready_after};
use oml_tests::trial::check;
use oml_tests::{CtlOutput, Fleet};

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] = &[
    (Kind::Tiny, "an_operation_shows_its_output_as_it_comes_and_its_exit_code", output),
    (Kind::Tiny, "an_operation_that_exceeds_its_deadline_is_stopped", deadline),
    (Kind::Tiny, "an_operation_goes_on_while_its_agent_is_restarted", agent_restarted),
    (Kind::Tiny, "an_interrupted_operation_is_reported_and_never_repeated", interrupted),
    (Kind::Tiny, "a_check_that_fails_leaves_the_old_version_running", failing_check),
    (
        Kind::Tiny,
        "a_migration_that_fails_leaves_the_old_version_and_one_that_succeeds_runs_once",
        migrated,
    ),
    (Kind::Tiny, "an_operation_that_cannot_run_is_refused_before_anything_begins", refused),
];

const NODE: &str = "tiny-one";
/// Lists the containers in which operations run or ran.
const CONTAINERS: &str = "docker ps -aq --filter label=io.oml.run";

/// A run whose output is read while it goes on.
struct Following {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Following {
    fn start(fleet: &Fleet, operation: &[&str]) -> Result<Self> {
        let words: Vec<&str> =
            ["run", "tenant=tiny", "first"].iter().chain(operation).copied().collect();
        let mut command = fleet.ctl_command(&words);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("start omlctl")?;
        let lines = BufReader::new(child.stdout.take().context("its output")?);
        Ok(Self { child, lines })
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.lines.read_line(&mut line).context("read its output")?;
        Ok(line.trim_end().to_owned())
    }

    fn goes_on(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    fn end(mut self) -> Result<CtlOutput> {
        let mut stdout = String::new();
        self.lines.read_to_string(&mut stdout)?;
        let output = self.child.wait_with_output()?;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok(CtlOutput { code: output.status.code().unwrap_or(-1), stdout, stderr })
    }
}

fn history(fleet: &Fleet, component: &str) -> Result<Vec<serde_json::Value>> {
    let text = fleet.ctl_ok(&["runs", "tenant=tiny", component, "-o", "json"])?;
    serde_json::from_str(&text).context("read the runs")
}

/// Checks that no container of a run is left, and that nothing else was started again.
fn nothing_is_left(
    fleet: &Fleet,
    before: &std::collections::BTreeMap<String, String>,
) -> Result<()> {
    until("the container of the run is removed", SOON, || {
        let left = sh(fleet, NODE, CONTAINERS).map_err(|error| format!("{error:#}"))?;
        if left.trim().is_empty() { Ok(()) } else { Err(left) }
    })?;
    check(&start_times(fleet, NODE)? == before, "a component was started again")
}

fn output(fleet: &Fleet) -> Result<()> {
    let before = start_times(fleet, NODE)?;
    let mut run = Following::start(fleet, &["count", "status=3"])?;
    let first = run.line()?;
    check(first == "line 1 of tiny", format!("{first:?}"))?;
    check(run.goes_on()?, "its output came only at its end")?;
    let CtlOutput { code, stdout, stderr } = run.end()?;
    check(code == 1, format!("exit code {code}: {stdout}{stderr}"))?;
    check(stdout == "line 2 of tiny\nline 3 of tiny\n", stdout)?;
    check(stderr.contains("failed: its program ended with status 3"), stderr)?;
    let CtlOutput { code, stdout, stderr } =
        fleet.ctl(&["run", "tenant=tiny", "first", "count", "status=0", "node=tiny-one"])?;
    check(code == 0, format!("exit code {code}: {stdout}{stderr}"))?;
    let runs = history(fleet, "first")?;
    let outcome = |number: usize| runs[number]["result"]["status"].as_i64();
    check((outcome(0), outcome(1)) == (Some(0), Some(3)), format!("{runs:#?}"))?;
    nothing_is_left(fleet, &before)
}

fn deadline(fleet: &Fleet) -> Result<()> {
    let before = start_times(fleet, NODE)?;
    let CtlOutput { code, stdout, stderr } = fleet.ctl(&["run", "tenant=tiny", "first", "wait"])?;
    check(code == 1 && stdout == "waiting\n", format!("exit code {code}: {stdout}{stderr}"))?;
    check(stderr.contains("was stopped at its deadline"), stderr)?;
    nothing_is_left(fleet, &before)
}

fn agent_restarted(fleet: &Fleet) -> Result<()> {
    let before = start_times(fleet, NODE)?;
    let mut run = Following::start(fleet, &["work"])?;
    let first = run.line()?;
    check(first == "begun", format!("{first:?}"))?;
    sh(fleet, NODE, "systemctl restart omlagent")?;
    let CtlOutput { code, stdout, stderr } = run.end()?;
    check(code == 0 && stdout == "ended\n", format!("exit code {code}: {stdout}{stderr}"))?;
    nothing_is_left(fleet, &before)
}

fn interrupted(fleet: &Fleet) -> Result<()> {
    let before = start_times(fleet, NODE)?;
    let mut run = Following::start(fleet, &["work"])?;
    let first = run.line()?;
    check(first == "begun", format!("{first:?}"))?;
    // As a host that loses its power: neither the agent nor the program that waits can say how it ended.
    let kill = "systemctl kill --signal=KILL omlagent.service 'oml-run-*.service'";
    sh(fleet, NODE, kill)?;
    let CtlOutput { code, stdout, stderr } = run.end()?;
    check(code == 1 && !stdout.contains("begun"), format!("exit code {code}: {stdout}{stderr}"))?;
    check(stderr.contains("was interrupted"), stderr)?;
    let number = history(fleet, "first")?.len();
    let restarted_ms = now_ms()?;
    sh(fleet, NODE, "systemctl restart omlagent")?;
    wait_ready_after(fleet, restarted_ms, NODE, "first")?;
    fleet.ctl_ok(&["run", "tenant=tiny", "first", "count", "status=0"])?;
    let runs = history(fleet, "first")?;
    check(runs.len() == number + 1, format!("{runs:#?}"))?;
    check(runs[1]["result"]["outcome"] == "interrupted", format!("{runs:#?}"))?;
    nothing_is_left(fleet, &before)
}

fn refused(fleet: &Fleet) -> Result<()> {
    let before = history(fleet, "first")?.len();
    let cases: [(&[&str], &str); 4] = [
        (&["second", "count"], "second has no operation count"),
        (&["first", "count"], "status= is missing"),
        (&["first", "count", "status=0;reboot"], "is not a value"),
        (&["first", "count", "status=0", "node=tiny-two"], "tiny-two is not a node of this tenant"),
    ];
    for (words, part) in cases {
        let words: Vec<&str> = ["run", "tenant=tiny"].iter().chain(words).copied().collect();
        let CtlOutput { code, stdout, stderr } = fleet.ctl(&words)?;
        check(code == 2, format!("{words:?}: exit code {code}: {stdout}{stderr}"))?;
        check(stderr.contains(part), format!("{words:?}: {stderr}"))?;
    }
    check(history(fleet, "first")?.len() == before, "a refused run is in the history")
}

/// Applies the first specification with a third component, whose check fails if it is broken.
fn apply_checked(fleet: &Fleet, is_broken: bool) -> Result<CtlOutput> {
    let broken = if is_broken { ", env: {BROKEN: \"yes\"}" } else { "" };
    let checked = format!("  checked: {{version: v1{broken}}}\nrollout:");
    let text = fleet.spec()?.replace("rollout:", &checked);
    let path = fleet.write_spec("checked.yaml", &text)?;
    fleet.ctl(&["apply", "-f", &path, "--timeout", "10m"])
}

fn failing_check(fleet: &Fleet) -> Result<()> {
    let CtlOutput { code, stdout, stderr } = apply_checked(fleet, false)?;
    check(code == 0, format!("exit code {code}: {stdout}{stderr}"))?;
    check(stdout.contains("checked first by check-config"), stdout)?;
    let before = start_times(fleet, NODE)?;
    check(before.contains_key("oml-checked"), format!("{before:?}"))?;
    let CtlOutput { code, stdout, stderr } = apply_checked(fleet, true)?;
    check(code == 3, format!("exit code {code}: {stdout}{stderr}"))?;
    let said = format!("{stdout}{stderr}");
    for part in [
        "the check check-config of the new version ended with status 4; nothing was stopped",
        "configuration error in line 3",
    ] {
        check(said.contains(part), format!("{part}: {said}"))?;
    }
    nothing_is_left(fleet, &before)?;
    let path = fleet.write_spec("first.yaml", &fleet.spec()?)?;
    fleet.ctl_ok(&["apply", "-f", &path, "--prune", "--timeout", "10m"])?;
    Ok(())
}

/// Applies the first specification with a third component, whose migration fails if it is broken.
fn apply_migrated(fleet: &Fleet, version: &str, is_broken: bool) -> Result<CtlOutput> {
    let broken = if is_broken { ", env: {BROKEN: \"yes\"}" } else { "" };
    let migrated = format!("  migrated: {{version: {version}{broken}}}\nrollout:");
    let text = fleet.spec()?.replace("rollout:", &migrated);
    let path = fleet.write_spec("migrated.yaml", &text)?;
    fleet.ctl(&["apply", "-f", &path, "--timeout", "10m"])
}

fn migrated(fleet: &Fleet) -> Result<()> {
    // What its operations have written, a word for each time that one ran.
    let ran = || {
        let text = sh(fleet, NODE, "docker exec oml-migrated cat /data/runs")?;
        anyhow::Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let CtlOutput { code, stdout, stderr } = apply_migrated(fleet, "v1", false)?;
    check(code == 0, format!("exit code {code}: {stdout}{stderr}"))?;
    let note = "prepared first by create, migrated first by migrate";
    check(stdout.contains(note), &stdout)?;
    check(ran()? == "created migrated", ran()?)?;
    let before = start_times(fleet, NODE)?;
    check(before.contains_key("oml-migrated"), format!("{before:?}"))?;
    let CtlOutput { code, stdout, stderr } = apply_migrated(fleet, "v2", true)?;
    check(code == 3, format!("exit code {code}: {stdout}{stderr}"))?;
    let said = format!("{stdout}{stderr}");
    for part in [
        "the migration migrate of the new version failed: its program ended with status 4",
        "the old version was not stopped, and the database may hold a part of its changes",
        "table calls is locked",
    ] {
        check(said.contains(part), format!("{part}: {said}"))?;
    }
    nothing_is_left(fleet, &before)?;
    check(ran()? == "created migrated migrated", ran()?)?;
    let CtlOutput { code, stdout, stderr } = apply_migrated(fleet, "v2", false)?;
    check(code == 0, format!("exit code {code}: {stdout}{stderr}"))?;
    check(ran()? == "created migrated migrated migrated", ran()?)?;
    let runs = history(fleet, "migrated")?;
    let statuses = runs.iter().map(|run| run["result"]["status"].as_i64());
    let statuses: Vec<Option<i64>> = statuses.collect();
    check(statuses == [Some(0), Some(4), Some(0), Some(0)], format!("{runs:#?}"))?;
    let path = fleet.write_spec("first.yaml", &fleet.spec()?)?;
    fleet.ctl_ok(&["apply", "-f", &path, "--prune", "--timeout", "10m"])?;
    sh(fleet, NODE, "docker volume rm migrated_data")?;
    Ok(())
}
