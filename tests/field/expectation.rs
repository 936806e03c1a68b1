//! Checks whether a host runs what is desired, or whether what is reported about it is true.

use serde_json::Value;

use crate::action::{COMPONENTS, ComponentIndex};
use crate::facts::Facts;
use crate::intent::{Intent, Stop};

/// What every component must run.
#[derive(Debug, Clone)]
pub(crate) struct Desired {
    /// The id of the image of every component; empty if it has none.
    pub(crate) images: Vec<String>,
    /// The settings that the container of every component is made with.
    pub(crate) settings: Vec<String>,
}

/// Returns what is wrong with a host; nothing if it runs what is desired or the reason why not is true.
/// `reported` is the entry of the node in the status that operators see.
pub(crate) fn wrong(
    facts: &Facts,
    intent: &Intent,
    desired: &Desired,
    reported: &Value,
) -> Vec<String> {
    if facts.agent_runs && facts.containers.is_none() {
        // What runs is unknown, and that must be reported.
        let is_reported = reported.to_string().contains("docker does not answer");
        return if is_reported {
            Vec::new()
        } else {
            vec![format!("docker is away; reported: {reported}")]
        };
    }
    let mut wrong = touched(facts, intent);
    for index in 0..COMPONENTS.len() {
        wrong.extend(wrong_component(facts, intent, desired, reported, index));
    }
    wrong
}

/// Returns the containers of others that are not as they were left.
fn touched(facts: &Facts, intent: &Intent) -> Vec<String> {
    let Some(containers) = &facts.containers else { return Vec::new() };
    let known = intent.foreign.iter().filter_map(|(id, known)| Some((id, known.as_ref()?)));
    let changed = known.filter_map(|(id, known)| {
        let now = containers.iter().find(|container| container.id == *id);
        (now != Some(known)).then(|| format!("a container of others was {known:?} and is {now:?}"))
    });
    changed.collect()
}

fn wrong_component(
    facts: &Facts,
    intent: &Intent,
    desired: &Desired,
    reported: &Value,
    index: ComponentIndex,
) -> Option<String> {
    let component = COMPONENTS[index].name;
    let seen = &reported["report"]["instances"][component];
    let text = |key: &str| seen[key].as_str().unwrap_or_default().to_owned();
    let phase = seen["phase"]["name"].as_str().unwrap_or_default().to_owned();
    let (health, reason) = (text("health"), text("reason"));
    let serves = serves(facts, intent, desired, index);
    let shown = format!("{phase}, {health}: {reason}");
    let is_stopped = facts.units[index].active != "active" && !runs(facts, intent, index);
    let by_hand = reason.contains("by hand") || reason.contains("masked");
    if intent.stops[index] == Stop::Yes && facts.agent_runs {
        return (!is_stopped || !by_hand).then(|| {
            format!(
                "{component} was stopped by hand; unit {:?}; reported: {shown}",
                facts.units[index]
            )
        });
    }
    if !facts.agent_runs {
        // Without an agent the state is unknown; the controller must say so.
        let is_reported = reported["state"] != "connected";
        return (!is_reported)
            .then(|| format!("the agent does not run and is {}", reported["state"]));
    }
    if serves {
        // Several sequences on a host may have ended it, which is reported until it has run for a while.
        let loops = phase == "crash-looping"
            && reason.starts_with("ends again and again")
            && facts.ends[index] >= LOOP_ENDS;
        if (phase != "ready" && !loops) || health != "healthy" {
            return Some(format!("{component} runs as desired, but is {shown}"));
        }
        let is_reported = !has_changes(facts, desired, index) || seen["drift"]["found"].is_string();
        return (!is_reported)
            .then(|| format!("{component} was changed by hand, and nothing is reported"));
    }
    let is_line = !reason.is_empty() && !reason.contains('\n');
    let is_true = causes(facts, intent, index)
        .iter()
        .any(|words| words.iter().any(|word| reason.contains(word)));
    (!is_line || !is_true).then(|| {
        let container = facts.of(COMPONENTS[index]);
        let (unit, answer) = (&facts.units[index], &facts.answers[index]);
        format!("{component} does not run as desired ({container:?}, {unit:?}, answer {answer:?}), and is {shown}")
    })
}

/// Returns true if something on the host differs from what we wrote, and need not be put right while the
/// component runs.
fn has_changes(facts: &Facts, desired: &Desired, index: ComponentIndex) -> bool {
    let differs =
        |container: &crate::facts::Container| container.settings != desired.settings[index];
    facts.has_drop_in[index] || facts.of(COMPONENTS[index]).is_some_and(differs)
}

/// Returns true if our own container runs under our name, or the unit of the package.
fn runs(facts: &Facts, intent: &Intent, index: ComponentIndex) -> bool {
    if COMPONENTS[index].container.is_none() {
        return facts.units[index].active == "active";
    }
    facts.of(COMPONENTS[index]).is_some_and(|container| {
        container.status == "running" && !intent.foreign.contains_key(&container.id)
    })
}

fn serves(facts: &Facts, intent: &Intent, desired: &Desired, index: ComponentIndex) -> bool {
    let image = facts.of(COMPONENTS[index]).map(|container| container.image.as_str());
    runs(facts, intent, index)
        && image.unwrap_or_default() == desired.images[index]
        && facts.units[index].active == "active"
        && facts.answers[index] == COMPONENTS[index].answer
}

/// Returns the true causes for which a component may be down, each with the words of which a reason must
/// have one.
fn causes(facts: &Facts, intent: &Intent, index: ComponentIndex) -> Vec<&'static [&'static str]> {
    let mut causes: Vec<&[&str]> = Vec::new();
    let unit = &facts.units[index];
    if unit.load == "masked" {
        causes.push(&["masked"]);
    }
    if intent.stops[index] == Stop::Perhaps && unit.active != "active" {
        causes.push(&["by hand"]);
    }
    let container = facts.of(COMPONENTS[index]);
    if container.is_some_and(|container| intent.foreign.contains_key(&container.id)) {
        causes.push(&["not ours"]);
    }
    // One that was renamed while nothing watched over it is left alone with its port, and the program
    // says so. What has the port is reported as drift.
    if renamed_runs(facts, index) {
        causes.push(&["already in use"]);
    }
    if container.is_some_and(|container| container.status == "paused") {
        causes.push(&["paused", "answer", "connect"]);
    }
    if container.is_some_and(|container| container.is_frozen) {
        causes.push(&["answer"]);
    }
    if facts.free_kib < FULL_KIB {
        causes.push(&["free", "space", "full"]);
    }
    // The second component waits for the first.
    if index == 1 && !causes_of_first(facts, intent).is_empty() {
        causes.push(&["waits for first"]);
    }
    causes
}

/// Returns true if the container of a component runs under a name that somebody gave it.
fn renamed_runs(facts: &Facts, index: ComponentIndex) -> bool {
    let Some(own) = COMPONENTS[index].container else { return false };
    let renamed = format!("was-{own}-");
    let mut containers = facts.containers.iter().flatten();
    containers.any(|it| it.name.starts_with(&renamed) && it.status == "running")
}

fn causes_of_first(facts: &Facts, intent: &Intent) -> Vec<&'static [&'static str]> {
    let mut causes = causes(facts, intent, 0);
    if intent.stops[0] == Stop::Yes {
        causes.push(&["by hand"]);
    }
    causes
}

/// So many ends within an hour are a crash loop.
pub(crate) const LOOP_ENDS: usize = 3;
/// The free space below which the disk counts as full: more than any of our images needs.
const FULL_KIB: u64 = 1 << 20;
