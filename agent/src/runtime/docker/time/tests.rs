use super::*;

#[test]
fn never_is_nought() {
    assert_eq!(timestamp(None), Timestamp(0));
    assert_eq!(timestamp(Some("0001-01-01T00:00:00Z")), Timestamp(0));
    assert_eq!(timestamp(Some("not a time")), Timestamp(0));
    assert_eq!(timestamp(Some("1970-01-01T00:00:01.5Z")), Timestamp(1_500));
    assert_eq!(timestamp(Some("1970-01-01T01:00:00.123456789+01:00")), Timestamp(123));
}

#[test]
fn a_container_that_was_never_started_is_created_for_any_state_of_the_engine() {
    let refused = EngineState {
        started_at: Some("0001-01-01T00:00:00Z".to_owned()),
        exit_code: Some(128),
        ..EngineState::default()
    };
    assert_eq!(state(&refused), ContainerState::Created);
}

#[test]
fn a_paused_container_runs_and_an_ended_one_has_its_status() {
    let started_at = Some("1970-01-01T00:00:01Z".to_owned());
    let paused = EngineState {
        running: Some(true),
        paused: Some(true),
        started_at: started_at.clone(),
        ..EngineState::default()
    };
    assert_eq!(state(&paused), ContainerState::Running { since: Timestamp(1_000) });
    let ended = EngineState {
        running: Some(false),
        oom_killed: Some(true),
        exit_code: Some(137),
        finished_at: Some("1970-01-01T00:00:02Z".to_owned()),
        started_at,
        ..EngineState::default()
    };
    let (code, at, out_of_memory) = (137, Timestamp(2_000), true);
    assert_eq!(state(&ended), ContainerState::Exited { code, at, out_of_memory });
}
