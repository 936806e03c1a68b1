//! Tests of changes by hand to the version in use while its change waits, and to what somebody
//! stopped. Each is put right and reported, and stops and starts nothing.

use anyhow::Result;
use oml_lab::{Fault, until};
use oml_tests::Fleet;
use oml_tests::observe::{
    InstanceWait, SOON, now_ms, sh, start_times, wait_instance, wait_ready, wait_ready_after,
};
use oml_tests::trial::check;
use serde_json::Value;

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] = &[
    (
        Kind::Tiny,
        "what_is_done_by_hand_to_the_version_in_use_is_put_right_beside_a_blocked_change",
        beside_a_blocked_change,
    ),
    (
        Kind::Tiny,
        "an_edited_unit_of_a_stopped_component_is_put_right_and_stays_stopped",
        edited_and_stopped,
    ),
];

const NODE: &str = "tiny-one";
const FIRST: &str = "/etc/systemd/system/oml-first.service";
const SECOND: &str = "/etc/systemd/system/oml-second.service";
const DOCUMENT: &str = "/var/lib/omlagent/instances/first/current.json";

/// What is done by hand, and the words of the drift that is reported for it.
const ACTIONS: [(&str, &str); 4] = [
    (
        "sed -i 's:^ExecStart=.*:ExecStart=/bin/false:' $UNIT && systemctl daemon-reload",
        "unit oml-first.service was edited: has \"ExecStart=/bin/false\"",
    ),
    ("docker rename oml-first mine", "container oml-first was renamed to mine"),
    (
        "sed -i 's/v1/v9/g' $DOCUMENT && systemctl daemon-reload",
        "its instance document was changed",
    ),
    ("rm $UNIT && systemctl daemon-reload", "its unit is missing"),
];

fn wait_reported(fleet: &Fleet, component: &str, words: &str) -> Result<()> {
    let what = format!("the drift says that {words}");
    let holds = |seen: &Value| {
        let found = seen["drift"]["found"].as_str();
        found.is_some_and(|found| found.contains(words))
    };
    wait_instance(fleet, NODE, component, &what, holds).map(drop)
}

fn is_in(phase: &'static str) -> impl Fn(&Value) -> bool {
    move |seen| seen["phase"]["name"] == phase
}

fn beside_a_blocked_change(fleet: &Fleet) -> Result<()> {
    let mut faulty = fleet.lab().faulty_registry()?;
    let name = fleet.lab().registry()?.faulty_name();
    let direct = fleet.lab().registry()?.name();
    sh(fleet, NODE, "docker container prune --force && docker image prune --all --force")?;
    let spec = fleet.spec()?.replace(&direct, &name).replace("first: v1", "first: v2");
    let path = fleet.write_spec("in-use.yaml", &spec)?;
    faulty.set(Fault::CutAfter(64))?;
    fleet.ctl_ok(&["apply", "-f", &path, "--no-wait"])?;
    wait_instance(fleet, NODE, "first", "the pull is blocked", is_in("blocked"))?;
    // The names of what runs, the times of its starts, and our texts.
    let look = || -> Result<String> {
        let texts = sh(fleet, NODE, &format!("cat {FIRST} {DOCUMENT}"))?;
        Ok(format!("{:?}\n{texts}", start_times(fleet, NODE)?))
    };
    let before = look()?;
    for (action, words) in ACTIONS {
        sh(fleet, NODE, &format!("UNIT={FIRST}; DOCUMENT={DOCUMENT}; {action}"))?;
        wait_reported(fleet, "first", words)?;
        until(&format!("{action} is put right"), SOON, || match look() {
            Ok(now) if now == before => Ok(()),
            Ok(now) => Err(now),
            Err(error) => Err(format!("{error:#}")),
        })?;
        let wait = InstanceWait::new(fleet, NODE, "first").reported_after(now_ms()?);
        wait.until("the change is still blocked", is_in("blocked"))?;
    }
    faulty.set(Fault::Pass)?;
    InstanceWait::new(fleet, NODE, "first").until("the change completes", |seen| {
        seen["phase"]["name"] == "ready" && seen["version"] == "v2"
    })?;
    sh(fleet, NODE, "docker container prune --force").map(drop)
}

fn edited_and_stopped(fleet: &Fleet) -> Result<()> {
    wait_ready(fleet, NODE, "second")?;
    let ours = sh(fleet, NODE, &format!("cat {SECOND}"))?;
    sh(fleet, NODE, "systemctl stop oml-second")?;
    wait_instance(fleet, NODE, "second", "the stop is noticed", is_in("stopped-by-hand"))?;
    let edit = format!("sed -i 's:^ExecStart=.*:ExecStart=/bin/false:' {SECOND}");
    sh(fleet, NODE, &format!("{edit} && systemctl daemon-reload"))?;
    wait_reported(fleet, "second", "has \"ExecStart=/bin/false\"")?;
    let wait = InstanceWait::new(fleet, NODE, "second").reported_after(now_ms()?);
    wait.until("it is still stopped", is_in("stopped-by-hand"))?;
    check(sh(fleet, NODE, &format!("cat {SECOND}"))? == ours, "the file was not put right")?;
    let state = sh(fleet, NODE, "systemctl is-active oml-second || true")?;
    check(state.trim() == "inactive", format!("it is {state}"))?;
    sh(fleet, NODE, "systemctl start oml-second")?;
    wait_ready_after(fleet, now_ms()?, NODE, "second").map(drop)
}
