//! What is forgotten, and what is not.

use std::sync::Arc;

use oml_common::time::Timestamp;
use oml_daemon::env::Simulated;

use super::*;
use crate::records::values::Epoch;
use crate::store::{Memory, Store};

async fn say(records: &Records, at: Timestamp, what: &str, node: Option<&str>) {
    let node = node.map(|node| node.parse().unwrap());
    let tenant = node.as_ref().map(|_node| "acme".parse().unwrap());
    let line = AuditRecord { at, who: "maria".into(), what: what.into(), tenant, node };
    let batch = Batch::default().audit(&line);
    records.commit(batch).await.unwrap();
}

async fn left(records: &Records) -> Vec<String> {
    let lines = records.list(&keys::audits()).await.unwrap();
    lines.into_iter().map(|(_, line)| line.value.what).collect()
}

/// Without lines that are kept at any age.
const BOUNDS: Bounds = Bounds { lines_max: 1000, ageless: 0 };
const LIMITS: Limits = Limits { actions: BOUNDS, renewals: BOUNDS, refusals: BOUNDS };

fn actions(actions: Bounds) -> Limits {
    Limits { actions, ..LIMITS }
}

#[tokio::test]
async fn the_oldest_lines_are_forgotten_when_there_are_too_many_or_they_are_too_old() {
    let records = Records::new(Arc::new(Memory::new()));
    let now = Timestamp(2 * AGE_MAX_MS);
    for n in 0..200 {
        let at = if n < 70 { Timestamp(AGE_MAX_MS - 1) } else { now };
        say(&records, at, &n.to_string(), None).await;
    }
    let first = async || {
        let lines = left(&records).await;
        (lines[0].clone(), lines.len())
    };
    assert_eq!(prune(&records, LIMITS).await.unwrap(), 70);
    assert_eq!(first().await, ("70".to_owned(), 130));
    let fewer = actions(Bounds { lines_max: 100, ..BOUNDS });
    assert_eq!(prune(&records, fewer).await.unwrap(), 30);
    assert_eq!(first().await, ("100".to_owned(), 100));
    assert_eq!(prune(&records, fewer).await.unwrap(), 0);
}

#[tokio::test]
async fn a_clock_that_is_years_ahead_forgets_nothing_by_itself_nor_by_a_line_of_its_own() {
    let records = Records::new(Arc::new(Memory::new()));
    for n in 0..10 {
        // Long ago, by the clock of the machine that looks.
        say(&records, Timestamp(n), &n.to_string(), None).await;
    }
    assert_eq!(prune(&records, LIMITS).await.unwrap(), 0);
    say(&records, Timestamp(9 * AGE_MAX_MS), "ahead", None).await;
    assert_eq!(prune(&records, actions(Bounds { ageless: 11, ..BOUNDS })).await.unwrap(), 0);
    assert_eq!(prune(&records, actions(Bounds { ageless: 4, ..BOUNDS })).await.unwrap(), 7);
}

#[tokio::test]
async fn a_node_that_renews_without_end_pushes_nothing_else_out() {
    let records = Records::new(Arc::new(Memory::new()));
    let at = Timestamp(1);
    say(&records, at, "removed the node", Some("voice1")).await;
    for n in 0..60 {
        say(&records, at, &format!("{RENEWED} {n} after 0"), Some("voice1")).await;
        if n < 3 {
            say(&records, at, &format!("{RENEWED} {n} after 0"), Some("voice2")).await;
        }
    }
    assert_eq!(prune(&records, LIMITS).await.unwrap(), 0, "there is room");
    let fewer = Limits { renewals: Bounds { lines_max: 30, ..BOUNDS }, ..LIMITS };
    assert_eq!(prune(&records, fewer).await.unwrap(), 40);
    let lines = left(&records).await;
    assert_eq!((lines.len(), lines[0].as_str()), (24, "removed the node"));
    assert_eq!(lines[23], format!("{RENEWED} 59 after 0"));
}

#[tokio::test]
async fn many_renewals_and_refusals_remove_no_action_of_a_person() {
    let records = Records::new(Arc::new(Memory::new()));
    let at = Timestamp(1);
    for n in 0..30 {
        say(&records, at, &format!("apply made revision {n}"), None).await;
        for node in ["voice1", "voice2", "voice3"] {
            say(&records, at, &format!("{RENEWED} {n} after 0"), Some(node)).await;
        }
        say(&records, at, &format!("{REFUSED} {n} times: /oml.v1.Fleet/Apply: no"), None).await;
    }
    let few = Bounds { lines_max: 30, ageless: 0 };
    let refusals = Bounds { lines_max: 5, ageless: 0 };
    let limits = Limits { actions: few, renewals: few, refusals };
    assert_eq!(prune(&records, limits).await.unwrap(), 60 + 25);
    let left = left(&records).await;
    assert_eq!(left.iter().filter(|what| what.starts_with("apply")).count(), 30);
    assert_eq!(left.last().unwrap(), &format!("{REFUSED} 29 times: /oml.v1.Fleet/Apply: no"));
}

#[test]
fn refused_calls_that_could_not_be_written_are_counted_with_the_next() {
    let refused = RefusedCalls::default();
    refused.note("alice", "/a", "no");
    let taken = refused.take();
    refused.note("alice", "/a", "no");
    for n in 0..20 {
        refused.note("bob", &format!("/{n}"), "no");
    }
    refused.put_back(taken);
    let lines = refused.take().lines(Timestamp(1));
    assert_eq!(lines[0].what, "was refused 2 times: /a: no");
    assert_eq!(lines.len(), 17);
    assert_eq!(lines[16].what, "was refused 5 more times");
    assert_eq!(refused.take().lines(Timestamp(1)), []);
}

#[tokio::test]
async fn a_flood_of_refused_calls_is_a_bounded_number_of_lines() {
    let records = Records::new(Arc::new(Memory::new()));
    let trail = AuditTrail::new(Simulated::new(1).env(), records.clone());
    trail.refused().note("oml://node/acme/app1", "/oml.v1.Fleet/Apply", "not permitted");
    for n in 0..5_000 {
        trail.refused().note("a caller without certificate", &format!("/{n}"), "no\nsuch call");
        trail.refused().note("oml://node/acme/app1", "/oml.v1.Fleet/Apply", "not permitted");
    }
    trail.write_refusals().await;
    let lines = left(&records).await;
    assert_eq!(lines.len(), 17);
    assert_eq!(lines[0], "was refused: /0: no\\nsuch call");
    assert_eq!(lines[15], "was refused 5001 times: /oml.v1.Fleet/Apply: not permitted");
    assert_eq!(lines[16], "was refused 4985 more times");
    trail.write_refusals().await;
    assert_eq!(left(&records).await.len(), 17, "they are written once");
}

#[tokio::test]
async fn lines_stay_in_order_after_the_clock_was_set_back_and_after_a_restart() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let host = Simulated::new(1);
    let records = Records::new(Arc::clone(&store));
    say(&records, host.now(), "first", None).await;
    host.set_clock(-86_400_000);
    say(&records, host.now(), "second", None).await;
    host.reboot();
    host.set_clock(-86_400_000);
    let records = Records::new(store);
    say(&records, host.now(), "third", None).await;
    assert_eq!(left(&records).await, ["first", "second", "third"]);
}

#[tokio::test]
async fn two_controllers_over_one_store_lose_no_line_and_keep_their_order() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let (one, other) = (Records::new(Arc::clone(&store)), Records::new(store));
    let mut said = Vec::new();
    for n in 0..30 {
        let what = n.to_string();
        let records = if n % 7 < 3 { &one } else { &other };
        say(records, Timestamp(1000 - n), &what, None).await;
        said.push(what);
    }
    assert_eq!(left(&one).await, said);
}

#[tokio::test]
async fn a_conflict_of_another_record_stays_the_callers() {
    let records = Records::new(Arc::new(Memory::new()));
    let epoch = Epoch { epoch: 1 };
    let found = || {
        let line = AuditRecord {
            at: Timestamp(1),
            who: "maria".into(),
            what: "founded".into(),
            tenant: None,
            node: None,
        };
        Batch::default().put(&keys::epoch(), Expect::Absent, &epoch).audit(&line)
    };
    records.commit(found()).await.unwrap();
    assert!(records.commit(found()).await.unwrap_err().is_conflict());
    assert_eq!(left(&records).await, ["founded"], "all of a commit happens or nothing");
}
