//! The files of a catalog on a host: written before a container is created, kept for a rollback, put
//! right when somebody changed them, and removed with what had them.

use std::fs;
use std::path::PathBuf;

use oml_common::document::Verbatim;
use oml_common::document::instance::{ContainerFile, Instance, InstanceDocument, Workload};
use oml_sim::Behaviour;

use super::bench::{Bench, name};
use super::{EXITS, restarts};
use crate::container_files::placed;
use crate::fixtures;

/// A version whose file has that text.
fn with_file(version: &str, text: &str) -> InstanceDocument {
    let (uid, gid) = (nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw());
    let path = "/etc/voice.conf".to_owned();
    let mut container = fixtures::container("asterisk", version);
    container.options.files =
        vec![ContainerFile { path, mode: 0o640, uid, gid, text: text.to_owned() }];
    let workload = Verbatim::seal(Workload::Container(container));
    Verbatim::seal(Instance { workload, ..fixtures::instance("asterisk", version) })
}

fn place(bench: &Bench, instance: &Instance) -> PathBuf {
    placed(&bench.host.paths, instance).remove(0).place
}

/// Version 1 runs with a file, and was kept.
async fn settled() -> (Bench, InstanceDocument) {
    let mut bench = Bench::new();
    bench.offer("1", Behaviour::Good);
    let first = with_file("1", "first\n");
    bench.desire_document(first.clone());
    bench.until_ready("1").await;
    (bench, first)
}

#[tokio::test(start_paused = true)]
async fn a_file_that_somebody_changed_is_put_right_and_reported_and_nothing_restarts() {
    let (bench, first) = settled().await;
    let place = place(&bench, &first);
    assert_eq!(fs::read_to_string(&place).unwrap(), "first\n");
    let before = restarts(&bench);
    for (by_hand, told) in [("edited\n", "file /etc/voice.conf was edited"), ("", "was removed")] {
        match by_hand {
            "" => fs::remove_file(&place).unwrap(),
            text => fs::write(&place, text).unwrap(),
        }
        let report = bench
            .until(|report| report.drift.as_ref().is_some_and(|it| it.found.contains(told)))
            .await;
        assert!(report.version.is_some());
        bench.until_ready("1").await;
        assert_eq!(fs::read_to_string(&place).unwrap(), "first\n");
    }
    assert_eq!(restarts(&bench), before);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_fails_leaves_the_file_of_the_one_before() {
    let (mut bench, first) = settled().await;
    bench.offer("2", EXITS);
    let second = with_file("2", "second\n");
    bench.desire_document(second.clone());
    bench.until_returned("1").await;
    assert_eq!(fs::read_to_string(place(&bench, &first)).unwrap(), "first\n");
}

#[tokio::test(start_paused = true)]
async fn another_text_alone_replaces_the_container_and_the_oldest_files_are_removed() {
    let (mut bench, first) = settled().await;
    let (second, third) = (with_file("1", "second\n"), with_file("1", "third\n"));
    for instance in [&second, &third] {
        let before = restarts(&bench);
        bench.desire_document(instance.clone());
        bench.until_ready("1").await;
        assert_eq!(restarts(&bench), before + 1);
    }
    let are_there = [&first, &second, &third].map(|instance| place(&bench, instance).exists());
    assert_eq!(are_there, [false, true, true]);
    bench.desire(&[]);
    bench.until_report(|report| report.instances.is_empty()).await;
    bench.pass_time(60).await;
    assert!(!bench.host.paths.instances().join(name("asterisk").as_str()).exists());
}
