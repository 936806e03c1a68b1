//! The measurements that replace nothing: a command with nothing to change, memory
//! and processor time while nothing happens, the start of the controller, and how
//! soon a lost host is detected.

use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use oml_lab::{Host, until};
use oml_tests::Fleet;
use oml_tests::fleet::CONTROLLER;
use serde_json::Value;

use super::contender::succeed;
use super::figures::Figures;
use super::quiet;
use super::table::{Aim, Table};
use super::tenant::{HOST, OTHERS, UNITS};

const NO_CHANGE_RUNS: usize = 30;
const START_RUNS: usize = 10;
const DETECTION_RUNS: usize = 5;
const IDLE_WINDOW: Duration = Duration::from_secs(120);
const SETTLE_LIMIT: Duration = Duration::from_secs(60);
const ANSWER_AIM: Duration = Duration::from_millis(100);
const DETECTION_AIM: Duration = Duration::from_secs(5);
const AGENT_KIB_AIM: u64 = 8 * 1024;
const SUPERVISOR_KIB_AIM: u64 = 2560;
const CONTROLLER_KIB_AIM: u64 = 25 * 1024;
const CPU_PERCENT_AIM: f64 = 0.1;

type Step = fn(&Fleet, &mut Table) -> Result<()>;

/// Adds a row for every measurement. If one fails, its row says why.
pub(crate) fn add_rows(fleet: &Fleet, table: &mut Table) {
    let steps: [(&str, Step); 5] = [
        ("idle", idle),
        ("nothing to change", nothing_to_change),
        ("controller's first answer", first_answer),
        ("a host whose network drops everything", network_lost),
        ("a host whose agent hangs", agent_hangs),
    ];
    for (what, step) in steps {
        eprintln!("measuring: {what}");
        if let Err(error) = step(fleet, table) {
            eprintln!("{what}: {error:#}");
            table.not_measured(what, &format!("{error:#}"));
        }
    }
}

fn nothing_to_change(fleet: &Fleet, table: &mut Table) -> Result<()> {
    fleet.apply_first_spec()?;
    let tenant = format!("tenant={}", fleet.tenant());
    let mut runs = Vec::new();
    for _ in 0..NO_CHANGE_RUNS {
        quiet::wait()?;
        let started = Instant::now();
        let ended = fleet.ctl(&["set-version", &tenant, "first=v1"])?;
        runs.push(started.elapsed());
        let said = format!("{}{}", ended.stdout, ended.stderr);
        ensure!(ended.code == 0 && said.contains("nothing to change"), "omlctl printed: {said}");
    }
    add(table, "nothing to change, three hosts: omlctl set-version", runs, ANSWER_AIM)
}

/// Measures the time from the moment when systemd starts the process to the end of the first successful
/// `omlctl get tenants`.
fn first_answer(fleet: &Fleet, table: &mut Table) -> Result<()> {
    let controller = fleet.host(CONTROLLER)?;
    let mut runs = Vec::new();
    for _ in 0..START_RUNS {
        quiet::wait()?;
        controller.exec_ok(&["systemctl", "stop", "omlcontroller"])?;
        controller.exec_ok(&["systemctl", "start", "--no-block", "omlcontroller"])?;
        let answered = until("the controller answers", SETTLE_LIMIT, || {
            let asked = succeed(fleet.ctl_command(&["get", "tenants"]).stdout(Stdio::null()));
            asked.map(|()| SystemTime::now()).map_err(|error| format!("{error:#}"))
        })?;
        let started = started_at(controller)?;
        runs.push(answered.duration_since(started).context("the clock was set back")?);
    }
    add(table, "controller: exec → first answer to omlctl", runs, ANSWER_AIM)
}

fn started_at(controller: &Host) -> Result<SystemTime> {
    let script = "date -d \"$(systemctl show --timestamp=us+utc -p ExecMainStartTimestamp --value omlcontroller)\" +%s%6N";
    let text = controller.exec_ok(&["sh", "-c", script])?;
    let micros = text.trim().parse().context("read the start time of the controller")?;
    Ok(UNIX_EPOCH + Duration::from_micros(micros))
}

fn idle(fleet: &Fleet, table: &mut Table) -> Result<()> {
    fleet.apply_first_spec()?;
    let (host, controller) = (fleet.host(HOST)?, fleet.host(CONTROLLER)?);
    let containers = host.exec_ok(&["docker", "ps", "-q"])?.lines().count();
    ensure!(containers == UNITS.len(), "{containers} containers run, expected {}", UNITS.len());
    quiet::wait()?;
    let agent = main_pid(host, "omlagent")?;
    let supervisors = UNITS.iter().map(|unit| main_pid(host, unit)).collect::<Result<Vec<_>>>()?;
    let all: Vec<u32> = supervisors.iter().copied().chain([agent]).collect();
    let before = cpu_nanos(host, &all)?;
    let started = Instant::now();
    thread::sleep(IDLE_WINDOW);
    let spent = cpu_nanos(host, &all)?.saturating_sub(before);
    let percent =
        Duration::from_nanos(spent).as_secs_f64() / started.elapsed().as_secs_f64() * 100.0;
    memory(table, "idle: agent", pss_kib(host, agent)?, AGENT_KIB_AIM);
    let largest = supervisors.iter().map(|pid| pss_kib(host, *pid)).collect::<Result<Vec<_>>>()?;
    let largest = largest.into_iter().max().unwrap_or_default();
    memory(table, "idle: largest of 6 supervisors", largest, SUPERVISOR_KIB_AIM);
    let server = pss_kib(controller, main_pid(controller, "omlcontroller")?)?;
    memory(table, "idle: controller", server, CONTROLLER_KIB_AIM);
    table.value(
        format!("idle: agent and 6 supervisors, of one core, over {} s", IDLE_WINDOW.as_secs()),
        format!("{percent:.3} %"),
        Aim::new(format!("≤ {CPU_PERCENT_AIM} %"), Some(percent <= CPU_PERCENT_AIM)),
    );
    Ok(())
}

fn memory(table: &mut Table, what: &str, kib: u64, aim_kib: u64) {
    let mib = |kib: u64| format!("{}.{} MiB", kib / 1024, kib % 1024 * 10 / 1024);
    let aim = Aim::new(format!("≤ {}", mib(aim_kib)), Some(kib <= aim_kib));
    table.value(format!("{what}, PSS"), mib(kib), aim);
}

fn main_pid(host: &Host, unit: &str) -> Result<u32> {
    let text = host.exec_ok(&["systemctl", "show", "-p", "MainPID", "--value", unit])?;
    let pid = text.trim().parse().with_context(|| format!("read the process id of {unit}"))?;
    ensure!(pid > 0, "{unit} is not running");
    Ok(pid)
}

fn pss_kib(host: &Host, pid: u32) -> Result<u64> {
    let text = host.read(&format!("/proc/{pid}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let line = line.context("find the line Pss in smaps_rollup")?;
    line.trim().trim_end_matches("kB").trim().parse().context("read the number in the line Pss")
}

/// Returns the processor time of every thread in nanoseconds, from `schedstat`, because `stat` only counts clock ticks.
fn cpu_nanos(host: &Host, pids: &[u32]) -> Result<u64> {
    let files: Vec<String> =
        pids.iter().map(|pid| format!("/proc/{pid}/task/*/schedstat")).collect();
    let text = host.exec_ok(&["sh", "-c", &format!("cat {}", files.join(" "))])?;
    let first = |line: &str| line.split(' ').next().and_then(|word| word.parse::<u64>().ok());
    text.lines().map(|line| first(line).context("read schedstat")).sum()
}

fn network_lost(fleet: &Fleet, table: &mut Table) -> Result<()> {
    let [node, _] = OTHERS;
    let host = fleet.host(node)?;
    let what = "network dropped → shown as unreachable";
    let runs = measure_detection(fleet, node, || Ok(host.partition()?), || Ok(host.heal()?))?;
    add(table, what, runs, DETECTION_AIM)
}

fn agent_hangs(fleet: &Fleet, table: &mut Table) -> Result<()> {
    let [_, node] = OTHERS;
    let host = fleet.host(node)?;
    let signal = |name: &str| {
        let signal = format!("--signal={name}");
        host.exec_ok(&["systemctl", "kill", "--kill-whom=main", &signal, "omlagent"])?;
        Ok(())
    };
    let what = "agent stopped by SIGSTOP → shown as unreachable";
    let runs = measure_detection(fleet, node, || signal("STOP"), || signal("CONT"))?;
    add(table, what, runs, DETECTION_AIM)
}

fn measure_detection(
    fleet: &Fleet,
    node: &str,
    disturb: impl Fn() -> Result<()>,
    repair: impl Fn() -> Result<()>,
) -> Result<Vec<Duration>> {
    let mut runs = Vec::new();
    for _ in 0..DETECTION_RUNS {
        wait_state(fleet, node, "connected")?;
        let started = Instant::now();
        disturb()?;
        let seen = wait_state(fleet, node, "unreachable");
        let took = started.elapsed();
        repair()?;
        seen?;
        eprintln!("  {took:.1?}");
        runs.push(took);
    }
    wait_state(fleet, node, "connected")?;
    Ok(runs)
}

fn wait_state(fleet: &Fleet, node: &str, state: &str) -> Result<()> {
    let tenant = format!("tenant={}", fleet.tenant());
    until(&format!("{node} is shown as {state}"), SETTLE_LIMIT, || {
        let text = fleet
            .ctl_ok(&["status", &tenant, "-o", "json"])
            .map_err(|error| format!("{error:#}"))?;
        let status: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let nodes = status["tenants"][0]["nodes"].as_array().cloned().unwrap_or_default();
        let seen = nodes.iter().find(|entry| entry["node"] == node).map(|entry| &entry["state"]);
        if seen.is_some_and(|seen| seen == state) { Ok(()) } else { Err(format!("{seen:?}")) }
    })?;
    Ok(())
}

fn add(table: &mut Table, what: &str, runs: Vec<Duration>, aim: Duration) -> Result<()> {
    let what = format!("{what} ({} runs)", runs.len());
    let figures = Figures::of(runs).context("there was no run")?;
    table.figures(what, &figures, Aim::at_most(figures.median, aim));
    Ok(())
}
