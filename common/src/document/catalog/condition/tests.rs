//! Which conditions a catalog can have, and for which values each of them holds.

use crate::document::catalog::Catalog;

use super::*;

const SETTINGS: &str = "\
settings:
  host: {type: host, default: \"\"}
  mode: {type: choice, default: lan, choices: {lan: a, cloud: b, nat: c}}
  count: {type: number, default: 2, min: 0}
  on: {type: bool, default: false}
  word: x
";

/// Reads a catalog with a component that has this condition.
fn catalog(when: &str) -> Result<Catalog, String> {
    let text = format!(
        "catalog: test\nregistry: docker.io/test\n{SETTINGS}components:\n  web:\n    roles: [app]\n    \
         unit: web.service\n    container: web\n    image: web\n    when: {when}\n    \
         probe: {{check: tcp, port: \"80\"}}\n"
    );
    Catalog::parse(&text).map_err(|problems| problems.to_string())
}

fn condition(when: &str) -> Condition {
    let catalog = catalog(when).unwrap_or_else(|problems| panic!("{when}: {problems}"));
    catalog.components[&"web".parse().unwrap()].when.clone().unwrap()
}

/// Returns why a condition does not hold for these values, which are `NAME=VALUE`.
fn unmet(when: &str, values: &[&str]) -> String {
    let defaults = ["host=", "mode=lan", "count=2", "on=false", "word=x"];
    let all = defaults.iter().chain(values).map(|pair| pair.split_once('=').unwrap());
    condition(when).unmet(&all.collect()).unwrap_or_default()
}

#[test]
fn a_condition_holds_exactly_for_the_values_that_it_names() {
    for (when, values, reason) in [
        ("{host: \"\"}", &[][..], ""),
        ("{host: \"\"}", &["host=db.example"], "only if host is empty, and host is db.example"),
        ("{host: {not: \"\"}}", &["host=db"], ""),
        ("{host: {not: \"\"}}", &[], "only if host is not empty, and host is empty"),
        ("{mode: [cloud, nat]}", &["mode=nat"], ""),
        ("{mode: [cloud, nat]}", &[], "only if mode is cloud or nat, and mode is lan"),
        (
            "{mode: {not: [cloud, nat]}}",
            &["mode=nat"],
            "only if mode is not cloud or nat, and mode is nat",
        ),
        ("{on: true}", &["on=true"], ""),
        ("{on: true}", &[], "only if on is true, and on is false"),
        ("{count: {min: 3}}", &["count=3"], ""),
        ("{count: {min: 3}}", &[], "only if count is at least 3, and count is 2"),
        ("{count: {max: 1}}", &["count=10"], "only if count is at most 1, and count is 10"),
        (
            "{count: {min: 3, max: 9}}",
            &["count=10"],
            "only if count is from 3 to 9, and count is 10",
        ),
        ("{on: true, host: \"\"}", &["on=true"], ""),
        (
            "{on: true, host: \"\"}",
            &["host=h"],
            "only if host is empty and on is true, and host is h and on is false",
        ),
        ("[{on: true}, {mode: cloud}]", &["mode=cloud"], ""),
        (
            "[{on: true}, {mode: cloud}]",
            &[],
            "only if on is true, or mode is cloud, and on is false and mode is lan",
        ),
    ] {
        assert_eq!(unmet(when, values), reason, "{when} {values:?}");
    }
}

#[test]
fn a_condition_that_cannot_be_meant_is_refused_with_its_place() {
    for (when, message) in [
        (
            "{hots: \"\"}",
            "components.web.when.hots: hots is not a setting of the catalog (did you mean host?)",
        ),
        (
            "{mode: clowd}",
            "components.web.when.mode: \"clowd\" is not one of lan, cloud, nat (did you mean cloud?)",
        ),
        (
            "{on: \"True\"}",
            "components.web.when.on: \"True\" is not true or false (did you mean true?)",
        ),
        ("{mode: \"\"}", "components.web.when.mode: is empty, and must be one of lan, cloud, nat"),
        (
            "{mode: {min: 1}}",
            "components.web.when.mode: min and max are for numbers, and it is a choice",
        ),
        ("{host: }", "components.web.when.host: is empty (write \"\" for an empty value)"),
        ("{host: []}", "components.web.when.host: names no value"),
        ("{count: {}}", "components.web.when.count: compares it with nothing"),
        ("{count: {mni: 1}}", "components.web.when.count.mni: unknown key (known: not, min, max)"),
        ("{count: {not: 1, min: 2}}", "components.web.when.count: has not: beside min: or max:"),
        ("{count: {min: x}}", "components.web.when.count.min: invalid digit"),
        ("{}", "components.web.when: names no setting"),
        ("[]", "components.web.when: is empty"),
        ("settings.on", "components.web.when: is not a condition (write {SETTING: VALUE}"),
        ("{host: \"{{ tenant }}\"}", "components.web.when.host: a template is not filled in here"),
    ] {
        let problems = catalog(when).map(|_| String::new()).unwrap_or_else(|problems| problems);
        assert!(problems.contains(message), "{when}: {problems}");
    }
}

#[test]
fn a_mistake_in_a_setting_is_no_mistake_of_the_condition_that_names_it() {
    let text = "catalog: test\nregistry: docker.io/test\nsettings: {mode: {type: chois, default: a}}\n\
                components:\n  web:\n    roles: [app]\n    unit: web.service\n    container: web\n    \
                image: web\n    when: {mode: b}\n    probe: {check: tcp, port: \"80\"}\n";
    let problems = Catalog::parse(text).unwrap_err().to_string();
    assert!(problems.starts_with("line 3: settings.mode.type: \"chois\""), "{problems}");
    assert_eq!(problems.lines().count(), 1, "{problems}");
}

#[test]
fn no_condition_always_holds() {
    assert!(Condition::default().holds(&SettingValues::new()));
}
