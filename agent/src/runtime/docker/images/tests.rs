use bollard::models::ProgressDetail;

use super::super::stub::Stub;
use super::*;
use crate::fixtures;

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

fn failure_of(message: &str) -> RuntimeError {
    pull_failure("r/i@d", Error::DockerStreamError { error: message.to_owned() })
}

#[test]
fn a_lasting_refusal_is_told_from_a_passing_error() {
    for message in [
        "unauthorized: authentication required",
        "Head \"http://r/v2/i/manifests/sha256:1\": no basic auth credentials",
        "pull access denied for i, repository does not exist",
        "manifest unknown: manifest unknown",
        "manifest for r/i@sha256:1 not found: manifest unknown",
    ] {
        assert!(!failure_of(message).is_transient(), "{message}");
    }
    for message in [
        "unexpected EOF",
        "toomanyrequests: Too Many Requests",
        "dial tcp 10.0.0.1:5000: connect: connection refused",
        "received unexpected HTTP status: 500 Internal Server Error",
        "write /var/lib/docker/tmp/x: no space left on device",
    ] {
        assert!(failure_of(message).is_transient(), "{message}");
    }
}

#[test]
fn every_failure_names_the_registry_and_its_cause_in_one_sentence() {
    for (message, words) in [
        ("unauthorized: incorrect username", "the registry r:5000 refused the login: "),
        ("manifest unknown: gone", "the registry r:5000 does not have it: "),
        ("toomanyrequests: slow down", "the registry r:5000 asks to wait: "),
        ("dial tcp: lookup r: no such host", "the registry r:5000 does not answer: "),
        (
            "Get \"https://r/v2/\": net/http: TLS handshake timeout",
            "the registry r:5000 does not answer: ",
        ),
        ("write /x: no space left on device", "the engine's disk is full: "),
        ("received unexpected HTTP status: 500", "the registry r:5000 failed: "),
    ] {
        let error = Error::DockerStreamError { error: format!("{message}\n") };
        let shown = pull_failure("r:5000/i@d", error).to_string();
        assert_eq!(shown, format!("could not pull r:5000/i@d: {words}{message}"));
    }
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
    let error = pull_failure("r/i@d", Error::RequestTimeoutError);
    assert!(matches!(error, RuntimeError::Unavailable { daemon: "docker", .. }), "{error}");
}
