use crate::testing::{CATALOG, SPEC, plan_with};

use super::*;

fn refused(spec: &str, catalog: &str) -> String {
    let from = plan_with(SPEC, CATALOG, 1).unwrap();
    check(&from, &plan_with(spec, catalog, 2).unwrap(), &BTreeSet::new()).to_string()
}

/// Returns the catalog with `pbx` in place of `voice`, with other names and another port.
fn successor(from: &str, to: &str) -> String {
    let voice = CATALOG.find("  voice:").unwrap();
    let exporter = CATALOG.find("  exporter:").unwrap();
    let pbx = CATALOG[voice..exporter]
        .replace("  voice:", "  pbx:")
        .replace("voice.service", "pbx.service")
        .replace("container: voice-server", "container: pbx-server")
        .replace("settings.sip_port }}/udp", "5070 }}/udp")
        .replace(from, to);
    [&CATALOG[..voice], &pbx, &CATALOG[exporter..]].concat()
}

#[test]
fn a_successor_with_other_names_and_ports_is_not_a_conflict() {
    let spec = SPEC.replace("voice: \"1\"", "pbx: \"1\"");
    assert_eq!(refused(&spec, &successor("", "")), "");
}

#[test]
fn a_unit_a_container_or_a_port_of_a_removed_component_cannot_be_used() {
    let spec = SPEC.replace("voice: \"1\"", "pbx: \"1\"");
    let cases = [
        (("container: pbx-server", "container: voice-server"), "the container voice-server"),
        (("5070 }}/udp", "settings.sip_port }}/udp"), "port 5060/udp"),
    ];
    for ((from, to), shared) in cases {
        let problem = |node: &str| {
            format!(
                "components.pbx: uses {shared} of voice on {node}, which the same change removes \
                 (remove voice in a separate change first)"
            )
        };
        assert_eq!(refused(&spec, &successor(from, to)), [problem("n2"), problem("n3")].join("\n"));
    }
}

#[test]
fn a_component_that_only_lacks_in_the_next_plan_is_not_removed() {
    let catalog = successor("5070 }}/udp", "settings.sip_port }}/udp");
    let from = plan_with(SPEC, CATALOG, 1).unwrap();
    let to = plan_with(&SPEC.replace("voice: \"1\"", "pbx: \"1\""), &catalog, 2).unwrap();
    assert_eq!(check(&from, &to, &["voice".parse().unwrap()].into()), Problems::default());
    assert_eq!(check(&from, &to, &["db".parse().unwrap()].into()).0.len(), 2);
}

#[test]
fn a_container_cannot_become_a_packaged_unit() {
    let unit = "kind: unit\n    roles: [voice]\n    unit: voice.service\n    \
                probe: {check: unit-active}\n";
    let start = CATALOG.find("  voice:").unwrap();
    let end = CATALOG.find("  exporter:").unwrap();
    let catalog = format!("{}  voice:\n    {unit}{}", &CATALOG[..start], &CATALOG[end..]);
    let spec = SPEC.replace("voice: \"1\"", "voice: {}");
    assert_eq!(
        refused(&spec, &catalog),
        "components.voice: cannot change from a container to the packaged unit voice.service \
         (remove voice in a separate change first)"
    );
}

#[test]
fn a_packaged_unit_cannot_become_another_one() {
    let catalog = CATALOG.replace("unit: exporter.service", "unit: node-exporter.service");
    assert_eq!(
        refused(SPEC, &catalog),
        "components.exporter: cannot change from the packaged unit exporter.service to \
         node-exporter.service (remove exporter in a separate change first)"
    );
}

#[test]
fn a_component_that_stays_cannot_use_a_port_of_a_removed_component() {
    let catalog = CATALOG.replace("9100/tcp", "\"{{ settings.sip_port }}/udp\"");
    let spec = SPEC.replace("  voice: \"1\"\n", "");
    let problem = |node: &str| {
        format!(
            "components.exporter: uses port 5060/udp of voice on {node}, which the same change \
             removes (remove voice in a separate change first)"
        )
    };
    assert_eq!(refused(&spec, &catalog), [problem("n2"), problem("n3")].join("\n"));
}

#[test]
fn a_component_that_stays_may_change_its_ports_and_its_unit() {
    let catalog = CATALOG.replace("unit: voice.service", "unit: sip.service");
    let spec = SPEC.replace("colour: blue", "colour: blue, sip_port: \"5080\"");
    assert_eq!(refused(&spec, &catalog), "");
}
