//! The settings of an engine that is restarted with others.

use std::path::Path;
use std::sync::Mutex;

use super::stub::Stub;
use super::*;

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
async fn a_container_that_the_engine_cannot_create_is_refused_for_good_unless_its_disk_is_full() {
    for (status, message, transient) in [
        (500, "failed to create task: log driver journal is not known", false),
        (500, "write /var/lib/docker/x: no space left on device", true),
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
