//! Facts and reports for the trials that need no host.

use serde_json::{Value, json};

use crate::component::{COMPONENTS, Component};
use crate::desired::Desired;
use crate::facts::{Container, Facts, OurFiles, Unit};

/// The time of every report in the trials.
pub(crate) const NOW_MS: u64 = 1_000;
pub(crate) const IMAGE: &str = "sha256:good";
pub(crate) const SETTINGS: &str = "0/no";

pub(crate) fn container(name: &str, id: &str) -> Container {
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

/// Returns our files about a component as the agent wrote them.
pub(crate) fn files() -> OurFiles {
    let [document, unit, drop_in] = ["document", "unit", "none"].map(str::to_owned);
    OurFiles { document, unit, drop_in }
}

/// Returns what every component runs in these trials.
pub(crate) fn desired() -> Desired {
    let image = |it: &Component| it.container.map_or("", |_| IMAGE).to_owned();
    let images = COMPONENTS.iter().map(image).collect();
    let settings = vec![SETTINGS.to_owned(); COMPONENTS.len()];
    Desired { images, settings, files: vec![files(); COMPONENTS.len()] }
}

/// Returns facts in which the unit of the first component does not run.
pub(crate) fn first_down(active: &str) -> Facts {
    let mut facts = good_facts();
    facts.containers = Some(vec![container("oml-second", "second")]);
    facts.answers[0].clear();
    active.clone_into(&mut facts.units[0].active);
    facts
}

/// Returns the facts about a host on which all is well.
pub(crate) fn good_facts() -> Facts {
    let (load, active) = ("loaded".to_owned(), "active".to_owned());
    let unit = Unit { load, active, is_frozen: false, drop_ins: Vec::new() };
    let containers = COMPONENTS.iter().filter_map(|it| Some(container(it.container?, it.name)));
    Facts {
        containers: Some(containers.collect()),
        units: vec![unit; COMPONENTS.len()],
        answers: COMPONENTS.iter().map(|it| it.answer.to_owned()).collect(),
        has_drop_in: vec![false; COMPONENTS.len()],
        files: vec![files(); COMPONENTS.len()],
        ends: vec![0; COMPONENTS.len()],
        agent_runs: true,
        bus_answers: true,
        free_kib: u64::MAX,
    }
}

/// Returns what is shown to an operator: the first component as given, the second is ready.
pub(crate) fn reported(phase: &str, health: &str, reason: &str) -> Value {
    let instance = |phase: &str, health: &str, reason: &str| json!({"phase": {"name": phase}, "health": health, "reason": reason});
    json!({"state": "connected", "report": {"at_ms": NOW_MS, "errors": [], "instances": {
        "first": instance(phase, health, reason),
        "second": instance("ready", "healthy", ""),
        "exporter": instance("ready", "healthy", ""),
    }}})
}
