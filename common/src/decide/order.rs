//! The order of components.

use std::collections::BTreeMap;

use crate::id::ComponentName;

/// Returns the components in an order in which every one follows those that it names;
/// otherwise they are sorted by name. Names without an entry are ignored.
///
/// # Errors
/// Returns the components of a cycle in their order.
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

/// Follows the dependencies of components that all wait for another one until one
/// repeats.
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

/// Describes a cycle in one sentence.
#[must_use]
pub fn describe_cycle(cycle: &[ComponentName]) -> String {
    let mut names: Vec<&str> = cycle.iter().map(AsRef::as_ref).collect();
    names.extend(cycle.first().map(AsRef::as_ref));
    format!("components wait for each other: {}", names.join(" after "))
}

#[cfg(test)]
mod tests {
    //! Orders and cycles.

    use super::*;

    fn edges(pairs: &[(&str, &[&str])]) -> BTreeMap<ComponentName, Vec<ComponentName>> {
        let name = |text: &&str| text.parse().unwrap();
        pairs.iter().map(|(n, after)| (name(n), after.iter().map(name).collect())).collect()
    }

    #[test]
    fn what_is_needed_comes_first() {
        let sorted = topological(&edges(&[("c", &["b", "z"]), ("a", &["c"]), ("b", &[])])).unwrap();
        assert_eq!(sorted.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["b", "c", "a"]);
    }

    #[test]
    fn a_cycle_is_told_as_the_way_round() {
        let cycle =
            topological(&edges(&[("x", &["a"]), ("a", &["b"]), ("b", &["c"]), ("c", &["a"])]))
                .unwrap_err();
        assert_eq!(
            describe_cycle(&cycle),
            "components wait for each other: a after b after c after a"
        );
    }
}
