//! The table of ARCHITECTURE.md knows every text that outlives a program.

use std::collections::BTreeSet;
use std::fs;

use crate::documents::{FIXTURES, kinds};
use crate::sleeps::production;
use crate::sources::{Source, all, root};

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
const WRITERS: [(&str, &str); 23] = [
    ("agent/src/alive.rs", "an empty file that is locked"),
    ("agent/src/cache.rs", "Assignment, SavedUpdates, MachineNote, CopiesNote"),
    ("agent/src/container_files.rs", "files of a catalog, which programs of others read"),
    ("agent/src/documents.rs", "Instance, LastGoodNote, Status"),
    ("agent/src/enroll.rs", "settings"),
    ("agent/src/files.rs", "what the others give it"),
    ("agent/src/identity.rs", "certificates and keys"),
    ("agent/src/kept_secrets.rs", "values of secrets, as they are"),
    ("agent/src/kept_secrets/edited.rs", "SecretNote"),
    ("agent/src/kept_secrets/file.rs", "values of secrets, as they are"),
    ("agent/src/reserve.rs", "filling"),
    ("agent/src/runs.rs", "RunOrder, RunResult"),
    ("agent/src/runtime/systemd.rs", "UnitMark"),
    ("agent/src/runtime/systemd/ends.rs", "Status"),
    ("agent/src/runtime/systemd/skips.rs", "SkipNote"),
    ("agent/src/runtime/systemd/stops.rs", "StopNote"),
    ("agent/src/status.rs", "Report, LeftOut"),
    ("controller/src/offline.rs", "certificates and keys of a backup"),
    ("controller/src/pki/authority.rs", "certificates and keys"),
    ("controller/src/store/embedded/header.rs", "the header of the store"),
    ("controller/src/whole_file.rs", "BackupBegin, Bundle, the key of secrets"),
    ("daemon/src/failpoint.rs", "empty markers of tests"),
    ("omlctl/src/config.rs", "contexts"),
];

/// The folders of an agent that hold what it writes for later programs, as its code calls them and as
/// they are called on a host.
const FOLDERS: [(&str, &str); 2] = [("run", "/run/omlagent/"), ("state", "/var/lib/omlagent/")];

/// Names that the agent puts behind a folder and that are none of a text of ours.
const OF_OTHERS: [(&str, &str); 5] = [
    ("50-oml.conf", "a drop-in, which has its row by its mark"),
    ("cgroup", "the kernel's"),
    ("conf.d", "the folder of settings, which people write"),
    ("net", "the kernel's"),
    ("policy.toml", "people write it"),
];

/// Returns the part of ARCHITECTURE.md with the table and what stands beside it.
fn section() -> String {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the page is there");
    let (_, after) = page.split_once(HEADING).expect("the page has the table");
    after.split("\n## ").next().unwrap_or(after).to_owned()
}

/// The rows of the table: the text, the type and the goldens.
fn rows() -> Vec<(String, String, String)> {
    let section = section();
    let lines = section.lines().skip_while(|line| !line.starts_with('|'));
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

/// Returns the beginnings of all texts in a source that stand in quotes behind `before`.
fn literals<'a>(source: &'a Source, before: &'a str) -> impl Iterator<Item = &'a str> {
    source.production().split(before).skip(1).filter_map(|rest| rest.split('"').next())
}

/// The programs and what they share.
fn programs() -> Vec<Source> {
    let mut sources = production();
    sources.retain(|source| {
        ["agent/src/", "common/src/", "controller/src/", "daemon/src/", "omlctl/src/"]
            .iter()
            .any(|folder| source.path.starts_with(folder))
    });
    sources
}

#[test]
fn every_label_is_in_the_table_and_in_the_folder_of_its_version() {
    let rows = rows();
    let named: BTreeSet<&str> = rows
        .iter()
        .flat_map(|(text, _, _)| quoted(text))
        .filter(|text| text.starts_with("io.oml."))
        .collect();
    let sources = programs();
    let mut found = BTreeSet::new();
    for source in &sources {
        for end in literals(source, "\"io.oml.") {
            let is_in_place = source.path.starts_with("common/src/document/v1/");
            assert!(is_in_place, "{}: the label io.oml.{end} belongs there", source.path);
            found.insert(format!("io.oml.{end}"));
        }
    }
    assert!(found.len() > 10, "only {found:?} were found");
    assert_eq!(found.iter().map(String::as_str).collect::<BTreeSet<_>>(), named);
}

/// Returns the names of the files and folders that stand in a text, such as `next.json` in
/// `NAME/{current,next}.json`.
fn names_in(text: &str) -> Vec<String> {
    let of_part = |part: &str| match part.split_once('{').zip(part.split_once('}')) {
        Some(((before, rest), (_, after))) => {
            let forms = rest.split('}').next().unwrap_or_default().split(',');
            forms.map(|form| format!("{before}{form}{after}")).collect()
        }
        None => vec![part.to_owned()],
    };
    text.split('/').flat_map(of_part).collect()
}

#[test]
fn every_file_that_an_agent_leaves_on_its_host_is_named_beside_the_table() {
    let section = section();
    let named: BTreeSet<String> = quoted(&section).flat_map(names_in).collect();
    let sources = programs();
    let (mut found, mut wrong) = (BTreeSet::new(), Vec::new());
    for source in sources.iter().filter(|source| source.path.starts_with("agent/src/")) {
        for name in literals(source, ".join(\"") {
            // What joins words is no name.
            if !name.chars().any(char::is_alphanumeric) {
                continue;
            }
            found.insert(name.to_owned());
            if !named.contains(name) && OF_OTHERS.iter().all(|(other, _)| *other != name) {
                wrong.push(format!("{}: {name}", source.path));
            }
        }
        for (field, folder) in FOLDERS {
            let joins = source.production().matches(&format!(".{field}.join(")).count();
            if joins != literals(source, &format!(".{field}.join(\"")).count() {
                wrong.push(format!("{}: a name in {folder} that is no literal", source.path));
            }
            for path in literals(source, &format!("\"{folder}")) {
                wrong.push(format!("{}: {folder}{path} is not joined to its folder", source.path));
            }
        }
    }
    assert!(found.len() > 15, "only {found:?} were found");
    assert!(wrong.is_empty(), "not named below {HEADING:?}:\n{}", wrong.join("\n"));
    let unused = OF_OTHERS.iter().filter(|(other, _)| !found.contains(*other));
    let unused: Vec<&str> = unused.map(|(other, _)| *other).collect();
    assert!(unused.is_empty(), "no longer true, remove from OF_OTHERS: {unused:?}");
}

#[test]
fn names_are_found_in_each_form_in_which_the_table_writes_them() {
    let names = names_in("instances/NAME/{current,next}.json");
    assert_eq!(names, ["instances", "NAME", "current.json", "next.json"]);
    assert_eq!(names_in("/run/omlagent/left-out"), ["", "run", "omlagent", "left-out"]);
}
