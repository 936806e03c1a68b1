//! Ends of containers as an engine tells them.

use super::super::stub::Stub;
use super::*;

/// The start and the end of the container's last life.
const STATE: &str = r#""StartedAt":"2026-01-01T00:00:10Z","FinishedAt":"2026-01-01T00:00:20Z""#;
const STARTED: Timestamp = Timestamp(1_767_225_610_000);

/// The report, and how often the lines since [`STARTED`] were asked for.
async fn report(error: &str, since: Timestamp) -> (ExitReport, usize) {
    let inspected = format!(
        r#"{{"Id":"c","State":{{"Running":false,"ExitCode":137,"Error":"{error}",{STATE}}}}}"#
    );
    let docker = Stub::new(move |request: &str| {
        if request.starts_with("GET /containers/c/json") {
            return Some((200, inspected.clone()));
        }
        // Of a container without a terminal every piece has a head: the stream and the length.
        let log = "\u{1}\0\0\0\0\0\0\u{6}hello\n".to_owned();
        request.starts_with("GET /containers/c/logs").then_some((200, log))
    });
    let report = of(&docker.engine, "c", since).await.unwrap();
    (report, docker.times("since=1767225610"))
}

#[tokio::test]
async fn a_life_that_began_since_then_is_told_with_its_lines() {
    let expected = ExitReport { exit_code: Some(137), log_tail: vec!["hello".to_owned()] };
    assert_eq!(report("", STARTED).await, (expected, 1));
}

#[tokio::test]
async fn an_earlier_life_is_not_told_and_the_words_of_the_engine_are() {
    let later = Timestamp(STARTED.0 + 1);
    assert_eq!(report("", later).await, (ExitReport::default(), 0));
    let log_tail = vec!["exec: permission denied".to_owned()];
    let refused = ExitReport { exit_code: None, log_tail };
    assert_eq!(report("exec: permission denied", later).await, (refused, 0));
}
