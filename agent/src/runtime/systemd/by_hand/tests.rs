use super::super::text::tests::container;
use super::*;
use crate::paths::Paths;
use crate::runtime::systemd::calls::UnitProperties;

fn written() -> String {
    text::render(&container(), &[], &Paths::system())
}

fn reported(found: &str) -> Option<String> {
    edited(&container(), found, &written())
}

#[test]
fn what_an_agent_wrote_was_edited_by_nobody() {
    assert_eq!(reported(&written()), None);
    // One of an earlier release, or for an earlier assignment.
    let other = container().edited(|other| other.timing.stop_grace_ms += 1);
    assert_eq!(reported(&text::render(&other, &[], &Paths::system())), None);
}

#[test]
fn the_first_line_that_was_added_and_the_first_that_was_removed_are_reported() {
    let text = written();
    let edited = text.replace("Restart=always", "Restart=no").replace("WatchdogSec=60s\n", "");
    let words = "unit asterisk.service was edited: has \"Restart=no\", lacks \"Restart=always\"";
    assert_eq!(reported(&edited).as_deref(), Some(words));
    let blank = format!("{text}\n\n");
    assert_eq!(reported(&blank).as_deref(), Some("unit asterisk.service was edited"));
}

#[test]
fn a_line_is_reported_short_and_without_control_characters() {
    let long = format!("{}Environment=A=\u{1b}[2J{}\n", written(), "a".repeat(500));
    let words = reported(&long).unwrap();
    assert!(words.chars().count() < 150 && !words.contains('\u{1b}'), "{words}");
}

/// What is reported about a file with the mark of asterisk at that path, on a host of that tenant.
fn described_foreign(path: &str, is_drop_in: bool, text: &str, tenant: &str, runs: bool) -> String {
    let name = path.trim_end_matches(".d/50-oml.conf").rsplit('/').next().unwrap();
    let (unit, path) = (name.parse().unwrap(), path.into());
    let file = OurFile { unit, path, mark: text::mark(text).unwrap(), is_drop_in };
    foreign_file(file, Some(&tenant.parse().unwrap()), runs).1
}

#[test]
fn a_file_that_is_not_ours_is_reported_with_the_reason_and_whether_its_unit_runs() {
    let reported = |text: &str, tenant: &str, runs| {
        described_foreign("/etc/systemd/system/dbg.service", false, text, tenant, runs)
    };
    let text = written();
    let copy = "unit dbg.service is a copy of asterisk.service: not ours, left alone";
    assert_eq!(reported(&text, "acme", false), copy);
    let runs = "unit dbg.service is a copy of asterisk.service, and it runs: not ours, left alone";
    assert_eq!(reported(&text, "acme", true), runs);
    let edited = text.replace("asterisk.service", "dbg.service");
    let words = "unit dbg.service was copied or edited by hand: not ours, left alone";
    assert_eq!(reported(&edited, "acme", false), words);
    let words = "unit dbg.service is marked for tenant acme: not ours, left alone";
    assert_eq!(reported(&edited, "other", false), words);
}

#[test]
fn a_drop_in_that_is_not_ours_is_reported_by_its_path() {
    let path = "/etc/systemd/system/postgresql.service.d/50-oml.conf";
    let reported = described_foreign(path, true, &written(), "acme", false);
    let words =
        format!("drop-in {path} is a copy of that of asterisk.service: not ours, left alone");
    assert_eq!(reported, words);
}

#[test]
fn drop_ins_of_the_unit_and_of_units_of_like_names_are_reported_but_not_those_of_all_services() {
    let paths = [
        "/etc/systemd/system/asterisk.service.d/override.conf",
        "/usr/lib/systemd/system/service.d/10-timeout-abort.conf",
        "/run/systemd/system.control/asterisk.service.d/50-MemoryMax.conf",
        "/etc/systemd/system/oml-.service.d/limits.conf",
    ];
    let drop_in_paths = Some(paths.map(str::to_owned).to_vec());
    let unit = UnitProperties { drop_in_paths, ..UnitProperties::default() };
    let loaded = Loaded { unit, ..Loaded::default() };
    let instance = container();
    let reported: Vec<String> = drop_ins(&instance, &loaded).collect();
    let words = |path| format!("{path} changes unit asterisk.service: not ours, left alone");
    assert_eq!(reported, [words(paths[0]), words(paths[2]), words(paths[3])]);
}
