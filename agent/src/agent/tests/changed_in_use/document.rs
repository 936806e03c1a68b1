//! Edits of the document of the version in use that leave its workload, beside a change to another
//! version.

use super::*;
use crate::fixtures;

/// Somebody edits what is no part of the workload.
pub(super) fn edit_timing(bench: &Bench) -> String {
    let text = document_text(bench);
    assert!(text.contains("10000"), "{text}");
    bench.garble(Slot::Current, text.replace("10000", "10001").as_bytes());
    text
}

#[tokio::test(start_paused = true)]
async fn an_edit_of_the_document_that_leaves_its_workload_is_put_right_and_reported() {
    for bench in in_use().await {
        let before = restarts(&bench);
        let text = edit_timing(&bench);
        reload(&bench).await;
        bench.until_report(|_| document_text(&bench) == text).await;
        until_drift(&bench, "its instance document was changed").await;
        bench.pass_time(600).await;
        assert_eq!(document_text(&bench), text);
        assert_eq!(restarts(&bench), before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_document_in_use_that_was_edited_while_the_agent_was_stopped_is_put_right_and_reported() {
    for mut bench in in_use().await {
        let before = restarts(&bench);
        bench.stop();
        let text = edit_timing(&bench);
        bench.start();
        bench.until_report(|_| document_text(&bench) == text).await;
        until_drift(&bench, "its instance document was changed").await;
        assert_eq!(restarts(&bench), before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_document_in_use_that_is_newer_than_its_container_is_put_right_to_the_newer_one() {
    let mut bench = Bench::settled().await;
    let newer = fixtures::document("asterisk", "1").edited(|it| it.timing.stop_grace_ms += 5);
    bench.desire_document(newer.clone());
    bench.until_report(|_| document_text(&bench) == newer.text()).await;
    bench.until_ready("1").await;
    bench.refuse("2", "toomanyrequests");
    bench.desire(&["2"]);
    bench.until(|report| report.phase == Phase::Blocked).await;
    let before = restarts(&bench);
    for edit in [edit_timing, edit_document] {
        bench.stop();
        edit(&bench);
        bench.start();
        bench.until_report(|_| document_text(&bench) == newer.text()).await;
        until_drift(&bench, "its instance document was changed").await;
    }
    assert_eq!(restarts(&bench), before);
}

#[tokio::test(start_paused = true)]
async fn an_edited_document_is_put_right_during_a_drain_which_goes_on() {
    let mut bench = Bench::with_calls(3).await;
    bench.desire_counted("2", OnDeadline::Wait);
    bench.until(|report| matches!(report.phase, Phase::Draining { .. })).await;
    let before = restarts(&bench);
    let text = edit_timing(&bench);
    reload(&bench).await;
    bench.until_report(|_| document_text(&bench) == text).await;
    until_drift(&bench, "its instance document was changed").await;
    bench.until(|report| matches!(report.phase, Phase::Draining { .. })).await;
    assert_eq!(restarts(&bench), before, "calls were cut");
}

#[tokio::test(start_paused = true)]
async fn a_document_that_is_changed_in_a_soak_is_reported_then_and_put_right_after_it() {
    for edit in [edit_timing, edit_desired] {
        let bench = Bench::upgrading("2", Behaviour::Good).await;
        bench.until_soaking().await;
        let text = edit(&bench);
        reload(&bench).await;
        let is_reported = |found: &str| found.contains("its instance document was changed");
        let is_soaking = |phase| matches!(phase, Phase::Soaking { .. });
        bench
            .until(|report| {
                is_soaking(report.phase)
                    && report.drift.as_ref().is_some_and(|drift| is_reported(&drift.found))
            })
            .await;
        bench.until_ready("2").await;
        bench.until_report(|_| document_text(&bench) == text).await;
        until_drift(&bench, "its instance document was changed").await;
    }
}

/// Somebody edits the document of version 2 into that of a version of which there is no image.
fn edit_desired(bench: &Bench) -> String {
    let text = document_text(bench);
    let (own, other) = (digest("2").to_string(), digest("9").to_string());
    bench.garble(Slot::Current, text.replace(&own, &other).as_bytes());
    text
}

#[tokio::test(start_paused = true)]
async fn an_edited_document_of_a_stopped_component_is_put_right_and_stays_stopped() {
    let bench = Bench::settled().await;
    bench.host.systemctl("stop", UNIT).await;
    bench.until(|report| matches!(report.phase, Phase::StoppedByHand { .. })).await;
    let before = restarts(&bench);
    let text = edit_timing(&bench);
    reload(&bench).await;
    bench.until_report(|_| document_text(&bench) == text).await;
    until_drift(&bench, "its instance document was changed").await;
    bench.pass_time(600).await;
    bench.until(|report| matches!(report.phase, Phase::StoppedByHand { .. })).await;
    assert_eq!(restarts(&bench), before);
}
