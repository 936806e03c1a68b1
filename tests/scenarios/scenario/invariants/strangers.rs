//! Checks that containers and units of a host that are not ours never change.

use std::collections::BTreeMap;

use crate::scenario::node::Node;
use crate::scenario::stage::{RUN_OF, component_of};

/// The text that marks every unit file of ours.
const MARK: &str = "X-Oml-";

/// The containers, unit files and units without our mark, each by its name and with its state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Strangers(pub(super) BTreeMap<String, String>);

impl Strangers {
    /// Returns what is on a host now.
    pub(super) fn of(node: &Node) -> Self {
        let mut found = BTreeMap::new();
        for container in node.host.containers() {
            let is_run = container.labels.contains_key(RUN_OF);
            if component_of(&container).is_empty() && !is_run {
                let state = format!("{:?} {:?}", container.labels, container.state);
                found.insert(format!("container {}", container.name), state);
            }
        }
        let units: BTreeMap<_, _> = node.host.units().into_iter().collect();
        let files = std::fs::read_dir(&node.paths.units).expect("a folder of the test");
        for path in files.flatten().map(|file| file.path()).filter(|path| path.is_file()) {
            let text = std::fs::read_to_string(&path).expect("a file of the test");
            if text.contains(MARK) {
                continue;
            }
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let active = units.get(&name).map(|unit| unit.active).unwrap_or_default();
            found.insert(format!("unit {name}"), format!("{active:?} {text}"));
        }
        Self(found)
    }

    /// Adds what was not known before.
    pub(super) fn add(&mut self, others: Self) {
        self.0.extend(others.0);
    }
}

/// Names the first one that is gone or has changed.
pub(super) fn check(before: &Strangers, after: &Strangers) -> Result<(), String> {
    for (name, state) in &before.0 {
        match after.0.get(name) {
            Some(now) if now == state => {}
            Some(now) => {
                return Err(format!("{name} is not ours and was changed: {state} -> {now}"));
            }
            None => return Err(format!("{name} is not ours and was taken away")),
        }
    }
    Ok(())
}
