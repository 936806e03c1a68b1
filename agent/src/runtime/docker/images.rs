//! Images: which are present, and pulling one by its digest.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use bollard::auth::DockerCredentials;
use bollard::errors::Error;
use bollard::models::CreateImageInfo;
use bollard::query_parameters::{CreateImageOptionsBuilder, ListImagesOptions};
use futures_util::StreamExt as _;
use oml_common::document::instance::Container;
use oml_common::id::Digest;
use tokio::sync::watch;

use super::calls::{EngineCalls, EngineInfo};
use super::failure;
use super::socket::Engine;
use crate::runtime::{PullProgress, RuntimeError};

const CALL_LIMIT: Duration = Duration::from_secs(20);
/// The engine reports progress many times a second; a longer silence is a dead transfer.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(60);
/// The client's own limit comes later: a silent registry is no engine that is away.
const MARGIN: Duration = Duration::from_secs(10);

/// Every image that is completely present.
pub(super) async fn present(engine: &dyn EngineCalls) -> Result<BTreeSet<Digest>, RuntimeError> {
    let names = engine.image_names().await?;
    Ok(names.iter().filter_map(|name| name.rsplit_once('@')?.1.parse().ok()).collect())
}

/// The name under which the engine has the container's image. Its digest says
/// what it is; it may have come from another registry.
pub(super) async fn local_name(
    engine: &dyn EngineCalls,
    container: &Container,
) -> Result<String, RuntimeError> {
    let wanted = name(container);
    let names = engine.image_names().await?;
    let same = |name: &&String| {
        name.rsplit_once('@').is_some_and(|(_, digest)| digest == container.digest.as_str())
    };
    if names.contains(&wanted) {
        return Ok(wanted);
    }
    // Without any, the engine's own message is the best.
    Ok(names.iter().find(same).cloned().unwrap_or(wanted))
}

/// An image's name that says what it is.
fn name(container: &Container) -> String {
    format!("{}@{}", container.repository, container.digest)
}

/// The names of all images, each with its digest.
pub(super) async fn names(engine: &Engine) -> Result<Vec<String>, RuntimeError> {
    let client = engine.client(CALL_LIMIT)?;
    let call = client.list_images(None::<ListImagesOptions>);
    let images = failure::within(CALL_LIMIT, "list", "images", call).await?;
    Ok(images.into_iter().flat_map(|image| image.repo_digests).collect())
}

/// Asks the engine for its own settings.
pub(super) async fn settings(engine: &Engine) -> Result<EngineInfo, RuntimeError> {
    let client = engine.client(CALL_LIMIT)?;
    let info = failure::within(CALL_LIMIT, "ask for", "settings", client.info()).await?;
    let root = info.docker_root_dir.map(PathBuf::from);
    Ok(EngineInfo { log_driver: info.logging_driver.unwrap_or_default(), root })
}

/// Pulls the container's image unless it is present, and checks that it is present
/// afterwards. Gives up when the registry sends nothing for `silence_max`.
pub(super) async fn pull(
    engine: &dyn EngineCalls,
    container: &Container,
    login: Option<DockerCredentials>,
    silence_max: Duration,
    progress: &watch::Sender<PullProgress>,
) -> Result<(), RuntimeError> {
    if present(engine).await?.contains(&container.digest) {
        return Ok(());
    }
    engine.pull(container, login, silence_max, progress).await?;
    if present(engine).await?.contains(&container.digest) {
        return Ok(());
    }
    let detail = "the engine pulled something else than was asked for";
    Err(refused(&name(container), detail, false))
}

/// Pulls the container's image with one request to the engine.
pub(super) async fn request_pull(
    engine: &Engine,
    container: &Container,
    login: Option<DockerCredentials>,
    silence_max: Duration,
    progress: &watch::Sender<PullProgress>,
) -> Result<(), RuntimeError> {
    let image = name(container);
    let options = CreateImageOptionsBuilder::new()
        .from_image(container.repository.as_str())
        .tag(container.digest.as_str())
        .build();
    let client = engine.client(silence_max + MARGIN)?;
    let mut lines = std::pin::pin!(client.create_image(Some(options), None, login));
    let mut layers = Layers::default();
    loop {
        match tokio::time::timeout(silence_max, lines.next()).await {
            Err(_) => {
                let seconds = silence_max.as_secs_f32();
                let words = format!("the registry {} sent nothing for {seconds} s", host(&image));
                return Err(refused(&image, &words, true));
            }
            Ok(None) => return Ok(()),
            Ok(Some(Err(error))) => return Err(pull_failure(&image, error)),
            Ok(Some(Ok(line))) => progress.send_modify(|seen| *seen = layers.add(&line)),
        }
    }
}

/// The layers of an image on their way.
#[derive(Debug, Default)]
struct Layers {
    bytes: BTreeMap<String, PullProgress>,
}

impl Layers {
    fn add(&mut self, line: &CreateImageInfo) -> PullProgress {
        if let (Some(id), Some(status)) = (&line.id, &line.status) {
            let layer = self.bytes.entry(id.clone()).or_default();
            let detail = line.progress_detail.as_ref();
            let number = |value: Option<i64>| value.and_then(|n| u64::try_from(n).ok());
            match status.as_str() {
                "Downloading" => {
                    layer.bytes_total = number(detail.and_then(|d| d.total)).unwrap_or(0);
                    layer.bytes_done = number(detail.and_then(|d| d.current)).unwrap_or(0);
                }
                "Download complete" | "Pull complete" => layer.bytes_done = layer.bytes_total,
                _ => {}
            }
        }
        self.bytes.values().fold(PullProgress::default(), |sum, layer| PullProgress {
            bytes_done: sum.bytes_done.saturating_add(layer.bytes_done),
            bytes_total: sum.bytes_total.saturating_add(layer.bytes_total),
        })
    }
}

fn refused(image: &str, detail: &str, transient: bool) -> RuntimeError {
    RuntimeError::Refused {
        verb: "pull",
        object: image.to_owned(),
        detail: detail.to_owned(),
        transient,
    }
}

/// The engine hands on a registry's answer as text only, so the text decides
/// whether trying again can help. An unknown error is worth another try.
fn pull_failure(image: &str, error: Error) -> RuntimeError {
    let (Error::DockerStreamError { error: message }
    | Error::DockerResponseServerError { message, .. }) = &error
    else {
        return failure::of("pull", image, error);
    };
    let message = message.trim();
    let registry = host(image);
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let (cause, transient) = if says(&NO_ROOM) {
        ("the engine's disk is full".to_owned(), true)
    } else if says(&LOGIN_REFUSED) {
        (format!("the registry {registry} refused the login"), false)
    } else if says(&UNKNOWN) {
        (format!("the registry {registry} does not have it"), false)
    } else if says(&TOO_MANY) {
        (format!("the registry {registry} asks to wait"), true)
    } else if says(&AWAY) {
        (format!("the registry {registry} does not answer"), true)
    } else {
        (format!("the registry {registry} failed"), true)
    };
    refused(image, &format!("{cause}: {message}"), transient)
}

const NO_ROOM: [&str; 1] = ["no space left on device"];
const LOGIN_REFUSED: [&str; 4] =
    ["unauthorized", "no basic auth credentials", "denied", "authentication required"];
const UNKNOWN: [&str; 4] = ["manifest unknown", "not found", "name unknown", "no such image"];
const TOO_MANY: [&str; 3] = ["toomanyrequests", "too many requests", "Too Many Requests"];
const AWAY: [&str; 8] = [
    "connection refused",
    "connection reset",
    "no such host",
    "no route to host",
    "network is unreachable",
    "timeout",
    "deadline exceeded",
    "request canceled",
];

/// The registry that an image's name begins with.
fn host(image: &str) -> &str {
    image.split('/').next().unwrap_or(image)
}

#[cfg(test)]
mod tests;
