//! The table of states in docs/operating.md quotes what the programs print.
//!
//! In the first column of that table, code spans are messages; words in capitals and
//! numbers stand for what differs. What is left must occur in the sources: in the code
//! that prints it or, where a message is put together from several parts, in a test or in
//! the expected output of a scenario.

use std::fs;
use std::path::Path;

use crate::sources::{all, root};

/// The heading of the section that holds the table.
const HEADING: &str = "## When something is red";

#[test]
fn every_state_of_the_handbook_is_one_that_the_programs_print() {
    let text = fs::read_to_string(root().join("docs/operating.md")).unwrap();
    let rows = quoted(&text);
    assert!(rows.len() > 10, "only {} messages were found below {HEADING:?}", rows.len());
    let others = all().into_iter().filter(|source| !source.path.starts_with("tests/tidy/"));
    let mut printed: String = others.map(|source| joined(&source.text)).collect();
    printed.push_str(&outputs(&root().join("tests/scenarios")));
    let mut unknown = Vec::new();
    for message in rows {
        let lost: Vec<String> =
            parts(&message).into_iter().filter(|part| !printed.contains(part.as_str())).collect();
        if !lost.is_empty() {
            unknown.push(format!("{message}: nothing prints {lost:?}"));
        }
    }
    assert!(unknown.is_empty(), "bring docs/operating.md up to date:\n{}", unknown.join("\n"));
}

#[test]
fn names_and_numbers_of_a_message_are_left_out() {
    assert_eq!(
        parts("blocked: only N MiB are free at PATH, and N MiB must be"),
        ["MiB are free at", "MiB must be"]
    );
    assert_eq!(parts("draining until TIME: 12 calls are up"), ["draining until", "calls are up"]);
    assert_eq!(joined("\"one \\\n    line\""), "\"one line\"");
    let table = "| `no` |\n## When something is red\n| `a`, `b c` | `d` | e |\n## Backup\n| `f` |";
    assert_eq!(quoted(table), ["a", "b c"]);
}

/// Returns the code spans in the first column of the section's table.
fn quoted(text: &str) -> Vec<String> {
    let section = text.split(HEADING).nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let first = rows.filter_map(|row| row.split(" | ").next());
    first
        .flat_map(|cell| {
            format!("`{cell}").split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
}

/// Returns what is always the same in a message, without the names and numbers. The word
/// before the first colon is a state, and a single word proves nothing.
fn parts(message: &str) -> Vec<String> {
    let states = ["error", "blocked", "failed", "unknown"];
    let message = match message.split_once(": ") {
        Some((state, rest)) if states.contains(&state) => rest,
        Some(_) | None => message,
    };
    let mut parts = vec![String::new()];
    for word in message.split_whitespace() {
        let bare = word.trim_end_matches([':', ',', ';']);
        let is_variable = bare == "…"
            || bare == "→"
            || bare.chars().all(|c| c.is_ascii_digit())
            || bare.chars().all(|c| c.is_ascii_uppercase());
        let part = parts.last_mut().expect("there is always one");
        if is_variable {
            parts.push(String::new());
        } else {
            if !part.is_empty() {
                part.push(' ');
            }
            part.push_str(word);
        }
    }
    let parts = parts.iter().map(|part| part.trim_end_matches([':', ',', ';']));
    parts.filter(|part| part.contains(' ')).map(str::to_owned).collect()
}

/// Returns source text with string literals that go on in the next line put together.
fn joined(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\\n") {
        joined.push_str(before);
        rest = after.trim_start();
    }
    joined.push_str(rest);
    joined
}

fn outputs(folder: &Path) -> String {
    let files = fs::read_dir(folder).expect("the scenarios are there").flatten();
    files.filter_map(|entry| fs::read_to_string(entry.path()).ok()).collect()
}
