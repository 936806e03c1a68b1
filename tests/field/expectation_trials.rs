//! Trials of the expectation itself, with facts and words that contradict each other.

use anyhow::Result;
use oml_tests::trial::check;
use serde_json::{Value, json};

use crate::action::{COMPONENTS, Component};
use crate::expectation::{Desired, LOOP_ENDS, wrong};
use crate::facts::{Container, Facts, Unit};
use crate::intent::{Intent, Stop};

const IMAGE: &str = "sha256:good";
const SETTINGS: &str = "0/no";

fn container(name: &str, id: &str) -> Container {
    let text = str::to_owned;
    Container {
        id: text(id),
        name: text(name),
        status: text("running"),
        started: text("then"),
        image: text(IMAGE),
        settings: text(SETTINGS),
        is_frozen: false,
    }
}

/// Returns the facts about a host on which all is well.
fn good_facts() -> Facts {
    let unit = Unit { load: "loaded".to_owned(), active: "active".to_owned() };
    let containers = COMPONENTS.iter().filter_map(|it| Some(container(it.container?, it.name)));
    Facts {
        containers: Some(containers.collect()),
        units: vec![unit; COMPONENTS.len()],
        answers: COMPONENTS.iter().map(|it| it.answer.to_owned()).collect(),
        has_drop_in: vec![false; COMPONENTS.len()],
        ends: vec![0; COMPONENTS.len()],
        agent_runs: true,
        free_kib: u64::MAX,
    }
}

/// Returns what is shown to an operator: the first component as given, the second is ready.
fn reported(phase: &str, health: &str, reason: &str) -> Value {
    let instance = |phase: &str, health: &str, reason: &str| json!({"phase": {"name": phase}, "health": health, "reason": reason});
    json!({"state": "connected", "report": {"instances": {
        "first": instance(phase, health, reason),
        "second": instance("ready", "healthy", ""),
        "exporter": instance("ready", "healthy", ""),
    }}})
}

fn compared(facts: &Facts, intent: &Intent, reported: &Value) -> Vec<String> {
    let image = |it: &Component| it.container.map_or("", |_| IMAGE).to_owned();
    let images = COMPONENTS.iter().map(image).collect();
    let settings = vec![SETTINGS.to_owned(); COMPONENTS.len()];
    wrong(facts, intent, &Desired { images, settings }, reported)
}

/// Checks that what is reported counts as true.
fn accepts(facts: &Facts, intent: &Intent, reported: &Value) -> Result<()> {
    let wrong = compared(facts, intent, reported);
    check(wrong.is_empty(), format!("{reported}: {wrong:?}"))
}

/// Checks that what is reported counts as wrong.
fn refuses(facts: &Facts, intent: &Intent, reported: &Value) -> Result<()> {
    let wrong = compared(facts, intent, reported);
    check(!wrong.is_empty(), format!("accepted: {facts:?}, {reported}"))
}

/// Checks that a program counts as crash looping only if it ended often enough.
fn try_crash_loops() -> Result<()> {
    let (facts, intent) = (good_facts(), Intent::default());
    let mut ended = facts.clone();
    ended.ends[0] = LOOP_ENDS;
    let why = "ends again and again: 3 times within 2m 5s";
    for (facts, phase, reason, is_true) in [
        (&facts, "crash-looping", why, false),
        (&ended, "crash-looping", why, true),
        (&ended, "crash-looping", "", false),
        (&ended, "ready", "", true),
    ] {
        let wrong = compared(facts, &intent, &reported(phase, "healthy", reason));
        check(wrong.is_empty() == is_true, format!("{phase}, {reason}: {wrong:?}"))?;
    }
    Ok(())
}

/// Checks that a taken port counts as a cause only while a renamed container has it.
fn try_taken_port() -> Result<()> {
    let intent = Intent::default();
    let mut down = good_facts();
    down.containers = Some(vec![container("oml-second", "second")]);
    down.answers[0].clear();
    "failed".clone_into(&mut down.units[0].active);
    let mut renamed = down.clone();
    renamed.containers.iter_mut().for_each(|it| it.push(container("was-oml-first-3", "first")));
    let taken = reported("crash-looping", "unhealthy", "bind: Address already in use");
    refuses(&down, &intent, &taken)?;
    accepts(&renamed, &intent, &taken)
}

/// Checks that the judge accepts what is true and finds what is not.
pub(crate) fn run() -> Result<()> {
    try_crash_loops()?;
    try_taken_port()?;
    let (facts, intent) = (good_facts(), Intent::default());
    let ready = reported("ready", "healthy", "");
    let by_hand = reported("stopped-by-hand", "unknown", "stopped on the host by hand");
    accepts(&facts, &intent, &ready)?;
    refuses(&facts, &intent, &reported("unhealthy", "unhealthy", "does not answer"))?;
    refuses(&facts, &intent, &by_hand)?;
    let mut away = facts.clone();
    away.containers = None;
    refuses(&away, &intent, &ready)?;
    let mut error = ready.clone();
    error["report"]["errors"] = json!(["docker does not answer, since then"]);
    accepts(&away, &intent, &error)?;
    let mut changed = facts.clone();
    changed.has_drop_in[0] = true;
    refuses(&changed, &intent, &ready)?;
    let mut drift = ready.clone();
    drift["report"]["instances"]["first"]["drift"] = json!({"found": "it has a drop-in"});
    accepts(&changed, &intent, &drift)?;
    let mut down = facts.clone();
    down.containers = Some(vec![container("oml-second", "second")]);
    down.answers[0].clear();
    "inactive".clone_into(&mut down.units[0].active);
    for reason in ["", "its container is gone", "stopped on the host by hand", "not ours"] {
        refuses(&down, &intent, &reported("blocked", "unknown", reason))?;
    }
    let mut frozen = facts.clone();
    frozen.answers[0].clear();
    let silent = reported("unhealthy", "unhealthy", "does not answer");
    refuses(&frozen, &intent, &silent)?;
    if let Some(containers) = &mut frozen.containers {
        containers[0].is_frozen = true;
    }
    accepts(&frozen, &intent, &silent)?;
    refuses(&frozen, &intent, &ready)?;
    let stopped = Intent { stops: [Stop::Yes, Stop::No, Stop::No], ..Intent::default() };
    accepts(&down, &stopped, &by_hand)?;
    refuses(&down, &stopped, &reported("starting", "unknown", "its unit is not running"))?;
    refuses(&facts, &stopped, &by_hand)?;
    let mut copy = facts.clone();
    copy.containers = Some(vec![container("oml-first", "copy"), container("oml-second", "second")]);
    let mut foreign = Intent::default();
    foreign.foreign.insert("copy".to_owned(), Some(container("oml-first", "copy")));
    accepts(&copy, &foreign, &reported("blocked", "unknown", "container oml-first is not ours"))?;
    refuses(&copy, &foreign, &ready)?;
    // A container of somebody else was renamed.
    foreign.foreign.insert("copy".to_owned(), Some(container("debug", "copy")));
    refuses(&copy, &foreign, &reported("blocked", "unknown", "container oml-first is not ours"))
}
