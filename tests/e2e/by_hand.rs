//! Tests of copies and renames of our containers and of edits of our units. What is not ours is
//! reported and left alone; what is put right is reported as well.

use anyhow::Result;
use oml_tests::Fleet;
use oml_tests::observe::{
    InstanceWait, now_ms, sh, start_times, wait_instance, wait_ready, wait_ready_after,
};
use oml_tests::trial::check;
use serde_json::Value;

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] = &[
    (Kind::Tiny, "a_copy_made_by_hand_is_reported_and_never_adopted", copy),
    (Kind::Tiny, "a_copy_made_by_hand_of_a_removed_component_runs_on", copy_of_removed),
    (Kind::Tiny, "a_container_renamed_by_hand_gets_its_name_back_and_is_not_restarted", renamed),
    (Kind::Tiny, "a_unit_edited_by_hand_is_put_right_and_reported", edited_unit),
    (Kind::Tiny, "a_component_that_is_disabled_and_stopped_stays_stopped", disabled_now),
    (Kind::Tiny, "a_copied_unit_that_is_started_and_stopped_cuts_nothing", copied_unit),
    (Kind::Tiny, "a_copied_drop_in_is_reported_by_its_path", copied_drop_in),
    (Kind::Tiny, "what_is_done_by_hand_and_stays_is_reported_while_it_lasts", standing),
];

const NODE: &str = "tiny-one";
const UNIT: &str = "/etc/systemd/system/oml-first.service";

/// Waits until the drift of a component contains the words, and returns the reported drift.
fn wait_reported(fleet: &Fleet, component: &str, words: &str) -> Result<String> {
    let what = format!("the drift says that {words}");
    let seen = wait_instance(fleet, NODE, component, &what, |seen| reported(seen).contains(words))?;
    Ok(reported(&seen).to_owned())
}

/// Waits until a ready component has no drift that contains the words. What was put right by an
/// earlier test may still be reported.
fn wait_forgotten(fleet: &Fleet, component: &str, words: &str) -> Result<()> {
    let what = format!("the drift no longer says that {words}");
    let holds = |seen: &Value| seen["phase"]["name"] == "ready" && !reported(seen).contains(words);
    wait_instance(fleet, NODE, component, &what, holds).map(drop)
}

fn reported(seen: &Value) -> &str {
    seen["drift"]["found"].as_str().unwrap_or_default()
}

/// Copies a container and runs another program of its image, as for a look inside. Returns the
/// id of the copy, which the engine names.
fn run_copy(fleet: &Fleet, name: &str) -> Result<String> {
    let run = "docker run -d --network host --entrypoint sleep dbg:1 1d";
    Ok(sh(fleet, NODE, &format!("docker commit {name} dbg:1 >/dev/null && {run}"))?
        .trim()
        .to_owned())
}

fn id_of(fleet: &Fleet, name: &str) -> Result<String> {
    Ok(sh(fleet, NODE, &format!("docker inspect -f '{{{{.Id}}}}' {name}"))?.trim().to_owned())
}

fn check_copy_runs(fleet: &Fleet, copy: &str) -> Result<()> {
    let running = format!("docker inspect -f '{{{{.State.Running}}}}' {copy}");
    let running = sh(fleet, NODE, &running)?;
    check(running.trim() == "true", format!("the copy was ended: {running}"))
}

fn remove_copy(fleet: &Fleet, copy: &str) -> Result<()> {
    sh(fleet, NODE, &format!("docker rm -f {copy} && docker rmi dbg:1")).map(drop)
}

fn copy(fleet: &Fleet) -> Result<()> {
    let (before, real) = (start_times(fleet, NODE)?, id_of(fleet, "oml-first")?);
    let copy = run_copy(fleet, "oml-first")?;
    wait_reported(fleet, "first", "has its labels but runs another image: not ours, left alone")?;
    let printed = fleet.ctl_ok(&["explain", "tenant=tiny"])?;
    check(printed.contains("not ours, left alone"), printed)?;
    let now = start_times(fleet, NODE)?;
    check(now["oml-first"] == before["oml-first"], format!("{before:?}, then {now:?}"))?;
    check(id_of(fleet, "oml-first")? == real, "the copy has the name of the real one")?;
    sh(fleet, NODE, "systemctl restart oml-first")?;
    wait_ready_after(fleet, now_ms()?, NODE, "first")?;
    check(id_of(fleet, "oml-first")? == real, "the restart started another container")?;
    check(start_times(fleet, NODE)?["oml-first"] != before["oml-first"], "it was not restarted")?;
    // A change does not touch the copy either.
    fleet.ctl_ok(&["set-version", "tenant=tiny", "first=v2"])?;
    let seen = wait_ready(fleet, NODE, "first")?;
    check(seen["version"] == "v2", format!("{seen}"))?;
    check(id_of(fleet, "oml-first-prev")? == real, "the previous one is not the real one")?;
    check_copy_runs(fleet, &copy)?;
    remove_copy(fleet, &copy)?;
    wait_forgotten(fleet, "first", "not ours")
}

fn copy_of_removed(fleet: &Fleet) -> Result<()> {
    let copy = run_copy(fleet, "oml-second")?;
    wait_reported(fleet, "second", "runs another image")?;
    let without = fleet.spec()?.replace("  second: v1\n", "");
    let path = fleet.write_spec("one.yaml", &without)?;
    fleet.ctl_ok(&["apply", "-f", &path, "--prune"])?;
    wait_instance(fleet, NODE, "second", "it is gone", Value::is_null)?;
    check(!start_times(fleet, NODE)?.contains_key("oml-second"), "the real one runs on")?;
    let path = fleet.write_spec("both.yaml", &fleet.spec()?)?;
    fleet.ctl_ok(&["apply", "-f", &path])?;
    wait_ready(fleet, NODE, "second")?;
    check_copy_runs(fleet, &copy)?;
    remove_copy(fleet, &copy)
}

fn renamed(fleet: &Fleet) -> Result<()> {
    let before = start_times(fleet, NODE)?;
    sh(fleet, NODE, "docker rename oml-first mine")?;
    wait_reported(fleet, "first", "container oml-first was renamed to mine")?;
    wait_ready_after(fleet, now_ms()?, NODE, "first")?;
    let after = start_times(fleet, NODE)?;
    check(after == before, format!("{before:?}, then {after:?}"))
}

fn edited_unit(fleet: &Fleet) -> Result<()> {
    let before = start_times(fleet, NODE)?;
    let ours = sh(fleet, NODE, &format!("cat {UNIT}"))?;
    sh(fleet, NODE, &format!("sed -i 's/^Restart=.*/Restart=no/' {UNIT}"))?;
    let found = wait_reported(fleet, "first", "unit oml-first.service was edited")?;
    check(found.contains("has \"Restart=no\", lacks \"Restart=always\""), &found)?;
    let printed = fleet.ctl_ok(&["explain", "tenant=tiny"])?;
    check(printed.contains("unit oml-first.service was edited"), printed)?;
    wait_ready_after(fleet, now_ms()?, NODE, "first")?;
    check(sh(fleet, NODE, &format!("cat {UNIT}"))? == ours, "the file was not put right")?;
    sh(fleet, NODE, "systemctl disable oml-second")?;
    wait_reported(fleet, "second", "unit oml-second.service was disabled")?;
    wait_ready_after(fleet, now_ms()?, NODE, "second")?;
    sh(fleet, NODE, "systemctl is-enabled oml-second")?;
    check(start_times(fleet, NODE)? == before, "a container was restarted")
}

/// systemd unloads the unit, and shows nothing of the stop.
fn disabled_now(fleet: &Fleet) -> Result<()> {
    let is_stopped = |seen: &Value| seen["phase"]["name"] == "stopped-by-hand";
    for (before, after) in [("", ""), ("systemctl stop omlagent; ", "; systemctl start omlagent")] {
        wait_ready(fleet, NODE, "second")?;
        sh(fleet, NODE, &format!("{before}systemctl disable --now oml-second{after}"))?;
        wait_instance(fleet, NODE, "second", "the stop is noticed", is_stopped)?;
        sh(fleet, NODE, "systemctl restart omlagent; sleep 15")?;
        let state = sh(fleet, NODE, "systemctl is-active oml-second || true")?;
        check(state.trim() == "inactive", format!("it is {state}"))?;
        let wait = InstanceWait::new(fleet, NODE, "second").reported_after(now_ms()?);
        wait.until("it is still stopped", is_stopped)?;
        sh(fleet, NODE, "systemctl is-enabled oml-second; systemctl start oml-second")?;
        wait_ready_after(fleet, now_ms()?, NODE, "second")?;
    }
    Ok(())
}

/// Starts, restarts and stops the unit `dbg` while the real component is asked without a pause, and
/// prints what `systemctl show` shows of the copy and the number of answers that did not come.
const START_AND_STOP: &str = "\
lost=$(mktemp)
(while :; do curl -sf -m 2 http://127.0.0.1:8081/ >/dev/null || echo lost >> $lost; done) &
asker=$!
systemctl enable -q dbg
systemctl start dbg && echo started
systemctl start --no-block dbg
systemctl stop dbg
systemctl restart dbg && echo started
for what in ExecMainStatus NRestarts ActiveState; do systemctl show -P $what dbg; done
systemctl stop dbg
kill $asker
echo $(wc -l < $lost) lost";

fn copied_unit(fleet: &Fleet) -> Result<()> {
    let before = start_times(fleet, NODE)?;
    for edit in ["", "s/oml-first.service/dbg.service/"] {
        let copy = "/etc/systemd/system/dbg.service";
        let write = format!("sed '{edit}' {UNIT} > {copy} && systemctl daemon-reload");
        sh(fleet, NODE, &write)?;
        let printed = sh(fleet, NODE, START_AND_STOP)?;
        let words: Vec<&str> = printed.split_whitespace().collect();
        check(words == ["78", "0", "failed", "0", "lost"], printed)?;
        let journal = sh(fleet, NODE, "journalctl -u dbg --no-pager --output=cat")?;
        let expected = "dbg.service is not the unit of first, which is oml-first.service";
        check(journal.contains(expected), journal)?;
        let why = if edit.is_empty() { "is a copy of oml-first" } else { "was copied or edited" };
        wait_reported(fleet, "first", &format!("unit dbg.service {why}"))?;
        let now = start_times(fleet, NODE)?;
        check(now == before, format!("{before:?}, then {now:?}"))?;
        // As the handbook says.
        let remove = format!("systemctl disable -q dbg && rm {copy} && systemctl daemon-reload");
        sh(fleet, NODE, &remove)?;
        wait_forgotten(fleet, "first", "dbg.service")?;
    }
    wait_ready_after(fleet, now_ms()?, NODE, "first")?;
    check(start_times(fleet, NODE)? == before, "a container was restarted")
}

fn copied_drop_in(fleet: &Fleet) -> Result<()> {
    let before = start_times(fleet, NODE)?;
    let folder = "/etc/systemd/system/dbg.service.d";
    let drop_in = format!("{folder}/50-oml.conf");
    sh(fleet, NODE, &format!("mkdir -p {folder} && cp {UNIT} {drop_in}"))?;
    wait_reported(
        fleet,
        "first",
        &format!("drop-in {drop_in} is a copy of that of oml-first.service"),
    )?;
    sh(fleet, NODE, &format!("rm -r {folder} && systemctl daemon-reload"))?;
    wait_forgotten(fleet, "first", "drop-in")?;
    check(start_times(fleet, NODE)? == before, "a container was restarted")
}

fn standing(fleet: &Fleet) -> Result<()> {
    let before = start_times(fleet, NODE)?;
    let folder = format!("{UNIT}.d");
    let nice = "printf '[Service]\\nNice=5\\n'";
    let write = format!("mkdir -p {folder} && {nice} > {folder}/override.conf");
    sh(fleet, NODE, &format!("{write} && systemctl daemon-reload"))?;
    wait_reported(fleet, "first", "override.conf changes unit oml-first.service")?;
    sh(fleet, NODE, &format!("rm -r {folder} && systemctl daemon-reload"))?;
    wait_forgotten(fleet, "first", "override.conf")?;
    sh(fleet, NODE, "docker pause oml-second")?;
    let paused = wait_reported(fleet, "second", "container oml-second is paused");
    sh(fleet, NODE, "docker unpause oml-second")?;
    paused?;
    wait_forgotten(fleet, "second", "paused")?;
    check(start_times(fleet, NODE)? == before, "a container was restarted")
}
