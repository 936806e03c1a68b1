//! The behaviour of the programs of a script, and their active calls.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oml_common::document::instance::{InstanceDocument, ReloadBy};
use oml_common::time::parse_duration_ms;
use oml_sim::{Behaviour, Container, ExecAnswer, Programs};

const COMPONENT: &str = "io.oml.component";
const VERSION: &str = "io.oml.version";
const DOCUMENT: &str = "io.oml.instance";
/// The label of a container in which an operation runs.
pub(super) const RUN_OF: &str = "io.oml.run.component";
/// Stands for the version in the key of what the operations of a component do.
const OPERATIONS: &str = "operations";
/// The same for its reloads.
const RELOAD: &str = "reload";

/// The result of a count of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Calls {
    Up(u64),
    Unreadable,
}

/// The behaviour of each version of a component, on all hosts of a script.
#[derive(Debug, Default)]
pub(super) struct Behaviours(Mutex<BTreeMap<(String, String), Behaviour>>);

/// The programs of one host, with their behaviour and their active calls.
#[derive(Debug)]
pub(super) struct Stage {
    behaviours: Arc<Behaviours>,
    /// The calls by container, because they end with it.
    calls: Mutex<BTreeMap<String, Calls>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the component of a container, or an empty text. A copy has our labels and another
/// image, and is of none.
pub(super) fn component_of(container: &Container) -> &str {
    if !container.image.contains('@') {
        return "";
    }
    container.labels.get(COMPONENT).map_or("", String::as_str)
}

/// Returns the version of a container, or an empty text.
pub(super) fn version_of(container: &Container) -> &str {
    container.labels.get(VERSION).map_or("", String::as_str)
}

/// Returns the document that a container was made from.
pub(super) fn document_of(container: &Container) -> Option<InstanceDocument> {
    InstanceDocument::read(container.labels.get(DOCUMENT)?).ok()
}

impl Behaviours {
    pub(super) fn set(&self, component: &str, version: &str, behaviour: Behaviour) {
        let key = (component.to_owned(), version.to_owned());
        lock(&self.0).insert(key, behaviour);
    }

    /// Sets what the operations of a component do from now on.
    pub(super) fn set_operations(&self, component: &str, behaviour: Behaviour) {
        self.set(component, OPERATIONS, behaviour);
    }
}

impl Behaviours {
    /// Makes the next reload of a component fail.
    pub(super) fn fail_reload(&self, component: &str) {
        self.set(component, RELOAD, Behaviour::Hangs);
    }

    /// Answers the command of a reload.
    fn reload(&self, component: &str) -> ExecAnswer {
        let key = (component.to_owned(), RELOAD.to_owned());
        match lock(&self.0).remove(&key) {
            Some(_fails) => ExecAnswer { exit_code: 1, stdout: "key values mismatch\n".to_owned() },
            None => ExecAnswer::default(),
        }
    }
}

impl Stage {
    pub(super) fn new(behaviours: Arc<Behaviours>) -> Self {
        Self { behaviours, calls: Mutex::default() }
    }

    pub(super) fn set_calls(&self, container: &Container, calls: Calls) {
        lock(&self.calls).insert(container.id.clone(), calls);
    }

    /// Returns the containers that have calls, and how many.
    pub(super) fn up(&self) -> Vec<(String, u64)> {
        let calls = lock(&self.calls);
        let up = calls.iter().filter_map(|(id, calls)| match calls {
            Calls::Up(0) | Calls::Unreadable => None,
            Calls::Up(number) => Some((id.clone(), *number)),
        });
        up.collect()
    }

    /// Ends the calls of a container.
    pub(super) fn end_calls(&self, id: &str) {
        lock(&self.calls).remove(id);
    }

    /// Returns the calls of a container.
    pub(super) fn calls(&self, container: &Container) -> Calls {
        lock(&self.calls).get(&container.id).copied().unwrap_or(Calls::Up(0))
    }
}

impl Programs for Stage {
    fn behaviour(&self, container: &Container) -> Behaviour {
        let behaviours = lock(&self.behaviours.0);
        if let Some(component) = container.labels.get(RUN_OF) {
            let of_operations = behaviours.get(&(component.clone(), OPERATIONS.to_owned()));
            return of_operations.cloned().unwrap_or_else(succeeds);
        }
        let key = (component_of(container).to_owned(), version_of(container).to_owned());
        behaviours.get(&key).cloned().unwrap_or_default()
    }

    /// Answers a command that reloads, or one that counts calls; there are no others.
    fn exec(&self, container: &Container, command: &[String]) -> ExecAnswer {
        let document = document_of(container);
        let reload = document.as_ref().and_then(|document| document.reload.as_ref());
        let own = reload.map(|reload| &reload.by);
        if matches!(own, Some(ReloadBy::Command { command: own }) if own == command) {
            return self.behaviours.reload(component_of(container));
        }
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

fn succeeds() -> Behaviour {
    Behaviour::ExitsAtOnce { code: 0, log: Vec::new() }
}

/// Reads `succeed`, `fail` or `hang`.
pub(super) fn parse_operations(word: &str) -> Option<Behaviour> {
    match word {
        "succeed" => Some(succeeds()),
        "fail" => {
            Some(Behaviour::ExitsAtOnce { code: 4, log: vec!["table calls is locked".to_owned()] })
        }
        "hang" => Some(Behaviour::Hangs),
        _ => None,
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
