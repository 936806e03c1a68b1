//! What somebody changes on a host after a reload failed.

use super::*;
use crate::agent::tests::by_hand::{edit, unit_text};

/// The reload of another file failed, and the program goes on with its former one.
async fn failed() -> (Bench, InstanceDocument) {
    let (mut bench, first) = settled().await;
    bench.host.answer_next_exec(1, "key values mismatch\n");
    bench.desire_document(with_file("second\n"));
    bench.until_returned("1").await;
    (bench, first)
}

async fn until_reported(bench: &Bench, words: &str) {
    let is_reported = |drift: &str| drift.contains(words);
    let report =
        bench.until(|report| report.drift.as_ref().is_some_and(|it| is_reported(&it.found))).await;
    assert!(report.failure.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_file_and_a_unit_are_put_right_without_another_reload_after_one_that_failed() {
    let (bench, first) = failed().await;
    let place = place(&bench, &first);
    let (reloads, before) = (execs(&bench), restarts(&bench));
    fs::write(&place, "edited\n").unwrap();
    until_reported(&bench, "file /etc/voice.pem was edited").await;
    bench.until_report(|_| fs::read_to_string(&place).is_ok_and(|it| it == "first\n")).await;
    let text = unit_text(&bench);
    edit(&bench, &format!("{text}MemoryMax=1M\n")).await;
    until_reported(&bench, "unit asterisk.service was edited").await;
    bench.until_report(|_| unit_text(&bench) == text).await;
    let report = bench.until_returned("1").await;
    assert!(report.reason.starts_with("the reload failed"), "{}", report.reason);
    bench.pass_time(600).await;
    assert_eq!((execs(&bench), restarts(&bench)), (reloads, before));
    assert_eq!(document(&bench).hash(), first.hash());
}

#[tokio::test(start_paused = true)]
async fn an_edited_document_is_put_right_without_another_reload_after_one_that_failed() {
    let (bench, first) = failed().await;
    let (reloads, before, text) = (execs(&bench), restarts(&bench), bench.text(Slot::Current));
    assert!(text.contains("10000"), "{text}");
    bench.garble(Slot::Current, text.replace("10000", "10001").as_bytes());
    bench.host.host.reload_units().await.unwrap();
    until_reported(&bench, "its instance document was changed").await;
    bench.until_report(|_| bench.text(Slot::Current) == text).await;
    bench.pass_time(600).await;
    assert_eq!((execs(&bench), restarts(&bench)), (reloads, before));
    assert_eq!(document(&bench).hash(), first.hash());
}
