use oml_common::document::Verbatim;
use oml_common::document::instance::{PackagedUnit, Workload};

use super::super::text::{self, tests::container};
use super::*;
use crate::runtime::systemd::calls::UnitProperties;

fn written() -> String {
    text::render(&container(), &[], &Paths::system())
}

fn found_edited(found: &str) -> Option<UnitChange> {
    edited(&container(), found, &written())
}

fn was_edited(added: Option<&str>, removed: Option<&str>) -> UnitChange {
    let [added, removed] = [added, removed].map(|line| line.map(str::to_owned));
    UnitChange::Edited { unit: container().unit.clone(), added, removed }
}

#[test]
fn what_an_agent_wrote_was_edited_by_nobody() {
    assert_eq!(found_edited(&written()), None);
    // One of an earlier release, or for an earlier assignment.
    let other = container().edited(|other| other.timing.stop_grace_ms += 1);
    assert_eq!(found_edited(&text::render(&other, &[], &Paths::system())), None);
}

#[test]
fn the_first_line_that_was_added_and_the_first_that_was_removed_are_reported() {
    let text = written();
    let edited = text.replace("Restart=always", "Restart=no").replace("WatchdogSec=60s\n", "");
    let expected = was_edited(Some("Restart=no"), Some("Restart=always"));
    assert_eq!(found_edited(&edited), Some(expected));
    let blank = format!("{text}\n\n");
    assert_eq!(found_edited(&blank), Some(was_edited(None, None)));
}

#[test]
fn a_line_is_reported_short_and_without_control_characters() {
    let long = format!("{}Environment=A=\u{1b}[2J{}\n", written(), "a".repeat(500));
    let words = found_edited(&long).unwrap().to_string();
    assert!(words.chars().count() < 150 && !words.contains('\u{1b}'), "{words}");
}

/// What is found of a file with the mark of asterisk at that path, on a host of that tenant.
fn found_foreign(path: &str, is_drop_in: bool, text: &str, tenant: &str) -> Difference {
    let name = path.trim_end_matches(".d/50-oml.conf").rsplit('/').next().unwrap();
    let (unit, path) = (name.parse().unwrap(), path.into());
    let file = OurFile { unit, path, mark: UnitMark::read(text).unwrap(), is_drop_in };
    foreign_file(file, Some(&tenant.parse().unwrap()), true).1
}

#[test]
fn a_file_that_is_not_ours_is_reported_with_the_reason_and_whether_its_unit_runs() {
    let found = |text: &str, tenant: &str| {
        found_foreign("/etc/systemd/system/dbg.service", false, text, tenant)
    };
    let marked = |why| {
        let unit = "dbg.service".parse().unwrap();
        Difference::MarkedUnit { unit, why, runs: true }
    };
    let text = written();
    let copy = || FileNotOurs::CopyOf("asterisk.service".parse().unwrap());
    assert_eq!(found(&text, "acme"), marked(copy()));
    assert_eq!(found(&text, "other"), marked(copy()));
    let edited = text.replace("asterisk.service", "dbg.service");
    assert_eq!(found(&edited, "acme"), marked(FileNotOurs::Edited));
    let other = FileNotOurs::OtherTenant("acme".parse().unwrap());
    assert_eq!(found(&edited, "other"), marked(other));
}

#[test]
fn a_drop_in_that_is_not_ours_is_reported_by_its_path() {
    let path = "/etc/systemd/system/postgresql.service.d/50-oml.conf";
    let why = FileNotOurs::CopyOf("asterisk.service".parse().unwrap());
    let expected = Difference::MarkedDropIn { path: path.to_owned(), why };
    assert_eq!(found_foreign(path, true, &written(), "acme"), expected);
}

#[test]
fn drop_ins_of_the_unit_of_like_names_and_of_people_for_all_services_are_reported() {
    let paths = [
        "/etc/systemd/system/asterisk.service.d/override.conf",
        "/usr/lib/systemd/system/service.d/10-timeout-abort.conf",
        "/run/systemd/system.control/asterisk.service.d/50-MemoryMax.conf",
        "/etc/systemd/system/oml-.service.d/limits.conf",
        "/etc/systemd/system/service.d/limits.conf",
        "/run/systemd/system/service.d/zzz-lxc-service.conf",
    ];
    let drop_in_paths = Some(paths.map(str::to_owned).to_vec());
    let unit = UnitProperties { drop_in_paths, ..UnitProperties::default() };
    let loaded = Loaded { unit, ..Loaded::default() };
    let instance = container();
    let found: Vec<Difference> = drop_ins(&instance, &loaded, &Paths::system()).collect();
    let drop_in = |path: &str| {
        let unit = instance.unit.clone();
        Difference::ForeignDropIn { path: path.to_owned(), unit }
    };
    assert_eq!(found, [0, 2, 3, 4].map(|index| drop_in(paths[index])));
}

fn packaged(unit: &str) -> InstanceDocument {
    let workload = Workload::Unit(PackagedUnit { drop_in: String::new() });
    container().edited(|it| {
        it.unit = unit.parse().unwrap();
        it.workload = Verbatim::seal(workload);
    })
}

#[test]
fn of_a_packaged_unit_the_drop_ins_of_people_are_reported_and_not_ours_or_those_of_packages() {
    let paths = [
        "/usr/lib/systemd/system/db@one.service.d/package.conf",
        "/run/systemd/generator/db@one.service.d/made.conf",
        "/etc/systemd/system/db@.service.d/all.conf",
        "/etc/systemd/system/db@one.service.d/50-oml.conf",
        "/etc/systemd/system/db@one.service.d/override.conf",
        "/etc/systemd/system/service.d/10-all.conf",
        "/run/systemd/system.control/db@one.service.d/50-MemoryMax.conf",
    ];
    let drop_in_paths = Some(paths.map(str::to_owned).to_vec());
    let unit = UnitProperties { drop_in_paths, ..UnitProperties::default() };
    let loaded = Loaded { unit, ..Loaded::default() };
    let (instance, places) = (packaged("db@one.service"), Paths::system());
    let found: Vec<String> =
        drop_ins(&instance, &loaded, &places).map(|it| it.to_string()).collect();
    let expected = [paths[2], paths[4], paths[5], paths[6]]
        .map(|path| format!("{path} changes unit db@one.service: not ours, left alone"));
    assert_eq!(found, expected);
}

#[test]
fn a_file_in_the_place_of_that_of_a_package_is_reported_and_a_unit_without_a_package_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    std::fs::create_dir_all(&paths.package_units).unwrap();
    std::fs::write(paths.package_units.join("db@.service"), "").unwrap();
    let found = |path: std::path::PathBuf| {
        let fragment_path = Some(path.display().to_string());
        let unit = UnitProperties { fragment_path, ..UnitProperties::default() };
        replaced(&Loaded { unit, ..Loaded::default() }, &paths)
    };
    let path = paths.units.join("db@.service").display().to_string();
    assert_eq!(found(paths.units.join("db@.service")), Some(Difference::ReplacedUnit { path }));
    assert_eq!(found(paths.units.join("other.service")), None);
    assert_eq!(found("/usr/lib/systemd/system/db@.service".into()), None);
    assert!(found("/usr/local/lib/systemd/system/db@.service".into()).is_some());
    assert_eq!(replaced(&Loaded::default(), &paths), None);
}
