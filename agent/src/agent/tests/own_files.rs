//! Edits by hand of what the agent keeps beside the documents in use: they are reported, and put right
//! where the agent knows what was there.

use oml_common::document::report::InstanceReport;
use oml_sim::Behaviour;

use super::bench::{Bench, name};
use super::restarts;
use crate::documents;
use crate::paths::Slot;

const PREVIOUS: &str = "the document of the version before (prev.json) was changed";
const NOTE: &str = "the note of the last good version (proved) was changed";
const LEFT: &str = "the document of the version before (prev.json) was changed; it is written again with the next change";
const RECORD: &str = "the record of its update (updates.json) was changed; it counts as it is";

/// Version 2 runs and was kept, after version 1.
async fn changed_once() -> Bench {
    let bench = Bench::upgrading("2", Behaviour::Good).await;
    bench.until_ready("2").await;
    bench.pass_time(60).await;
    bench
}

fn says(words: &'static str) -> impl Fn(&InstanceReport) -> bool {
    move |report| report.drift.as_ref().is_some_and(|drift| drift.found == words)
}

/// Asserts that nothing is reported for a while.
async fn says_nothing(bench: &Bench) {
    bench.pass_time(180).await;
    bench.until(|report| report.drift.is_none()).await;
}

/// Somebody edits what is no part of the workload of the version before.
fn edit_previous(bench: &Bench) -> String {
    let text = bench.text(Slot::Previous);
    assert!(text.contains("10000"), "{text}");
    bench.garble(Slot::Previous, text.replace("10000", "10001").as_bytes());
    text
}

fn updates(bench: &Bench) -> std::path::PathBuf {
    bench.host.paths.state.join("updates.json")
}

/// What an agent of an earlier release writes of the record: it knows no sums.
fn forget_sums(bench: &Bench) {
    let text = std::fs::read_to_string(updates(bench)).unwrap();
    let (known, _sums) = text.split_once(",\"sums\":").unwrap();
    std::fs::write(updates(bench), format!("{known}}}")).unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_edited_document_of_the_version_before_is_put_right_and_reported_until_the_next_change()
{
    let mut bench = changed_once().await;
    // An agent that only saw the file knows what was there, too.
    bench.stop();
    bench.start();
    says_nothing(&bench).await;
    let before = restarts(&bench);
    let text = edit_previous(&bench);
    bench.until_report(|_| bench.text(Slot::Previous) == text).await;
    bench.until(says(PREVIOUS)).await;
    let path = bench.host.paths.document(&name("asterisk"), Slot::Previous);
    std::fs::remove_file(&path).unwrap();
    bench.until_report(|_| path.exists() && bench.text(Slot::Previous) == text).await;
    assert_eq!(restarts(&bench), before);
    bench.upgrade("3", Behaviour::Good);
    bench.until_ready("3").await;
    says_nothing(&bench).await;
}

#[tokio::test(start_paused = true)]
async fn a_document_of_the_version_before_that_was_edited_while_the_agent_was_stopped_is_reported()
{
    let mut bench = changed_once().await;
    bench.stop();
    edit_previous(&bench);
    bench.start();
    bench.until(says(LEFT)).await;
    bench.pass_time(600).await;
    bench.until(says(LEFT)).await;
    bench.upgrade("3", Behaviour::Good);
    bench.until_ready("3").await;
    says_nothing(&bench).await;
}

#[tokio::test(start_paused = true)]
async fn an_edited_or_removed_note_of_the_last_good_version_is_put_right_and_reported() {
    for is_stopped in [false, true] {
        for text in [None, Some(""), Some("0123")] {
            let mut bench = changed_once().await;
            let (paths, component) = (bench.host.paths.clone(), name("asterisk"));
            let good = documents::read_last_good(&paths, &component).unwrap();
            if is_stopped {
                bench.stop();
            }
            let path = paths.last_good(&component);
            match text {
                Some(text) => std::fs::write(path, text).unwrap(),
                None => std::fs::remove_file(path).unwrap(),
            }
            if is_stopped {
                bench.start();
            }
            bench.until(says(NOTE)).await;
            assert_eq!(documents::read_last_good(&paths, &component).unwrap(), good);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_edited_record_of_updates_is_reported() {
    let mut bench = changed_once().await;
    bench.stop();
    let text = std::fs::read_to_string(updates(&bench)).unwrap();
    assert!(text.contains("\"committed\""), "{text}");
    let edited = text.replace("\"committed\"", "\"committed\",\"calls_cut\":7");
    std::fs::write(updates(&bench), edited).unwrap();
    bench.start();
    bench.until(says(RECORD)).await;
}

#[tokio::test(start_paused = true)]
async fn nobody_is_said_to_have_edited_what_an_earlier_release_wrote() {
    let mut bench = changed_once().await;
    bench.stop();
    forget_sums(&bench);
    edit_previous(&bench);
    std::fs::remove_file(bench.host.paths.last_good(&name("asterisk"))).unwrap();
    bench.start();
    says_nothing(&bench).await;
}

#[tokio::test(start_paused = true)]
async fn restarts_of_the_agent_at_any_moment_of_changes_are_no_edits() {
    let mut bench = Bench::settled().await;
    for version in ["2", "1", "3"] {
        bench.upgrade(version, Behaviour::Good);
        for _second in 0..30 {
            bench.pass_time(1).await;
            bench.stop();
            bench.start();
        }
        bench.until_ready(version).await;
        bench.until(|report| report.drift.is_none()).await;
    }
    bench.desire(&[]);
    bench.pass_time(60).await;
    bench.desire(&["1"]);
    bench.until_ready("1").await;
    says_nothing(&bench).await;
}
