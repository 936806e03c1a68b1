//! The bytes of a backup are pinned, those of release 0.1.0 are read, and a later version is
//! refused with what to do.

use super::*;
use crate::id::ContentHash;

const FIXTURE: &str = include_str!("../fixtures/backup.jsonl");
const FIXTURE_HASH: &str = "5dd542b872fa10a38d339869c99ceeba6cd7a6086c2d69c3dc7d57cde0ace797";
const FIXTURE_0_1_0: &str = include_str!("../fixtures/0.1.0/backup.jsonl");
const FIXTURE_0_1_0_HASH: &str = "66b74cc73d54ba9047c1243c513c9ca026ffd7fd94e2c12434719400e9e0ec2a";

fn begin() -> BackupBegin {
    BackupBegin::new(
        "0.1.0".to_owned(),
        Timestamp(1_764_000_000_000),
        "-----BEGIN CERTIFICATE-----\n".to_owned(),
        "-----BEGIN PRIVATE KEY-----\n".to_owned(),
    )
}

fn lines() -> [BackupLine; 2] {
    let odd = "{ \"version\": 1, \"epoch\": 1 }".to_owned();
    let value = RawValue::from_string(odd).unwrap();
    [BackupLine::Record { key: "epoch".to_owned(), value }, BackupLine::End { records: 1 }]
}

fn written() -> String {
    begin().write() + &lines().iter().map(BackupLine::write).collect::<String>()
}

/// Reads a whole backup and writes it again.
fn reread(text: &str) -> String {
    let mut lines = text.lines();
    let (begin, version) = BackupBegin::read(lines.next().unwrap()).unwrap();
    let rest = lines.map(|line| BackupLine::read(version, line).unwrap().write());
    begin.write() + &rest.collect::<String>()
}

#[test]
fn a_backup_is_written_in_the_bytes_that_are_pinned_and_read_again() {
    assert_eq!(written(), FIXTURE);
    assert_eq!(ContentHash::of(FIXTURE.as_bytes()).as_str(), FIXTURE_HASH);
    assert_eq!(reread(FIXTURE), FIXTURE);
    assert_eq!(BackupBegin::read(FIXTURE.lines().next().unwrap()).unwrap().0, begin());
}

#[test]
fn a_backup_of_release_0_1_0_is_read() {
    assert_eq!(ContentHash::of(FIXTURE_0_1_0.as_bytes()).as_str(), FIXTURE_0_1_0_HASH);
    assert_eq!(reread(FIXTURE_0_1_0), FIXTURE);
    // That release reads ours by this field, and ignores the version.
    assert!(FIXTURE.starts_with("{\"begin\":{\"version\":1,\"format\":1,"), "{FIXTURE}");
}

#[test]
fn a_later_version_is_refused_and_the_release_that_is_needed_is_named() {
    // A later version may have other fields.
    let later = r#"{"begin":{"version":2,"release":"0.9.0","sealed":"AAAA"}}"#;
    assert_eq!(
        BackupBegin::read(later).unwrap_err().to_string(),
        "it has version 2, and this release reads versions up to 1; restore it with release 0.9.0 \
         of the controller, which wrote it, or with a newer one"
    );
    let silent = BackupBegin::read(r#"{"begin":{"format":3}}"#).unwrap_err().to_string();
    assert!(silent.ends_with("restore it with a newer release of the controller"), "{silent}");
}

#[test]
fn what_does_not_begin_like_a_backup_is_refused_and_unknown_fields_are_ignored() {
    for text in ["", "{}", "null", "{\"end\":{\"records\":0}}", "{\"begin\":{}}"] {
        let refused = BackupBegin::read(text);
        assert!(matches!(refused, Err(BackupLineError::NoBackup)), "{text:?}: {refused:?}");
    }
    let damaged = BackupBegin::read("{\"begin\":{\"version\":1}}");
    assert!(matches!(damaged, Err(BackupLineError::Begin(_))), "{damaged:?}");
    let more = FIXTURE.lines().next().unwrap().replacen("\"format\"", "\"new\":{},\"format\"", 1);
    assert!(BackupBegin::read(&more).is_ok());
}
