use super::*;

fn stopped(result: &str, state: ContainerState) -> ObservedInstance {
    let unit = ObservedUnit {
        hash: None,
        stale: false,
        active: ActiveState::Inactive,
        masked: false,
        stopped_by_hand: true,
        since: Timestamp(1),
        restarts: 0,
        by_hand: None,
        result: result.to_owned(),
    };
    let container = ObservedContainer {
        id: "id".to_owned(),
        name: "oml-asterisk".to_owned(),
        hash: ContentHash::of(b"1"),
        version: "1".parse().unwrap(),
        digest: format!("sha256:{}", "1".repeat(64)).parse().unwrap(),
        created: Timestamp(1),
        state,
    };
    let (unit, containers) = (Some(unit), vec![container]);
    ObservedInstance { unit, containers, ..ObservedInstance::default() }
}

#[test]
fn what_runs_is_not_stopped_though_its_unit_was_stopped_while_nobody_held_it() {
    let runs = ContainerState::Running { since: Timestamp(1) };
    let ended = ContainerState::Exited { code: 1, at: Timestamp(1), out_of_memory: false };
    for (state, result, expected) in
        [(runs.clone(), "exit-code", false), (ended, "exit-code", true), (runs, "success", true)]
    {
        let mut seen = stopped(result, state);
        seen.clear_false_stop();
        assert_eq!(seen.unit.unwrap().stopped_by_hand, expected, "{result}");
    }
}
