//! What an instance does that names a secret which the controller has not sent yet.

use oml_common::document::instance::{InstanceDocument, KeptSecret, RegistryLogin, Workload};
use oml_common::document::report::{InstanceReport, Phase};
use oml_common::text::secret_text::SecretText;
use oml_sim::{Behaviour, Daemon, Verb};
use zeroize::Zeroizing;

use super::bench::Bench;
use crate::fixtures;
use crate::kept_secrets::{self, SentSecret};

const WAITS: &str = "waits for secret redis version 2, which the controller has not sent yet";

/// That version, which names a secret.
fn with_secret(version: &str) -> InstanceDocument {
    let (name, mark) = ("redis".parse().unwrap(), "2".repeat(32).parse().unwrap());
    let kept = KeptSecret { name, version: 2, mark, file: None };
    let workload = fixtures::instance("asterisk", version).workload.edited(|workload| {
        if let Workload::Container(container) = workload {
            container.kept_secrets = [("TOKEN".parse().unwrap(), kept)].into();
        }
    });
    fixtures::document("asterisk", version).edited(|instance| instance.workload = workload)
}

fn arrive(bench: &Bench) {
    let value = SecretText::read(Zeroizing::new("sesame".to_owned())).unwrap();
    let (name, mark) = ("redis".parse().unwrap(), "2".repeat(32).parse().unwrap());
    let sent = SentSecret { name, version: 2, mark, is_mounted: false, value };
    assert!(kept_secrets::write(&bench.host.paths, &[sent]).unwrap());
    bench.secrets.send_modify(|written| *written += 1);
}

#[tokio::test(start_paused = true)]
async fn a_new_instance_waits_for_its_secret_says_so_and_starts_when_it_comes() {
    let mut bench = Bench::new();
    bench.offer("1", Behaviour::Good);
    bench.desire_document(with_secret("1"));
    let waiting = bench.until(|report| report.reason == WAITS).await;
    assert_eq!(waiting.phase, Phase::Pending);
    bench.pass_time(3_600).await;
    assert!(bench.versions().is_empty(), "a container without its secret");
    arrive(&bench);
    bench.until_ready("1").await;
    // It is named, so it stays.
    bench.pass_time(60).await;
    let mark = "2".repeat(32).parse().unwrap();
    assert!(bench.host.paths.kept_secret(&"redis".parse().unwrap(), &mark).exists());
}

/// That version, whose image is pulled with a password that the controller keeps.
fn with_login(version: &str) -> InstanceDocument {
    let (name, mark) = ("redis".parse().unwrap(), "2".repeat(32).parse().unwrap());
    let password = KeptSecret { name, version: 2, mark, file: None };
    let login = RegistryLogin { user: "puller".to_owned(), password };
    fixtures::document("asterisk", version).edited(|instance| instance.pull_login = Some(login))
}

#[tokio::test(start_paused = true)]
async fn a_pull_waits_for_its_password_and_what_was_pulled_needs_none() {
    let mut bench = Bench::new();
    bench.offer("1", Behaviour::Good);
    bench.desire_document(with_login("1"));
    bench.until(|report| report.reason == WAITS).await;
    assert_eq!(bench.host.count(Daemon::Engine, Verb::Pull), 0);
    arrive(&bench);
    bench.until_ready("1").await;
    assert_eq!(bench.host.count(Daemon::Engine, Verb::Pull), 1);
    // The host may lose it: the image is there.
    let mark = "2".repeat(32).parse().unwrap();
    let file = bench.host.paths.kept_secret(&"redis".parse().unwrap(), &mark);
    assert!(file.exists());
    std::fs::remove_file(&file).unwrap();
    let running = bench.host.running(&"asterisk".parse().unwrap()).unwrap();
    bench.desire_document(with_login("1").edited(|instance| instance.pull_login = None));
    bench.pass_time(60).await;
    bench.until_ready("1").await;
    assert_eq!(bench.host.running(&"asterisk".parse().unwrap()).unwrap().id, running.id);
}

#[tokio::test(start_paused = true)]
async fn what_runs_goes_on_while_its_change_waits_for_a_secret() {
    let mut bench = Bench::settled().await;
    bench.offer("2", Behaviour::Good);
    bench.desire_document(with_secret("2"));
    bench.until(|report| report.reason.contains(WAITS)).await;
    let running = bench.host.running(&"asterisk".parse().unwrap()).unwrap();
    bench.pass_time(600).await;
    assert_eq!(bench.host.running(&"asterisk".parse().unwrap()).unwrap().id, running.id);
    arrive(&bench);
    bench.until_ready("2").await;
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_nothing_names_any_more_is_removed_from_the_host() {
    let mut bench = Bench::new();
    bench.offer("1", Behaviour::Good);
    bench.desire_document(with_secret("1"));
    arrive(&bench);
    bench.until_ready("1").await;
    bench.desire(&[]);
    let mark = "2".repeat(32).parse().unwrap();
    let file = bench.host.paths.kept_secret(&"redis".parse().unwrap(), &mark);
    bench.until_report(|_| !file.exists()).await;
}

#[tokio::test(start_paused = true)]
async fn an_edited_secret_is_reported_as_drift_until_it_is_written_again_and_then_as_put_right() {
    let mut bench = Bench::new();
    bench.offer("1", Behaviour::Good);
    bench.desire_document(with_secret("1"));
    bench.until(|report| report.reason == WAITS).await;
    arrive(&bench);
    bench.until_ready("1").await;
    let mark = "2".repeat(32).parse().unwrap();
    let file = bench.host.paths.kept_secret(&"redis".parse().unwrap(), &mark);
    let before = bench.host.running(&"asterisk".parse().unwrap()).unwrap();
    std::fs::write(&file, "edited").unwrap();
    let says = |words: &'static str| {
        move |report: &InstanceReport| report.drift.as_ref().is_some_and(|it| it.found == words)
    };
    let left =
        "the file of secret redis version 2 was edited; it is written again with the next session";
    bench.until(says(left)).await;
    arrive(&bench);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "sesame");
    let repaired = "the file of secret redis version 2 was edited";
    bench.until(says(repaired)).await;
    bench.pass_time(600).await;
    bench.until(says(repaired)).await;
    assert_eq!(bench.host.running(&"asterisk".parse().unwrap()).unwrap().id, before.id);
    // It is over when what named the secret was replaced.
    bench.upgrade("2", Behaviour::Good);
    bench.until(|report| report.phase == Phase::Ready && report.drift.is_none()).await;
}
