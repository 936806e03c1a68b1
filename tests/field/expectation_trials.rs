//! Trials of the expectation itself, with facts and words that contradict each other.

use anyhow::Result;
use oml_tests::trial::check;
use serde_json::{Value, json};

use crate::expectation::{LOOP_ENDS, Wrong, wrong};
use crate::facts::Facts;
use crate::fixtures::{NOW_MS, container, desired, first_down, good_facts, reported};
use crate::intent::{End, Intent, Stop};

fn compared(facts: &Facts, intent: &Intent, reported: &Value) -> Vec<Wrong> {
    wrong(facts, intent, &desired(), reported)
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
    let down = first_down("failed");
    let mut renamed = down.clone();
    renamed.containers.iter_mut().for_each(|it| it.push(container("was-oml-first-3", "first")));
    let taken = reported("crash-looping", "unhealthy", "bind: Address already in use");
    refuses(&down, &intent, &taken)?;
    accepts(&renamed, &intent, &taken)
}

/// Returns a report in which all is well, with these errors of the agent.
fn with_errors(errors: &[&str]) -> Value {
    let mut ready = reported("ready", "healthy", "");
    ready["report"]["errors"] = json!(errors);
    ready
}

/// Checks that a daemon counts as away only while it does not answer.
fn try_outages() -> Result<()> {
    let (facts, intent) = (good_facts(), Intent::default());
    let mut no_engine = facts.clone();
    no_engine.containers = None;
    let mut no_bus = facts.clone();
    no_bus.bus_answers = false;
    let (engine, bus) = ("docker does not answer: x, since then", "systemd does not answer: x");
    for (facts, errors, is_true) in [
        (&facts, &[][..], true),
        (&facts, &[engine], false),
        (&facts, &[bus], false),
        (&facts, &["the policy cannot be read"], true),
        (&no_engine, &[], false),
        (&no_engine, &[engine], true),
        (&no_engine, &[bus], false),
        (&no_engine, &[engine, bus], false),
        (&no_bus, &[], false),
        (&no_bus, &[bus], true),
    ] {
        let wrong = compared(facts, &intent, &with_errors(errors));
        check(wrong.is_empty() == is_true, format!("{errors:?}: {wrong:?}"))?;
    }
    // The unit of a package needs no Docker.
    "inactive".clone_into(&mut no_engine.units[2].active);
    refuses(&no_engine, &intent, &with_errors(&[engine]))
}

/// Checks that the agent counts as away only while it does not run.
fn try_agent() -> Result<()> {
    let ready = reported("ready", "healthy", "");
    let mut lost = ready.clone();
    lost["state"] = json!("unreachable");
    let facts = good_facts();
    refuses(&facts, &Intent::default(), &lost)?;
    let later = Intent { acted_ms: NOW_MS, ..Intent::default() };
    refuses(&facts, &later, &ready)?;
    let mut away = facts;
    away.agent_runs = false;
    accepts(&away, &later, &lost)?;
    refuses(&away, &later, &ready)
}

/// Checks that a stop may be in doubt only where nobody watched.
fn try_doubts() -> Result<()> {
    let doubt = "stopped on the host by hand, or it ended by itself; which of both is not known";
    let before_soaked = "not running before its soak finished; it is not known whether it was stopped on the \
                         host by hand or ended by itself";
    let mut ended = good_facts();
    "inactive".clone_into(&mut ended.units[2].active);
    ended.answers[2].clear();
    let with = |reason: &str| {
        let mut said = reported("ready", "healthy", "");
        let instance =
            json!({"phase": {"name": "stopped-by-hand"}, "health": "unknown", "reason": reason});
        said["report"]["instances"]["exporter"] = instance;
        said
    };
    for (stop, end, reason, is_true) in [
        (Stop::Yes, End::Watched, "stopped on the host by hand", true),
        (Stop::Yes, End::Watched, doubt, false),
        (Stop::Yes, End::Reported, doubt, false),
        (Stop::Yes, End::Watched, before_soaked, false),
        (Stop::Yes, End::Unwatched, before_soaked, true),
        (Stop::Yes, End::Unwatched, doubt, true),
        (Stop::Yes, End::Unwatched, "its unit is masked on the host", false),
        (Stop::No, End::Watched, doubt, false),
        (Stop::No, End::Unwatched, doubt, true),
        (Stop::No, End::Unwatched, "stopped on the host by hand", false),
        (Stop::Perhaps, End::Watched, doubt, true),
    ] {
        let intent = Intent {
            stops: [Stop::No, Stop::No, stop],
            ends: [End::Watched, End::Watched, end],
            ..Intent::default()
        };
        let wrong = compared(&ended, &intent, &with(reason));
        check(wrong.is_empty() == is_true, format!("{stop:?}, {end:?}, {reason}: {wrong:?}"))?;
    }
    Ok(())
}

/// Checks that a frozen supervisor must be reported, and that its health counts as not known only then.
fn try_frozen_supervisors() -> Result<()> {
    let (facts, intent) = (good_facts(), Intent::default());
    let mut frozen = facts.clone();
    frozen.units[0].is_frozen = true;
    let unknown = reported("unhealthy", "unknown", "no recent health check");
    refuses(&facts, &intent, &unknown)?;
    accepts(&frozen, &intent, &unknown)?;
    refuses(&frozen, &intent, &reported("ready", "healthy", ""))
}

/// Checks that what was changed by hand is put right or reported by its own words.
fn try_changes() -> Result<()> {
    let change: [fn(&mut Facts); 8] = [
        |it| it.has_drop_in[0] = true,
        |it| it.units[0].drop_ins = vec!["/etc/a.conf".to_owned()],
        |it| "masked".clone_into(&mut it.units[0].load),
        |it| it.files[0].document.clear(),
        |it| it.files[0].unit.clear(),
        |it| it.files[0].drop_in.clear(),
        |it| it.containers.iter_mut().flatten().for_each(|it| it.settings = "64/no".to_owned()),
        |it| it.containers.iter_mut().flatten().for_each(|it| it.settings = "0/always".to_owned()),
    ];
    let words = [
        "something",
        "/etc/a.conf changes unit oml-first.service",
        "unit oml-first.service is masked",
        "its instance document was removed",
        "unit oml-first.service was edited",
        "its unit is missing or out of date",
        "container oml-first has the memory limit 64 MiB, not none",
        "container oml-first has the restart policy always, not no",
    ];
    for (number, change) in change.iter().enumerate() {
        let mut facts = good_facts();
        change(&mut facts);
        // The second component has the settings of the first.
        let said = |found: &str| {
            let mut said = reported("ready", "healthy", "");
            for name in ["first", "second"] {
                said["report"]["instances"][name]["drift"] = json!({"found": found});
            }
            said
        };
        refuses(&facts, &Intent::default(), &reported("ready", "healthy", ""))?;
        accepts(&facts, &Intent::default(), &said(words[number]))?;
        if number > 0 {
            refuses(&facts, &Intent::default(), &said("its container is gone"))?;
        }
    }
    Ok(())
}

/// Checks that the expectation accepts what is true and finds what is not.
pub(crate) fn run() -> Result<()> {
    try_crash_loops()?;
    try_taken_port()?;
    try_outages()?;
    try_agent()?;
    try_doubts()?;
    try_frozen_supervisors()?;
    try_changes()?;
    let (facts, intent) = (good_facts(), Intent::default());
    let ready = reported("ready", "healthy", "");
    let by_hand = reported("stopped-by-hand", "unknown", "stopped on the host by hand");
    accepts(&facts, &intent, &ready)?;
    refuses(&facts, &intent, &reported("unhealthy", "unhealthy", "does not answer"))?;
    refuses(&facts, &intent, &by_hand)?;
    let down = first_down("inactive");
    for reason in ["", "its container is gone", "stopped on the host by hand", "not ours"] {
        refuses(&down, &intent, &reported("blocked", "unknown", reason))?;
    }
    let mut frozen = facts.clone();
    frozen.answers[0].clear();
    let of_docker = reported("unhealthy", "unhealthy", "docker does not answer: gone");
    let silent = reported("unhealthy", "unhealthy", "does not answer");
    refuses(&frozen, &intent, &silent)?;
    if let Some(containers) = &mut frozen.containers {
        containers[0].is_frozen = true;
    }
    accepts(&frozen, &intent, &silent)?;
    refuses(&frozen, &intent, &of_docker)?;
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
