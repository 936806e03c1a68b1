//! Every document lives in one place, has pinned fixtures, and is read by its version.

use std::fs;

use crate::sources::{Source, all, root};

pub(crate) const FIXTURES: &str = "common/src/document/v1/fixtures";

/// The files that may write or read JSON by themselves, and why. Everybody else uses
/// `document::write` and `document::read`, which know versions.
const JSON: [(&str, &str); 11] = [
    ("agent/src/runtime/docker/model.rs", "the model of an engine keeps requests as they are"),
    ("common/src/document", "documents are written and read here"),
    ("controller/src/acme/client.rs", "what a directory says is wrong"),
    ("controller/src/ops/change/request.rs", "a request is hashed and never read"),
    ("controller/src/records.rs", "an export passes values on in their bytes"),
    ("controller/src/registry/login.rs", "a registry's own reply"),
    ("controller/src/registry/manifest.rs", "what builders write about images"),
    ("controller/src/store/embedded/engine.rs", "the store's own record has a format of its own"),
    ("omlctl/src/output.rs", "output for scripts"),
    ("packaging/xtask/src/bench/", "what the benchmark reads from others"),
    ("tests/", "tests look at documents from outside"),
];

#[test]
fn every_document_is_in_the_folder_of_its_version_and_has_fixtures() {
    let (mut found, mut wrong) = (0, Vec::new());
    for source in all().iter().filter(|source| !source.is_test()) {
        for (name, has_version) in kinds(source) {
            found += 1;
            if !source.path.starts_with("common/src/document/v1/") {
                wrong.push(format!("{}: {name} belongs into common/src/document/v1", source.path));
            }
            // A part has the version of the whole, and is in the fixture of the whole.
            let files = if has_version { vec!["", "_minimal"] } else { vec![] };
            for file in files.iter().map(|form| format!("{}{form}.json", snake_case(&name))) {
                if !root().join(FIXTURES).join(&file).is_file() {
                    wrong.push(format!("{name} has no fixture {FIXTURES}/{file}"));
                }
            }
        }
    }
    assert!(found > 15, "only {found} documents were found");
    assert!(wrong.is_empty(), "documents:\n{}", wrong.join("\n"));
}

#[test]
fn json_is_written_and_read_with_a_version() {
    let (mut wrong, mut used) = (Vec::new(), Vec::new());
    for source in all().iter().filter(|source| !source.is_test()) {
        if !source.production().contains("serde_json::to_")
            && !source.production().contains("serde_json::from_")
        {
            continue;
        }
        match JSON.iter().find(|(place, _)| source.path.starts_with(place)) {
            Some((place, _)) => used.push(*place),
            None => wrong.push(source.path.clone()),
        }
    }
    assert!(wrong.is_empty(), "use document::write and document::read in:\n{}", wrong.join("\n"));
    let unused = JSON.iter().filter(|(place, _)| *place != "tests/" && !used.contains(place));
    let unused: Vec<&str> = unused.map(|(place, _)| *place).collect();
    assert!(unused.is_empty(), "no longer true, remove from JSON: {unused:?}");
}

#[test]
fn a_type_name_becomes_the_name_of_its_fixture() {
    assert_eq!(snake_case("RolloutOutcome"), "rollout_outcome");
    let text = "impl Document for Head {\n    const KIND: &'static str = \"a head\";\n    \
                const VERSION: Option<u32> = Some(1);\n}\nimpl Document for Part {\n    \
                const KIND: &'static str = \"a part\";\n    const VERSION: Option<u32> = None;\n}\n";
    let source = Source { path: "x.rs".to_owned(), text: text.to_owned() };
    assert_eq!(kinds(&source), [("Head".to_owned(), true), ("Part".to_owned(), false)]);
}

/// Returns the types that implement `Document`, and whether each has a version. The text is
/// searched, so that an implementation inside a macro is found too.
pub(crate) fn kinds(source: &Source) -> Vec<(String, bool)> {
    let text = source.production();
    let parts = text.split("Document for ").skip(1);
    let kinds = parts.filter_map(|part| {
        let (name, rest) = part.split_once(" {")?;
        let body = rest.split("\n}").next().unwrap_or(rest);
        Some((name.to_owned(), !body.contains("Option<u32> = None")))
    });
    kinds.collect()
}

fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

#[test]
fn every_file_of_the_fixtures_belongs_to_a_document() {
    let names: Vec<String> =
        all().iter().flat_map(kinds).map(|(name, _)| snake_case(&name)).collect();
    for entry in fs::read_dir(root().join(FIXTURES)).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let Some(stem) = file.strip_suffix(".json") else { continue };
        let stem = stem.trim_end_matches("_minimal").to_owned();
        assert!(names.contains(&stem), "{file} belongs to no document");
    }
}
