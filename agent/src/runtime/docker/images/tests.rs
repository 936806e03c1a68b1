use bollard::models::ProgressDetail;
use oml_common::document::Verbatim;
use oml_common::id::Repository;

use super::super::stub::Stub;
use super::*;
use crate::fixtures::{self, ModelHost};
use crate::runtime::{ContainerEngine as _, ContainerInstance};

fn line(id: &str, status: &str, current: i64, total: i64) -> CreateImageInfo {
    CreateImageInfo {
        id: Some(id.to_owned()),
        status: Some(status.to_owned()),
        progress_detail: Some(ProgressDetail { current: Some(current), total: Some(total) }),
        ..CreateImageInfo::default()
    }
}

#[test]
fn progress_is_the_sum_over_the_layers() {
    let mut layers = Layers::default();
    layers.add(&line("a", "Pulling fs layer", 0, 0));
    layers.add(&line("a", "Downloading", 10, 100));
    let both = layers.add(&line("b", "Downloading", 5, 50));
    assert_eq!(both, PullProgress { bytes_done: 15, bytes_total: 150 });
    layers.add(&line("a", "Download complete", 0, 0));
    // Unpacking counts other bytes.
    let extracting = layers.add(&line("a", "Extracting", 700, 900));
    assert_eq!(extracting, PullProgress { bytes_done: 105, bytes_total: 150 });
}

#[test]
fn a_negative_number_of_bytes_is_none() {
    let mut layers = Layers::default();
    assert_eq!(layers.add(&line("a", "Downloading", -1, -1)), PullProgress::default());
}

fn of(repository: &str) -> Container {
    Container { repository: repository.parse().unwrap(), ..fixtures::container("i", "1") }
}

#[test]
fn every_failure_names_the_registry_and_its_cause_in_one_sentence() {
    let container = of("r:5000/i");
    for (message, words) in [
        ("unauthorized: incorrect username", "the registry r:5000 refused the login: "),
        ("manifest unknown: gone", "the registry r:5000 does not have it: "),
        ("toomanyrequests: slow down", "the registry r:5000 asks to wait: "),
        ("dial tcp: lookup r: no such host", "the registry r:5000 does not answer: "),
        ("write /x: no space left on device", "the engine's disk is full: "),
        ("received unexpected HTTP status: 500", "the registry r:5000 failed: "),
        (
            "no matching manifest for linux/amd64 in the manifest list entries",
            "the engine of this host cannot use the image: ",
        ),
    ] {
        let error = Error::DockerStreamError { error: format!("{message}\n") };
        let shown = pull_failure(&container, error).to_string();
        let image = name(&container);
        assert_eq!(shown, format!("could not pull {image}: {words}{message}"));
    }
    let error = Error::DockerStreamError { error: "manifest unknown".to_owned() };
    let shown = pull_failure(&of("omnileads/redis"), error).to_string();
    assert!(
        shown.ends_with("the registry docker.io does not have it: manifest unknown"),
        "{shown}"
    );
}

#[test]
fn a_permanent_refusal_is_distinguished_from_a_transient_one() {
    let is_transient = |status_code, message: &str| {
        let message = message.to_owned();
        let error = Error::DockerResponseServerError { status_code, message };
        pull_failure(&of("r/i"), error).is_transient()
    };
    assert!(!is_transient(404, "pull access denied for i"));
    assert!(!is_transient(500, "unauthorized: authentication required"));
    assert!(is_transient(500, "failed to register layer: open /x: permission denied"));
    assert!(is_transient(500, "write /x: no space left on device"));
}

#[test]
fn the_same_answer_has_the_same_words_at_every_try() {
    let message = |port| {
        let error =
            format!("read tcp 10.0.0.5:{port}->10.0.0.1:5000: read: connection reset by peer");
        pull_failure(&of("r/i"), Error::DockerStreamError { error }).to_string()
    };
    assert_eq!(message(43_210), message(43_211));
    assert!(message(1).contains("read tcp 10.0.0.1:5000: read"), "{}", message(1));
    let signed = |signature| {
        let address = format!("https://cdn/blobs/1/data?X-Amz-Date=1&X-Amz-Signature={signature}");
        let error = format!("failed to copy: Get \"{address}\": unexpected EOF ({address}): x");
        pull_failure(&of("r/i"), Error::DockerStreamError { error }).to_string()
    };
    assert_eq!(signed("a"), signed("b"));
    assert!(
        signed("a").contains(
            "Get \"https://cdn/blobs/1/data\": unexpected EOF (https://cdn/blobs/1/data): x"
        ),
        "{}",
        signed("a")
    );
}

#[test]
fn a_certificate_that_is_out_of_date_has_the_same_words_at_every_try() {
    let shown = |time: &str| {
        let error = format!(
            "Get \"https://r/v2/\": x509: certificate has expired or is not yet valid: current time \
             {time} is after 2025-06-01T00:00:00Z"
        );
        pull_failure(&of("r/i"), Error::DockerStreamError { error }).to_string()
    };
    let first = shown("2026-01-01T00:00:00Z");
    assert_eq!(first, shown("2026-01-01T00:00:09Z"));
    assert!(first.ends_with(": current time is after 2025-06-01T00:00:00Z"), "{first}");
}

#[tokio::test]
async fn a_registry_that_hangs_is_given_up_and_no_engine_that_is_away() {
    let docker =
        Stub::new(|asked| asked.starts_with("GET /images/json").then(|| (200, "[]".to_owned())));
    let repository = "r:5000/i".parse().unwrap();
    let container = Container { repository, ..fixtures::container("i", "1") };
    let progress = watch::channel(PullProgress::default()).0;
    let silence_max = Duration::from_millis(250);
    let error = pull(&docker.engine, &container, None, silence_max, &progress).await.unwrap_err();
    assert!(error.is_transient());
    let shown = error.to_string();
    assert!(shown.ends_with("the registry r:5000 sent nothing for 0.25 s"), "{shown}");
}

#[test]
fn an_engine_that_goes_away_in_the_middle_is_away() {
    let error = pull_failure(&of("r/i"), Error::RequestTimeoutError);
    assert!(matches!(error, RuntimeError::Unavailable { daemon: "docker", .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_image_of_a_mirror_is_pulled_from_there_and_runs_under_its_own_name() {
    let host = ModelHost::new();
    host.offer(&fixtures::digest("1"), oml_sim::Behaviour::Good);
    let mirror: Repository = "mirror.corp:5000/oml/voice".parse().unwrap();
    let mut instance = fixtures::instance("voice", "1");
    instance.pull_from = Some(mirror.clone());
    let document = Verbatim::seal(instance);
    let instance = ContainerInstance::of(&document).unwrap();
    let docker = host.docker();
    docker.pull(instance, &watch::channel(PullProgress::default()).0).await.unwrap();
    let images = host.host.list_images().await.unwrap();
    let names: Vec<&str> = images.iter().map(|image| image.repository.as_str()).collect();
    assert_eq!(names, [mirror.as_str()]);
    docker.create(instance).await.unwrap();
    let created = host.host.containers().remove(0);
    assert!(created.image.starts_with(mirror.as_str()), "{}", created.image);
    assert_eq!(instance.container().repository.as_str(), "registry:5000/stack/voice");
}
