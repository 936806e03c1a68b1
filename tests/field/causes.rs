//! Whether a component runs as desired, and the causes that are true of one that does not.

use crate::component::{COMPONENTS, ComponentIndex};
use crate::desired::Desired;
use crate::facts::Facts;
use crate::intent::{BY_HAND, DOUBTS, End, Intent, Stop};

/// Returns true if our own container runs under our name, or the unit of the package.
pub(crate) fn runs(facts: &Facts, intent: &Intent, index: ComponentIndex) -> bool {
    if COMPONENTS[index].container.is_none() {
        return facts.units[index].active == "active";
    }
    facts.of(COMPONENTS[index]).is_some_and(|container| {
        container.status == "running" && !intent.foreign.contains_key(&container.id)
    })
}

pub(crate) fn serves(
    facts: &Facts,
    intent: &Intent,
    desired: &Desired,
    index: ComponentIndex,
) -> bool {
    let image = facts.of(COMPONENTS[index]).map(|container| container.image.as_str());
    runs(facts, intent, index)
        && image.unwrap_or_default() == desired.images[index]
        && facts.units[index].active == "active"
        && facts.answers[index] == COMPONENTS[index].answer
}

/// Returns the true causes for which a component may be down, each with the words of which a reason must
/// have one.
pub(crate) fn causes(
    facts: &Facts,
    intent: &Intent,
    index: ComponentIndex,
) -> Vec<&'static [&'static str]> {
    let mut causes: Vec<&[&str]> = Vec::new();
    let unit = &facts.units[index];
    if unit.load == "masked" {
        causes.push(&["masked"]);
    }
    if intent.stops[index] == Stop::Perhaps && unit.active != "active" {
        causes.push(&[BY_HAND]);
    }
    // The unit of a package has nobody who notes how it ended.
    if COMPONENTS[index].container.is_none()
        && intent.ends[index] == End::Unwatched
        && unit.active != "active"
    {
        causes.push(DOUBTS);
    }
    if unit.is_frozen && COMPONENTS[index].container.is_some() {
        causes.push(&[NOT_OBSERVED]);
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
        causes.push(&[BY_HAND]);
    }
    causes
}

/// What the agent says if no supervisor has asked the program for some time.
pub(crate) const NOT_OBSERVED: &str = "no recent health check";
/// The free space below which the disk counts as full: more than any of our images needs.
const FULL_KIB: u64 = 1 << 20;
