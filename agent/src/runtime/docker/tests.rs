//! Engines that are restarted with other settings, that hang, and that cannot remove a container.

use std::path::Path;
use std::sync::Mutex;

use bollard::models::ContainerSummaryStateEnum as State;
use oml_common::decide::difference::Difference;

use super::stub::Stub;
use super::*;

/// The container of a component in that state, as the engine lists it.
fn summary(component: &str, state: State) -> ContainerSummary {
    let instance = crate::fixtures::document(component, "1");
    let labels = label::labels(ContainerInstance::of(&instance).unwrap(), Some("sha256:1"));
    ContainerSummary {
        id: Some(format!("id-of-{component}")),
        names: Some(vec![format!("/oml-{component}")]),
        state: Some(state),
        image_id: Some("sha256:1".to_owned()),
        labels: Some(labels),
        ..ContainerSummary::default()
    }
}

/// Lists, as the engine does, these containers, of which it says nothing more.
fn listing(containers: &[ContainerSummary]) -> Stub {
    let listed = serde_json::to_string(containers).unwrap();
    Stub::new(move |asked| match asked {
        asked if asked.contains("/containers/json") => Some((200, listed.clone())),
        asked if asked.contains("/rename") => Some((204, String::new())),
        _ => Some((200, "[]".to_owned())),
    })
}

#[tokio::test]
async fn a_container_that_the_engine_could_not_remove_is_reported_and_blocks_nothing() {
    let dead = [summary("redis", State::DEAD), summary("asterisk", State::REMOVING)];
    let stub = listing(&dead);
    let folder = tempfile::tempdir().unwrap();
    let engine = Arc::new(stub.engine.clone());
    let docker = Docker::over(engine, Paths::below(folder.path()), Vec::new(), None);
    let desired = ["redis", "asterisk"].map(|it| crate::fixtures::document(it, "1"));
    let Sorted { ours, foreign: differs } = docker.sort(&dead);
    assert_eq!(ours, []);
    let [(component, difference)] = differs.as_slice() else { panic!("{differs:?}") };
    assert_eq!(component.as_str(), "redis");
    assert_eq!(*difference, Difference::NotRemoved { name: "oml-redis".to_owned() });
    assert_eq!(super::foreign(&dead, &ours, &desired), []);
    names::move_aside(&*docker.engine, &dead, &[], "oml-redis").await.unwrap();
    assert_eq!(stub.times("/id-of-redis/rename?name=oml-redis-dead-id-of-redis"), 1);
}

/// As after a start whose state the engine could not write down.
#[tokio::test]
async fn a_container_that_the_engine_lists_as_ended_and_that_runs_is_seen_by_a_look_at_it() {
    let listed = serde_json::to_string(&[summary("redis", State::EXITED)]).unwrap();
    let stub = Stub::new(move |asked| match asked {
        asked if asked.contains("/containers/json") => Some((200, listed.clone())),
        _ => Some((200, r#"{"State":{"Running":true}}"#.to_owned())),
    });
    let folder = tempfile::tempdir().unwrap();
    let engine = Arc::new(stub.engine.clone());
    let docker = Docker::over(engine, Paths::below(folder.path()), Vec::new(), None);
    let redis = "redis".parse().unwrap();
    let found = docker.looked_at(&redis).await.unwrap();
    assert!(found[0].is_running);
    let listed = docker.containers_of(&redis).await.unwrap();
    assert!(!listed[0].is_running, "where nothing is listed as running, no look delays a start");
}

/// The engine lists two containers as running, and never answers about the first one.
#[tokio::test]
async fn a_container_about_which_the_engine_hangs_keeps_no_other_from_being_listed() {
    let summary = |component| summary(component, State::RUNNING);
    let listed = serde_json::to_string(&[summary("redis"), summary("asterisk")]).unwrap();
    let stub = Stub::new(move |asked| match asked {
        asked if asked.contains("id-of-redis") => None,
        asked if asked.contains("id-of-asterisk") => {
            let state = r#"{"Running":true,"StartedAt":"2026-01-01T00:00:00Z"}"#;
            Some((200, format!(r#"{{"State":{state}}}"#)))
        }
        asked if asked.contains("/containers/json") => Some((200, listed.clone())),
        _ => Some((200, "[]".to_owned())),
    });
    let folder = tempfile::tempdir().unwrap();
    let engine = Arc::new(stub.engine.clone());
    let mut docker = Docker::over(engine, Paths::below(folder.path()), Vec::new(), None);
    docker.look_limit = Duration::from_millis(200);
    let listing = docker.list(&[]).await.unwrap();
    let found: Vec<_> =
        listing.containers.iter().map(|(name, c)| (name.as_str(), c.is_running())).collect();
    assert_eq!(found, [("redis", true), ("asterisk", true)]);
    let [(component, unseen)] = listing.unseen.as_slice() else { panic!("{:?}", listing.unseen) };
    assert_eq!(component.as_str(), "redis");
    assert_eq!(unseen.name, "oml-redis");
    assert_eq!(unseen.why, "docker gives no answer about it within 200ms");
}

#[tokio::test]
async fn an_engine_that_was_restarted_with_another_data_folder_is_asked_for_it_again() {
    let root = Arc::new(Mutex::new("/first"));
    let shown = Arc::clone(&root);
    let stub = Stub::new(move |asked| {
        let info = format!("{{\"DockerRootDir\":\"{}\"}}", shown.lock().unwrap());
        asked.starts_with("GET /info").then_some((200, info))
    });
    let folder = tempfile::tempdir().unwrap();
    let engine = Arc::new(stub.engine.clone());
    let docker = Docker::over(engine, Paths::below(folder.path()), Vec::new(), None);
    assert_eq!(docker.storage().await.unwrap(), [Path::new("/first")]);
    *root.lock().unwrap() = "/second";
    assert_eq!(docker.storage().await.unwrap(), [Path::new("/second")]);
    assert_eq!(stub.times("/info"), 2);
}

#[tokio::test]
async fn a_container_that_the_engine_cannot_create_is_refused_for_good_unless_the_cause_may_pass() {
    for (status, message, transient) in [
        (500, "failed to create task: log driver journal is not known", false),
        (500, "write /var/lib/docker/x: no space left on device", true),
        (500, "failed to create task: exec format error", false),
        (500, "dial unix /run/containerd/containerd.sock: connect: connection refused", true),
        (500, "transport: \\\"dial: connect: connection refused\\\": unavailable", true),
        (500, "error reading from server: EOF", true),
        (500, "read unix @: i/o timeout", true),
        (500, "context deadline exceeded", true),
        (503, "the daemon is shutting down", true),
        (409, "the name is in use", true),
        (400, "invalid mount", false),
    ] {
        let stub =
            Stub::new(move |_asked| Some((status, format!("{{\"message\":\"{message}\"}}"))));
        let error =
            stub.engine.create("oml-first", bollard::models::ContainerCreateBody::default()).await;
        assert_eq!(error.unwrap_err().is_transient(), transient, "{message}");
    }
}
