//! The bytes of a backup are pinned, and another format is refused with what to do.

use super::*;
use crate::id::ContentHash;

const FIXTURE: &str = include_str!("../fixtures/backup.jsonl");
const FIXTURE_HASH: &str = "66b74cc73d54ba9047c1243c513c9ca026ffd7fd94e2c12434719400e9e0ec2a";

fn lines() -> [BackupLine; 3] {
    let begin = BackupBegin {
        format: FORMAT,
        release: "0.1.0".to_owned(),
        at: Timestamp(1_764_000_000_000),
        ca_pem: "-----BEGIN CERTIFICATE-----\n".to_owned(),
        ca_key: "-----BEGIN PRIVATE KEY-----\n".to_owned(),
    };
    let odd = "{ \"version\": 1, \"epoch\": 1 }".to_owned();
    let value = RawValue::from_string(odd).unwrap();
    let record = BackupLine::Record { key: "epoch".to_owned(), value };
    [BackupLine::Begin(begin), record, BackupLine::End { records: 1 }]
}

#[test]
fn a_backup_is_written_in_the_bytes_that_are_pinned_and_read_again() {
    let written: String = lines().iter().map(BackupLine::write).collect();
    assert_eq!(written, FIXTURE);
    assert_eq!(ContentHash::of(written.as_bytes()).as_str(), FIXTURE_HASH);
    let read = FIXTURE.lines().map(|line| BackupLine::read(line).unwrap().write());
    assert_eq!(read.collect::<String>(), FIXTURE);
    let begin = BackupBegin::read(FIXTURE.lines().next().unwrap()).unwrap();
    assert_eq!((begin.format, begin.release.as_str()), (FORMAT, "0.1.0"));
}

#[test]
fn another_format_is_refused_and_the_release_that_is_needed_is_named() {
    // A later format may have other fields.
    let later = r#"{"begin":{"format":2,"release":"0.9.0","sealed":"AAAA"}}"#;
    assert_eq!(
        BackupBegin::read(later).unwrap_err().to_string(),
        "it has format 2, and this release reads format 1; restore it with release 0.9.0 \
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
    let damaged = BackupBegin::read("{\"begin\":{\"format\":1}}");
    assert!(matches!(damaged, Err(BackupLineError::Malformed(_))), "{damaged:?}");
    let more = FIXTURE.lines().next().unwrap().replacen("\"format\"", "\"new\":{},\"format\"", 1);
    assert!(BackupBegin::read(&more).is_ok());
}
