//! Tests of exporting, importing and changing records.

use std::sync::Arc;

use oml_common::id::RevisionNumber;

use super::*;
use crate::records::values::Head;
use crate::records::{Batch, Records, keys};
use crate::store::{Expect, Memory, Store, Write};

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

fn head(current: u64) -> Head {
    Head { current: RevisionNumber(current), last: RevisionNumber(current), good: None }
}

#[tokio::test]
async fn exported_and_imported_records_have_the_same_bytes() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let odd = &b"{ \"z\": 1,  \"a\": 1.50 }"[..];
    store.commit(vec![Write::put("unknown/kind", Expect::Absent, odd)]).await.unwrap();
    let archive = Records::new(store).export().await.unwrap();
    let elsewhere: Arc<dyn Store> = Arc::new(Memory::new());
    Records::new(Arc::clone(&elsewhere)).import(archive).await.unwrap();
    let found = elsewhere.get(&"unknown/kind".into()).await.unwrap().unwrap();
    assert_eq!(found.value, odd);
}

#[tokio::test]
async fn more_records_than_fit_into_one_commit_are_imported() {
    let records = Records::new(Arc::new(Memory::new()));
    let names: Vec<_> = (0..150).map(|n| format!("tenant-{n:03}").parse().unwrap()).collect();
    for tenant in &names {
        let batch = Batch::default().put(&keys::head(tenant), Expect::Absent, &head(1));
        records.commit(batch).await.unwrap();
    }
    let archive = records.export().await.unwrap();
    let elsewhere = Records::new(Arc::new(Memory::new()));
    elsewhere.import(archive).await.unwrap();
    assert_eq!(elsewhere.list(&keys::heads()).await.unwrap().len(), 150);
}

#[test]
fn an_update_changes_only_readable_records_of_its_kind() {
    let mut archive = Archive::default();
    let acme = "acme".parse().unwrap();
    archive.insert("heads/acme".into(), raw(&document::write(&head(3))));
    archive.insert("heads/poison".into(), raw(&format!("{:?}", "not a head")));
    archive.insert("nodes/acme/app1".into(), raw(&format!("{:?}", "another kind")));
    archive.update(&keys::heads(), |tenant, found| {
        assert_eq!((tenant, found), ("acme", head(3)));
        head(4)
    });
    assert_eq!(archive.get(&keys::head(&acme)).unwrap(), Some(head(4)));
    assert!(archive.get(&keys::head(&"poison".parse().unwrap())).is_err());
    let listed = archive.list_lossy(&keys::heads());
    assert_eq!(listed, [("acme".to_owned(), head(4))]);
    archive.remove_all(&keys::heads());
    let left: Vec<String> = archive.lines().map(|line| line.write()).collect();
    assert_eq!(
        left,
        [
            "{\"record\":{\"key\":\"nodes/acme/app1\",\"value\":\"another kind\"}}\n",
            "{\"end\":{\"records\":1}}\n",
        ]
    );
}

#[test]
fn the_lines_of_a_backup_make_the_same_archive_again() {
    let mut archive = Archive::default();
    for (key, value) in [("heads/acme", "{\"a\": 1.50}"), ("unknown/kind", "2")] {
        archive.insert(key.to_owned(), raw(value));
    }
    let mut read = Archive::default();
    let ends: Vec<Option<usize>> = archive.lines().map(|line| read.add(line)).collect();
    assert_eq!(ends, [None, None, Some(2)]);
    let texts = |archive: &Archive| archive.lines().map(|line| line.write()).collect::<String>();
    assert_eq!(texts(&read), texts(&archive));
}
