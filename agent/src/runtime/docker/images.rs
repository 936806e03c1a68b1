//! Lists the images that are present, and pulls one by its digest.

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
use super::refusal::Refusal;
use super::socket::Engine;
use super::storage;
use crate::runtime::{LIST_LIMIT, PullProgress, RuntimeError};

const CALL_LIMIT: Duration = Duration::from_secs(20);
/// The longest silence during a pull. The engine reports progress many times a second, so after
/// this time the transfer is dead.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(60);
/// The time by which the client's own limit is longer, so that a silent registry is not taken
/// for an engine that does not answer.
const MARGIN: Duration = Duration::from_secs(10);

/// Returns the images that are completely present.
pub(super) async fn present(engine: &dyn EngineCalls) -> Result<BTreeSet<Digest>, RuntimeError> {
    let names = engine.image_names().await?;
    Ok(names.iter().filter_map(|name| name.rsplit_once('@')?.1.parse().ok()).collect())
}

/// Returns the name under which the engine has the container's image. The digest identifies
/// the image, so it may have come from another registry.
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

/// Returns the name of the container's image with its digest.
fn name(container: &Container) -> String {
    format!("{}@{}", container.repository, container.digest)
}

/// Lists the names of all images, each with its digest.
pub(super) async fn names(engine: &Engine) -> Result<Vec<String>, RuntimeError> {
    let client = engine.client(LIST_LIMIT)?;
    let call = client.list_images(None::<ListImagesOptions>);
    let images = failure::within(LIST_LIMIT, "list", "images", call).await?;
    Ok(images.into_iter().flat_map(|image| image.repo_digests).collect())
}

/// Asks the engine for its own settings.
pub(super) async fn settings(engine: &Engine) -> Result<EngineInfo, RuntimeError> {
    let client = engine.client(CALL_LIMIT)?;
    let info = failure::within(CALL_LIMIT, "ask for", "settings", client.info()).await?;
    let root = info.docker_root_dir.map(PathBuf::from);
    let driver = info.driver.unwrap_or_default();
    let has_containerd_store =
        storage::is_containerd_store(&info.driver_status.unwrap_or_default());
    let log_driver = info.logging_driver.unwrap_or_default();
    Ok(EngineInfo { log_driver, driver, root, has_containerd_store })
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
                let registry = container.repository.registry();
                let words = format!("the registry {registry} sent nothing for {seconds} s");
                return Err(refused(&image, &words, true));
            }
            Ok(None) => return Ok(()),
            Ok(Some(Err(error))) => return Err(pull_failure(container, error)),
            Ok(Some(Ok(line))) => progress.send_modify(|seen| *seen = layers.add(&line)),
        }
    }
}

/// The layers of an image that is being pulled, with the bytes of each.
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

/// Converts the error of a pull.
fn pull_failure(container: &Container, error: Error) -> RuntimeError {
    let image = name(container);
    let (status, message) = if let Error::DockerStreamError { error } = &error {
        (None, error)
    } else if let Error::DockerResponseServerError { status_code, message } = &error {
        (Some(*status_code), message)
    } else {
        return failure::of("pull", &image, error);
    };
    let message = steady(message.trim());
    let refusal = Refusal::of(status, &message);
    let cause = refusal.cause(&container.repository.registry());
    refused(&image, &format!("{cause}: {message}"), refusal.is_transient())
}

/// Leaves out what is another at every try, so that the same answer has the same words: our own
/// end of a connection, such as `10.0.0.5:43210->`, the time at which a certificate was checked,
/// and the query of an address, which may be signed and must not be shown then.
fn steady(message: &str) -> String {
    let without_time = message.split_once("current time ").and_then(|(before, after)| {
        let (_time, after) = after.split_once(' ')?;
        Some(format!("{before}current time {after}"))
    });
    let message = without_time.as_deref().unwrap_or(message);
    let words = message.split(' ').map(|word| {
        let word = word.split_once("->").map_or(word, |(_own, other)| other);
        match word.split_once('?') {
            Some((address, query)) if address.contains("://") => {
                let end = query.trim_end_matches(['"', ':', ',', ')']).len();
                format!("{address}{}", &query[end..])
            }
            Some(_) | None => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
