use super::*;
use crate::fixtures;

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

#[test]
fn where_nothing_says_what_is_in_use_the_container_of_the_own_name_is_not_the_newest() {
    let document = fixtures::document("asterisk", "1").text().to_owned();
    let next = Marked { is_new: true, ..container("oml-asterisk-next-b", "b", false) };
    let previous = container("oml-asterisk-prev", "a", false);
    let own = Marked { document, ..container("oml-asterisk", "c", false) };
    let id = |containers: &[Marked]| likeliest(containers).map(|c| c.id.clone());
    assert_eq!(id(&[next.clone(), previous.clone(), own]).as_deref(), Some("oml-asterisk"));
    assert_eq!(id(&[next.clone(), previous]).as_deref(), Some("oml-asterisk-prev"));
    assert_eq!(id(std::slice::from_ref(&next)).as_deref(), Some("oml-asterisk-next-b"));
    let runs = Marked { is_running: true, ..next };
    assert_eq!(id(&[runs]).as_deref(), Some("oml-asterisk-next-b"));
    assert_eq!(id(&[]), None);
}
