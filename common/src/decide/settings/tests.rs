//! What is shown of the settings of a tenant and of a catalog.

use super::*;
use crate::testing::{CATALOG, SPEC};

/// The catalog of the tests, whose database exists only if there is none outside.
fn catalog() -> Catalog {
    let catalog = CATALOG.replace("db_host: \"\"", "db_host: {type: host, default: \"\"}");
    let catalog = catalog.replace("  db:\n", "  db:\n    when: {db_host: \"\"}\n");
    Catalog::parse(&catalog).unwrap()
}

fn lines(spec: Option<&str>) -> Vec<String> {
    let spec = spec.map(|text| TenantSpec::parse(text).unwrap());
    let views = views(&catalog(), spec.as_ref());
    let line = |view: &SettingView| {
        let uses = view.uses.iter().map(|(component, it)| {
            let flags = [
                (it.in_tenant, "named"),
                (it.in_workload, "workload"),
                (it.in_condition, "condition"),
            ];
            let flags = flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, word)| word);
            format!("{component}({})", flags.collect::<Vec<_>>().join(" "))
        });
        let uses = uses.collect::<Vec<_>>().join(" ");
        let SettingView { name, value, origin, problem, .. } = view;
        format!("{name} = {value:?}, {origin:?}: {uses}{problem}")
    };
    views.iter().map(line).collect()
}

#[test]
fn every_setting_is_shown_with_its_value_its_origin_and_what_it_touches() {
    assert_eq!(
        lines(Some(SPEC)),
        [
            "colour = Some(\"blue\"), Tenant { line: Some(3) }: ",
            "db_host = Some(\"\"), Default: db(named condition) voice(named workload)",
            "sip_port = Some(\"5060\"), Default: voice(named workload)",
        ]
    );
}

#[test]
fn the_variables_of_a_tenant_count_and_a_component_that_it_does_not_name_is_marked() {
    let spec = SPEC.replace("  db: \"1\"\n", "");
    let own = "exporter: {env: {A: \"{{ settings.colour }}\", B: \"{{ settings[tenant] }}\"}}";
    let shown = lines(Some(&spec.replace("exporter: {}", own)));
    assert_eq!(
        shown[0],
        "colour = Some(\"blue\"), Tenant { line: Some(3) }: exporter(named workload)"
    );
    let db_host = "db_host = Some(\"\"), Default: db(condition) exporter(named workload) \
                   voice(named workload)";
    assert_eq!(shown[1], db_host);
}

#[test]
fn a_value_that_the_catalog_does_not_take_any_more_is_shown_with_the_reason() {
    let shown = lines(Some(&SPEC.replace("colour: blue", "color: blue, db_host: \"a:b\"")));
    assert_eq!(
        shown[..3],
        [
            "color = Some(\"blue\"), Tenant { line: Some(3) }: catalog test has no such setting",
            "colour = None, Missing: ",
            "db_host = Some(\"a:b\"), Tenant { line: Some(3) }: db(named condition) \
             voice(named workload)\"a:b\" is not a host name or an IP address",
        ]
    );
}

#[test]
fn without_a_tenant_the_values_are_the_defaults() {
    assert_eq!(
        lines(None)[..2],
        [
            "colour = None, Missing: ",
            "db_host = Some(\"\"), Default: db(condition) voice(workload)"
        ]
    );
}

#[test]
fn a_setting_of_an_operation_on_demand_touches_no_workload() {
    let colour = |moment: &str| {
        let operations = format!(
            "    operations:\n      paint: {{run: {moment}, means: Paints, command: [paint, \
             \"{{{{ settings.colour }}}}\"]}}\n"
        );
        let with = CATALOG.replace("    image: db\n", &format!("    image: db\n{operations}"));
        let views = views(&Catalog::parse(&with).unwrap(), None);
        views.into_iter().find(|view| view.name == "colour").unwrap().uses
    };
    assert_eq!(colour("on-demand"), BTreeMap::new());
    let of_check = colour("check");
    assert!(of_check.values().all(|it| it.in_workload) && of_check.len() == 1, "{of_check:?}");
}
