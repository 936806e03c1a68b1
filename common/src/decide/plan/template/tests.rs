//! What a packaged unit is given, as systemd reads it.

use crate::document::instance::Workload;
use crate::testing::{CATALOG, SPEC, plan_with};

const NODE: &str = "n1";

/// Returns the drop-in of the packaged unit `exporter`, or the problems of the plan.
fn drop_in(of_catalog: &str, of_tenant: &str) -> Result<String, String> {
    let catalog = CATALOG.replace(
        "    unit: exporter.service\n",
        &format!("    unit: exporter.service\n    drop_in: {of_catalog}\n"),
    );
    let spec = SPEC.replace("exporter: {}", &format!("exporter: {of_tenant}"));
    let plan = plan_with(&spec, &catalog, 1).map_err(|problems| problems.to_string())?;
    let share = &plan.nodes[&NODE.parse().unwrap()];
    let desired = &share.instances[&"exporter".parse().unwrap()];
    let Workload::Unit(packaged) = &*desired.instance.workload else { unreachable!() };
    Ok(packaged.drop_in.clone())
}

#[test]
fn the_environment_and_the_memory_of_a_packaged_unit_take_effect() {
    let tenant = "{memory_max: 64MiB, env: {ARGS: \"--at {{ node.address }}\", EMPTY: }}";
    assert_eq!(
        drop_in("\"\"", tenant).unwrap(),
        "Environment=\"ARGS=--at 10.0.0.1\"\nEnvironment=\"EMPTY=\"\nMemoryMax=67108864\n"
    );
    // They override the catalog, also where it ends in another section.
    assert_eq!(
        drop_in("\"MemoryMax=1G\\n[Unit]\\nAfter=x.service\\n\"", "{memory_max: 64MiB}").unwrap(),
        "MemoryMax=1G\n[Unit]\nAfter=x.service\n[Service]\nMemoryMax=67108864\n"
    );
    assert_eq!(drop_in("\"Nice=5\"", "{}").unwrap(), "Nice=5");
}

#[test]
fn a_value_reaches_a_packaged_unit_as_it_was_written() {
    let tenant = r#"{env: {T: '50% of "C:\dir" $HOME %n'}}"#;
    let expected = r#"Environment="T=50%% of \"C:\\dir\" $HOME %%n""#.to_owned() + "\n";
    assert_eq!(drop_in("\"\"", tenant).unwrap(), expected);
}

#[test]
fn a_value_that_would_end_its_line_is_refused_with_its_place() {
    for (written, name) in [
        ("a\\nExecStartPre=/bin/evil", "a line feed (U+000A)"),
        ("a\\tb", "a tab (U+0009)"),
        ("a\\u202Eb", "a character that changes the direction or the lines of the text (U+202E)"),
    ] {
        let problems = drop_in("\"\"", &format!("{{env: {{T: \"{written}\"}}}}")).unwrap_err();
        assert_eq!(
            problems,
            format!(
                "line 7: components.exporter.env.T: contains {name}, which cannot be written into a \
                 drop-in (write a value of one line)"
            )
        );
    }
}

#[test]
fn a_setting_in_a_drop_in_cannot_change_the_line_around_it() {
    let with_colour = |colour: &str| {
        let catalog = CATALOG.replace(
            "    unit: exporter.service\n",
            "    unit: exporter.service\n    drop_in: 'Environment=\"A={{ settings.colour }}\" B=%%'\n",
        );
        let spec = SPEC.replace("colour: blue", &format!("colour: {colour}"));
        plan_with(&spec, &catalog, 1).map_err(|problems| problems.to_string())
    };
    let plan = with_colour("\"50%\"").unwrap();
    let share = &plan.nodes[&NODE.parse().unwrap()];
    let text = share.instances[&"exporter".parse().unwrap()].instance.workload.text();
    assert!(text.contains(r#"Environment=\"A=50%%\" B=%%"#), "{text}");
    for (colour, what) in [
        ("\"a\\nb\"", "a line feed (U+000A)"),
        ("'a\"b'", "the character \""),
        ("'a\\'", "the character \\"),
    ] {
        let problems = with_colour(colour).unwrap_err();
        let why = format!("a value that contains {what} cannot be written into a drop-in");
        assert!(problems.contains("components.exporter.drop_in: cannot render"), "{problems}");
        assert!(problems.contains(&crate::text::printable::printable(&why)), "{problems}");
    }
}

#[test]
fn a_drop_in_that_systemd_would_read_in_another_way_is_refused() {
    for (lines, message) in [
        (
            "Environment=A=50%",
            "contains a %, which systemd would replace (write %% for a percent sign)",
        ),
        (
            "Environment=A=%n",
            "contains a %, which systemd would replace (write %% for a percent sign)",
        ),
        ("Environment=A=b\\\\", "the last line ends in a backslash, which continues it"),
        ("A=\\u0007", "contains a control character (U+0007)"),
    ] {
        let problems = drop_in(&format!("\"{lines}\""), "{}").unwrap_err();
        assert!(
            problems.ends_with(&format!("components.exporter.drop_in: {message}")),
            "{problems}"
        );
    }
    let lines = "{% if 5 % 2 %}Nice=5{% endif %}\\nEnvironment=A=1%%";
    assert_eq!(drop_in(&format!("\"{lines}\""), "{}").unwrap(), "Nice=5\nEnvironment=A=1%%");
}
