//! Module names that say nothing, marks of unfinished work and words that have a plain
//! replacement are rejected.

use crate::sources::{all, documents};

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

/// Returns the words that have a plain replacement, each with that replacement.
fn replaced_words() -> [(String, &'static str); 8] {
    // The words are put together here, because this file is searched too.
    [
        (["an", "ew"].concat(), "again"),
        (["what", "ever"].concat(), "any, every or all"),
        (["prov", "ed good"].concat(), "passed its soak; the version is the last good one"),
        (["is to", "ld"].concat(), "is reported, is shown or is asked to"),
        (["are to", "ld"].concat(), "are reported, are shown or are distinguished"),
        (["over", "taken"].concat(), "superseded"),
        (["de", "ed"].concat(), "action or step"),
        (["de", "eds"].concat(), "actions or steps"),
    ]
}

/// Returns the line of every place where the words of `phrase` follow each other, in any
/// case, across line breaks and in names too.
fn lines_with(text: &str, phrase: &str) -> Vec<usize> {
    let words: Vec<(usize, String)> = text
        .lines()
        .enumerate()
        .flat_map(|(line, text)| {
            let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
            words.map(move |word| (line + 1, word.to_lowercase()))
        })
        .collect();
    let phrase: Vec<&str> = phrase.split(' ').collect();
    let is_phrase = |window: &&[(usize, String)]| {
        window.iter().zip(&phrase).all(|((_, word), expected)| word == expected)
    };
    words.windows(phrase.len()).filter(is_phrase).map(|window| window[0].0).collect()
}

#[test]
fn sources_and_docs_use_the_plain_words() {
    let mut texts = documents();
    texts.extend(all().into_iter().map(|source| (source.path, source.text)));
    let replaced = replaced_words();
    let mut found = Vec::new();
    for (path, text) in &texts {
        for (phrase, better) in &replaced {
            let lines = lines_with(text, phrase);
            let places = lines.iter().map(|line| format!("{path}:{line}: {phrase}: say {better}"));
            found.extend(places);
        }
    }
    assert!(
        found.is_empty(),
        "these words are not plain; replace each as shown:\n{}",
        found.join("\n")
    );
}

#[test]
fn a_replaced_word_is_found_in_names_and_across_lines() {
    let [again, any, .., action, _] = replaced_words().map(|(phrase, _)| phrase);
    assert_eq!(lines_with(&format!("one\n// {again}."), &again), [2]);
    assert_eq!(lines_with(&format!("fn a_{any}_b() {{}}"), &any), [1]);
    assert_eq!(lines_with(&format!("in{action}"), &action), [0; 0]);
    assert_eq!(lines_with("/// a soak is\n/// passed", "is passed"), [1]);
}
