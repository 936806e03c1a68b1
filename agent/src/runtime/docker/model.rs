//! The engine's verbs on the model of a host, in place of a socket. Everything
//! above them is the same code.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bollard::models::{ContainerCreateBody, ContainerSummary, ContainerSummaryStateEnum};
use oml_common::decide::observed::ContainerState;
use oml_common::document::instance::Container;
use oml_common::time::Timestamp;
use oml_sim::{EngineError, EventAction, Fault, Host, Image, NewContainer};
use tokio::sync::watch;

use super::images::Place;
use super::{Deeds, Inspected, Waited};
use crate::runtime::{ExecOutput, PullProgress, RuntimeError};

/// Turns an error of the model into the one that the engine's answer would be.
fn failure(verb: &'static str, object: &str) -> impl FnOnce(EngineError) -> RuntimeError {
    move |error| {
        let transient = match &error {
            EngineError::Fault(Fault::Away) => {
                let detail = format!("{verb} {object}: it was taken away");
                return RuntimeError::Unavailable { daemon: "docker", detail };
            }
            EngineError::Fault(Fault::Refused { transient, .. })
            | EngineError::Pull { transient, .. } => *transient,
            EngineError::Conflict(_) => true,
            EngineError::NoContainer(_) | EngineError::NoImage(_) => false,
        };
        let detail = error.to_string();
        RuntimeError::Refused { verb, object: object.to_owned(), detail, transient }
    }
}

/// Whether an object that is gone counts as done.
fn if_there<T>(done: Result<T, EngineError>) -> Result<(), EngineError> {
    match done {
        Ok(_) | Err(EngineError::NoContainer(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

pub(super) async fn list(host: &Host) -> Result<Vec<ContainerSummary>, RuntimeError> {
    let containers = host.list_containers().await.map_err(failure("list", "containers"))?;
    Ok(containers.into_iter().map(summary).collect())
}

fn summary(container: oml_sim::Container) -> ContainerSummary {
    let state = match container.state {
        oml_sim::ContainerState::Created => ContainerSummaryStateEnum::CREATED,
        oml_sim::ContainerState::Running { .. } => ContainerSummaryStateEnum::RUNNING,
        oml_sim::ContainerState::Exited { .. } => ContainerSummaryStateEnum::EXITED,
    };
    ContainerSummary {
        id: Some(container.id),
        names: Some(vec![format!("/{}", container.name)]),
        labels: Some(container.labels.into_iter().collect()),
        created: i64::try_from(container.created_ms / 1000).ok(),
        state: Some(state),
        ..ContainerSummary::default()
    }
}

pub(super) fn state(state: &oml_sim::ContainerState) -> ContainerState {
    match state {
        oml_sim::ContainerState::Created => ContainerState::Created,
        oml_sim::ContainerState::Running { since_ms } => {
            ContainerState::Running { since: Timestamp(*since_ms) }
        }
        oml_sim::ContainerState::Exited { code, at_ms, out_of_memory } => ContainerState::Exited {
            code: *code,
            at: Timestamp(*at_ms),
            out_of_memory: *out_of_memory,
        },
    }
}

pub(super) async fn inspect(host: &Host, id: &str) -> Result<Option<Inspected>, RuntimeError> {
    let found = host.inspect_container(id).await.map_err(failure("inspect", id))?;
    Ok(found.map(|found| Inspected { state: state(&found.state), error: String::new() }))
}

pub(super) async fn create(
    host: &Host,
    name: &str,
    body: ContainerCreateBody,
) -> Result<String, RuntimeError> {
    let mounts = body.host_config.and_then(|config| config.mounts).unwrap_or_default();
    let named = mounts.into_iter().filter_map(|mount| mount.source);
    let labels: HashMap<String, String> = body.labels.unwrap_or_default();
    let new = NewContainer {
        name: name.to_owned(),
        image: body.image.unwrap_or_default(),
        labels: labels.into_iter().collect::<BTreeMap<_, _>>(),
        volumes: named.collect(),
    };
    host.create_container(new).await.map_err(failure("create", name))
}

pub(super) async fn start(host: &Host, id: &str) -> Result<(), RuntimeError> {
    host.start_container(id).await.map_err(failure("start", id))
}

pub(super) async fn stop(host: &Host, id: &str, grace_ms: u64) -> Result<(), RuntimeError> {
    if_there(host.stop_container(id, grace_ms).await).map_err(failure("stop", id))
}

pub(super) async fn wait(host: &Host, id: &str) -> Result<Waited, RuntimeError> {
    match host.wait_container(id).await.map_err(failure("wait for", id))? {
        oml_sim::Waited::Ended(code) => Ok(Waited::Ended(code)),
        oml_sim::Waited::Lost => Ok(Waited::Lost),
    }
}

pub(super) async fn rename(host: &Host, id: &str, name: &str) -> Result<(), RuntimeError> {
    host.rename_container(id, name).await.map_err(failure("rename", id))
}

pub(super) async fn remove(host: &Host, id: &str) -> Result<(), RuntimeError> {
    if_there(host.remove_container(id).await).map_err(failure("remove", id))
}

pub(super) async fn exec(
    host: &Host,
    id: &str,
    command: &[String],
) -> Result<ExecOutput, RuntimeError> {
    let answer = host.exec(id, command).await.map_err(failure("run a command in", id))?;
    Ok(ExecOutput { exit_code: answer.exit_code, stdout: answer.stdout })
}

pub(super) async fn deeds(
    host: &Host,
    id: &str,
    since: Timestamp,
    until: Timestamp,
) -> Result<Deeds, RuntimeError> {
    let events = host.events(id, since.0, until.0).await;
    let mut deeds = Deeds::default();
    for event in events.map_err(failure("read the events of", id))? {
        match event.action {
            EventAction::Die => deeds.ended = true,
            EventAction::Stop => deeds.stopped = true,
            EventAction::Kill => deeds.killed = true,
            EventAction::Destroy => deeds.removed = true,
            EventAction::Create | EventAction::Start | EventAction::Rename => {}
        }
    }
    Ok(deeds)
}

/// Counts up for every change of a container, for ever.
pub(super) async fn watch(host: &Host, counter: &watch::Sender<u64>) {
    let mut changes = host.container_changes();
    while changes.changed().await.is_ok() {
        counter.send_modify(|count| *count = count.wrapping_add(1));
    }
}

pub(super) async fn image_names(host: &Host) -> Result<Vec<String>, RuntimeError> {
    let images = host.list_images().await.map_err(failure("list", "images"))?;
    let name = |image: Image| format!("{}@{}", image.repository, image.digest);
    Ok(images.into_iter().map(name).collect())
}

/// The model keeps its images in memory: no disk of the host is in question.
pub(super) fn place() -> Place {
    Place { log_driver: "json-file".to_owned(), root: None }
}

pub(super) async fn pull(
    host: &Host,
    container: &Container,
    progress: &watch::Sender<PullProgress>,
) -> Result<(), RuntimeError> {
    let image = Image {
        repository: container.repository.to_string(),
        digest: container.digest.to_string(),
    };
    let seen = |bytes_done, bytes_total| {
        progress.send_replace(PullProgress { bytes_done, bytes_total });
    };
    let object = format!("{}@{}", image.repository, image.digest);
    host.pull(&image, seen).await.map_err(failure("pull", &object))
}

pub(super) async fn log(host: &Host, id: &str) -> Result<Vec<String>, RuntimeError> {
    host.container_log(id).await.map_err(failure("read the log of", id))
}

/// Waits a little for what a probe would find out over the network.
pub(super) async fn answers(host: &Host, id: &str) -> bool {
    tokio::time::sleep(Duration::from_millis(1)).await;
    host.answers(id)
}
