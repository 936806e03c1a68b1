//! How a tenant's values are checked, and what templates make of them.

use crate::decide::plan::names::check_templates;
use crate::decide::settings::views;
use crate::document::catalog::Catalog;
use crate::document::instance::{Check, InstanceDocument};
use crate::document::plan::Plan;
use crate::testing::{CATALOG, SPEC, plan_with};
use crate::text::problem::Problems;

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
        "settings.colour: is missing; catalog test has no default for it \
         (write colour: VALUE below settings; see omlctl settings catalog=test colour)"
    );
    assert_eq!(
        refused(&SPEC.replace("blue", "\"\"")),
        "line 3: settings.colour: is empty, and must be a text"
    );
}

#[test]
fn a_setting_without_a_value_is_one_mistake_however_many_templates_name_it() {
    let spec = SPEC.replace("{colour: blue}", "{}");
    let env = "HERE: \"{{ settings.colour }} {{ node.address }}\", SKY: \"{{ settings.colour }}\"";
    let refused = |env: &str| plan_with(&spec, &catalog(UNTYPED, env), 1).unwrap_err();
    let found = refused(env);
    assert_eq!(found.0.len(), 1, "{found}");
    assert_eq!(found.0[0].path, "settings.colour");
    // What has nothing to do with it is said beside it.
    let found =
        refused(&format!("{env}, LAND: \"{{{{ settings.sip_port }}}}{{{{ host.void }}}}\""));
    assert_eq!(found.0.len(), 2, "{found}");
    assert_eq!(found.0[0].path, "components.voice.env.LAND");
}

#[test]
fn what_a_template_became_is_refused_with_the_command_that_shows_the_settings() {
    let port = SPEC.replace("colour: blue", "colour: blue, sip_port: \"0\"");
    let found = plan_with(&port, CATALOG, 1).unwrap_err();
    let hint = Some("see what it is made of: omlctl settings catalog=test");
    assert!(found.0.iter().all(|problem| problem.hint.as_deref() == hint), "{found}");
}

/// Plans the voice server with these lines in place of its count of calls.
fn planned_voice(lines: &str, settings: &str) -> Result<InstanceDocument, Problems> {
    let active = "active: {command: [count], before: active call, noun: calls}";
    let catalog = catalog(TYPED, HERE);
    assert!(catalog.contains(active));
    let plan = plan_with(&spec(settings), &catalog.replace(active, lines), 1)?;
    let share = &plan.nodes[&"n2".parse().unwrap()];
    Ok(share.instances[&"voice".parse().unwrap()].instance.clone())
}

#[test]
fn the_limit_of_memory_is_a_size_that_a_setting_may_give_or_leave_out() {
    let limit = |lines: &str, settings: &str| {
        let planned = planned_voice(lines, settings);
        planned.map(|voice| voice.container().unwrap().memory_bytes_max)
    };
    let template = "memory_max: \"{{ settings.memory }}\"";
    assert_eq!(limit("memory_max: 1GiB", "").unwrap(), Some(1 << 30));
    assert_eq!(limit(template, "").unwrap(), Some(2 << 30));
    assert_eq!(limit(template, "  memory: 64MiB\n").unwrap(), Some(64 << 20));
    let empty = "memory_max: \"{{ settings.memory if settings.loud else '' }}\"";
    assert_eq!(limit(empty, "").unwrap(), None);
    let refused = limit(template, "  memory: 7MiB\n").unwrap_err().to_string();
    let expected = "components.voice.memory_max: \"7MiB\" is not a size of at least 8MiB, such as \
                    512MiB or 2GiB";
    assert!(refused.contains(expected), "{refused}");
    let refused = limit("memory_max: \"{{ settings.memry }}\"", "").unwrap_err().to_string();
    assert!(refused.contains("components.voice.memory_max: cannot render"), "{refused}");
    let own = SPEC.replace("voice: \"1\"", "voice: {version: \"1\", memory_max: 3GiB}");
    let catalog = CATALOG.replace("    image: voice\n", "    image: voice\n    memory_max: 1GiB\n");
    let plan = plan_with(&own, &catalog, 1).unwrap();
    let share = &plan.nodes[&"n2".parse().unwrap()];
    let voice = &share.instances[&"voice".parse().unwrap()].instance;
    assert_eq!(voice.container().unwrap().memory_bytes_max, Some(3 << 30));
}

#[test]
fn the_commands_of_a_probe_and_of_a_count_are_filled_in() {
    let probe = "probe: {check: sip-options, port: \"{{ settings.sip_port }}\"}";
    let exec = "probe: {check: exec, command: [ask, \"{{ settings.sip_port }}\"]}";
    let catalog = catalog(TYPED, HERE).replace(probe, exec).replace(
        "{command: [count], before: active call, noun: calls}",
        "{noun: calls, sources: [{command: [count, \"{{ settings.mode }}\"], before: up}, \
         {command: [\"{{ node.name }}\"], before: up}]}",
    );
    let plan = plan_with(&spec("  sip_port: 5070\n"), &catalog, 1).unwrap();
    let share = &plan.nodes[&"n2".parse().unwrap()];
    let voice = &share.instances[&"voice".parse().unwrap()].instance;
    let command = vec!["ask".to_owned(), "5070".to_owned()];
    assert_eq!(voice.probe.check, Check::Exec { command });
    let active = voice.active.as_ref().unwrap();
    let words: Vec<String> = active.sources().map(|(command, _)| command.join(" ")).collect();
    assert_eq!(words, ["count lan", "n2"]);
    let views = views(&Catalog::parse(&catalog).unwrap(), None);
    let used = |name: &str| {
        let view = views.iter().find(|view| view.name == name).unwrap();
        view.uses.contains_key(&"voice".parse().unwrap())
    };
    assert!(used("sip_port") && used("mode"), "{views:?}");
    let wrong = catalog.replace("settings.mode", "settings.mood");
    let found = check_templates(&Catalog::parse(&wrong).unwrap()).to_string();
    assert!(found.contains("components.voice.active.command: mood is not a setting"), "{found}");
}
