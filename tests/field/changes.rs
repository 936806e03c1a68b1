//! What differs on a host from what we wrote, and how it has to be reported.

use crate::component::{COMPONENTS, ComponentIndex};
use crate::desired::Desired;
use crate::facts::Facts;

/// Returns what differs on the host from what we wrote while the component runs, each as the words of which
/// its drift must have one until it is put right. The empty word is in every drift.
pub(crate) fn changes(facts: &Facts, desired: &Desired, index: ComponentIndex) -> Vec<Vec<String>> {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let mut changes = Vec::new();
    let unit = &facts.units[index];
    let name = COMPONENTS[index].unit;
    if facts.has_drop_in[index] {
        // One that systemd has not read is not known by its path.
        changes.push(words(&[""]));
    }
    if unit.load == "masked" {
        changes.push(words(&["masked"]));
    } else {
        changes.extend(unit.drop_ins.iter().map(|path| words(&[path.as_str()])));
    }
    let limits = |settings: &str| {
        settings.split_once('/').map(|(memory, restart)| (memory.to_owned(), restart.to_owned()))
    };
    if let Some(container) = facts.of(COMPONENTS[index])
        && container.settings != desired.settings[index]
    {
        let (is, was) = (limits(&container.settings), limits(&desired.settings[index]));
        let part = |take: fn(&(String, String)) -> &String| {
            is.as_ref().map(take) != was.as_ref().map(take)
        };
        changes.extend(part(|it| &it.0).then(|| words(&["memory limit"])));
        changes.extend(part(|it| &it.1).then(|| words(&["restart policy"])));
    }
    let (is, was) = (&facts.files[index], &desired.files[index]);
    if is.document != was.document {
        changes.push(words(&["document"]));
    }
    if is.unit != was.unit {
        changes.push(words(&[name, "its unit is missing", "masked", "takes the place"]));
    }
    if is.drop_in != was.drop_in {
        changes.push(words(&[name, "its unit is missing"]));
    }
    changes
}
