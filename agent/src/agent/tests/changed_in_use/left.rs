//! Changes by hand to a version in use about which nothing may be written: it waits for its removal, or
//! for a newer agent. They are reported for as long as they are there.

use super::names::running_and_spare;
use super::*;

async fn until_nothing_is_reported(bench: &Bench) {
    bench.until(|report| report.drift.is_none()).await;
}

/// Changes one thing after another by hand, and back.
async fn every_change_is_reported(bench: &Bench) {
    let before = restarts(bench);
    let (unit, document) = (unit_text(bench), document_text(bench));
    edit(bench, &format!("{unit}MemoryMax=1M\n")).await;
    until_drift(bench, "unit asterisk.service was edited").await;
    remove_unit(bench);
    reload(bench).await;
    until_drift(bench, "its unit is missing").await;
    edit(bench, &unit).await;
    until_nothing_is_reported(bench).await;
    for edit in [document::edit_timing, edit_document] {
        edit(bench);
        reload(bench).await;
        until_drift(bench, "its instance document was changed").await;
        bench.garble(Slot::Current, document.as_bytes());
        reload(bench).await;
        until_nothing_is_reported(bench).await;
    }
    let (running, spare) = running_and_spare(bench);
    for (name, words) in [(spare.as_str(), "was renamed to"), ("mine", "its own name is")] {
        bench.host.host.rename_by_hand(&running.id, name).unwrap();
        until_drift(bench, words).await;
        bench.host.host.rename_by_hand(&running.id, OWN).unwrap();
        until_nothing_is_reported(bench).await;
    }
    assert_eq!(restarts(bench), before);
}

#[tokio::test(start_paused = true)]
async fn what_is_changed_while_a_removal_waits_for_calls_is_reported() {
    let mut bench = Bench::with_calls(3).await;
    bench.desire(&[]);
    bench.until(|report| matches!(report.phase, Phase::Draining { .. })).await;
    every_change_is_reported(&bench).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_changed_while_a_newer_agent_is_needed_is_reported() {
    let mut bench = Bench::settled().await;
    bench.desire_unreadable("2");
    bench.until(|report| report.phase == Phase::Blocked).await;
    every_change_is_reported(&bench).await;
}
