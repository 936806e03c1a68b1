//! What the programs of a script do: how versions behave, and which calls are up.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use oml_common::document::instance::InstanceDocument;
use oml_common::time::parse_duration_ms;
use oml_sim::{Behaviour, Container, ExecAnswer, Programs};

const COMPONENT: &str = "io.oml.component";
const VERSION: &str = "io.oml.version";
const DOCUMENT: &str = "io.oml.instance";

/// What a count of calls gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Calls {
    Up(u64),
    Unreadable,
}

/// How versions behave, for all hosts, and the calls of one host.
#[derive(Debug, Default)]
pub(super) struct Stage {
    behaviours: Mutex<BTreeMap<(String, String), Behaviour>>,
    /// By container: calls end with what carries them.
    calls: Mutex<BTreeMap<String, Calls>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The component that a container is of.
pub(super) fn component_of(container: &Container) -> &str {
    container.labels.get(COMPONENT).map_or("", String::as_str)
}

/// The version that a container runs.
pub(super) fn version_of(container: &Container) -> &str {
    container.labels.get(VERSION).map_or("", String::as_str)
}

/// The document that a container was made from.
pub(super) fn document_of(container: &Container) -> Option<InstanceDocument> {
    InstanceDocument::read(container.labels.get(DOCUMENT)?).ok()
}

impl Stage {
    pub(super) fn set_behaviour(&self, component: &str, version: &str, behaviour: Behaviour) {
        let key = (component.to_owned(), version.to_owned());
        lock(&self.behaviours).insert(key, behaviour);
    }

    pub(super) fn set_calls(&self, container: &Container, calls: Calls) {
        lock(&self.calls).insert(container.id.clone(), calls);
    }

    /// The calls of a container.
    pub(super) fn calls(&self, container: &Container) -> Calls {
        lock(&self.calls).get(&container.id).copied().unwrap_or(Calls::Up(0))
    }
}

impl Programs for Stage {
    fn behaviour(&self, container: &Container) -> Behaviour {
        let key = (component_of(container).to_owned(), version_of(container).to_owned());
        lock(&self.behaviours).get(&key).cloned().unwrap_or_default()
    }

    /// The only commands are those that count calls.
    fn exec(&self, container: &Container, _command: &[String]) -> ExecAnswer {
        let document = document_of(container);
        let active = document.as_ref().and_then(|document| document.active.as_ref());
        match (active, self.calls(container)) {
            (Some(active), Calls::Up(number)) => {
                ExecAnswer { exit_code: 0, stdout: format!("{number} {}\n", active.before.trim()) }
            }
            (Some(_), Calls::Unreadable) | (None, _) => {
                ExecAnswer { exit_code: 1, stdout: String::new() }
            }
        }
    }
}

/// Reads `good`, `exits-at-once`, `hangs`, `dies-after 4s` or `unhealthy-after 4s`.
pub(super) fn parse_behaviour(words: &[&str]) -> Option<Behaviour> {
    match words {
        ["good"] => Some(Behaviour::Good),
        ["exits-at-once"] => Some(Behaviour::ExitsAtOnce { code: 1, log: Vec::new() }),
        ["hangs"] => Some(Behaviour::Hangs),
        ["dies-after", span] => {
            parse_duration_ms(span).ok().map(|after_ms| Behaviour::DiesAfter { after_ms })
        }
        ["unhealthy-after", span] => {
            parse_duration_ms(span).ok().map(|after_ms| Behaviour::UnhealthyAfter { after_ms })
        }
        _ => None,
    }
}
