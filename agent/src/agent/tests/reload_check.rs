//! Checks of other files, which run before the program gets them.

use std::fs;
use std::time::Duration;

use oml_common::document::instance::{InstanceDocument, ReloadBy};
use tokio::time::Instant;

use super::bench::name;
use super::checked::{check_within, checks, exits, until_checking};
use super::reload::{by_command, document, execs, file, place, with_reload};
use super::*;

/// Version 1 with a file of that text, which has a check.
fn with_check(by: ReloadBy, text: &str) -> InstanceDocument {
    let step = check_within(1_800_000);
    with_reload(by, vec![file(text)], Vec::new()).edited(|it| it.checks = vec![step])
}

/// Version 1 runs with the text `first`, and its checks behave like that from now on.
async fn settled(by: ReloadBy, check: Behaviour) -> (Bench, InstanceDocument) {
    let mut bench = Bench::new();
    bench.offer("1", Behaviour::Good);
    bench.host.runs_behave(exits(0));
    let first = with_check(by, "first\n");
    bench.desire_document(first.clone());
    bench.until_ready("1").await;
    bench.host.runs_behave(check);
    (bench, first)
}

/// The number of folders with files of workloads.
fn folders(bench: &Bench) -> usize {
    fs::read_dir(bench.host.paths.files(&name("asterisk"))).unwrap().count()
}

#[tokio::test(start_paused = true)]
async fn files_that_a_check_refuses_are_not_placed_and_fail_the_change() {
    let signal = ReloadBy::Signal { signal: "SIGHUP".to_owned() };
    for by in [by_command(), signal, ReloadBy::NextStart] {
        let (mut bench, first) = settled(by.clone(), exits(4)).await;
        let (place, before) = (place(&bench, &first), restarts(&bench));
        bench.desire_document(with_check(by.clone(), "second\n"));
        let report = bench.until_returned("1").await;
        let words = "the reload failed: the check config of the new files ended with status 4; its \
                     former files stayed, and nothing was restarted";
        assert_eq!(report.reason, words, "{by:?}");
        let failure = report.failure.unwrap();
        assert_eq!((failure.message.as_str(), failure.exit_code), (words, Some(4)));
        assert_eq!(failure.log_tail, ["error in line 3"]);
        bench.pass_time(600).await;
        assert_eq!(fs::read_to_string(&place).unwrap(), "first\n");
        assert_eq!(document(&bench).hash(), first.hash());
        let running = bench.host.running(&name("asterisk")).unwrap();
        assert_eq!((restarts(&bench), execs(&bench), running.signals), (before, 0, Vec::new()));
        assert_eq!((checks(&bench).len(), folders(&bench)), (0, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_finds_the_new_files_where_the_program_would_and_the_program_has_the_former_ones() {
    let (mut bench, first) = settled(ReloadBy::NextStart, Behaviour::Hangs).await;
    let place = place(&bench, &first);
    bench.desire_document(with_check(ReloadBy::NextStart, "second\n"));
    until_checking(&bench).await;
    let seen: Vec<String> = checks(&bench).remove(0).volumes;
    let file_name = place.file_name().unwrap().to_str().unwrap();
    let mounted = seen.iter().find(|path| path.ends_with(file_name)).unwrap();
    assert_eq!(fs::read_to_string(mounted).unwrap(), "second\n");
    assert_eq!(fs::read_to_string(&place).unwrap(), "first\n");
}

#[tokio::test(start_paused = true)]
async fn files_that_a_check_accepts_are_placed() {
    let (mut bench, first) = settled(ReloadBy::NextStart, exits(0)).await;
    let (place, before) = (place(&bench, &first), restarts(&bench));
    let second = with_check(ReloadBy::NextStart, "second\n");
    bench.desire_document(second.clone());
    bench.until_report(|_| document(&bench).hash() == second.hash()).await;
    bench.until_ready("1").await;
    assert_eq!(fs::read_to_string(&place).unwrap(), "second\n");
    assert_eq!((restarts(&bench), checks(&bench).len(), folders(&bench)), (before, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_check_of_files_that_were_superseded_holds_up_nothing() {
    let (mut bench, first) = settled(ReloadBy::NextStart, Behaviour::Hangs).await;
    let place = place(&bench, &first);
    bench.desire_document(with_check(ReloadBy::NextStart, "second\n"));
    until_checking(&bench).await;
    bench.host.runs_behave(exits(0));
    let (asked, third) = (Instant::now(), with_check(ReloadBy::NextStart, "third\n"));
    bench.desire_document(third.clone());
    bench.until_report(|_| document(&bench).hash() == third.hash()).await;
    assert!(asked.elapsed() < Duration::from_secs(120), "{:?}", asked.elapsed());
    assert_eq!(fs::read_to_string(&place).unwrap(), "third\n");
    assert_eq!((checks(&bench).len(), folders(&bench)), (0, 1));
}
