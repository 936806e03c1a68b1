//! Ends of containers as an engine reports them.

use super::super::stub::Stub;
use super::*;

/// The start and the end of the container's last life.
const STATE: &str = r#""StartedAt":"2026-01-01T00:00:10Z","FinishedAt":"2026-01-01T00:00:20Z""#;
const STARTED: Timestamp = Timestamp(1_767_225_610_000);

/// What the engine has in its log, each line with its time.
const LOG: [&str; 4] = [
    "2026-01-01T00:00:08.999000000Z an earlier life\n",
    "2026-01-01T00:00:09.995000000Z configuration error\n",
    "2026-01-01T00:00:10.010000000Z\n",
    "2026-01-01T00:00:10.020000000Z bye\n",
];

fn engine(error: &str) -> Stub {
    let inspected = format!(
        r#"{{"Id":"c","State":{{"Running":false,"ExitCode":137,"Error":"{error}",{STATE}}}}}"#
    );
    Stub::new(move |request: &str| {
        if request.starts_with("GET /containers/c/json") {
            return Some((200, inspected.clone()));
        }
        // Of a container without a terminal every piece has a head: the stream and the length.
        let piece =
            |line: &&str| format!("\u{1}\0\0\0\0\0\0{}{line}", char::from(line.len() as u8));
        let log = LOG.iter().map(piece).collect();
        request.starts_with("GET /containers/c/logs").then_some((200, log))
    })
}

/// The report, and how often the lines from a second before [`STARTED`] were asked for.
async fn report(error: &str, since: Timestamp) -> (ExitReport, usize) {
    let docker = engine(error);
    let report = of(&docker.engine, "c", since).await.unwrap();
    (report, docker.times("since=1767225609"))
}

#[tokio::test]
async fn a_log_that_is_closed_while_somebody_begins_to_follow_it_is_read_all_the_same() {
    let stub = Stub::new(|request: &str| {
        let line = "bye\n";
        let piece = format!("\u{1}\0\0\0\0\0\0{}{line}", char::from(line.len() as u8));
        Some((200, if request.contains("follow=true") { String::new() } else { piece }))
    });
    let lines = std::sync::Mutex::new(Vec::new());
    let keep = |line: String| lines.lock().unwrap().push(line);
    follow(&stub.engine, "c", 0, &keep).await.unwrap();
    assert_eq!(*lines.lock().unwrap(), ["bye"]);
    assert_eq!(stub.times("follow="), 2);
}

#[tokio::test]
async fn a_life_that_began_since_then_is_reported_with_its_lines() {
    // The first line was written before the engine had noted the start.
    let log_tail = ["configuration error", "", "bye"].map(str::to_owned).to_vec();
    let expected = ExitReport { exit_code: Some(137), log_tail };
    for began in [Timestamp(0), Timestamp(STARTED.0 - 900)] {
        assert_eq!(report("", began).await, (expected.clone(), 1));
    }
}

#[tokio::test]
async fn no_line_is_reported_that_is_older_than_asked_for() {
    for (since, lines) in [(STARTED.0 - 1, 2), (STARTED.0 + 15, 1), (STARTED.0 - 5, 3)] {
        let lines_since = last_lines(&engine("").engine, "c", Timestamp(since)).await.unwrap();
        assert_eq!(lines_since.len(), lines, "{lines_since:?}");
    }
}

#[tokio::test]
async fn an_earlier_life_is_not_reported_and_the_words_of_the_engine_are() {
    let later = Timestamp(STARTED.0 + 1);
    assert_eq!(report("", later).await, (ExitReport::default(), 0));
    let log_tail = vec!["exec: permission denied".to_owned()];
    let refused = ExitReport { exit_code: None, log_tail };
    assert_eq!(report("exec: permission denied", later).await, (refused, 0));
}
