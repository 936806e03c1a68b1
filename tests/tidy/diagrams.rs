//! The state diagrams of ARCHITECTURE.md show exactly the states of the code, and the
//! diagram of a rollout exactly its transitions.
//!
//! In a mermaid block of ARCHITECTURE.md, a line `%% enum NAME` says that the
//! lines after it, up to the next such line or the end of the block, draw the
//! states of the enum `NAME` of `common`.

use std::collections::BTreeSet;
use std::fs;

use syn::visit::{self, Visit};

use crate::sources::{all, root};
use crate::transitions;

/// The enums that have a diagram: rollout states, update stages with the
/// workload to return to, and phases.
const DRAWN: [&str; 4] = ["State", "Stage", "LastGood", "Phase"];

/// One arrow of a diagram: from a state to another; `[*]` is the start or the end.
pub(crate) type Edge = (String, String);

#[test]
fn every_diagram_shows_exactly_the_states_of_its_enum() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut wrong = Vec::new();
    for name in DRAWN {
        let drawn = states(&text, name);
        if drawn.is_empty() {
            wrong.push(format!("{name}: ARCHITECTURE.md has no diagram (`%% enum {name}`)"));
            continue;
        }
        let found = enums_of_common(name);
        let [variants] = found.as_slice() else {
            wrong.push(format!("{name}: common/src has {} enums of this name", found.len()));
            continue;
        };
        let missing = variants.difference(&drawn);
        wrong.extend(missing.map(|variant| format!("{name}: the diagram lacks {variant}")));
        let extra = drawn.difference(variants);
        wrong.extend(extra.map(|state| format!("{name}: the code has no variant {state}")));
    }
    assert!(wrong.is_empty(), "diagrams of ARCHITECTURE.md:\n{}", wrong.join("\n"));
}

#[test]
fn the_diagram_of_a_rollout_shows_exactly_its_transitions() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let (drawn, made) = (edges(&text, "State"), transitions::of_rollouts());
    let missing: Vec<&Edge> = made.difference(&drawn).collect();
    let extra: Vec<&Edge> = drawn.difference(&made).collect();
    assert!(
        missing.is_empty() && extra.is_empty(),
        "not drawn: {missing:?}; never made: {extra:?}"
    );
}

#[test]
fn every_state_of_a_diagram_can_be_reached() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for name in DRAWN {
        let edges = edges(&text, name);
        let mut reached = BTreeSet::from(["[*]"]);
        for _ in 0..=edges.len() {
            let from_reached = edges.iter().filter(|(from, _)| reached.contains(from.as_str()));
            let next: Vec<&str> = from_reached.map(|(_, to)| to.as_str()).collect();
            reached.extend(next);
        }
        let all = states(&text, name);
        let lost: Vec<&String> = all.iter().filter(|s| !reached.contains(s.as_str())).collect();
        assert!(lost.is_empty(), "the diagram of {name} has no way to {lost:?}");
    }
}

#[test]
fn edges_are_read_from_the_part_of_the_block_that_names_the_enum() {
    let text = "A --> B\n```mermaid\nstateDiagram-v2\n%% enum Light\n[*] --> Red\n\
                Red --> Green : go\n--\n%% enum Sound\n[*] --> Quiet\n```\nC --> D\n";
    let edge = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    assert_eq!(edges(text, "Light"), [edge("Red", "Green"), edge("[*]", "Red")].into());
    assert_eq!(edges(text, "Sound"), [edge("[*]", "Quiet")].into());
    assert_eq!(states(text, "Light"), ["Green".to_owned(), "Red".to_owned()].into());
}

/// Returns the arrows that the mermaid blocks of `text` draw for the enum `name`.
fn edges(text: &str, name: &str) -> BTreeSet<Edge> {
    let mut edges = BTreeSet::new();
    let (mut in_block, mut in_part) = (false, false);
    for line in text.lines().map(str::trim) {
        if line.starts_with("```") {
            (in_block, in_part) = (line == "```mermaid", false);
        } else if let Some(drawn) = line.strip_prefix("%% enum ").filter(|_| in_block) {
            in_part = drawn.trim() == name;
        } else if let Some((from, to)) = line.split_once("-->").filter(|_| in_part) {
            let to = to.split(':').next().unwrap_or_default();
            edges.insert((from.trim().to_owned(), to.trim().to_owned()));
        }
    }
    edges
}

/// Returns the states that the arrows of one enum's diagram touch.
fn states(text: &str, name: &str) -> BTreeSet<String> {
    let ends = edges(text, name).into_iter().flat_map(|(from, to)| [from, to]);
    ends.filter(|state| state != "[*]").collect()
}

/// Returns the variants of every enum of this name below `common/src`, wherever
/// its file lies.
fn enums_of_common(name: &str) -> Vec<BTreeSet<String>> {
    let mut found = Enums { name, variants: Vec::new() };
    let sources = all();
    let production = sources.iter().filter(|s| s.path.starts_with("common/src/") && !s.is_test());
    for source in production {
        found.visit_file(&source.syntax());
    }
    found.variants
}

struct Enums<'a> {
    name: &'a str,
    variants: Vec<BTreeSet<String>>,
}

impl<'ast> Visit<'ast> for Enums<'_> {
    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        if item.ident == self.name {
            let variants = item.variants.iter().map(|variant| variant.ident.to_string());
            self.variants.push(variants.collect());
        }
        visit::visit_item_enum(self, item);
    }
}
