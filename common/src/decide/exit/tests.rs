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

fn explained(evidence: Evidence) -> EndCause {
    explain("oml-x-server", evidence).cause
}

fn with(container_events: ContainerEvents) -> Evidence {
    Evidence { container_events: Some(container_events), ..NOTHING_DONE }
}

#[test]
fn an_end_by_itself_is_no_drift() {
    assert_eq!(explained(NOTHING_DONE), EndCause::Program { code: 3 });
    let hungry = Evidence { code: Some(137), out_of_memory: true, ..NOTHING_DONE };
    assert_eq!(explained(hungry), EndCause::OutOfMemory { code: 137 });
    assert_eq!(explain("x", hungry).drift(Timestamp(7)), None);
}

#[test]
fn a_hand_is_named_with_what_it_did() {
    let killed = ContainerEvents { killed: true, ..ENDED };
    let stopped = ContainerEvents { stopped: true, ..killed };
    let removed = ContainerEvents { removed: true, ..killed };
    assert_eq!(explained(with(killed)), EndCause::Killed { code: 3 });
    assert_eq!(explained(with(stopped)), EndCause::Stopped { code: 3 });
    assert_eq!(explained(with(removed)), EndCause::Removed { code: Some(3) });
    let gone = Evidence { code: None, ..NOTHING_DONE };
    assert_eq!(explained(gone), EndCause::Removed { code: None });
    let drift = explain("oml-x-server", gone).drift(Timestamp(7));
    let found = "container oml-x-server was removed".to_owned();
    assert_eq!(drift, Some(Drift { at: Timestamp(7), found }));
}

#[test]
fn an_end_that_nobody_could_watch_is_reported_as_such() {
    let away = Evidence { engine_was_away: true, ..with(ContainerEvents::default()) };
    let unknown = Evidence { container_events: None, ..away };
    assert_eq!(explained(away), EndCause::EngineAway { code: 3 });
    assert_eq!(explained(unknown), EndCause::EngineAway { code: 3 });
    assert_eq!(explained(with(ContainerEvents::default())), EndCause::Unrecorded { code: 3 });
}

#[test]
fn an_end_that_docker_recorded_is_explained_by_its_record_also_after_an_outage() {
    let recorded = Evidence { engine_was_away: true, ..NOTHING_DONE };
    assert_eq!(explained(recorded), EndCause::Program { code: 3 });
}

#[test]
fn events_that_cannot_be_read_accuse_nobody() {
    let unreported = Evidence { container_events: None, ..NOTHING_DONE };
    assert_eq!(explained(unreported), EndCause::Unreported { code: 3 });
}

#[test]
fn every_cause_has_its_words_and_is_drift_or_not() {
    let code = 3;
    for (cause, is_drift, words) in [
        (EndCause::Removed { code: None }, true, "container x was removed"),
        (EndCause::Removed { code: Some(3) }, true, "container x was removed (exit code 3)"),
        (EndCause::OutOfMemory { code }, false, "ran out of memory (exit code 3)"),
        (EndCause::Stopped { code }, true, "container x was stopped on the host (exit code 3)"),
        (EndCause::Killed { code }, true, "container x was killed on the host (exit code 3)"),
        (
            EndCause::EngineAway { code },
            true,
            "container x was ended while docker was away (exit code 3)",
        ),
        (
            EndCause::Unreported { code },
            false,
            "ended with exit code 3; Docker does not report the cause",
        ),
        (
            EndCause::Unrecorded { code },
            true,
            "container x ended with exit code 3; docker has no record of its end: it was \
             restarted, or its disk was full",
        ),
        (EndCause::Program { code }, false, "ended with exit code 3"),
    ] {
        let exit = ContainerExit { container: "x".to_owned(), cause };
        assert_eq!((cause.is_drift(), exit.to_string().as_str()), (is_drift, words));
    }
}
