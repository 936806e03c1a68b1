//! Tests that what runs is kept alive: a program that takes its time, that crashes, that hangs, or that lost its
//! supervisor. What it does and prints meanwhile is reported.

use std::time::Duration;

use anyhow::{Context as _, Result};
use oml_lab::{Fault, until};
use oml_tests::Fleet;
use oml_tests::fleet::CONTROLLER;
use oml_tests::observe::{
    InstanceWait, SOON, instance, now_ms, sh, start_times, stays, wait_instance, wait_ready,
};
use oml_tests::trial::check;
use serde_json::Value;

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] = &[
    (Kind::Tiny, "a_program_that_recovers_for_longer_than_its_start_timeout_is_not_stopped", slow),
    (Kind::Tiny, "a_program_that_ends_on_a_full_disk_is_back_within_a_minute_of_room", full_disk),
    (Kind::Tiny, "the_old_version_is_kept_alive_while_the_pull_of_the_next_is_blocked", blocked),
    (Kind::Tiny, "a_crash_loop_is_reported_by_status_and_explain", crash_loop),
    (Kind::Tiny, "a_stop_after_the_supervisor_was_killed_28_times_is_respected", killed_28_times),
    (Kind::Tiny, "a_stop_after_systemd_gave_up_on_the_supervisor_is_respected", gave_up),
    (Kind::Tiny, "a_try_restart_after_systemd_gave_up_on_the_supervisor_stops_nothing", tried),
    (Kind::Acme, "a_stop_while_systemd_waits_to_start_a_packaged_unit_is_respected", packaged),
    (Kind::Tiny, "what_a_hanging_version_prints_is_shown_while_it_is_waited_for", hanging),
    (Kind::Tiny, "a_program_that_stays_unhealthy_is_restarted", unhealthy),
];

const NODE: &str = "tiny-one";
const UNIT: &str = "oml-first";
/// The time limit of a script that does something many times.
const SCRIPT_LIMIT: Duration = Duration::from_secs(180);

/// Puts a line at the begin of the program in the container, where every later start of the container runs it.
fn insert(fleet: &Fleet, line: &str) -> Result<()> {
    let put = "cat > /oml/line && sed -i '1r /oml/line' /oml/start";
    let script = format!("docker exec -i {UNIT} sh -c \"{put}\"");
    fleet.host(NODE)?.exec_with_input(format!("{line}\n").as_bytes(), &["sh", "-c", &script])?;
    Ok(())
}

/// Kills the program, as a crash of its own would end it.
fn crash(fleet: &Fleet) -> Result<()> {
    sh(fleet, NODE, &format!("kill -9 $(docker inspect -f '{{{{.State.Pid}}}}' {UNIT})")).map(drop)
}

/// Replaces the container in which a line was inserted.
fn replace(fleet: &Fleet) -> Result<()> {
    fleet.ctl_ok(&["set-version", "tenant=tiny", "first=v2"])?;
    sh(fleet, NODE, "docker container prune --force").map(drop)
}

fn started(fleet: &Fleet) -> Result<String> {
    start_times(fleet, NODE)?.remove(UNIT).context("its container does not run")
}

fn is_in(phase: &'static str, words: &'static [&'static str]) -> impl Fn(&Value) -> bool {
    move |seen| {
        let reason = seen["reason"].as_str().unwrap_or_default();
        seen["phase"]["name"] == phase && words.iter().all(|word| reason.contains(word))
    }
}

/// It answers with an error for 50 seconds, as a database that replays its log does. The start time-out is 15 seconds.
fn slow(fleet: &Fleet) -> Result<()> {
    let restarts = instance(fleet, NODE, "first")?["restarts"].as_u64().unwrap_or(0);
    insert(
        fleet,
        "echo 'FATAL: the database system is starting up'; mkdir -p /empty; \
         httpd -f -p \"$PORT\" -h /empty & early=$!; sleep 50; kill $early; wait $early",
    )?;
    crash(fleet)?;
    let words = &["404", "the database system is starting up"];
    wait_instance(fleet, NODE, "first", "its recovery is reported", is_in("starting", words))?;
    let before = started(fleet)?;
    let began_ms = now_ms()?;
    let ready = InstanceWait::new(fleet, NODE, "first").within(Duration::from_secs(90));
    let seen = ready.until("it has recovered", is_in("ready", &[]))?;
    check(now_ms()? > began_ms + 20_000, "it recovered too early for this test")?;
    check(started(fleet)? == before, "it was stopped during its recovery")?;
    check(seen["restarts"] == restarts + 1, format!("{seen}"))?;
    replace(fleet)
}

/// Docker keeps the states of its containers on a disk of 16 MiB, so that it can be filled.
fn full_disk(fleet: &Fleet) -> Result<()> {
    const FOLDER: &str = "/var/lib/docker/containers";
    let move_to = |mount: &str| {
        format!(
            "set -e; systemctl stop docker.socket docker; rm -rf /root/kept; cp -a {FOLDER} /root/kept; {mount}; \
             cp -a /root/kept/. {FOLDER}; systemctl reset-failed docker docker.socket; \
             systemctl start docker.socket docker; rm -rf /root/kept"
        )
    };
    sh(fleet, NODE, &move_to(&format!("mount -t tmpfs -o size=16m tmpfs {FOLDER}")))?;
    let outcome = end_on_full_disk(fleet, FOLDER);
    sh(fleet, NODE, &format!("rm -f {FOLDER}/fill"))?;
    sh(fleet, NODE, &move_to(&format!("umount -l {FOLDER}")))?;
    outcome?;
    wait_ready(fleet, NODE, "first").map(drop)
}

fn end_on_full_disk(fleet: &Fleet, folder: &str) -> Result<()> {
    wait_ready(fleet, NODE, "first")?;
    let before = started(fleet)?;
    sh(fleet, NODE, &format!("dd if=/dev/zero of={folder}/fill bs=4k 2>/dev/null || true"))?;
    let killed_ms = now_ms()?;
    crash(fleet)?;
    sh(fleet, NODE, &format!("sleep 10; rm {folder}/fill"))?;
    let room_ms = now_ms()?;
    let wait = InstanceWait::new(fleet, NODE, "first").reported_after(room_ms);
    let seen = wait.until("it is back", is_in("ready", &[]))?;
    check(started(fleet)? != before, "it was never ended")?;
    // Docker may have no room for a record of the end; a drift of an earlier time is carried on.
    let drift = &seen["drift"];
    let is_new = drift["at_ms"].as_u64().unwrap_or(0) >= killed_ms;
    let found = drift["found"].as_str().unwrap_or_default();
    check(!is_new || found.contains("no record of its end"), format!("a false cause: {found}"))
}

fn blocked(fleet: &Fleet) -> Result<()> {
    let mut faulty = fleet.lab().faulty_registry()?;
    let name = fleet.lab().registry()?.faulty_name();
    let direct = fleet.lab().registry()?.name();
    sh(fleet, NODE, "docker container prune --force && docker image prune --all --force")?;
    let spec = fleet.spec()?.replace(&direct, &name).replace("first: v1", "first: v2");
    let path = fleet.write_spec("blocked.yaml", &spec)?;
    faulty.set(Fault::CutAfter(64))?;
    fleet.ctl_ok(&["apply", "-f", &path, "--no-wait"])?;
    wait_instance(fleet, NODE, "first", "the pull is blocked", is_in("blocked", &[]))?;
    // It crashes for two minutes; systemd gives up after 30 starts, each a second after an end.
    insert(fleet, "[ ! -e /until ] || [ $(date +%s) -ge $(cat /until) ] || exit 7")?;
    sh(fleet, NODE, &format!("docker exec {UNIT} sh -c 'echo $(($(date +%s) + 120)) > /until'"))?;
    crash(fleet)?;
    let long = InstanceWait::new(fleet, NODE, "first").within(SCRIPT_LIMIT);
    let words = &["the version in use, v1,", "times in a row", "exit code 7"];
    let reported = long.until("both errors are reported", |seen| {
        let reason = seen["reason"].as_str().unwrap_or_default();
        reason.contains(&name) && words.iter().all(|word| reason.contains(word))
    })?;
    check(reported["phase"]["name"] == "blocked", format!("{reported}"))?;
    let explained = fleet.ctl_ok(&["explain", "tenant=tiny"])?;
    check(words.iter().all(|word| explained.contains(word)), explained)?;
    until("the old version answers again", SCRIPT_LIMIT, || {
        sh(fleet, NODE, "curl -fsS -m 2 http://127.0.0.1:8081/")
            .map_err(|error| format!("{error:#}"))
            .and_then(|answer| if answer.trim() == "v1" { Ok(()) } else { Err(answer) })
    })?;
    let seen = instance(fleet, NODE, "first")?;
    check(seen["phase"]["name"] == "blocked", format!("{seen}"))?;
    faulty.set(Fault::Pass)?;
    long.until("the change completes", |seen| {
        seen["phase"]["name"] == "ready" && seen["version"] == "v2"
    })?;
    sh(fleet, NODE, "docker container prune --force").map(drop)
}

fn crash_loop(fleet: &Fleet) -> Result<()> {
    check(fleet.ctl(&["status", "--exit-code"])?.code == 0, "something is red before the test")?;
    insert(fleet, "trap 'exit 3' USR1; (sleep 17; echo 'cannot open the spool'; kill -USR1 1) &")?;
    crash(fleet)?;
    let long = InstanceWait::new(fleet, NODE, "first").within(SCRIPT_LIMIT);
    let words = &["ends again and again", "exit code 3", "cannot open the spool"];
    long.until("the crash loop is reported", is_in("crash-looping", words))?;
    // It answers most of the time, which does not make it healthy.
    for _second in 0..20 {
        let seen = instance(fleet, NODE, "first")?;
        check(seen["phase"]["name"] == "crash-looping", format!("{seen}"))?;
        sh(fleet, NODE, "sleep 1")?;
    }
    let shown = fleet.ctl(&["status", "--exit-code"])?;
    check(shown.code == 6 && shown.stdout.contains("crash looping"), format!("{shown:?}"))?;
    let explained = fleet.ctl_ok(&["explain", "tenant=tiny"])?;
    for word in ["crash looping", "with exit code 3", "    | cannot open the spool", "restarts"] {
        check(explained.contains(word), format!("{word} is not in {explained}"))?;
    }
    replace(fleet)?;
    check(fleet.ctl(&["status", "--exit-code"])?.code == 0, "it is red after a good version")
}

/// Kills one supervisor after the other, and then runs a last command.
fn kill_supervisors(fleet: &Fleet, condition: &str, last: &str) -> Result<()> {
    let script = format!(
        "kills=0; before=0
         while {condition}; do
           pid=$(systemctl show -p MainPID --value {UNIT})
           [ $pid != 0 ] && [ $pid != $before ] && kill -9 $pid && before=$pid && kills=$((kills + 1))
           sleep 0.1
         done
         {last}"
    );
    let ended = fleet.host(NODE)?.exec_within(SCRIPT_LIMIT, &["sh", "-c", &script])?;
    check(ended.is_success(), format!("{ended:?}"))
}

fn killed_28_times(fleet: &Fleet) -> Result<()> {
    kill_supervisors(fleet, "[ $kills -lt 28 ]", &format!("systemctl stop {UNIT}"))?;
    let stopped = is_in("stopped-by-hand", &[]);
    wait_instance(fleet, NODE, "first", "the stop is noticed", stopped)?;
    sh(fleet, NODE, "systemctl reset-failed")?;
    stays_stopped(fleet)
}

/// systemd has given up on its supervisor, and the agent has reported it.
fn give_up(fleet: &Fleet) -> Result<()> {
    kill_supervisors(fleet, &format!("! systemctl -q is-failed {UNIT}"), "true")?;
    check(start_times(fleet, NODE)?.contains_key(UNIT), "its container was stopped")?;
    let words = &["its supervisor ended", "the container runs on"];
    wait_instance(fleet, NODE, "first", "the end of its supervisor", is_in("unhealthy", words))
        .map(drop)
}

fn gave_up(fleet: &Fleet) -> Result<()> {
    give_up(fleet)?;
    sh(fleet, NODE, &format!("systemctl stop {UNIT}; systemctl reset-failed {UNIT}"))?;
    let stopped = is_in("stopped-by-hand", &[]);
    wait_instance(fleet, NODE, "first", "the stop is noticed", stopped)?;
    sh(fleet, NODE, "systemctl restart omlagent")?;
    stays_stopped(fleet)
}

fn tried(fleet: &Fleet) -> Result<()> {
    let before = started(fleet)?;
    give_up(fleet)?;
    sh(fleet, NODE, &format!("systemctl try-restart {UNIT}"))?;
    let wait = InstanceWait::new(fleet, NODE, "first").within(SCRIPT_LIMIT);
    wait.until("its supervisor is back", is_in("ready", &[]))?;
    check(started(fleet)? == before, "its container was stopped")
}

/// The packaged unit waits long for its restart, and is stopped meanwhile.
fn packaged(fleet: &Fleet) -> Result<()> {
    const HOST: &str = "acme-data";
    const NAME: &str = "prometheus-node-exporter";
    let folder = format!("/run/systemd/system/{NAME}.service.d");
    let lines = "[Service]\\nRestart=on-failure\\nRestartSec=60s\\n";
    let stop = format!(
        "set -e; mkdir -p {folder}; printf '{lines}' > {folder}/pause.conf; \
         systemctl daemon-reload; systemctl kill --signal=KILL {NAME}; \
         until [ $(systemctl show -P SubState {NAME}) = auto-restart ]; do sleep 0.1; done; \
         systemctl stop {NAME}; systemctl show -P ActiveState -P Result {NAME}"
    );
    let shown = sh(fleet, HOST, &stop)?;
    check(shown.contains("inactive") && shown.contains("signal"), shown)?;
    let stopped = is_in("stopped-by-hand", &[]);
    wait_instance(fleet, HOST, "node-exporter", "the stop is noticed", &stopped)?;
    sh(fleet, HOST, "systemctl reset-failed")?;
    stays(fleet, HOST, "node-exporter", "it is still stopped", &stopped)?;
    let state = sh(fleet, HOST, &format!("systemctl is-active {NAME} || true"))?;
    check(state.trim() == "inactive", state)?;
    let start = format!("rm {folder}/pause.conf; systemctl daemon-reload; systemctl start {NAME}");
    sh(fleet, HOST, &start)?;
    wait_ready(fleet, HOST, "node-exporter").map(drop)
}

/// Checks that it is stopped, stays so for longer than the agent pauses, and can be started.
fn stays_stopped(fleet: &Fleet) -> Result<()> {
    let wait = InstanceWait::new(fleet, NODE, "first").reported_after(now_ms()?);
    wait.until("it is shown as stopped by hand", is_in("stopped-by-hand", &[]))?;
    until("its container is stopped", SOON, || {
        let times = start_times(fleet, NODE).map_err(|error| format!("{error:#}"))?;
        if times.contains_key(UNIT) { Err(format!("{times:?}")) } else { Ok(()) }
    })?;
    let wait = InstanceWait::new(fleet, NODE, "first").reported_after(now_ms()?);
    wait.until("nothing is done to it any more", is_in("stopped-by-hand", &[]))?;
    stays(fleet, NODE, "first", "it is still stopped", is_in("stopped-by-hand", &[]))?;
    check(!start_times(fleet, NODE)?.contains_key(UNIT), "it was started against the operator")?;
    let explained = fleet.ctl_ok(&["explain", "tenant=tiny"])?;
    check(explained.contains(": stopped on the host by hand"), &explained)?;
    check(!explained.contains("in a row"), explained)?;
    sh(fleet, NODE, &format!("systemctl reset-failed {UNIT} || true; systemctl start {UNIT}"))?;
    wait_ready(fleet, NODE, "first").map(drop)
}

fn hanging(fleet: &Fleet) -> Result<()> {
    fleet.ctl_ok(&["set-version", "tenant=tiny", "first=hangs", "--no-wait"])?;
    let words = &["connection refused", "this version never answers"];
    wait_instance(fleet, NODE, "first", "what it prints is shown", is_in("starting", words))?;
    wait_instance(fleet, NODE, "first", "it is rolled back", |seen| {
        seen["phase"]["name"] == "ready" && seen["version"] == "v1"
    })
    .map(drop)
}

/// Catalogs of hosts with an earlier release say nothing about it, so the line is written for this test.
fn unhealthy(fleet: &Fleet) -> Result<()> {
    let catalog = "/usr/share/omlcontroller/catalog/small.yaml";
    let restart = "systemctl reset-failed omlcontroller; systemctl restart omlcontroller";
    let longer = format!(
        "cp {catalog} /root && sed -i '/^  second:/a\\    restart_unhealthy: 20s' {catalog}"
    );
    sh(fleet, CONTROLLER, &format!("{longer} && {restart}"))?;
    let applied = fleet.apply_first_spec();
    let restarted = applied.and_then(|()| restarted_when_unhealthy(fleet));
    sh(fleet, CONTROLLER, &format!("mv /root/small.yaml {catalog} && {restart}"))?;
    restarted
}

fn restarted_when_unhealthy(fleet: &Fleet) -> Result<()> {
    let before = start_times(fleet, NODE)?;
    sh(fleet, NODE, "pkill -STOP -f '[h]ttpd -f -p 8082'")?;
    let words = &["it is restarted once it has been unhealthy for 20s"];
    wait_instance(fleet, NODE, "second", "the restart is announced", is_in("unhealthy", words))?;
    let wait = InstanceWait::new(fleet, NODE, "second").within(SCRIPT_LIMIT);
    wait.until("it is well again", is_in("ready", &[]))?;
    let after = start_times(fleet, NODE)?;
    check(after["oml-second"] != before["oml-second"], "it was not restarted")?;
    check(after["oml-first"] == before["oml-first"], "the other component was restarted")
}
