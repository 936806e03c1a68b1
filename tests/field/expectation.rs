//! Checks whether a host runs what is desired, or whether what is reported about it is true.

use serde_json::Value;

use crate::causes::{NOT_OBSERVED, causes, runs, serves};
use crate::changes::changes;
use crate::component::{COMPONENTS, ComponentIndex};
use crate::desired::Desired;
use crate::facts::Facts;
use crate::intent::{BY_HAND, End, Intent, Stop, is_doubtful};

/// One thing that is wrong with a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// None if it concerns the whole host.
    pub(crate) component: Option<ComponentIndex>,
    pub(crate) expected: String,
    pub(crate) seen: String,
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.component.map_or("the host", |index| COMPONENTS[index].name);
        write!(f, "{name}\n  expected: {}\n  seen: {}", self.expected, self.seen)
    }
}

fn of_host(expected: &str, seen: String) -> Wrong {
    Wrong { component: None, expected: expected.to_owned(), seen }
}

/// Returns what is wrong with a host; nothing if it runs what is desired or the reason why not is true.
/// `reported` is the entry of the node in the status that operators see.
pub(crate) fn wrong(
    facts: &Facts,
    intent: &Intent,
    desired: &Desired,
    reported: &Value,
) -> Vec<Wrong> {
    let mut wrong = touched(facts, intent);
    if !facts.agent_runs {
        // Without an agent the state is unknown; the controller must say so.
        let expected = "the agent does not run, and is shown as not connected";
        let is_shown = reported["state"] != "connected";
        wrong.extend((!is_shown).then(|| of_host(expected, reported["state"].to_string())));
        return wrong;
    }
    if !intent.is_reported(reported) {
        let seen = format!("{}, report of {}", reported["state"], reported["report"]["at_ms"]);
        let expected = format!("the agent runs and has reported after {}", intent.acted_ms);
        wrong.push(of_host(&expected, seen));
        return wrong;
    }
    wrong.extend(outages(facts, reported));
    for index in 0..COMPONENTS.len() {
        wrong.extend(wrong_component(Observation { facts, intent, desired, reported, index }));
    }
    wrong
}

/// What the agent says of a daemon that does not answer.
const ENGINE_AWAY: &str = "docker does not answer";
const SYSTEMD_AWAY: &str = "systemd does not answer";

/// Returns the daemons that do not answer without a word, and those that answer although the agent says that they
/// do not.
fn outages(facts: &Facts, reported: &Value) -> Vec<Wrong> {
    let errors = &reported["report"]["errors"];
    let says = |words: &str| {
        let mut errors = errors.as_array().into_iter().flatten();
        errors.any(|error| error.as_str().is_some_and(|error| error.contains(words)))
    };
    let daemons = [(facts.containers.is_some(), ENGINE_AWAY), (facts.bus_answers, SYSTEMD_AWAY)];
    let wrong = daemons.into_iter().filter_map(|(answers, words)| {
        let expected = if answers { "not reported, because it does" } else { "reported" };
        let is_true = says(words) != answers;
        (!is_true).then(|| of_host(&format!("{words:?} is {expected}"), errors.to_string()))
    });
    wrong.collect()
}

/// Returns the containers of others that are not as they were left.
fn touched(facts: &Facts, intent: &Intent) -> Vec<Wrong> {
    let Some(containers) = &facts.containers else { return Vec::new() };
    let known = intent.foreign.iter().filter_map(|(id, known)| Some((id, known.as_ref()?)));
    let changed = known.filter_map(|(id, known)| {
        let now = containers.iter().find(|container| container.id == *id);
        let expected = format!("a container of others stays {known:?}");
        (now != Some(known)).then(|| of_host(&expected, format!("{now:?}")))
    });
    changed.collect()
}

/// One component in one look at a host.
#[derive(Clone, Copy)]
struct Observation<'a> {
    facts: &'a Facts,
    intent: &'a Intent,
    desired: &'a Desired,
    reported: &'a Value,
    index: ComponentIndex,
}

impl Observation<'_> {
    fn seen(&self) -> &Value {
        &self.reported["report"]["instances"][COMPONENTS[self.index].name]
    }

    fn text(&self, key: &str) -> &str {
        self.seen()[key].as_str().unwrap_or_default()
    }

    fn phase(&self) -> &str {
        self.seen()["phase"]["name"].as_str().unwrap_or_default()
    }

    fn reason(&self) -> &str {
        self.text("reason")
    }

    /// Returns that something is wrong, with all that is known of the component.
    fn wrong(&self, expected: &str) -> Wrong {
        let Self { facts, intent, index, .. } = *self;
        let (container, unit) = (facts.of(COMPONENTS[index]), &facts.units[index]);
        let (answer, ends) = (&facts.answers[index], facts.ends[index]);
        let (stop, end) = (intent.stops[index], intent.ends[index]);
        let (phase, health, reason) = (self.phase(), self.text("health"), self.reason());
        let drift = &self.seen()["drift"]["found"];
        let seen = format!(
            "{container:?}, {unit:?}, answer {answer:?}, {ends} ends, stop {stop:?} ({end:?})\n  \
             reported: {phase}, {health}: {reason}; drift {drift}"
        );
        Wrong { component: Some(index), expected: expected.to_owned(), seen }
    }
}

fn wrong_component(it: Observation<'_>) -> Option<Wrong> {
    let Observation { facts, intent, index, .. } = it;
    let needs_engine = COMPONENTS[index].container.is_some();
    if !facts.bus_answers || (needs_engine && facts.containers.is_none()) {
        // What runs is unknown, and the host has to say so.
        return None;
    }
    let is_old = |words: &str| it.reason().contains(words);
    if is_old(SYSTEMD_AWAY) || (facts.containers.is_some() && is_old(ENGINE_AWAY)) {
        return Some(it.wrong("no reason names a daemon that answers"));
    }
    if intent.stops[index] == Stop::Yes {
        return wrong_stop(it);
    }
    if serves(facts, intent, it.desired, index) {
        return wrong_service(it);
    }
    let reason = it.reason();
    let is_line = !reason.is_empty() && !reason.contains('\n');
    let causes = causes(facts, intent, index);
    let is_true = causes.iter().any(|words| words.iter().any(|word| reason.contains(word)));
    let expected = format!("it runs as desired, or one line says why not, with one of {causes:?}");
    (!is_line || !is_true).then(|| it.wrong(&expected))
}

/// Returns what is wrong with a component that was stopped by hand.
fn wrong_stop(it: Observation<'_>) -> Option<Wrong> {
    let Observation { facts, intent, index, .. } = it;
    let unit = &facts.units[index];
    let is_stopped = unit.active != "active" && !runs(facts, intent, index);
    let may_doubt = intent.ends[index] == End::Unwatched;
    let by_hand = it.reason().contains(BY_HAND) && (may_doubt || !is_doubtful(it.reason()));
    let masked = unit.load == "masked" && it.reason().contains("masked");
    let expected = match may_doubt {
        true => "it stays stopped, and is reported as stopped by hand, perhaps with a doubt",
        false => "it stays stopped, and is reported as stopped by hand, without a doubt",
    };
    (!is_stopped || !(by_hand || masked)).then(|| it.wrong(expected))
}

/// Returns what is wrong with a component that runs as desired.
fn wrong_service(it: Observation<'_>) -> Option<Wrong> {
    let Observation { facts, index, .. } = it;
    let (phase, reason) = (it.phase(), it.reason());
    if facts.units[index].is_frozen && COMPONENTS[index].container.is_some() {
        let is_shown = phase == "unhealthy" && reason.contains(NOT_OBSERVED);
        let expected = "its supervisor is frozen, and its health is reported as not known";
        return (!is_shown).then(|| it.wrong(expected));
    }
    // Several sequences on a host may have ended it, which is reported until it has run for a while.
    let loops = phase == "crash-looping"
        && reason.starts_with("ends again and again")
        && facts.ends[index] >= LOOP_ENDS;
    if (phase != "ready" && !loops) || it.text("health") != "healthy" {
        return Some(it.wrong("it runs as desired, and is reported as ready and healthy"));
    }
    let drift = it.seen()["drift"]["found"].as_str();
    let missing = changes(facts, it.desired, index).into_iter().find(|words| {
        !drift.is_some_and(|drift| words.iter().any(|word| drift.contains(word.as_str())))
    });
    let words = missing?;
    Some(it.wrong(&format!(
        "what was changed by hand is put right, or its drift has one of {words:?}"
    )))
}

/// Returns what keeps a host from being as it is between two sequences: every component runs as desired.
pub(crate) fn idle(facts: &Facts, desired: &Desired) -> Vec<Wrong> {
    let intent = Intent::default();
    let resting = (0..COMPONENTS.len()).filter(|index| !serves(facts, &intent, desired, *index));
    let wrong = resting.map(|index| {
        let (reported, intent) = (&Value::Null, &intent);
        Observation { facts, intent, desired, reported, index }
            .wrong("it runs as desired after the reset")
    });
    wrong.collect()
}

/// So many ends within an hour are a crash loop.
pub(crate) const LOOP_ENDS: usize = 3;
