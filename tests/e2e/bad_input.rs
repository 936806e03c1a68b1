//! Tests that every mistake of an operator is reported with its location, a hint and
//! exit code 2, and changes nothing.

use anyhow::Result;
use oml_tests::Fleet;
use oml_tests::observe::{start_times, status};
use oml_tests::trial::check;

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] = &[
    (Kind::Tiny, "every_mistake_is_reported_with_its_location_and_changes_nothing", mistakes),
    (
        Kind::Tiny,
        "a_stopped_controller_is_reported_in_one_sentence_with_exit_code_5",
        controller_away,
    ),
];

const NODE: &str = "tiny-one";

fn mistakes(fleet: &Fleet) -> Result<()> {
    let before = (status(fleet)?["revision"].clone(), start_times(fleet, NODE)?);
    let refuse = |words: &[&str], expected: &[&str]| -> Result<()> {
        let ended = fleet.ctl(words)?;
        let shown = format!("omlctl {}: {ended:?}", words.join(" "));
        check(ended.code == 2, &shown)?;
        check(ended.stdout.is_empty(), &shown)?;
        check(
            expected.iter().all(|word| ended.stderr.contains(word)),
            format!("{expected:?} in {shown}"),
        )?;
        let is_plain = !["panicked", "Error {", "\u{1b}"].iter().any(|w| ended.stderr.contains(w));
        check(is_plain, &shown)
    };
    refuse(&["set-version", "tenant=tiny", "frist=v2"], &["frist", "did you mean first?"])?;
    refuse(&["set-version", "tenant=tni", "first=v2"], &["tni", "did you mean tiny?"])?;
    refuse(&["set-version", "tenant=tiny", "first="], &["first"])?;
    refuse(&["set-version", "tenant=tiny", "first=a:b"], &["a:b"])?;
    refuse(&["rollback", "tenant=tiny", "to=999"], &["999"])?;
    refused_documents(fleet, refuse)?;
    check(status(fleet)?["revision"] == before.0, "a refused change made a revision")?;
    check(start_times(fleet, NODE)? == before.1, "a refused change restarted a container")
}

/// Documents with mistakes, each of which is refused with its place.
fn refused_documents(fleet: &Fleet, refuse: impl Fn(&[&str], &[&str]) -> Result<()>) -> Result<()> {
    let spec = fleet.spec()?;
    let apply = |name: &str, text: &str, expected: &[&str]| -> Result<()> {
        let path = fleet.write_spec(name, text)?;
        refuse(&["apply", "-f", &path], expected)
    };
    let keys = spec.replace("catalog:", "catalogue: x\ncatalog:").replace("rollout:", "rolout:");
    // What the catalog does not know is said beside what is wrong with the document by itself.
    let keys = keys.replace("first: v1", "frist: v1");
    let expected = [
        "line 2: catalogue",
        "did you mean catalog?",
        "line 6: components.frist: unknown component",
        "line 8: rolout",
        "did you mean rollout?",
    ];
    apply("keys.yaml", &keys, &expected)?;
    apply(
        "component.yaml",
        &spec.replace("first: v1", "frist: v1"),
        &["line 5", "did you mean first?"],
    )?;
    apply("broken.yaml", &format!("{spec}  x: [\n"), &["line", "YAML"])?;
    apply(
        "version.yaml",
        &spec.replace("first: v1", "first: \"\""),
        &["components.first", "version"],
    )?;
    let cycle = spec.replace("first: v1", "first: {version: v1, after: [second]}");
    apply("cycle.yaml", &cycle, &["wait for each other", "first after second"])?;
    let missing = spec.replace("first: v1", "first: {version: v1, after: [third]}");
    apply("missing.yaml", &missing, &["third", "components.first.after"])?;
    let port = spec.replace("components:", "settings: {second_port: \"8081\"}\ncomponents:");
    apply("port.yaml", &port, &["8081/tcp", "tiny-one"])?;
    let nowhere = spec.replace("first: v1", "first: {version: v1, nodes: [elsewhere]}");
    apply("nowhere.yaml", &nowhere, &["elsewhere", "not a node"])?;
    let carried = fleet.spec()?.replace("catalog: small", "catalog: omnileads");
    let carried = carried.replace("  first: v1\n  second: v1\n", "  asterisk: v1\n");
    apply("role.yaml", &carried, &["components.asterisk", "no node can run it", "voice"])?;
    apply("large.yaml", &format!("{spec}#{}\n", "x".repeat(1 << 20)), &["larger than"])?;
    let many: String = (0..10_000).map(|n| format!("  c{n}: v1\n")).collect();
    apply("many.yaml", &spec.replace("rollout:", &format!("{many}rollout:")), &["256"])?;
    apply("control.yaml", &spec.replace("first: v1", "\"fi\\e[31mrst\": v1"), &["fi\\u{1b}"])
}

fn controller_away(fleet: &Fleet) -> Result<()> {
    let controller = fleet.host(oml_tests::fleet::CONTROLLER)?;
    controller.exec_ok(&["systemctl", "stop", "omlcontroller"])?;
    let ended = fleet.ctl(&["status"]);
    controller.exec_ok(&["systemctl", "start", "omlcontroller"])?;
    let ended = ended?;
    check(ended.code == 5, format!("{ended:?}"))?;
    check(ended.stderr.lines().count() == 1, ended.stderr)
}
