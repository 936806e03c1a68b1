use super::*;

/// Greets as a process, at a second, while the process before it is connected.
fn greet(known: &mut Processes, process: &str, second: u64) -> Option<Twins> {
    let address = format!("{}.example", &process[..1]);
    known.greet(process, &address, true, Timestamp(second * 1000))
}

/// Two hosts have alternated, and the second one was refused.
fn of_two_hosts() -> Processes {
    let mut known = Processes::default();
    for process in ["a1", "b1", "a1", "b1"] {
        greet(&mut known, process, 1);
    }
    known
}

#[test]
fn a_host_that_reconnects_restarts_its_agent_or_is_rebooted_is_one_host() {
    let mut known = Processes::default();
    for process in ["a1", "a1", "a2", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9", "a9"] {
        assert_eq!(greet(&mut known, process, 1), None, "{process}");
    }
}

#[test]
fn two_processes_that_alternate_are_two_hosts_of_which_the_first_one_stays() {
    let mut known = Processes::default();
    let reported = ["a1", "b1", "a1", "b1"].map(|process| greet(&mut known, process, 1));
    assert_eq!(reported[..3], [None, None, None], "one return proves nothing");
    let (first, second) = ("a.example".to_owned(), "b.example".to_owned());
    let twins = Twins { first, second, is_refused: true };
    assert_eq!(reported[3], Some(twins.clone()));
    assert_eq!(greet(&mut known, "b1", 2), Some(twins));
    assert_eq!(greet(&mut known, "a1", 3), None, "it was never replaced");
}

#[test]
fn the_second_host_is_admitted_and_reported_while_the_first_one_is_away() {
    let mut known = of_two_hosts();
    let twins = known.greet("b1", "b.example", false, Timestamp(2000)).unwrap();
    assert!(!twins.is_refused);
    let twins = greet(&mut known, "a1", 3).unwrap();
    assert!(!twins.is_refused, "the first one comes back and stays");
}

#[test]
fn a_second_host_that_was_rebooted_is_found_again() {
    let mut known = of_two_hosts();
    assert_eq!(greet(&mut known, "b2", 2), None, "it may be the first one, rebooted");
    assert!(greet(&mut known, "a1", 3).is_some());
    assert!(greet(&mut known, "b2", 4).is_some_and(|twins| twins.is_refused));
}

#[test]
fn returns_that_are_far_apart_prove_nothing() {
    let mut known = Processes::default();
    for (process, second) in [("a1", 0), ("b1", 1), ("a1", 2), ("b1", 2000), ("a1", 4000)] {
        assert_eq!(greet(&mut known, process, second), None, "{process}");
    }
}

#[test]
fn an_agent_that_names_no_process_says_nothing() {
    let mut known = Processes::default();
    for _ in 0..5 {
        assert_eq!(known.greet("", "a.example", true, Timestamp(1)), None);
    }
}
