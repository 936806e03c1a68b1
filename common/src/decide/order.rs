//! The order of components by their dependencies.

use std::collections::BTreeMap;

use crate::id::ComponentName;

/// Sorts components so that each follows its dependencies, and otherwise by name.
/// Dependencies that are not components themselves are ignored.
///
/// # Errors
/// Returns the components of a cycle, each before the one that it depends on.
pub fn topological(
    after: &BTreeMap<ComponentName, Vec<ComponentName>>,
) -> Result<Vec<ComponentName>, Vec<ComponentName>> {
    let mut sorted: Vec<ComponentName> = Vec::with_capacity(after.len());
    let mut left: BTreeMap<&ComponentName, &Vec<ComponentName>> = after.iter().collect();
    while !left.is_empty() {
        let ready: Vec<&ComponentName> = left
            .iter()
            .filter(|(_, needs)| !needs.iter().any(|need| left.contains_key(need)))
            .map(|(name, _)| *name)
            .collect();
        if ready.is_empty() {
            return Err(cycle(&left));
        }
        for name in ready {
            left.remove(name);
            sorted.push(name.clone());
        }
    }
    Ok(sorted)
}

/// Finds a cycle among components that all depend on another one of them.
fn cycle(left: &BTreeMap<&ComponentName, &Vec<ComponentName>>) -> Vec<ComponentName> {
    let mut way: Vec<ComponentName> = Vec::new();
    let mut next = left.keys().next().copied();
    while let Some(name) = next {
        if let Some(start) = way.iter().position(|seen| seen == name) {
            way.drain(..start);
            break;
        }
        way.push(name.clone());
        next = left.get(name).and_then(|needs| needs.iter().find(|need| left.contains_key(need)));
    }
    way
}

/// Describes a cycle in a sentence.
#[must_use]
pub fn describe_cycle(cycle: &[ComponentName]) -> String {
    let mut names: Vec<&str> = cycle.iter().map(AsRef::as_ref).collect();
    names.extend(cycle.first().map(AsRef::as_ref));
    format!("components wait for each other: {}", names.join(" after "))
}

#[cfg(test)]
mod tests {
    //! Tests of the order and of cycles.

    use super::*;

    fn edges(pairs: &[(&str, &[&str])]) -> BTreeMap<ComponentName, Vec<ComponentName>> {
        let name = |text: &&str| text.parse().unwrap();
        pairs.iter().map(|(n, after)| (name(n), after.iter().map(name).collect())).collect()
    }

    #[test]
    fn dependencies_come_first() {
        let sorted = topological(&edges(&[("c", &["b", "z"]), ("a", &["c"]), ("b", &[])])).unwrap();
        assert_eq!(sorted.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["b", "c", "a"]);
    }

    #[test]
    fn a_cycle_is_described_by_its_components() {
        let cycle =
            topological(&edges(&[("x", &["a"]), ("a", &["b"]), ("b", &["c"]), ("c", &["a"])]))
                .unwrap_err();
        assert_eq!(
            describe_cycle(&cycle),
            "components wait for each other: a after b after c after a"
        );
    }
}
