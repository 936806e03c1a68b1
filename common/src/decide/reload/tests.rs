//! Tests of what is made of the probes after a reload, and of its words.

use std::collections::BTreeSet;

use super::*;
use crate::document::Verbatim;
use crate::document::instance::{Check, ContainerFile, ReloadBy};
use crate::id::{ComponentName, ContentHash, NodeName};
use crate::testing::{plan_of, spec_with};

const AT: Timestamp = Timestamp(1_000);

/// The status after an answer that took half a second.
fn status(asked_at: u64, health: Health, failures: u32) -> Status {
    Status {
        container: "web-1".to_owned(),
        health,
        failures,
        asked_at: Some(Timestamp(asked_at)),
        ..Status::new(ContentHash::of(b"web"), Timestamp(asked_at + 500))
    }
}

fn probe() -> Probe {
    Probe {
        check: Check::Tcp { port: 443 },
        address: None,
        interval_ms: 10_000,
        timeout_ms: 2_000,
        failures_max: 3,
    }
}

fn reload(was_healthy: bool) -> ReloadMoment<'static> {
    ReloadMoment { container: "web-1", at: AT, was_healthy }
}

#[test]
fn only_a_probe_that_was_asked_after_the_reload_counts() {
    let good = |at| probed(Some(&status(at, Health::Healthy, 0)), reload(true));
    assert_eq!(
        (good(999), good(1_000), good(1_001)),
        (Probed::NotYet, Probed::NotYet, Probed::Good)
    );
    assert_eq!(probed(None, reload(true)), Probed::NotYet);
    let other = Status { container: "web-2".to_owned(), ..status(2_000, Health::Healthy, 0) };
    assert_eq!(probed(Some(&other), reload(true)), Probed::NotYet);
}

#[test]
fn an_answer_of_a_supervisor_that_does_not_say_when_it_asked_counts_a_limit_later() {
    let good = |checked_at| {
        let healthy = status(0, Health::Healthy, 0);
        let checked_at = Timestamp(checked_at);
        let status = Status { asked_at: None, checked_at, probe: Some(probe()), ..healthy };
        probed(Some(&status), reload(true))
    };
    assert_eq!((good(1_001), good(3_000)), (Probed::NotYet, Probed::NotYet));
    assert_eq!(good(3_001), Probed::Good);
}

#[test]
fn one_wrong_answer_decides_nothing_and_a_program_that_was_unhealthy_before_is_not_blamed() {
    let probed = |health, failures, was_healthy| {
        probed(Some(&status(2_000, health, failures)), reload(was_healthy))
    };
    assert_eq!(probed(Health::Healthy, 1, true), Probed::NotYet);
    assert_eq!(probed(Health::Starting, 0, true), Probed::NotYet);
    assert_eq!(probed(Health::Unknown, 0, true), Probed::NotYet);
    assert_eq!(probed(Health::Unhealthy, 3, true), Probed::Bad);
    assert_eq!(probed(Health::Unhealthy, 3, false), Probed::Good);
    assert_eq!(probed(Health::Unknown, 0, false), Probed::Good);
}

#[test]
fn as_many_probes_are_waited_for_as_make_a_program_unhealthy_and_one_more() {
    let probe = probe();
    assert_eq!(probe_limit_ms(&probe), 4 * 12_000 + 10_000);
    assert_eq!(not_probed(&probe), "no probe ended within 58s after its reload");
    let endless = Probe { interval_ms: u64::MAX, ..probe };
    assert_eq!(probe_limit_ms(&endless), u64::MAX);
}

/// Returns the database of the tenant in that version, with what it takes over while it runs.
fn database(version: &str, reload: Option<Reload>) -> InstanceDocument {
    let plan = plan_of(&spec_with("db", version), 1).unwrap();
    let (node, component): (NodeName, ComponentName) =
        ("n1".parse().unwrap(), "db".parse().unwrap());
    let instance: &Instance = &plan.nodes[&node].instances[&component].instance;
    Verbatim::seal(Instance { reload, ..instance.clone() })
}

fn reload_of(content: &str) -> Reload {
    let file = ContainerFile {
        path: "/etc/db.conf".to_owned(),
        text: content.to_owned(),
        mode: 0o644,
        uid: 0,
        gid: 0,
    };
    let by = ReloadBy::Signal { signal: "SIGHUP".to_owned() };
    Reload { by, deadline_ms: 10_000, files: vec![file], secrets: BTreeSet::new() }
}

#[test]
fn a_program_gets_the_former_content_that_the_document_of_its_workload_names() {
    let (old, new) = (Some(reload_of("old")), Some(reload_of("new")));
    let desired = database("1", new.clone());
    let former = |current: Option<&InstanceDocument>| match former_content(&desired, current) {
        FormerContent::Same => "same".to_owned(),
        FormerContent::Unknown => "unknown".to_owned(),
        FormerContent::Other { reload, .. } => reload.files[0].text.clone(),
    };
    assert_eq!(former(Some(&database("1", old.clone()))), "old");
    assert_eq!(former(Some(&database("1", new))), "same");
    assert_eq!(former(Some(&database("1", None))), "unknown");
    assert_eq!(former(Some(&database("2", old))), "unknown");
    assert_eq!(former(None), "unknown");
}

#[test]
fn a_container_that_is_made_again_gets_the_files_that_its_program_has() {
    let (old, new) = (Some(reload_of("old")), Some(reload_of("new")));
    let desired = database("1", new);
    let written = |current: Option<InstanceDocument>| {
        let instance = before_reload(&desired, current.as_deref());
        instance.reload.as_ref().unwrap().files[0].text.clone()
    };
    assert_eq!(written(Some(database("1", old.clone()))), "old");
    assert_eq!(written(Some(database("2", old))), "new");
    assert_eq!(written(None), "new");
}

#[test]
fn only_a_command_that_ended_has_an_exit_code() {
    let (program, line) = ("nginx".to_owned(), String::new());
    assert_eq!(NotTaken::Exited { program, exit_code: 3, line }.exit_code(), Some(3));
    assert_eq!(NotTaken::NotRun { error: String::new() }.exit_code(), None);
    assert_eq!(NotTaken::Unhealthy { detail: String::new() }.exit_code(), None);
}

#[test]
fn a_reload_that_failed_says_why_and_what_is_loaded_now() {
    let exited = |line: &str| NotTaken::Exited {
        program: "nginx".to_owned(),
        exit_code: 1,
        line: line.to_owned(),
    };
    let detail = "connection refused".to_owned();
    for (why, put_back, words) in [
        (
            exited("[emerg] key values mismatch"),
            PutBack::Done,
            "the reload failed: nginx ended with exit code 1: [emerg] key values mismatch; its \
             former files are back, and nothing was restarted",
        ),
        (
            NotTaken::NotRun { error: "it does not run".to_owned() },
            PutBack::Unknown,
            "the reload failed: it does not run; its former files are not known any more; nothing \
             was restarted",
        ),
        (
            NotTaken::Unhealthy { detail },
            PutBack::NotTaken(exited("")),
            "the reload failed: the program stopped answering after it: connection refused; its \
             former files are back, but that reload failed too: nginx ended with exit code 1; \
             nothing was restarted",
        ),
    ] {
        assert_eq!(ReloadFailed { why, put_back }.to_string(), words);
    }
}
