use super::super::text::tests::container;
use super::*;
use crate::paths::Paths;
use crate::runtime::systemd::calls::UnitProperties;

fn written() -> String {
    text::render(&container(), &[], &Paths::system())
}

fn told(found: &str) -> Option<String> {
    edited(&container(), found, &written())
}

#[test]
fn what_an_agent_wrote_was_edited_by_nobody() {
    assert_eq!(told(&written()), None);
    // One of an earlier release, or for an earlier assignment.
    let other = container().edited(|other| other.timing.stop_grace_ms += 1);
    assert_eq!(told(&text::render(&other, &[], &Paths::system())), None);
}

#[test]
fn the_first_line_that_was_added_and_the_first_that_was_removed_are_told() {
    let text = written();
    let edited = text.replace("Restart=always", "Restart=no").replace("WatchdogSec=60s\n", "");
    let words = "unit asterisk.service was edited: has \"Restart=no\", lacks \"Restart=always\"";
    assert_eq!(told(&edited).as_deref(), Some(words));
    let blank = format!("{text}\n\n");
    assert_eq!(told(&blank).as_deref(), Some("unit asterisk.service was edited"));
}

#[test]
fn a_line_is_told_short_and_without_control_characters() {
    let long = format!("{}Environment=A=\u{1b}[2J{}\n", written(), "a".repeat(500));
    let words = told(&long).unwrap();
    assert!(words.chars().count() < 150 && !words.contains('\u{1b}'), "{words}");
}

#[test]
fn only_drop_ins_of_the_unit_itself_are_told() {
    let paths = [
        "/etc/systemd/system/asterisk.service.d/override.conf",
        "/usr/lib/systemd/system/service.d/10-timeout-abort.conf",
        "/run/systemd/system.control/asterisk.service.d/50-MemoryMax.conf",
    ];
    let drop_in_paths = Some(paths.map(str::to_owned).to_vec());
    let unit = UnitProperties { drop_in_paths, ..UnitProperties::default() };
    let loaded = Loaded { unit, ..Loaded::default() };
    let instance = container();
    let told: Vec<String> = drop_ins(&instance, &loaded).collect();
    let words = |path| format!("{path} changes unit asterisk.service: not ours, left alone");
    assert_eq!(told, [words(paths[0]), words(paths[2])]);
}
