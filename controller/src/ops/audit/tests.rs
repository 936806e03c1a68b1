//! What is forgotten, and what is not.

use std::sync::Arc;

use super::*;
use crate::records::values::Audit;
use crate::store::Memory;

#[tokio::test]
async fn the_oldest_lines_are_forgotten_when_there_are_too_many_or_they_are_too_old() {
    let records = Records::new(Arc::new(Memory::new()));
    let now = Timestamp(2 * AGE_MAX_MS);
    for n in 0..200 {
        let at = if n < 70 { Timestamp(AGE_MAX_MS - 1) } else { now };
        let line = Audit { at, who: "maria".into(), what: n.to_string(), tenant: None, node: None };
        let batch = Batch::default().put(&keys::audit(), Expect::Absent, &line);
        records.commit(batch).await.unwrap();
    }
    let left = async || {
        let lines = records.list(&keys::audits()).await.unwrap();
        (lines.first().unwrap().1.value.what.clone(), lines.len())
    };
    assert_eq!(prune(&records, now, 1000).await.unwrap(), 70);
    assert_eq!(left().await, ("70".to_owned(), 130));
    assert_eq!(prune(&records, now, 100).await.unwrap(), 30);
    assert_eq!(left().await, ("100".to_owned(), 100));
    assert_eq!(prune(&records, now, 100).await.unwrap(), 0);
}
