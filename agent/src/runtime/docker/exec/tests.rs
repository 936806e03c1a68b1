//! Commands that do not end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::stub::Stub;
use super::*;
use crate::runtime::ContainerCalls as _;

#[tokio::test]
async fn a_command_that_hangs_is_not_begun_again_before_it_has_ended() {
    let runs = Arc::new(AtomicBool::new(true));
    let still = Arc::clone(&runs);
    let docker = Stub::new(move |asked| match asked {
        _ if asked.starts_with("POST /containers/") => Some((201, r#"{"Id":"e1"}"#.to_owned())),
        _ if asked.contains("/json") => {
            Some((200, format!(r#"{{"Running":{}}}"#, still.load(Ordering::Relaxed))))
        }
        _ => None,
    });
    let limit = Duration::from_millis(200);
    let count = ["count".to_owned()];
    let ask = async |command: &[String]| {
        let error = docker.engine.exec("c1", command, limit).await.unwrap_err();
        assert!(!error.is_transient(), "it is the program that hangs");
        error.to_string()
    };
    let error = ask(&count).await;
    assert_eq!(error, "could not run a command in c1: count did not end in 200 ms");
    for _ in 0..3 {
        let error = ask(&count).await;
        assert!(error.ends_with("count was begun before and has not ended"), "{error}");
    }
    assert_eq!(docker.times("POST /containers/c1/exec"), 1);
    // Another command is another matter.
    assert!(ask(&["probe".to_owned()]).await.ends_with("probe did not end in 200 ms"));
    runs.store(false, Ordering::Relaxed);
    assert!(ask(&count).await.ends_with("count did not end in 200 ms"));
    assert_eq!(docker.times("POST /containers/c1/exec"), 3);
}

#[tokio::test]
async fn a_refusal_for_which_the_engine_is_to_blame_may_pass() {
    for status in [409, 500] {
        let docker = Stub::new(move |asked| {
            asked.starts_with("POST ").then(|| (status, r#"{"message":"no space"}"#.to_owned()))
        });
        let command = ["probe".to_owned()];
        let error = docker.engine.exec("c1", &command, Duration::from_secs(2)).await.unwrap_err();
        assert!(error.is_transient(), "{status}: {error}");
    }
}

#[tokio::test]
async fn an_engine_that_hangs_before_the_command_begins_is_not_the_program_that_hangs() {
    let docker = Stub::new(|_| None);
    let command = ["probe".to_owned()];
    let limit = Duration::from_millis(200);
    let error = docker.engine.exec("c1", &command, limit).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
}
