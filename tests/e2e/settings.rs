//! Tests of settings with types: mistakes that are refused, a component that comes and goes with a
//! setting, and what `omlctl settings` shows.

use anyhow::Result;
use oml_tests::Fleet;
use oml_tests::observe::{start_times, status};
use oml_tests::trial::check;

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] = &[
    (Kind::Tiny, "a_setting_of_the_wrong_type_changes_nothing", wrong_values),
    (Kind::Tiny, "a_component_comes_and_goes_with_a_setting", condition),
];

const NODE: &str = "tiny-one";

/// Returns the specification of the tenant with these settings.
fn with_settings(fleet: &Fleet, settings: &str) -> Result<String> {
    Ok(fleet.spec()?.replace("components:\n", &format!("settings: {settings}\ncomponents:\n")))
}

fn wrong_values(fleet: &Fleet) -> Result<()> {
    let before = (status(fleet)?["revision"].clone(), start_times(fleet, NODE)?);
    let wrong = with_settings(fleet, "{first_port: 80, third: True, secnd_port: \"1\"}")?;
    let path = fleet.write_spec("wrong.yaml", &wrong)?;
    for verb in ["plan", "apply"] {
        let ended = fleet.ctl(&[verb, "-f", &path])?;
        for expected in [
            "line 4: settings.first_port: \"80\" is not a whole number from 1024 to 65535",
            "line 4: settings.third: \"True\" is not true or false (did you mean true?)",
            "line 4: settings.secnd_port: unknown setting (did you mean second_port?)",
        ] {
            let is_refused = ended.code == 2 && ended.stderr.contains(expected);
            check(is_refused, format!("{verb}: {ended:?}"))?;
        }
    }
    let now = (status(fleet)?["revision"].clone(), start_times(fleet, NODE)?);
    check(now == before, format!("{before:?}, then {now:?}"))?;
    let shown = fleet.ctl_ok(&["settings", "catalog=small", "first_port"])?;
    let expected = "first_port (port)\n  The port of the first component.\n  value: 8081 (from: default)\n  \
                    default: 8081\n  at least 1024\n  a change is a change of: first\n";
    check(shown == expected, shown)
}

fn condition(fleet: &Fleet) -> Result<()> {
    let before = start_times(fleet, NODE)?;
    let named = |spec: String| spec.replace("  second: v1\n", "  second: v1\n  third: v1\n");
    let apply = |name: &str, spec: &str, options: &[&str]| -> Result<String> {
        let path = fleet.write_spec(name, spec)?;
        let mut words = vec!["apply", "-f", &path];
        words.extend(options);
        let ended = fleet.ctl(&words)?;
        check(ended.code == 0, format!("{ended:?}"))?;
        Ok(ended.stdout + &ended.stderr)
    };
    let absent = "not there; it exists only if third is true, and third is false";
    let shown = apply("off.yaml", &named(fleet.spec()?), &[])?;
    check(shown.contains(&format!("note: components.third: {absent}")), shown)?;
    check(start_times(fleet, NODE)? == before, "a setting alone changed the host")?;
    let shown = fleet.ctl_ok(&["explain", "tenant=tiny", "third"])?;
    check(shown.contains(&format!("third: {absent}")), shown)?;
    let ended = fleet.ctl(&["set-version", "tenant=tiny", "third=v2"])?;
    check(ended.code == 0 && ended.stderr.contains(absent), format!("{ended:?}"))?;

    let on = named(with_settings(fleet, "{third: true}")?);
    apply("on.yaml", &on, &[])?;
    let running = start_times(fleet, NODE)?;
    let is_added = running.contains_key("oml-third") && running.len() == before.len() + 1;
    let is_kept = before.iter().all(|(name, started)| running.get(name) == Some(started));
    check(is_added && is_kept, format!("{before:?}, then {running:?}"))?;
    let shown = fleet.ctl_ok(&["settings", "tenant=tiny"])?;
    let line = shown.lines().find(|line| line.starts_with("third ")).unwrap_or_default();
    check(line.contains("bool") && line.contains("tenant, line 4"), shown.clone())?;
    let shown = fleet.ctl_ok(&["settings", "tenant=tiny", "third"])?;
    let is_shown = shown.contains("value: true (from: tenant, line 4)")
        && shown.contains("decides what exists of: third");
    check(is_shown, shown)?;

    let off = named(with_settings(fleet, "{third: false}")?);
    let ended = fleet.ctl(&["apply", "-f", &fleet.write_spec("off.yaml", &off)?])?;
    check(ended.code == 2 && ended.stderr.contains("tiny-one third v1"), format!("{ended:?}"))?;
    let shown = apply("off.yaml", &off, &["--prune"])?;
    check(shown.contains("exists only if third is true, and third is false"), shown)?;
    check(start_times(fleet, NODE)? == before, format!("{:?}", start_times(fleet, NODE)?))
}
