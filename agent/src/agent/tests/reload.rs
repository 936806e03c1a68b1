//! Files that a program takes over while it runs: written in place, and nothing is restarted.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use oml_common::document::Verbatim;
use oml_common::document::instance::{
    ContainerFile, Instance, InstanceDocument, KeptSecret, Reload, ReloadBy, Workload,
};
use oml_common::document::report::Phase;
use oml_common::id::SecretMark;
use oml_common::text::secret_text::SecretText;
use oml_sim::{Behaviour, Daemon, Verb};
use zeroize::Zeroizing;

use super::bench::{Bench, name};
use super::restarts;
use crate::documents;
use crate::fixtures;
use crate::kept_secrets::{self, SentSecret};
use crate::paths::Slot;
use crate::reloaded_files::placed_of;

mod after_failure;
mod former_secrets;

const COMMAND: [&str; 2] = ["voice", "reload"];

/// Version 1, whose program takes these over while it runs.
pub(super) fn with_reload(
    by: ReloadBy,
    files: Vec<ContainerFile>,
    secrets: Vec<KeptSecret>,
) -> InstanceDocument {
    let secrets = secrets.into_iter().collect();
    let reload = Reload { by, deadline_ms: 5_000, files, secrets };
    let mut container = fixtures::container("asterisk", "1");
    container.options.reloaded = reload.places().map(str::to_owned).collect();
    let workload = Verbatim::seal(Workload::Container(container));
    let reload = Some(reload);
    Verbatim::seal(Instance { workload, reload, ..fixtures::instance("asterisk", "1") })
}

pub(super) fn by_command() -> ReloadBy {
    ReloadBy::Command { command: COMMAND.map(str::to_owned).to_vec() }
}

/// A file of that text, of the owner of this process.
pub(super) fn file(text: &str) -> ContainerFile {
    let (uid, gid) = (nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw());
    let (path, text) = ("/etc/voice.pem".to_owned(), text.to_owned());
    ContainerFile { path, mode: 0o640, uid, gid, text }
}

fn with_file(text: &str) -> InstanceDocument {
    with_reload(by_command(), vec![file(text)], Vec::new())
}

pub(super) fn place(bench: &Bench, instance: &Instance) -> PathBuf {
    let hash = instance.workload_hash();
    placed_of(&bench.host.paths, instance, &hash).remove(0).place
}

pub(super) fn execs(bench: &Bench) -> usize {
    bench.host.count(Daemon::Engine, Verb::Exec)
}

/// Version 1 runs with a file of the text `first`, and was kept.
async fn settled() -> (Bench, InstanceDocument) {
    let mut bench = Bench::new();
    bench.offer("1", Behaviour::Good);
    let first = with_file("first\n");
    bench.desire_document(first.clone());
    bench.until_ready("1").await;
    (bench, first)
}

pub(super) fn document(bench: &Bench) -> InstanceDocument {
    documents::read(&bench.host.paths, &name("asterisk"), Slot::Current).unwrap().unwrap()
}

#[tokio::test(start_paused = true)]
async fn another_content_is_written_in_place_and_the_program_is_asked_and_probed() {
    let (mut bench, first) = settled().await;
    let place = place(&bench, &first);
    let (mounted, before) = (place.metadata().unwrap().ino(), restarts(&bench));
    assert_eq!((fs::read_to_string(&place).unwrap().as_str(), execs(&bench)), ("first\n", 0));
    let second = with_file("second\n");
    bench.desire_document(second.clone());
    let reason = "being reloaded; its container runs on";
    bench.until(|report| report.phase == Phase::Preparing && report.reason == reason).await;
    let report = bench.until_ready("1").await;
    assert_eq!((report.failure, report.drift), (None, None));
    assert_eq!(fs::read_to_string(&place).unwrap(), "second\n");
    assert_eq!(place.metadata().unwrap().ino(), mounted);
    assert_eq!((restarts(&bench), execs(&bench)), (before, 1));
    assert_eq!(document(&bench).hash(), second.hash());
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_fails_fails_the_change_and_the_former_content_is_put_back() {
    let (mut bench, first) = settled().await;
    let (place, before) = (place(&bench, &first), restarts(&bench));
    bench.host.answer_next_exec(1, "reading\nkey values mismatch\n");
    bench.desire_document(with_file("second\n"));
    let report = bench.until_returned("1").await;
    let words = "the reload failed: voice ended with exit code 1: key values mismatch; its former \
                 files are back, and nothing was restarted";
    assert_eq!(report.reason, words);
    let failure = report.failure.unwrap();
    assert_eq!((failure.message.as_str(), failure.exit_code), (words, Some(1)));
    assert_eq!(failure.log_tail, ["reading", "key values mismatch"]);
    assert_eq!(failure.hash, first.workload_hash());
    assert_eq!(fs::read_to_string(&place).unwrap(), "first\n");
    // It is asked once for the new content and once for the former one, and not again.
    bench.pass_time(3_600).await;
    assert_eq!((restarts(&bench), execs(&bench)), (before, 2));
    assert_eq!(document(&bench).hash(), first.hash());
    // A rollback has nothing to do.
    bench.desire_document(first);
    bench.until_ready("1").await;
    assert_eq!((restarts(&bench), execs(&bench)), (before, 2));
}

#[tokio::test(start_paused = true)]
async fn a_program_that_stops_answering_after_its_reload_gets_its_former_content() {
    let mut bench = Bench::new();
    bench.offer("1", Behaviour::UnhealthyAfter { after_ms: 3_600_000 });
    let first = with_file("first\n");
    bench.desire_document(first.clone());
    bench.until_ready("1").await;
    bench.pass_time(3_570).await;
    let place = place(&bench, &first);
    // The command takes so long that the program does not answer any more when it has ended.
    bench.host.host.hold(Daemon::Engine, Verb::Exec);
    bench.desire_document(with_file("second\n"));
    bench.until(|report| report.phase == Phase::Preparing).await;
    bench.pass_time(40).await;
    bench.host.host.release(Daemon::Engine, Verb::Exec);
    let report = bench.until(|report| report.phase == Phase::RolledBack).await;
    assert!(report.reason.contains("the program stopped answering after it"), "{}", report.reason);
    assert_eq!(fs::read_to_string(&place).unwrap(), "first\n");
}

#[tokio::test(start_paused = true)]
async fn a_status_says_when_its_probe_was_asked_which_is_before_the_answer() {
    let bench = Bench::settled().await;
    let status = bench.host.statuses.borrow()[&name("asterisk")].clone();
    assert!(status.asked_at.is_some_and(|asked| asked < status.checked_at), "{status:?}");
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_was_interrupted_is_done_again() {
    for verb in [Verb::Exec, Verb::Read] {
        let (mut bench, first) = settled().await;
        let before = restarts(&bench);
        bench.host.host.hold(Daemon::Engine, Verb::Exec);
        let second = with_file("second\n");
        bench.desire_document(second.clone());
        let place = place(&bench, &first);
        bench
            .until_report(|_| fs::read_to_string(&place).is_ok_and(|text| text == "second\n"))
            .await;
        bench.stop();
        bench.host.host.release(Daemon::Engine, Verb::Exec);
        bench.host.lose_once(Daemon::Engine, verb);
        bench.start();
        let report = bench.until_ready("1").await;
        assert_eq!(report.drift, None, "{verb:?}");
        assert_eq!(document(&bench).hash(), second.hash());
        assert_eq!(fs::read_to_string(&place).unwrap(), "second\n");
        assert_eq!(restarts(&bench), before, "{verb:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_content_that_somebody_edited_is_put_right_reloaded_and_reported() {
    let (bench, first) = settled().await;
    let (place, before) = (place(&bench, &first), restarts(&bench));
    fs::write(&place, "edited\n").unwrap();
    let is_reported = |drift: &str| drift.contains("file /etc/voice.pem was edited");
    bench.until(|report| report.drift.as_ref().is_some_and(|it| is_reported(&it.found))).await;
    bench.until_ready("1").await;
    assert_eq!(fs::read_to_string(&place).unwrap(), "first\n");
    assert_eq!((restarts(&bench), execs(&bench)), (before, 1));
}

#[tokio::test(start_paused = true)]
async fn a_program_is_reloaded_by_a_signal_too() {
    let mut bench = Bench::new();
    bench.offer("1", Behaviour::Good);
    let by = || ReloadBy::Signal { signal: "SIGHUP".to_owned() };
    bench.desire_document(with_reload(by(), vec![file("first\n")], Vec::new()));
    bench.until_ready("1").await;
    bench.desire_document(with_reload(by(), vec![file("second\n")], Vec::new()));
    bench.until(|report| report.phase == Phase::Preparing).await;
    bench.until_ready("1").await;
    let running = bench.host.running(&name("asterisk")).unwrap();
    assert_eq!((running.signals, running.starts), (vec!["SIGHUP".to_owned()], 1));
}

#[tokio::test(start_paused = true)]
async fn a_signal_that_stops_the_container_is_not_sent_and_fails_the_change() {
    let mut bench = Bench::new();
    bench.offer("1", Behaviour::Good);
    let with = |text| {
        let by = ReloadBy::Signal { signal: "SIGUSR1".to_owned() };
        let document = with_reload(by, vec![file(text)], Vec::new());
        let workload = document.workload.edited(|workload| {
            let Workload::Container(container) = workload else { panic!("it is a container") };
            container.options.stop_signal = Some("SIGUSR1".to_owned());
        });
        document.edited(|instance| instance.workload = workload)
    };
    let first = with("first\n");
    bench.desire_document(first.clone());
    bench.until_ready("1").await;
    bench.desire_document(with("second\n"));
    let report = bench.until_returned("1").await;
    let words =
        "the reload failed: SIGUSR1 is the signal that stops its container, so it was not sent";
    assert!(report.reason.starts_with(words), "{}", report.reason);
    assert_eq!(fs::read_to_string(place(&bench, &first)).unwrap(), "first\n");
    let running = bench.host.running(&name("asterisk")).unwrap();
    assert_eq!((running.signals, running.starts), (Vec::new(), 1));
}

#[tokio::test(start_paused = true)]
async fn a_program_that_reads_its_files_only_when_it_starts_is_left_alone_until_then() {
    let mut bench = Bench::new();
    bench.offer("1", Behaviour::Good);
    let with = |text| with_reload(ReloadBy::NextStart, vec![file(text)], Vec::new());
    let first = with("first\n");
    bench.desire_document(first.clone());
    bench.until_ready("1").await;
    let (place, before) = (place(&bench, &first), restarts(&bench));
    let second = with("second\n");
    bench.desire_document(second.clone());
    bench.until_report(|_| document(&bench).hash() == second.hash()).await;
    bench.until_ready("1").await;
    assert_eq!(fs::read_to_string(&place).unwrap(), "second\n");
    assert_eq!((restarts(&bench), execs(&bench)), (before, 0));
    let running = bench.host.running(&name("asterisk")).unwrap();
    assert_eq!((running.signals, running.starts), (Vec::new(), 1));
}

/// That version of a secret of the controller, which arrives with this value.
fn arrive(bench: &Bench, version: u64) -> KeptSecret {
    let value = SecretText::read(Zeroizing::new(format!("value {version}"))).unwrap();
    let mark: SecretMark = format!("{version:032}").parse().unwrap();
    let sent = SentSecret {
        name: "tls_key".parse().unwrap(),
        version,
        mark: mark.clone(),
        is_mounted: true,
        value,
    };
    kept_secrets::write(&bench.host.paths, &[sent]).unwrap();
    bench.secrets.send_modify(|written| *written += 1);
    let (name, file) = ("tls_key".parse().unwrap(), Some("/etc/voice.key".to_owned()));
    KeptSecret { name, version, mark, file }
}

/// Whether that version of the secret is on the host.
fn is_kept(bench: &Bench, version: u64) -> bool {
    let mark: SecretMark = format!("{version:032}").parse().unwrap();
    bench.host.paths.mounted_secret(&"tls_key".parse().unwrap(), &mark).exists()
}

#[tokio::test(start_paused = true)]
async fn another_version_of_a_secret_is_copied_to_where_it_is_mounted_and_reloaded() {
    let mut bench = Bench::new();
    bench.offer("1", Behaviour::Good);
    let secret = |bench: &Bench, version| {
        with_reload(by_command(), Vec::new(), vec![arrive(bench, version)])
    };
    let first = secret(&bench, 1);
    bench.desire_document(first.clone());
    bench.until_ready("1").await;
    let (place, before) = (place(&bench, &first), restarts(&bench));
    assert_eq!(fs::read_to_string(&place).unwrap(), "value 1");
    let running = bench.host.running(&name("asterisk")).unwrap();
    assert!(running.volumes.contains(&place.display().to_string()), "{:?}", running.volumes);
    let second = secret(&bench, 2);
    bench.desire_document(second.clone());
    bench.until(|report| report.phase == Phase::Preparing).await;
    bench.until_ready("1").await;
    assert_eq!(fs::read_to_string(&place).unwrap(), "value 2");
    assert_eq!((restarts(&bench), execs(&bench)), (before, 1));
    // The version that nothing names any more goes, and the one in use stays.
    bench.pass_time(60).await;
    assert_eq!([1, 2].map(|version| is_kept(&bench, version)), [false, true]);
}

#[tokio::test(start_paused = true)]
async fn what_ends_while_it_is_down_starts_with_its_new_content() {
    let (mut bench, first) = settled().await;
    bench.fail_for_good().await;
    let place = place(&bench, &first);
    bench.desire_document(with_file("second\n"));
    bench.until_ready("1").await;
    assert_eq!(fs::read_to_string(&place).unwrap(), "second\n");
    assert_eq!(execs(&bench), 0);
}
