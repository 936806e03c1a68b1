use super::*;

fn hash(digit: &str) -> ContentHash {
    digit.repeat(64).parse().unwrap()
}

fn container(id: &str, digit: &str, is_running: bool) -> Marked {
    Marked {
        id: id.to_owned(),
        name: id.to_owned(),
        tenant: "acme".parse().unwrap(),
        component: "asterisk".parse().unwrap(),
        hash: hash(digit),
        version: "1".parse().unwrap(),
        digest: format!("sha256:{}", "1".repeat(64)).parse().unwrap(),
        created: oml_common::time::Timestamp(0),
        is_running,
        is_new: false,
        document: String::new(),
    }
}

fn sorted(containers: &[Marked]) -> (Option<&str>, Vec<&str>) {
    let wanted = hash("a");
    let found = sort(containers, &wanted);
    let id = |container: &Marked| container.id.clone();
    let known = |wanted: String| containers.iter().find(|c| c.id == wanted).map(|c| c.id.as_str());
    let rivals = found.rivals.iter().filter_map(|rival| known(id(rival))).collect();
    (found.wanted.and_then(|wanted| known(id(wanted))), rivals)
}

#[test]
fn the_newest_of_the_workload_is_wanted_and_others_that_run_are_rivals() {
    let found = [
        container("newest", "a", false),
        container("older", "a", false),
        container("other", "b", true),
        container("idle", "b", false),
    ];
    assert_eq!(sorted(&found), (Some("newest"), vec!["other"]));
}

#[test]
fn one_that_runs_is_adopted_before_a_newer_one_that_does_not() {
    let found = [
        container("newest", "a", false),
        container("running", "a", true),
        container("running too", "a", true),
    ];
    assert_eq!(sorted(&found), (Some("running"), vec!["running too"]));
}

#[test]
fn nothing_of_the_workload_is_nothing_wanted() {
    assert_eq!(sorted(&[container("other", "b", false)]), (None, vec![]));
}
