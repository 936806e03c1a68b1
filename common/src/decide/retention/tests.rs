use super::*;
use crate::time::Timestamp;

fn hash(text: &str) -> ContentHash {
    ContentHash::of(text.as_bytes())
}

fn container(workload: &str, state: ContainerState) -> ObservedContainer {
    ObservedContainer {
        id: workload.to_owned(),
        name: workload.to_owned(),
        hash: hash(workload),
        version: "1".parse().unwrap(),
        digest: format!("sha256:{}", "1".repeat(64)).parse().unwrap(),
        created: Timestamp(0),
        state,
    }
}

fn exited(workload: &str, at: u64) -> ObservedContainer {
    container(workload, ContainerState::Exited { code: 0, at: Timestamp(at), out_of_memory: false })
}

#[test]
fn the_last_good_workload_is_kept_before_the_one_of_the_previous_document() {
    let (desired, good, written) = (hash("2"), hash("0"), hash("1"));
    assert_eq!(known_previous(&desired, Some(&good), Some(&written)), Some(good));
    assert_eq!(known_previous(&desired, None, Some(&written)), Some(written));
    assert_eq!(known_previous(&desired, None, Some(&desired)), None);
    assert_eq!(known_previous(&desired, None, None), None);
}

#[test]
fn without_a_record_the_workload_that_ended_last_ran_before() {
    let running = container("0", ContainerState::Running { since: Timestamp(1) });
    let created = container("9", ContainerState::Created);
    let found = [exited("1", 5), exited("2", 9), exited("3", 7), running, created];
    assert_eq!(last_ended(&found, &hash("2")), Some(hash("3")));
    assert_eq!(last_ended(&found, &hash("4")), Some(hash("2")));
    assert_eq!(last_ended(&found[3..], &hash("2")), None);
}

#[test]
fn the_desired_workload_is_always_kept() {
    assert_eq!(kept(hash("2"), None), [hash("2")]);
    assert_eq!(kept(hash("2"), Some(hash("1"))), [hash("2"), hash("1")]);
}
