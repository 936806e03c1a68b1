use super::*;

const ENDED: ContainerEvents = ContainerEvents {
    ended: true,
    stopped: false,
    killed: false,
    removed: false,
    out_of_memory: false,
};
const NOTHING_DONE: Evidence = Evidence {
    code: Some(3),
    out_of_memory: false,
    engine_was_away: false,
    container_events: Some(ENDED),
};

fn explained(evidence: Evidence) -> (String, bool) {
    let ending = explain("oml-x-server", evidence, Timestamp(7));
    (ending.words, ending.drift.is_some())
}

fn with(container_events: ContainerEvents) -> Evidence {
    Evidence { container_events: Some(container_events), ..NOTHING_DONE }
}

#[test]
fn an_end_by_itself_is_no_drift() {
    assert_eq!(explained(NOTHING_DONE), ("ended with exit code 3".to_owned(), false));
    let hungry = Evidence { code: Some(137), out_of_memory: true, ..NOTHING_DONE };
    assert_eq!(explained(hungry), ("ran out of memory (exit code 137)".to_owned(), false));
}

#[test]
fn a_hand_is_named_with_what_it_did() {
    let killed = ContainerEvents { killed: true, ..ENDED };
    let stopped = ContainerEvents { stopped: true, ..killed };
    let removed = ContainerEvents { removed: true, ..killed };
    for (container_events, words) in [
        (killed, "container oml-x-server was killed on the host (exit code 3)"),
        (stopped, "container oml-x-server was stopped on the host (exit code 3)"),
        (removed, "container oml-x-server was removed (exit code 3)"),
    ] {
        assert_eq!(explained(with(container_events)), (words.to_owned(), true));
    }
    let gone = Evidence { code: None, ..NOTHING_DONE };
    assert_eq!(explained(gone), ("container oml-x-server was removed".to_owned(), true));
}

#[test]
fn an_end_that_nobody_could_watch_is_reported_as_such() {
    let words = "container oml-x-server was ended while docker was away (exit code 3)".to_owned();
    let away = Evidence { engine_was_away: true, ..with(ContainerEvents::default()) };
    assert_eq!(explained(away), (words.clone(), true));
    assert_eq!(explained(Evidence { container_events: None, ..away }), (words, true));
    let unrecorded = "container oml-x-server ended with exit code 3; docker has no record of its \
                      end: it was restarted, or its disk was full";
    assert_eq!(explained(with(ContainerEvents::default())), (unrecorded.to_owned(), true));
}

#[test]
fn an_end_that_docker_recorded_is_explained_by_its_record_also_after_an_outage() {
    let recorded = Evidence { engine_was_away: true, ..NOTHING_DONE };
    assert_eq!(explained(recorded), ("ended with exit code 3".to_owned(), false));
}

#[test]
fn events_that_cannot_be_read_accuse_nobody() {
    let words = "ended with exit code 3; Docker does not report the cause".to_owned();
    assert_eq!(explained(Evidence { container_events: None, ..NOTHING_DONE }), (words, false));
}
