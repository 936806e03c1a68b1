//! How a tenant's values are checked, and what templates make of them.

use crate::document::plan::Plan;
use crate::testing::{CATALOG, SPEC, plan_with};

/// The settings of the tests' catalog with their types, and some more.
const TYPED: &str = "\
settings:
  db_host: {type: host, default: \"\", means: The database outside of the tenant.}
  sip_port: {type: port, default: 5060, min: 1024}
  colour:
  loud: {type: bool, default: false}
  mode: {type: choice, default: lan, choices: {lan: Inside., cloud: Outside.}}
  memory: {type: size, default: 2GiB}
  pause: {type: duration, default: 90s}
";
const UNTYPED: &str = "settings: {db_host: \"\", sip_port: \"5060\", colour:}\n";
const HERE: &str = "HERE: \"{{ node.address }}\"";

/// The catalog of the tests with these settings, and with these variables of the voice server.
fn catalog(settings: &str, env: &str) -> String {
    assert!(CATALOG.contains(UNTYPED) && CATALOG.contains(HERE));
    CATALOG.replace(UNTYPED, settings).replace(HERE, env)
}

fn spec(settings: &str) -> String {
    SPEC.replace("settings: {colour: blue}", &format!("settings:\n  colour: blue\n{settings}"))
}

fn here(plan: &Plan) -> String {
    let share = &plan.nodes[&"n2".parse().unwrap()];
    let voice = &share.instances[&"voice".parse().unwrap()];
    voice.instance.container().unwrap().env[&"HERE".parse().unwrap()].clone()
}

/// Returns what a template becomes with these settings.
fn rendered(template: &str, settings: &str) -> String {
    let catalog = catalog(TYPED, &format!("HERE: '{template}'"));
    let plan = plan_with(&spec(settings), &catalog, 1);
    plan.map(|plan| here(&plan)).unwrap_or_else(|problems| problems.to_string())
}

#[test]
fn wrong_values_and_unknown_settings_are_refused_all_at_once_with_their_lines() {
    let wrong = "  db_host: db:5432\n  sip_port: 80\n  loud: yes\n  mode: clowd\n  memry: 1GiB\n";
    let problems = plan_with(&spec(wrong), &catalog(TYPED, HERE), 1).unwrap_err().to_string();
    assert_eq!(
        problems,
        "line 5: settings.db_host: \"db:5432\" is not a host name or an IP address\n\
         line 6: settings.sip_port: \"80\" is not a whole number from 1024 to 65535\n\
         line 7: settings.loud: \"yes\" is not true or false (did you mean true?)\n\
         line 8: settings.mode: \"clowd\" is not one of lan, cloud (did you mean cloud?)\n\
         line 9: settings.memry: unknown setting (did you mean memory?)"
    );
}

#[test]
fn a_value_is_written_into_text_as_the_tenant_wrote_it() {
    for (template, settings, expected) in [
        (
            "{{ settings.loud }} {{ settings.sip_port }} {{ settings.memory }}",
            "",
            "false 5060 2GiB",
        ),
        ("{{ settings.loud ~ settings.sip_port }}", "  loud: true\n", "true5060"),
        ("{{ settings.db_host }}", "", ""),
        ("{{ settings.mode }}", "  mode: cloud\n", "cloud"),
    ] {
        assert_eq!(rendered(template, settings), expected, "{template}");
    }
}

#[test]
fn a_bool_is_true_or_false_in_expressions_and_a_number_is_a_number() {
    let template = "{% if settings.loud %}loud{% else %}quiet{% endif %}";
    assert_eq!(rendered(template, ""), "quiet");
    assert_eq!(rendered(template, "  loud: true\n"), "loud");
    assert_eq!(rendered("{{ \"a\" if not settings.loud else \"b\" }}", ""), "a");
    assert_eq!(rendered("{{ settings.sip_port + 1 }}", ""), "5061");
    assert_eq!(rendered("{{ \"high\" if settings.sip_port > 6000 else \"low\" }}", ""), "low");
}

#[test]
fn sizes_and_durations_are_written_in_the_unit_that_a_program_wants() {
    let template = "{{ settings.memory|mebibytes }}MB {{ settings.memory|bytes }} \
                    {{ settings.pause|seconds }} {{ settings.pause|milliseconds }}";
    assert_eq!(rendered(template, ""), "2048MB 2147483648 90 90000");
    let problems = rendered("{{ settings.pause|seconds }}", "  pause: 1500ms\n");
    assert!(problems.contains("1500ms is not a whole number of s"), "{problems}");
    let problems = rendered("{{ settings.mode|bytes }}", "");
    assert!(problems.contains("\"lan\" is not a size such as 512MiB"), "{problems}");
}

#[test]
fn a_type_alone_changes_nothing_of_a_plan() {
    let untyped = UNTYPED.replace("colour:", "colour:, loud: \"false\"");
    let env = format!("{HERE}, A: \"{{{{ settings.loud }}}}\", B: \"{{{{ settings.sip_port }}}}\"");
    let plan = |settings: &str| plan_with(SPEC, &catalog(settings, &env), 1).unwrap();
    assert_eq!(plan(&untyped), plan(TYPED));
}

#[test]
fn a_required_setting_must_be_given_and_not_be_empty() {
    let typed = TYPED.replace("  colour:\n", "  colour: {type: text, required: true}\n");
    let refused = |spec: &str| plan_with(spec, &catalog(&typed, HERE), 1).unwrap_err().to_string();
    assert_eq!(
        refused(&SPEC.replace("{colour: blue}", "{}")),
        "settings.colour: is missing; catalog test has no default for it"
    );
    assert_eq!(
        refused(&SPEC.replace("blue", "\"\"")),
        "line 3: settings.colour: is empty, and must be a text"
    );
}
