//! Module names that say nothing and marks of unfinished work are rejected.

use crate::sources::all;

const BANNED: [&str; 8] =
    ["util", "utils", "helper", "helpers", "service", "manager", "misc", "common_utils"];

#[test]
fn every_module_name_says_what_the_module_does() {
    let banned: Vec<String> = all()
        .into_iter()
        .filter(|source| {
            let stem = source.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
            BANNED.contains(&stem)
        })
        .map(|source| source.path)
        .collect();
    assert!(
        banned.is_empty(),
        "give these modules names that say what they do:\n{}",
        banned.join("\n")
    );
}

#[test]
fn nothing_is_unfinished_or_ignored() {
    // The marks are put together here, because this file is searched too.
    let marks = [
        ["to", "do!("].concat(),
        ["unimple", "mented!("].concat(),
        ["#[ig", "nore"].concat(),
        ["#[should_", "panic"].concat(),
        ["FIX", "ME"].concat(),
    ];
    let mut found = Vec::new();
    for source in all() {
        for (number, line) in source.text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark.as_str())) {
                found.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "finish or remove these:\n{}", found.join("\n"));
}
