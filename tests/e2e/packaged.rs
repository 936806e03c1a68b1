//! Tests of units that packages bring, whose programs no supervisor watches: how they ended is known
//! from what systemd says.

use std::time::Duration;

use anyhow::Result;
use oml_lab::until;
use oml_tests::Fleet;
use oml_tests::observe::{
    InstanceWait, SOON, instance, now_ms, sh, stays, wait_instance, wait_ready, wait_ready_after,
};
use oml_tests::trial::check;
use serde_json::Value;

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] = &[
    (Kind::Acme, "a_packaged_unit_that_dies_again_and_again_is_crash_looping", crash_loop),
    (Kind::Acme, "a_packaged_unit_that_ends_well_by_itself_is_started_again", ends_well),
    (
        Kind::Acme,
        "a_start_of_a_packaged_unit_that_leaves_nothing_running_is_no_stop",
        ends_in_start,
    ),
    (
        Kind::Acme,
        "a_packaged_unit_whose_start_is_skipped_is_started_once_its_condition_holds",
        skipped_start,
    ),
    (Kind::Acme, "a_stop_of_a_packaged_unit_is_respected_while_the_agent_is_away", unseen_stop),
    (Kind::Acme, "a_packaged_unit_that_is_active_without_a_process_is_not_healthy", exited),
    (Kind::Acme, "what_is_done_by_hand_to_a_packaged_unit_is_reported_while_it_lasts", by_hand),
];

const NODE: &str = "acme-data";
const COMPONENT: &str = "node-exporter";
const UNIT: &str = "prometheus-node-exporter";
/// The time limit for several ends.
const ENDS_LIMIT: Duration = Duration::from_secs(150);

/// Runs another program in the packaged unit for as long as `trial` takes. Afterwards the unit is
/// ready with its own program, and how often the other one ended is forgotten.
fn with_program(fleet: &Fleet, lines: &str, trial: impl FnOnce() -> Result<()>) -> Result<()> {
    let folder = format!("/run/systemd/system/{UNIT}.service.d");
    let text = format!("[Service]\nExecStart=\n{lines}\n");
    let put = format!("mkdir -p {folder} && cat > {folder}/trial.conf && systemctl daemon-reload");
    fleet.host(NODE)?.exec_with_input(text.as_bytes(), &["sh", "-c", &put])?;
    let outcome = trial();
    let own = format!("rm {folder}/trial.conf; systemctl daemon-reload");
    let start = format!("systemctl reset-failed {UNIT} || true; systemctl restart {UNIT}");
    let forget = "rm -rf /run/omlagent/ends; systemctl start omlagent";
    let restarted_ms = now_ms()?;
    sh(fleet, NODE, &format!("systemctl stop omlagent; {own}; {start}; {forget}"))?;
    outcome?;
    wait_ready_after(fleet, restarted_ms, NODE, COMPONENT).map(drop)
}

fn is_in(phase: &'static str, words: &'static [&'static str]) -> impl Fn(&Value) -> bool {
    move |seen| {
        let reason = seen["reason"].as_str().unwrap_or_default();
        seen["phase"]["name"] == phase && words.iter().all(|word| reason.contains(word))
    }
}

/// Checks that the unit is not started against the stop, also by another agent.
fn stays_stopped(fleet: &Fleet) -> Result<()> {
    let stopped = is_in("stopped-by-hand", &[]);
    wait_instance(fleet, NODE, COMPONENT, "the stop is noticed", &stopped)?;
    sh(fleet, NODE, "systemctl restart omlagent")?;
    let wait = InstanceWait::new(fleet, NODE, COMPONENT).reported_after(now_ms()?);
    wait.until("the next agent knows of the stop", &stopped)?;
    stays(fleet, NODE, COMPONENT, "it is still stopped", &stopped)?;
    let state = sh(fleet, NODE, &format!("systemctl is-active {UNIT} || true"))?;
    check(state.trim() != "active", state)
}

fn crash_loop(fleet: &Fleet) -> Result<()> {
    wait_ready(fleet, NODE, COMPONENT)?;
    let program = "ExecStart=/bin/sh -c 'echo cannot open its spool; sleep 8; exit 3'\n\
                   Restart=always\nRestartSec=1s";
    with_program(fleet, program, || {
        sh(fleet, NODE, &format!("systemctl restart {UNIT}"))?;
        let long = InstanceWait::new(fleet, NODE, COMPONENT).within(ENDS_LIMIT);
        let words = &["ends again and again", "exit code 3", "cannot open its spool"];
        long.until("the crash loop is reported", is_in("crash-looping", words))?;
        // It runs most of the time, which does not make it healthy.
        for _second in 0..15 {
            let seen = instance(fleet, NODE, COMPONENT)?;
            check(seen["phase"]["name"] == "crash-looping", format!("{seen}"))?;
            sh(fleet, NODE, "sleep 1")?;
        }
        let shown = fleet.ctl(&["status", "--exit-code"])?;
        check(shown.code == 6 && shown.stdout.contains("crash looping"), format!("{shown:?}"))?;
        // The lines of each further end are read beside, and follow it in a later report.
        let parts = ["crash looping", "exit code 3", "    | cannot open its spool", "restarts"];
        until("the loop is explained with the last lines", SOON, || {
            let explained = fleet.ctl_ok(&["explain", "tenant=acme"]);
            let explained = explained.map_err(|error| format!("{error:#}"))?;
            let is_said = parts.iter().all(|part| explained.contains(part));
            if is_said { Ok(()) } else { Err(explained) }
        })?;
        // What was noted before is known to the next agent.
        sh(fleet, NODE, "systemctl restart omlagent")?;
        let wait = InstanceWait::new(fleet, NODE, COMPONENT).reported_after(now_ms()?);
        wait.until("the next agent knows of it", is_in("crash-looping", words))?;
        sh(fleet, NODE, &format!("systemctl stop {UNIT}"))?;
        stays_stopped(fleet)
    })
}

/// It ends with status 0 and is not restarted by systemd. One that says that it stops looks to systemd
/// as if somebody had stopped it.
fn ends_well(fleet: &Fleet) -> Result<()> {
    let says_so = "ExecStart=/bin/sh -c 'systemd-notify --ready; sleep 15; systemd-notify STOPPING=1; \
                   sleep 2'\nType=notify\nNotifyAccess=all\nRestart=no";
    for program in ["ExecStart=/bin/sleep 20\nRestart=no", says_so] {
        wait_ready(fleet, NODE, COMPONENT)?;
        with_program(fleet, program, || is_started_again(fleet))?;
    }
    Ok(())
}

/// Checks that the unit is started after its program has ended, and never shown as stopped by hand.
fn is_started_again(fleet: &Fleet) -> Result<()> {
    sh(fleet, NODE, &format!("systemctl restart {UNIT}"))?;
    let started = || sh(fleet, NODE, &format!("systemctl show -P InvocationID {UNIT}"));
    let first = started()?;
    until("it is started again", SOON, || {
        let seen = instance(fleet, NODE, COMPONENT).map_err(|error| format!("{error:#}"))?;
        let now = started().map_err(|error| format!("{error:#}"))?;
        if seen["phase"]["name"] == "stopped-by-hand" {
            return Err(format!("shown as stopped by hand: {seen}"));
        }
        if now != first && !now.trim().is_empty() { Ok(()) } else { Err(format!("{seen}")) }
    })
    .map_err(Into::into)
}

/// Its start is done and nothing stays, which is no stop.
fn ends_in_start(fleet: &Fleet) -> Result<()> {
    wait_ready(fleet, NODE, COMPONENT)?;
    let program = "ExecStart=/bin/sh -c 'exit 0'\nType=forking\nRestart=no";
    with_program(fleet, program, || {
        sh(fleet, NODE, &format!("systemctl restart {UNIT}"))?;
        let long = InstanceWait::new(fleet, NODE, COMPONENT).within(ENDS_LIMIT);
        let words = &["ends again and again"];
        long.until("the crash loop is reported", is_in("crash-looping", words)).map(drop)
    })
}

/// A restart only stops it, because a condition of the unit does not hold any more.
fn skipped_start(fleet: &Fleet) -> Result<()> {
    wait_ready(fleet, NODE, COMPONENT)?;
    let path = "/run/trial-path";
    for kind in ["simple", "notify"] {
        let program = format!(
            "ExecStart=/bin/sh -c 'systemd-notify --ready; exec sleep 1d'\nType={kind}\n\
             NotifyAccess=all\n[Unit]\nConditionPathExists={path}"
        );
        with_program(fleet, &program, || {
            sh(fleet, NODE, &format!("touch {path}; systemctl restart {UNIT}"))?;
            wait_ready_after(fleet, now_ms()?, NODE, COMPONENT)?;
            sh(fleet, NODE, &format!("rm {path}; systemctl restart {UNIT}"))?;
            let words =
                &["does not hold (ConditionPathExists=/run/trial-path)", "systemctl status"];
            let said = is_in("blocked", words);
            wait_instance(fleet, NODE, COMPONENT, "the condition is named", said)?;
            sh(fleet, NODE, "systemctl restart omlagent")?;
            let wait = InstanceWait::new(fleet, NODE, COMPONENT).reported_after(now_ms()?);
            wait.until("the next agent names it too", is_in("blocked", words))?;
            sh(fleet, NODE, &format!("touch {path}"))?;
            wait_ready_after(fleet, now_ms()?, NODE, COMPONENT).map(drop)
        })?;
        sh(fleet, NODE, &format!("rm {path}"))?;
    }
    Ok(())
}

/// systemd knows no main process of it, so what it says of its end does not tell a stop from an end.
fn unseen_stop(fleet: &Fleet) -> Result<()> {
    wait_ready(fleet, NODE, COMPONENT)?;
    let program = "ExecStart=/bin/sh -c 'sleep 1d & sleep 1d & exit 0'\nType=forking\n\
                   GuessMainPID=no\nRestart=no";
    with_program(fleet, program, || {
        sh(fleet, NODE, &format!("systemctl restart {UNIT}"))?;
        wait_ready_after(fleet, now_ms()?, NODE, COMPONENT)?;
        let away = "systemctl stop omlagent";
        sh(fleet, NODE, &format!("{away}; systemctl stop {UNIT}; systemctl start omlagent"))?;
        let words = &["not known"];
        let stopped = is_in("stopped-by-hand", words);
        wait_instance(fleet, NODE, COMPONENT, "it is said that it is not known", stopped)?;
        stays_stopped(fleet)?;
        // An end that the agent sees is no stop.
        sh(fleet, NODE, &format!("systemctl start {UNIT}"))?;
        wait_ready_after(fleet, now_ms()?, NODE, COMPONENT)?;
        sh(fleet, NODE, &format!("systemctl kill --signal=TERM {UNIT}; sleep 3"))?;
        wait_ready_after(fleet, now_ms()?, NODE, COMPONENT)?;
        // A stop that it sees is one.
        sh(fleet, NODE, &format!("systemctl stop {UNIT}"))?;
        let stopped = |seen: &Value| seen["reason"] == "stopped on the host by hand";
        wait_instance(fleet, NODE, COMPONENT, "the stop is noticed", stopped).map(drop)
    })
}

/// A unit such as the `postgresql.service` of Debian, which only starts others.
fn exited(fleet: &Fleet) -> Result<()> {
    wait_ready(fleet, NODE, COMPONENT)?;
    let program = "ExecStart=/bin/true\nType=oneshot\nRemainAfterExit=yes\nRestart=no";
    with_program(fleet, program, || {
        sh(fleet, NODE, &format!("systemctl restart {UNIT}"))?;
        let said = is_in("unhealthy", &["active (exited)", "is not known"]);
        wait_instance(fleet, NODE, COMPONENT, "it is not healthy", said)?;
        let seen = instance(fleet, NODE, COMPONENT)?;
        check(seen["health"] == "unknown", format!("{seen}"))?;
        let state = sh(fleet, NODE, &format!("systemctl is-active {UNIT} || true"))?;
        check(state.trim() == "active", state)
    })
}

/// A mask, a drop-in that lifts the limit of the tenant, and the copy that `systemctl edit --full`
/// makes, each while the unit runs.
fn by_hand(fleet: &Fleet) -> Result<()> {
    wait_ready(fleet, NODE, COMPONENT)?;
    let folder = "/etc/systemd/system";
    let drop_in = format!("{folder}/{UNIT}.service.d/override.conf");
    let copy = format!("{folder}/{UNIT}.service");
    let lift = format!("printf '[Service]\\nMemoryMax=infinity\\n' > {drop_in}");
    let copied = format!("cp /lib/systemd/system/{UNIT}.service {copy}");
    let masked = format!("unit {UNIT}.service is masked");
    for (change, path, words) in [
        (format!("systemctl mask {UNIT}"), &copy, masked),
        (lift, &drop_in, format!("{drop_in} changes unit {UNIT}.service: not ours, left alone")),
        (copied, &copy, format!("{copy} takes the place of the unit of the package")),
    ] {
        sh(fleet, NODE, &format!("{change}; systemctl daemon-reload"))?;
        let is_reported = |seen: &Value| {
            seen["drift"]["found"].as_str().is_some_and(|found| found.contains(&words))
        };
        wait_instance(fleet, NODE, COMPONENT, "it is reported", |seen| {
            seen["phase"]["name"] == "ready" && is_reported(seen)
        })?;
        sh(fleet, NODE, &format!("rm {path}; systemctl daemon-reload"))?;
        let gone = |seen: &Value| !is_reported(seen);
        wait_instance(fleet, NODE, COMPONENT, "it is not reported any more", gone)?;
    }
    wait_ready(fleet, NODE, COMPONENT).map(drop)
}
