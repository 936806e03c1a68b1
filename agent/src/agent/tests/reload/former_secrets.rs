//! Earlier versions of a secret: what starts by a document that names one, and that none stays which a
//! program has no longer.

use super::*;
use crate::agent::tests::EXITS;

/// That version, whose program takes over that version of a secret, which has arrived.
fn with_secret(bench: &Bench, version: &str, secret: u64) -> InstanceDocument {
    let first = with_reload(by_command(), Vec::new(), vec![arrive(bench, secret)]);
    first.edited(|instance| {
        let mut container = fixtures::container("asterisk", version);
        container.options.reloaded = ["/etc/voice.key".to_owned()].into_iter().collect();
        instance.workload = Verbatim::seal(Workload::Container(container));
    })
}

/// Version 1 was created with the first version of its secret, which is not on the host any more,
/// and has taken over the second one. Returns both documents.
async fn renewed() -> (Bench, [InstanceDocument; 2]) {
    let mut bench = Bench::new();
    bench.offer("1", Behaviour::Good);
    let first = with_secret(&bench, "1", 1);
    bench.desire_document(first.clone());
    bench.until_ready("1").await;
    let second = with_secret(&bench, "1", 2);
    bench.desire_document(second.clone());
    bench.until_report(|_| document(&bench).hash() == second.hash()).await;
    bench.until_ready("1").await;
    bench.until_report(|_| !is_kept(&bench, 1)).await;
    (bench, [first, second])
}

/// Somebody removes the document by which the host works.
fn lose_document(bench: &Bench) {
    fs::remove_file(bench.host.paths.document(&name("asterisk"), Slot::Current)).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_version_whose_document_was_lost_after_a_reload_is_rolled_back_to_with_what_it_had() {
    let (mut bench, [_, second]) = renewed().await;
    let place = place(&bench, &second);
    bench.offer("2", EXITS);
    let next = with_secret(&bench, "2", 2);
    lose_document(&bench);
    bench.desire_document(next);
    bench.until_returned("1").await;
    assert!(bench.host.running(&name("asterisk")).is_some());
    assert_eq!(fs::read_to_string(&place).unwrap(), "value 2");
    // By its label it would have the first version, so it takes the second one over once more.
    bench.desire_document(second.clone());
    bench.until_report(|_| document(&bench).hash() == second.hash()).await;
    bench.until_ready("1").await;
    assert_eq!(fs::read_to_string(&place).unwrap(), "value 2");
}

#[tokio::test(start_paused = true)]
async fn a_version_whose_document_was_lost_after_a_reload_is_started_beside_a_change_that_waits() {
    let (mut bench, [_, second]) = renewed().await;
    bench.refuse("2", "toomanyrequests");
    let next = with_secret(&bench, "2", 2);
    bench.desire_document(next);
    bench.until(|report| report.phase == Phase::Blocked).await;
    lose_document(&bench);
    bench.fail_for_good().await;
    // Its supervisor wrote the label back, which names the first version of the secret.
    bench.until_report(|_| document(&bench).hash() == second.hash()).await;
    bench.until(|report| report.started_at.is_some()).await;
    bench.until_report(|_| bench.host.running(&name("asterisk")).is_some()).await;
    assert_eq!(fs::read_to_string(place(&bench, &second)).unwrap(), "value 2");
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_fails_by_a_document_from_a_label_says_that_the_former_files_are_not_known() {
    let (mut bench, [first, _]) = renewed().await;
    bench.stop();
    documents::write(&bench.host.paths, &first, Slot::Current).unwrap();
    bench.host.answer_next_exec(1, "key values mismatch\n");
    let third = with_secret(&bench, "1", 3);
    bench.desire_document(third);
    bench.start();
    let report = bench.until(|report| report.phase == Phase::RolledBack).await;
    let words = "its former files are not known any more; nothing was restarted";
    assert!(report.reason.ends_with(words), "{}", report.reason);
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_is_renewed_after_a_rollback_does_not_stay_on_the_host() {
    let mut bench = Bench::new();
    bench.offer("1", Behaviour::Good);
    bench.offer("2", EXITS);
    let first = with_secret(&bench, "1", 1);
    bench.desire_document(first.clone());
    bench.until_ready("1").await;
    let next = with_secret(&bench, "2", 1);
    bench.desire_document(next);
    bench.until_returned("1").await;
    bench.desire_document(first.clone());
    bench.until_ready("1").await;
    let read =
        |bench: &Bench, slot| documents::read(&bench.host.paths, &name("asterisk"), slot).unwrap();
    assert_eq!(read(&bench, Slot::Previous), Some(first));
    let second = with_secret(&bench, "1", 2);
    bench.desire_document(second.clone());
    bench.until_report(|_| document(&bench).hash() == second.hash()).await;
    bench.until_ready("1").await;
    assert_eq!(read(&bench, Slot::Previous), Some(second));
    bench.until_report(|_| !is_kept(&bench, 1)).await;
    assert!(is_kept(&bench, 2));
}
