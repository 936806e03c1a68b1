//! The table of ARCHITECTURE.md knows every text that outlives a program.

use std::collections::BTreeSet;
use std::fs;

use crate::documents::{FIXTURES, kinds};
use crate::sources::{all, root};

const HEADING: &str = "### Every text that outlives a program";

/// How a program writes to a disk.
const WRITES: [&str; 6] = [
    "write_durably(",
    "write_volatile(",
    "fs::write(",
    "create_new(",
    ".create(true)",
    "NamedTempFile",
];

/// The files of the programs that write to a disk, and what. A text that is not in the table needs a row
/// there, or a place below it.
const WRITERS: [(&str, &str); 21] = [
    ("agent/src/alive.rs", "an empty file that is locked"),
    ("agent/src/cache.rs", "Assignment, SavedUpdates, MachineNote"),
    ("agent/src/container_files.rs", "files of a catalog, which programs of others read"),
    ("agent/src/documents.rs", "Instance, LastGoodNote, Status"),
    ("agent/src/enroll.rs", "settings"),
    ("agent/src/files.rs", "what the others give it"),
    ("agent/src/identity.rs", "certificates and keys"),
    ("agent/src/kept_secrets.rs", "values of secrets, as they are"),
    ("agent/src/reserve.rs", "filling"),
    ("agent/src/runs.rs", "RunOrder, RunResult"),
    ("agent/src/runtime/systemd.rs", "UnitMark"),
    ("agent/src/runtime/systemd/ends.rs", "Status"),
    ("agent/src/runtime/systemd/skips.rs", "SkipNote"),
    ("agent/src/runtime/systemd/stops.rs", "StopNote"),
    ("agent/src/status.rs", "Report"),
    ("controller/src/offline.rs", "certificates and keys of a backup"),
    ("controller/src/pki/authority.rs", "certificates and keys"),
    ("controller/src/store/embedded/header.rs", "the header of the store"),
    ("controller/src/whole_file.rs", "BackupBegin, Bundle, the key of secrets"),
    ("daemon/src/failpoint.rs", "empty markers of tests"),
    ("omlctl/src/config.rs", "contexts"),
];

/// The rows of the table: the text, the type and the goldens.
fn rows() -> Vec<(String, String, String)> {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the page is there");
    let (_, after) = page.split_once(HEADING).expect("the page has the table");
    let lines = after.lines().skip_while(|line| !line.starts_with('|'));
    let rows = lines.take_while(|line| line.starts_with('|')).skip(2);
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [text, kind, _version, golden] = cells[..] else { panic!("not a row: {line}") };
        (text.to_owned(), kind.trim_matches('`').to_owned(), golden.to_owned())
    };
    rows.map(row).collect()
}

/// Returns what stands in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_document_and_every_fixture_is_in_the_table() {
    let rows = rows();
    let types: BTreeSet<&str> = rows.iter().map(|(_, kind, _)| kind.as_str()).collect();
    let documents: Vec<(String, bool)> =
        all().iter().filter(|source| !source.is_test()).flat_map(kinds).collect();
    for (name, _) in documents.iter().filter(|(_, has_version)| *has_version) {
        assert!(types.contains(name.as_str()), "{name} has no row below {HEADING:?}");
    }
    let text: String = all().iter().map(|source| source.production().to_owned()).collect();
    for kind in &types {
        assert!(text.contains(&format!("pub struct {kind} ")), "there is no type {kind}");
    }
    let named: BTreeSet<&str> = rows.iter().flat_map(|(_, _, golden)| quoted(golden)).collect();
    let entries = fs::read_dir(root().join(FIXTURES)).unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| entry.path().is_file()).map(|entry| entry.file_name());
    let found: BTreeSet<String> = files
        .map(|name| name.into_string().unwrap())
        .filter(|name| !name.ends_with("_minimal.json"))
        .collect();
    assert_eq!(found.iter().map(String::as_str).collect::<BTreeSet<_>>(), named);
}

#[test]
fn every_kind_of_record_is_in_the_table() {
    let keys = fs::read_to_string(root().join("controller/src/records/keys.rs")).unwrap();
    let texts: String = rows().into_iter().map(|(text, _, _)| text).collect();
    let mut found = BTreeSet::new();
    for made in ["prefix(\"", "key(\"", "format!(\"", "numbered(\"", "of_node(\""] {
        let literals = keys.split(made).skip(1).filter_map(|rest| rest.split('"').next());
        found.extend(literals.map(|text| text.split("/{").next().unwrap_or(text)));
    }
    found.retain(|kind| !kind.starts_with('{'));
    assert!(found.len() > 10, "only {found:?} were found");
    for kind in found {
        let kind = kind.trim_end_matches('/');
        let is_listed =
            texts.contains(&format!("`{kind}/`")) || texts.contains(&format!("`{kind}`"));
        assert!(is_listed, "the records {kind:?} have no row below {HEADING:?}");
    }
}

#[test]
fn every_file_that_writes_to_a_disk_is_known() {
    let programs = ["agent/src/", "controller/src/", "daemon/src/", "omlctl/src/"];
    // The suites that both a model and real daemons pass are tests.
    let suites = "agent/src/runtime/contract/";
    let mut found = BTreeSet::new();
    for source in all().iter().filter(|source| !source.is_test()) {
        let production = source.text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let is_program = programs.iter().any(|folder| source.path.starts_with(folder))
            && !source.path.starts_with(suites);
        if is_program && WRITES.iter().any(|write| production.contains(write)) {
            found.insert(source.path.clone());
        }
    }
    let known: BTreeSet<String> = WRITERS.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(found, known, "a text needs a version, and a row below {HEADING:?}");
}
