//! The format of documents does not change by accident. `v1/fixtures` holds the text of a
//! full and of a minimal value of every kind, and the table below pins their hashes.
//!
//! A fixture that changes means that documents on hosts and in stores change. A new field
//! adds to the full text and leaves the minimal one as it is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::*;
use crate::document::backup::BackupBegin;
use crate::document::cluster::{Epoch, PublicEndpoint};
use crate::document::host_notes::{
    CopiesNote, LastGoodNote, MachineNote, SecretNote, SkipNote, StopNote,
};
use crate::document::revision::{Head, IdempotencyRecord, Target};
use crate::document::secret::SecretRecord;
use crate::document::update::SavedUpdates;
use crate::text::error::chain;

mod active;
mod files;
mod hashes;
mod logins;
mod operations;
mod options;
mod probes;
mod reload;
mod secrets;
mod sums;

use self::hashes::HASHES;
use super::values as v;

/// One kind of document, as this release writes and reads it.
struct Golden {
    /// The name of the fixture: the name of the type in snake case.
    name: &'static str,
    kind: &'static str,
    full: String,
    minimal: String,
    /// Reads a text and writes what was read.
    reread: fn(&str) -> Result<String, ReadError>,
}

fn golden<T: Document>(name: &'static str, full: &T, minimal: &T) -> Golden {
    let reread = |text: &str| read::<T>(text).map(|value| write(&value));
    assert_eq!(T::VERSION, Some(1), "{name}");
    Golden { name, kind: T::KIND, full: write(full), minimal: write(minimal), reread }
}

/// Every kind of document that has a version of its own.
fn goldens() -> Vec<Golden> {
    let revision = RevisionNumber(8);
    let (made, made_minimal) = idempotency(revision);
    let head = Head { current: RevisionNumber(8), last: RevisionNumber(9), good: None };
    let (name, host) = ("oml".to_owned(), "oml.example.com".to_owned());
    let endpoint = PublicEndpoint { name, host, addresses: Vec::new() };
    let addresses = vec!["10.0.0.1".to_owned()];
    let full_endpoint = PublicEndpoint { addresses, ..endpoint.clone() };
    let (epoch, target) = (Epoch { epoch: 1 }, Target { revision });
    let last_good = LastGoodNote { workload: ContentHash::of(b"workload") };
    let copies = CopiesNote { assignment: ContentHash::of(b"assignment") };
    let machine = MachineNote { machine: "0123456789abcdef0123456789abcdef".to_owned() };
    let sent = SecretNote { sum: ContentHash::of(b"value"), was_edited: false };
    let edited = SecretNote { was_edited: true, ..sent.clone() };
    vec![
        golden("instance", &full(), &minimal()),
        golden("assignment", &assignment(), &v::assignment_minimal()),
        golden("report", &v::report(), &v::report_minimal()),
        golden("saved_updates", &v::updates(), &SavedUpdates::default()),
        golden("status", &v::status(), &v::status_minimal()),
        golden("plan", &v::plan(share()), &v::plan_minimal()),
        golden("revision", &v::revision(), &v::revision_minimal()),
        golden("head", &Head { good: Some(RevisionNumber(7)), ..head }, &head),
        golden("target", &target, &target),
        golden("idempotency_record", &made, &made_minimal),
        golden("rollout", &v::rollout(), &v::rollout_minimal()),
        golden("rollout_outcome", &v::outcome(), &v::outcome_minimal()),
        golden("node_record", &v::node_record(), &v::node_record_minimal()),
        golden("last_report", &v::last_report(v::report()), &v::last_report(v::report_minimal())),
        golden("token_record", &v::token(), &v::token_minimal()),
        golden("secret_record", &v::secret(), &SecretRecord::default()),
        golden("public_endpoint", &full_endpoint, &endpoint),
        golden("epoch", &epoch, &epoch),
        golden("operator_record", &v::operator(), &v::operator_minimal()),
        golden("audit_record", &v::audit(), &v::audit_minimal()),
        golden("backup_begin", &backup("0.2.0"), &backup("")),
        golden("last_good_note", &last_good, &last_good),
        golden("machine_note", &machine, &machine),
        golden("copies_note", &copies, &copies),
        golden("secret_note", &edited, &sent),
        golden("stop_note", &StopNote { at: 1 }, &StopNote { at: 1 }),
        golden("skip_note", &SkipNote { at: 1 }, &SkipNote { at: 1 }),
        golden("run_order", &v::run_order(full()), &v::run_order_minimal(minimal())),
        golden("run_result", &v::run_result(), &v::run_result_minimal()),
        golden("run_record", &v::run_record(full()), &v::run_record_minimal()),
        golden("acme_record", &v::acme_record(), &v::acme_record_minimal()),
    ]
}

/// A full and a minimal record of a request.
fn idempotency(revision: RevisionNumber) -> (IdempotencyRecord, IdempotencyRecord) {
    let minimal = IdempotencyRecord::new(revision, ContentHash::of(b"request"));
    let warnings = vec!["web 1 -> 2 has no way back".to_owned()];
    let full = IdempotencyRecord {
        text_only: true,
        warnings,
        release: Some("2.6.6".parse().unwrap()),
        secret_version: 2,
        ..minimal.clone()
    };
    (full, minimal)
}

fn backup(release: &str) -> BackupBegin {
    let (ca_pem, ca_key) = ("certificate".to_owned(), "key".to_owned());
    BackupBegin::new(release.to_owned(), crate::time::Timestamp(1), ca_pem, ca_key)
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/document/v1/fixtures")
}

/// The names of the documents in a folder of fixtures.
fn files_in(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|file| file.ends_with(".json")).collect()
}

/// The text of a fixture, which is empty if there is none.
pub(super) fn fixture(file: &str) -> String {
    let text = std::fs::read_to_string(folder().join(file)).unwrap_or_default();
    text.trim_end().to_owned()
}

/// The pinned hash of a fixture.
pub(super) fn pinned(file: &str) -> Option<&'static str> {
    HASHES.iter().find(|(name, _)| *name == file).map(|(_, hash)| *hash)
}

/// The names of a kind's fixtures, each with the text that this release writes.
fn texts(golden: &Golden) -> [(String, &str); 2] {
    let Golden { name, full, minimal, .. } = golden;
    [(format!("{name}.json"), full), (format!("{name}_minimal.json"), minimal)]
}

#[test]
fn every_kind_is_written_in_the_bytes_that_are_pinned() {
    for golden in goldens() {
        for (file, written) in texts(&golden) {
            assert_eq!(written, fixture(&file), "{file} is written differently");
            let hash = ContentHash::of(written.as_bytes());
            assert_eq!(Some(hash.as_str()), pinned(&file), "{file} has another hash");
            let reread = (golden.reread)(written).unwrap();
            assert_eq!(reread, written, "{file} is not read as it was written");
        }
    }
}

/// The release whose own texts are kept beside those of this one: that of `tests/skew/previous`.
const PREVIOUS: &str = "0.1.0";
/// The hash of these texts, each after its name, in the order of the names.
const PREVIOUS_HASH: &str = "94aa7dcf12696d4eecc52dea577e4ca63b9ee8301f9ebde73ffc9bc80e89d1a0";
/// The kinds that the previous release did not have. Its backups have no version by this name;
/// the test beside them reads one.
const SINCE: [&str; 12] = [
    "acme_record",
    "backup_begin",
    "copies_note",
    "last_good_note",
    "machine_note",
    "run_order",
    "run_record",
    "run_result",
    "secret_note",
    "secret_record",
    "skip_note",
    "stop_note",
];

#[test]
fn every_text_of_the_previous_release_is_written_again_in_the_same_bytes() {
    let mut compared = 0;
    for golden in goldens().iter().filter(|golden| !SINCE.contains(&golden.name)) {
        for (file, _) in texts(golden) {
            let written = fixture(&format!("{PREVIOUS}/{file}"));
            let reread = (golden.reread)(&written);
            assert_eq!(reread.map_err(|error| chain(&error)), Ok(written), "{file}");
            compared += 1;
        }
    }
    let kept = files_in(&folder().join(PREVIOUS)).len();
    assert_eq!(compared, kept, "a kind of that release has gone, or a text of it");
}

#[test]
fn the_texts_of_the_previous_release_stay_as_they_were_written() {
    let folder = folder().join(PREVIOUS);
    let entries = std::fs::read_dir(&folder).unwrap();
    let names: BTreeSet<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let mut all = String::new();
    for name in names {
        let text = std::fs::read_to_string(folder.join(&name)).unwrap();
        all.push_str(&format!("{name}\n{text}"));
    }
    assert_eq!(ContentHash::of(all.as_bytes()).as_str(), PREVIOUS_HASH);
}

#[test]
fn every_fixture_is_in_the_table_and_has_a_hash() {
    let found = files_in(&folder());
    let table = goldens();
    let known: BTreeSet<String> = table.iter().flat_map(texts).map(|(file, _)| file).collect();
    assert_eq!(found, known);
    let hashed: BTreeSet<String> = HASHES.iter().map(|(file, _)| (*file).to_owned()).collect();
    assert_eq!(hashed, known);
}

/// Returns the paths of fields that hold null, nothing or false.
fn defaults(value: &Value, path: &str, found: &mut Vec<String>) {
    let is_default = match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    };
    if is_default {
        found.push(path.to_owned());
    }
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| defaults(value, &format!("{path}/{key}"), found));
        }
        Value::Array(items) => items.iter().for_each(|item| defaults(item, path, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn a_field_that_is_absent_or_empty_is_not_written() {
    let mut found = Vec::new();
    for golden in goldens() {
        for (file, written) in texts(&golden) {
            defaults(&serde_json::from_str(written).unwrap(), &file, &mut found);
        }
    }
    assert!(found.is_empty(), "fields that are written with nothing in them: {found:#?}");
}

/// Fields whose value is an object without a fixed set of fields: a map by name, or a
/// variant with its content.
const MAPS: [&str; 12] = [
    "instances",
    "nodes",
    "updates",
    "env",
    "secrets",
    "kept_secrets",
    "ulimits",
    "sysctls",
    "extra_hosts",
    "last_good",
    "values",
    "versions",
];

/// Returns the paths of all objects that have a fixed set of fields, without workloads.
pub(super) fn objects(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let key = path.rsplit('/').next().unwrap_or_default();
            // The nodes of a plan map to shares, which are maps too.
            let is_share = path.contains("/nodes/") && path.split('/').count() == 3;
            // What an agent must not leave out is refused, behind a feature; `strict` looks at it.
            if matches!(key, "workload" | "run") {
                return;
            }
            if !MAPS.contains(&key) && !is_share {
                found.push(path.to_owned());
            }
            for (key, value) in fields {
                objects(value, &format!("{path}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                objects(item, &format!("{path}/{index}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn an_unknown_field_is_ignored_wherever_it_is() {
    let mut count = 0;
    for Golden { name, full, reread, .. } in goldens() {
        let whole: Value = serde_json::from_str(&full).unwrap();
        let mut paths = Vec::new();
        objects(&whole, "", &mut paths);
        for path in paths {
            let mut changed = whole.clone();
            let fields = changed.pointer_mut(&path).and_then(Value::as_object_mut).unwrap();
            fields.insert("of_a_later_release".to_owned(), Value::Object(Map::new()));
            let read = reread(&changed.to_string());
            assert!(read.is_ok(), "{name}: an unknown field in {path:?}: {:?}", read.err());
            count += 1;
        }
    }
    assert!(count > 60, "only {count} objects were found");
}

#[test]
fn a_version_that_is_not_known_is_refused_with_the_kind_and_what_to_do() {
    for Golden { name, kind, full, reread, .. } in goldens() {
        let newer = full.replacen("{\"version\":1", "{\"version\":2", 1);
        let refusal = reread(&newer).map(|_| ()).expect_err(name);
        assert!(matches!(refusal, ReadError::Newer { found: 2, known: 1, .. }), "{refusal:?}");
        assert_eq!(
            chain(&refusal),
            format!(
                "{kind} has version 2, and this release reads versions up to 1; \
                 install a newer release"
            )
        );
        let fields = full.strip_prefix("{\"version\":1").unwrap().trim_start_matches(',');
        let foreign = reread(&format!("{{{fields}"));
        assert!(matches!(foreign, Err(ReadError::Foreign { .. })), "{name}: {foreign:?}");
    }
}
