use super::*;

#[derive(Clone)]
struct Stub {
    id: &'static str,
    hash: ContentHash,
    is_running: bool,
    is_new: bool,
    bears_own_name: bool,
}

impl Candidate for Stub {
    fn id(&self) -> &str {
        self.id
    }

    fn workload_hash(&self) -> &ContentHash {
        &self.hash
    }

    fn is_running(&self) -> bool {
        self.is_running
    }

    fn is_new(&self) -> bool {
        self.is_new
    }

    fn bears_own_name(&self) -> bool {
        self.bears_own_name
    }
}

fn hash(digit: &str) -> ContentHash {
    digit.repeat(64).parse().unwrap()
}

fn container(id: &'static str, digit: &str, is_running: bool) -> Stub {
    Stub { id, hash: hash(digit), is_running, is_new: false, bears_own_name: false }
}

fn chosen(containers: &[Stub]) -> (Option<&str>, Vec<&str>) {
    let choice = choose(containers, &hash("a"));
    (choice.wanted.map(|wanted| wanted.id), choice.rivals.iter().map(|rival| rival.id).collect())
}

#[test]
fn the_newest_of_the_workload_is_wanted_and_others_that_run_are_rivals() {
    let found = [
        container("newest", "a", false),
        container("older", "a", false),
        container("other", "b", true),
        container("idle", "b", false),
    ];
    assert_eq!(chosen(&found), (Some("newest"), vec!["other"]));
}

#[test]
fn one_that_runs_is_adopted_before_a_newer_one_that_does_not() {
    let found = [
        container("newest", "a", false),
        container("running", "a", true),
        container("running too", "a", true),
    ];
    assert_eq!(chosen(&found), (Some("running"), vec!["running too"]));
}

#[test]
fn of_several_that_do_not_run_the_one_with_the_own_name_is_adopted() {
    let own = Stub { bears_own_name: true, ..container("own", "a", false) };
    let found = [container("newest", "a", false), own, container("older", "a", false)];
    assert_eq!(chosen(&found), (Some("own"), vec![]));
    assert_eq!(
        chosen(&[container("newest", "a", false), container("runs", "a", true)]).0,
        Some("runs")
    );
}

#[test]
fn nothing_of_the_workload_is_nothing_wanted() {
    assert_eq!(chosen(&[container("other", "b", false)]), (None, vec![]));
}

#[test]
fn where_nothing_says_what_is_in_use_the_container_of_the_own_name_is_not_the_newest() {
    let next = Stub { is_new: true, ..container("next", "b", false) };
    let previous = container("previous", "a", false);
    let own = Stub { bears_own_name: true, ..container("own", "c", false) };
    let id = |containers: &[Stub]| likeliest(containers).map(|c| c.id);
    assert_eq!(id(&[next.clone(), previous.clone(), own]), Some("own"));
    assert_eq!(id(&[next.clone(), previous.clone()]), Some("previous"));
    assert_eq!(id(std::slice::from_ref(&next)), Some("next"));
    let runs = Stub { is_running: true, ..next };
    assert_eq!(id(&[previous, runs]), Some("next"));
    assert_eq!(id(&[]), None);
}

#[test]
fn a_container_that_was_held_and_is_gone_was_removed_by_somebody() {
    let known = Drift { at: Timestamp(3), found: "container x was killed".to_owned() };
    let before = Status {
        container: "id".to_owned(),
        health: Health::Healthy,
        drift: Some(known.clone()),
        ..Status::new(hash("a"), Timestamp(5))
    };
    let drift = |is_there, before| drift_at_start(is_there, before, "x-server", Timestamp(9));
    assert_eq!(drift(false, None), None);
    assert_eq!(drift(true, Some(&before)), Some(known));
    let removed = Drift { at: Timestamp(9), found: "container x-server was removed".to_owned() };
    assert_eq!(drift(false, Some(&before)), Some(removed));
}

#[test]
fn a_running_program_whose_status_is_lost_has_answered_if_its_workload_passed_its_soak() {
    let known = [Health::Healthy, Health::Unhealthy, Health::Starting, Health::Unknown];
    let ready = |has_passed_soak: bool, runs: bool| {
        let of_known = known.map(|health| was_ready(Some(health), runs, has_passed_soak));
        (of_known, was_ready(None, runs, has_passed_soak))
    };
    assert_eq!(ready(true, true), ([true, true, false, true], true));
    assert_eq!(ready(false, true), ([true, true, false, false], false));
    assert_eq!(ready(true, false), ([false; 4], false), "it was started now");
}
