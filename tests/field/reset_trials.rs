//! Trials of how a host is read, what is left of a sequence, and what the agent could see of it, without a host.

use anyhow::{Context as _, Result, bail};
use oml_tests::trial::check;
use serde_json::json;

use crate::action::SequenceStep;
use crate::actions::all;
use crate::component::COMPONENTS;
use crate::expectation::idle;
use crate::facts::{Facts, read};
use crate::fixtures::{NOW_MS, container, desired, first_down, good_facts, reported};
use crate::intent::{End, Intent, NOT_TYPED, Stop};
use crate::traces::{Traces, left};

/// Returns the step of an action on the first component.
fn step(name: &str) -> Result<SequenceStep> {
    let action = all().find(|action| action.name == name).context("there is such an action")?;
    Ok(SequenceStep { action: *action, on: 0, waits: false })
}

/// Checks that what the script prints on a host becomes the facts about it.
pub(crate) fn run_read() -> Result<()> {
    let facts = read(
        "engine up\n\
         container abc /oml-first running 2026 sha256:x 0/no 7 T\n\
         unit omlagent.service loaded active Ssl\nbus up\nfree 5\n\
         unit oml-first.service loaded active T\n\
         reads oml-first.service /etc/systemd/system.control/oml-first.service.d/50-CPUWeight.conf\n\
         drop-in oml-first.service\nanswer 8081 v1\nends oml-first.service 2\n\
         files first a b none\nunit oml-second.service masked inactive\nanswer 8082\n",
    )?;
    let first = facts.of(COMPONENTS[0]).context("the container is there")?;
    check(first.is_frozen && first.settings == "0/no", format!("{first:?}"))?;
    check(facts.agent_runs && facts.bus_answers && facts.free_kib == 5, format!("{facts:?}"))?;
    let [unit, other, missing] = facts.units.as_slice() else { bail!("{:?}", facts.units) };
    check(unit.is_frozen && unit.drop_ins.len() == 1, format!("{unit:?}"))?;
    check(other.load == "masked" && !other.is_frozen, format!("{other:?}"))?;
    check(missing.load.is_empty(), format!("{missing:?}"))?;
    check(facts.has_drop_in == [true, false, false], format!("{:?}", facts.has_drop_in))?;
    check(facts.answers == ["v1", "", ""] && facts.ends == [2, 0, 0], format!("{facts:?}"))?;
    check(facts.files[0].document == "a" && facts.files[0].unit == "b", format!("{facts:?}"))?;
    let without = read("unit omlagent.service loaded inactive\nfree 5\n")?;
    let is_away = without.containers.is_none() && !without.bus_answers && !without.agent_runs;
    check(is_away, format!("{without:?}"))
}

/// Checks that everything that differs after the reset is found.
pub(crate) fn run_reset() -> Result<()> {
    let traces = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect::<Traces>();
    let before = traces(&["container /oml-first", "unit a LoadState loaded"]);
    check(left(&before, &before).is_empty(), "nothing is left")?;
    let masked = traces(&["container /oml-first", "unit a LoadState masked", "file /run/a"]);
    let found = left(&before, &masked);
    let expected =
        ["left: file /run/a", "left: unit a LoadState masked", "missing: unit a LoadState loaded"];
    check(found == expected, format!("{found:?}"))?;
    check(idle(&good_facts(), &desired()).is_empty(), "all components run")?;
    // During a sequence a mask is a cause; between two it is none.
    let mut facts = first_down("inactive");
    "masked".clone_into(&mut facts.units[0].load);
    check(idle(&facts, &desired()).len() == 1, "the first component does not run")
}

/// Returns the facts about a host on which a copy with this id has the name of the first component.
fn with_copy(id: &str) -> Facts {
    let copy = container("oml-first", id);
    Facts { containers: Some(vec![copy, container("oml-second", "second")]), ..good_facts() }
}

/// Checks that an action by hand is followed, and that the agent's absence counts no longer than it lasts.
pub(crate) fn run_intent() -> Result<()> {
    let (runs, rests) = (good_facts(), first_down("inactive"));
    let by_hand = reported("stopped-by-hand", "unknown", "stopped on the host by hand");
    let id = "6".repeat(64);
    let mut copied = Intent::default();
    copied.done(step("a copy takes the name")?, 0, &id);
    copied.remember(&with_copy(&id));
    copied.done(step("docker rm -f of a copy with the name")?, NOT_TYPED, "");
    check(copied.foreign_ids() == id, "what was not typed removed nothing")?;
    copied.done(step("docker rm -f of a copy with the name")?, 0, "");
    check(copied.foreign_ids().is_empty(), "the copy was removed")?;
    let mut intent = Intent::default();
    intent.done(step("systemctl stop")?, NOT_TYPED, "");
    check(intent.stops[0] == Stop::No, "a stop that was not typed is none")?;
    intent.done(step("systemctl stop")?, 1, "");
    check(intent.stops[0] == Stop::No, "a stop that failed is none")?;
    intent.done(step("systemctl stop")?, 124, "");
    intent.remember(&rests);
    check((intent.stops[0], intent.ends[0]) == (Stop::Yes, End::Watched), format!("{intent:?}"))?;
    intent.hear(&rests, &by_hand);
    intent.done(step("the agent restarts")?, 0, "");
    intent.remember(&rests);
    check(intent.ends[0] == End::Reported, "what was said once is not forgotten")?;
    intent.done(step("the other's document is copied")?, 0, "");
    check(intent.stops[0] == Stop::No, "a restart is a start")?;
    check(intent.agent_ended, "the agent has not reported yet")?;
    intent.done(step("systemctl stop")?, 0, "");
    intent.remember(&rests);
    check(intent.ends[0] == End::Unwatched, "nobody saw that stop")?;
    intent.acted_ms = NOW_MS;
    intent.hear(&rests, &by_hand);
    check(intent.agent_ended, "a report from before says nothing")?;
    intent.acted_ms = 0;
    let mut away = runs.clone();
    away.agent_runs = false;
    intent.hear(&away, &by_hand);
    check(intent.agent_ended, "an agent that does not run watches nothing")?;
    away.agent_runs = true;
    away.bus_answers = false;
    intent.hear(&away, &by_hand);
    check(intent.agent_ended, "without D-Bus it watches no units")?;
    let mut unreachable = by_hand.clone();
    unreachable["state"] = json!("unreachable");
    intent.hear(&runs, &unreachable);
    check(intent.agent_ended, "the report is an old one")?;
    intent.hear(&runs, &by_hand);
    check(!intent.agent_ended, "the agent watches again")?;
    intent.done(step("the unit file is edited, and the unit restarted")?, 0, "");
    intent.remember(&runs);
    intent.done(step("systemctl stop")?, 0, "");
    intent.remember(&rests);
    check(intent.ends[0] == End::Watched, "this stop was seen")?;
    intent.done(step("the unit is masked")?, 0, "");
    check(intent.stops[0] == Stop::Perhaps, "a mask hides the stop")
}
