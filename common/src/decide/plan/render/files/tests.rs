//! What becomes of the templates of a catalog's folder in a plan.

use crate::decide::diff::diff;
use crate::document::Feature;
use crate::document::catalog::CatalogSources;
use crate::document::instance::ContainerFile;
use crate::document::plan::Plan;
use crate::testing::{CATALOG, SPEC, nodes, plan_by, plan_of};
use crate::text::problem::Problems;

const FILES: &str = "    files:\n      - {template: voice.conf.j2, path: /etc/voice.conf, \
                     mode: \"0640\"}\n";

/// Plans the usual tenant, whose voice server has a file that is made of a template.
fn plan(template: &str, spec: &str) -> Result<Plan, Problems> {
    plan_with_files(template, spec, FILES)
}

fn plan_with_files(template: &str, spec: &str, files: &str) -> Result<Plan, Problems> {
    let catalog = CATALOG.replace("    image: voice\n", &format!("    image: voice\n{files}"));
    let mut sources = CatalogSources::new("test");
    sources.put("test/catalog.yaml", Ok(catalog));
    for path in sources.missing() {
        sources.put(&path, Ok(template.to_owned()));
    }
    plan_by(&nodes(), spec, &sources.catalog()?, 1)
}

fn file(plan: &Plan, node: &str) -> ContainerFile {
    let share = &plan.nodes[&node.parse().unwrap()];
    let container = share.instances[&"voice".parse().unwrap()].instance.container().unwrap();
    container.options.files[0].clone()
}

fn refused(template: &str) -> String {
    plan(template, SPEC).map(|_| String::new()).unwrap_or_else(|problems| problems.to_string())
}

#[test]
fn a_file_has_the_values_of_its_tenant_and_its_node() {
    let template = "[voice]\n{% for colour in [settings.colour, 'red'] %}\ncolour={{ colour }}\n\
                    {% endfor %}\ntenant={{ tenant }}\naddress={{ node.address }}\n\
                    db={{ settings.db_host or host.db }}\n\n";
    let plan = plan(template, SPEC).unwrap();
    let text = |address: &str| {
        format!("[voice]\ncolour=blue\ncolour=red\ntenant=acme\naddress={address}\ndb=10.0.0.1\n\n")
    };
    let expected = |address: &str| ContainerFile {
        path: "/etc/voice.conf".to_owned(),
        mode: 0o640,
        uid: 0,
        gid: 0,
        text: text(address),
    };
    assert_eq!(file(&plan, "n2"), expected("10.0.0.2"));
    assert_eq!(file(&plan, "n3"), expected("10.0.0.3"));
}

#[test]
fn a_file_writes_sizes_and_durations_in_the_unit_of_a_program() {
    let template = "cache = {{ '512MiB'|mebibytes }}MB\nbytes = {{ '1KiB'|bytes }}\n\
                    wait = {{ '90s'|milliseconds }}\nidle = {{ '2m'|seconds }}\n";
    let text = file(&plan(template, SPEC).unwrap(), "n2").text;
    assert_eq!(text, "cache = 512MB\nbytes = 1024\nwait = 90000\nidle = 120\n");
    let refused = refused("{{ 'much'|mebibytes }}");
    assert!(refused.contains("line 1: \"much\" is not a size such as 512MiB"), "{refused}");
}

#[test]
fn only_the_component_whose_file_changes_is_replaced_and_its_agent_must_know_files() {
    let template = "colour={{ settings.colour }}\n";
    let blue = plan(template, SPEC).unwrap();
    let red = plan(template, &SPEC.replace("blue", "red")).unwrap();
    let changes: Vec<String> = diff(Some(&blue), &red)
        .iter()
        .map(|change| {
            format!("{} {} {:?} {}", change.node, change.component, change.kind, change.note)
        })
        .collect();
    assert_eq!(changes, ["n2 voice Replace files", "n3 voice Replace files"]);
    let needs = |plan: &Plan| {
        let share = &plan.nodes[&"n2".parse().unwrap()];
        share.instances[&"voice".parse().unwrap()].instance.needs()
    };
    assert!(needs(&blue).contains(&Feature::ContainerFiles));
    assert!(!needs(&plan_of(SPEC, 1).unwrap()).contains(&Feature::ContainerFiles));
}

#[test]
fn the_agent_of_a_file_with_another_owner_than_root_must_know_owners() {
    let needs = |owner: &str| {
        let files = FILES.replace("\"0640\"", &format!("\"0640\", owner: \"{owner}\""));
        let plan = plan_with_files("plain\n", SPEC, &files).unwrap();
        let file = file(&plan, "n2");
        let share = &plan.nodes[&"n2".parse().unwrap()];
        let needs = share.instances[&"voice".parse().unwrap()].instance.needs();
        ((file.uid, file.gid), needs.contains(&Feature::FileOwners))
    };
    assert_eq!(needs("0:0"), ((0, 0), false));
    assert_eq!(needs("1000:0"), ((1000, 0), true));
    assert_eq!(needs("0:998"), ((0, 998), true));
}

#[test]
fn a_template_that_names_nothing_is_refused_with_its_line_and_all_others() {
    let at = "components.voice.files: cannot render voice.conf.j2, line 2: ";
    let (names, filters) =
        ("a template can use tenant, settings.NAME", "and bytes, mebibytes, seconds");
    for (template, hint) in [
        ("a\n{{ colour }}\n", names),
        ("a\n{{ host.nowhere }}\n", names),
        ("a\n{{ settings.colour | paint }}\n", filters),
    ] {
        let refused = refused(template);
        assert!(refused.contains(at), "{template}: {refused}");
        assert!(refused.contains(hint), "{template}: {refused}");
    }
    let both = plan("{{ colour }}", &SPEC.replace("voice: \"1\"", "voices: \"1\""));
    let spec = SPEC.replace("exporter: {}", "exporter: {}\n  other: \"1\"");
    assert!(both.unwrap_err().to_string().contains("did you mean voice?"));
    let both = plan("{{ colour }}", &spec).unwrap_err().to_string();
    assert!(
        both.contains("cannot render voice.conf.j2") && both.contains("components.other"),
        "{both}"
    );
}

#[test]
fn a_file_is_bounded_and_has_no_hidden_characters() {
    let large = "{% for n in range(3000) %}{{ 'x' * 40 }}{% endfor %}";
    let endless = "{% for a in range(9000) %}{% for b in range(9000) %}{% endfor %}{% endfor %}";
    for (template, expected) in [
        (large, "voice.conf.j2 becomes larger than 65536 bytes"),
        (endless, "cannot render voice.conf.j2"),
        ("a\n{{ '\\u001b' }}", "voice.conf.j2 becomes a text with "),
    ] {
        let refused = refused(template);
        assert!(refused.contains(expected), "{template}: {refused}");
    }
}
