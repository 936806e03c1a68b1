//! Tests of plans, and of every reason to refuse one.

use proptest::prelude::*;
use proptest::strategy::Strategy;

use super::*;
use crate::decide::assign;
use crate::document;
use crate::document::assignment::Assignment;
use crate::document::catalog::CatalogSources;
use crate::document::instance::Check;
use crate::testing::{CATALOG, SPEC, nodes, plan_by, plan_of, plan_on, plan_with};

mod lines;
mod migrations;
mod shipped;

fn refused(spec: &str) -> String {
    plan_of(spec, 1).map(|_| String::new()).unwrap_or_else(|problems| problems.to_string())
}

#[test]
fn a_plan_leaves_nothing_to_choose() {
    let plan = plan_of(SPEC, 1).unwrap();
    let voice = &plan.nodes[&"n3".parse().unwrap()].instances[&"voice".parse().unwrap()];
    insta::assert_snapshot!(serde_json::to_string_pretty(&voice.instance).unwrap());
}

#[test]
fn the_checks_of_a_component_are_in_its_plan_and_leave_its_workload_as_it_is() {
    let checks = "    operations:\n      later: {run: on-demand, means: x, command: [x]}\n      config: \
                  {run: check, means: x, command: [check, \"{{ node.name }}\"], deadline: 30s}\n";
    let catalog = CATALOG.replace("    active: {", &format!("{checks}    active: {{"));
    let instance = |plan: &Plan| {
        plan.nodes[&"n3".parse().unwrap()].instances[&"voice".parse().unwrap()].instance.clone()
    };
    let (plain, checked) = (plan_of(SPEC, 1).unwrap(), plan_with(SPEC, &catalog, 1).unwrap());
    let (plain, checked) = (instance(&plain), instance(&checked));
    assert_eq!(plain.workload, checked.workload, "no container is replaced for a check");
    assert!(!plain.text().contains("checks"), "{}", plain.text());
    let [step] = checked.checks.as_slice() else { panic!("{:?}", checked.checks) };
    assert_eq!((step.operation.as_str(), step.run.deadline_ms), ("config", 30_000));
    assert_eq!(step.run.command, ["check", "n3"]);
    let more: Vec<Feature> = checked.needs().difference(&plain.needs()).copied().collect();
    assert_eq!(more, [Feature::UpdateChecks]);
}

#[test]
fn nodes_change_in_the_order_of_their_components() {
    let plan = plan_of(SPEC, 1).unwrap();
    let waves: Vec<Vec<&str>> =
        plan.waves.iter().map(|wave| wave.iter().map(AsRef::as_ref).collect()).collect();
    assert_eq!(waves, [vec!["n1"], vec!["n2", "n3"]]);
}

#[test]
fn a_component_on_every_node_does_not_decide_the_order_of_nodes() {
    // By its name alone, "agent" would come before all other components.
    let agent = "  agent: {kind: unit, roles: [data, voice], unit: agent.service, probe: {check: unit-active}}\n";
    let catalog = CATALOG.replace("  db:", &format!("{agent}  db:"));
    let spec = SPEC.replace("components:\n", "components:\n  agent: {}\n");
    let plan = plan_with(&spec, &catalog, 1).unwrap();
    let waves: Vec<Vec<&str>> =
        plan.waves.iter().map(|wave| wave.iter().map(AsRef::as_ref).collect()).collect();
    assert_eq!(waves, [vec!["n1"], vec!["n2", "n3"]]);
}

#[test]
fn in_a_cycle_of_nodes_the_one_with_the_first_component_goes_first() {
    let spec = SPEC.replace("  voice: \"1\"", "  voice: {version: \"1\", nodes: [n2]}");
    let spec = spec.replace("  exporter: {}", "  exporter: {nodes: [n1], after: [voice]}");
    let plan = plan_of(&spec, 1).unwrap();
    let waves: Vec<Vec<&str>> =
        plan.waves.iter().map(|wave| wave.iter().map(AsRef::as_ref).collect()).collect();
    assert_eq!(waves, [["n1"], ["n2"]]);
}

#[test]
fn all_problems_are_reported_at_once() {
    let spec = "\
tenant: acme
catalog: test
settings: {color: blue}
components:
  db: {version: \"1\", after: [void]}
  voic: \"1\"
  exporter: \"3\"
  voice: {}
";
    assert_eq!(
        refused(spec),
        "line 3: settings.color: unknown setting (did you mean colour?)\n\
         line 5: components.db.after: void is not a component of this tenant (did you mean voic?)\n\
         line 6: components.voic: unknown component; catalog test does not define it (did you mean voice?)\n\
         line 7: components.exporter: must have no version, because it is a packaged unit (write exporter: {})\n\
         line 8: components.voice: has no version (write voice: \"1.2.3\")\n\
         settings.colour: is missing; catalog test has no default for it \
         (write colour: VALUE below settings; see omlctl settings catalog=test colour)"
    );
}

#[test]
fn components_that_wait_for_each_other_are_refused() {
    let problems = refused(&SPEC.replace("db: \"1\"", "db: {version: \"1\", after: [voice]}"));
    assert!(
        problems.contains("components wait for each other: db after voice after db"),
        "{problems}"
    );
}

#[test]
fn a_component_that_no_node_can_run_is_refused_with_the_roles_of_the_nodes() {
    let catalog =
        CATALOG.replace("roles: [voice]\n    unit: voice", "roles: [media]\n    unit: voice");
    let problems = plan_with(SPEC, &catalog, 1).unwrap_err().to_string();
    assert!(
        problems.contains(
            "components.voice: no node can run it: none has the role media \
             (enrolled nodes: n1 (data); n2 (voice); n3 (voice))"
        ),
        "{problems}"
    );
}

#[test]
fn a_component_whose_definition_has_mistakes_is_refused_and_the_others_are_planned() {
    let text = CATALOG.replace("exporter.service\n", "exporter.service\n    colour: red\n");
    let mut sources = CatalogSources::new("test.yaml");
    sources.put("test.yaml", Ok(text));
    let catalog = sources.usable().unwrap();
    let refused = plan_by(&nodes(), SPEC, &catalog, 1).unwrap_err().to_string();
    let expected = "line 7: components.exporter: its definition in catalog test cannot be used: \
                    line 27: components.exporter.colour: unknown key";
    assert!(refused.starts_with(expected), "{refused}");
    assert!(refused.contains("(see omlcontroller catalog list on the controller's"), "{refused}");
    assert_eq!(refused.lines().count(), 1, "{refused}");
    assert!(plan_by(&nodes(), &SPEC.replace("  exporter: {}\n", ""), &catalog, 1).is_ok());
}

#[test]
fn a_component_whose_unit_is_a_template_is_refused_and_the_catalog_stays_readable() {
    let catalog = CATALOG.replace("unit: exporter.service", "unit: exporter@.service");
    assert_ne!(catalog, CATALOG);
    let problems = plan_with(SPEC, &catalog, 1).unwrap_err().to_string();
    let message = "components.exporter: its unit exporter@.service in catalog test is a template, \
                   which is no unit (name one of its instances, such as exporter@main.service)";
    assert!(problems.contains(message), "{problems}");
    let notes = Catalog::parse(&catalog).unwrap().notes();
    assert!(notes[0].starts_with("components.exporter.unit: exporter@.service is a template"));
    let without = SPEC.replace("  exporter: {}\n", "");
    assert!(plan_with(&without, &catalog, 1).is_ok(), "the others of the catalog can be planned");
    let instance = CATALOG.replace("unit: exporter.service", "unit: exporter@one.service");
    assert!(plan_with(SPEC, &instance, 1).is_ok());
}

#[test]
fn two_components_cannot_use_the_same_port_of_a_node() {
    let problems = refused(&SPEC.replace("colour: blue", "colour: blue, sip_port: \"9100\""));
    assert!(!problems.contains("both use"), "udp and tcp are different ports: {problems}");
    let catalog = CATALOG.replace("9100/tcp", "\"{{ settings.sip_port }}/udp\"");
    let problems = plan_with(SPEC, &catalog, 1).unwrap_err().to_string();
    assert!(problems.contains("exporter and voice both use port 5060/udp of n2"), "{problems}");
}

#[test]
fn a_probe_asks_at_the_address_that_the_catalog_says() {
    let saying = |address: &str| {
        CATALOG.replace(
            "{check: sip-options,",
            &format!("{{check: sip-options, address: \"{address}\","),
        )
    };
    let plan = plan_with(SPEC, &saying("{{ node.address }}"), 1).unwrap();
    let voice = &plan.nodes[&"n3".parse().unwrap()].instances[&"voice".parse().unwrap()];
    assert_eq!(voice.instance.probe.address.as_deref(), Some("10.0.0.3"));
    for wrong in ["", "10.0.0.5:5060", "{{ settings.colour }} sky", "-x"] {
        let problems = plan_with(SPEC, &saying(wrong), 1).unwrap_err().to_string();
        let expected = "is neither a host name nor an IP address";
        assert!(problems.contains(expected), "{wrong:?}: {problems}");
    }
}

#[test]
fn the_names_that_an_http_probe_says_are_filled_in() {
    let saying = |name: &str| {
        let (from, to) = ("{check: sip-options,", "{check: http, tls: true, path: /health,");
        CATALOG.replace(from, &format!("{to} host: \"{name}\", tls_name: \"{name}\","))
    };
    let plan = plan_with(SPEC, &saying("{{ settings.colour }}.example.org"), 1).unwrap();
    let voice = &plan.nodes[&"n3".parse().unwrap()].instances[&"voice".parse().unwrap()];
    let Check::HttpDetailed { details, .. } = &voice.instance.probe.check else {
        panic!("{voice:?}")
    };
    assert_eq!(details.host.as_deref(), Some("blue.example.org"));
    assert_eq!(details.tls_name, details.host);
    for wrong in ["a\\r\\nX: b", "a:99999", "[10.0.0.5]"] {
        let problems = plan_with(SPEC, &saying(wrong), 1).unwrap_err().to_string();
        for place in ["components.voice.probe.host: ", "components.voice.probe.tls_name: "] {
            assert!(problems.contains(place), "{wrong}: {place}: {problems}");
        }
    }
}

#[test]
fn a_host_header_has_an_address_as_a_web_server_reads_it() {
    for (host, expected) in [
        ("cc.example.org:8443", "cc.example.org:8443"),
        ("{{ node.address }}", "10.0.0.3"),
        ("2001:db8::5", "[2001:db8::5]"),
        ("[2001:db8::5]:8443", "[2001:db8::5]:8443"),
    ] {
        let probe = format!("{{check: sip-options, transport: ws, path: /ws, host: \"{host}\",");
        let catalog = CATALOG.replace("{check: sip-options,", &probe);
        let plan = plan_with(SPEC, &catalog, 1).unwrap();
        let voice = &plan.nodes[&"n3".parse().unwrap()].instances[&"voice".parse().unwrap()];
        let Check::SipStream { details, .. } = &voice.instance.probe.check else {
            panic!("{voice:?}")
        };
        assert_eq!(details.host.as_deref(), Some(expected));
        assert_eq!(details.path.as_deref(), Some("/ws"));
    }
}

#[test]
fn a_setting_that_is_not_a_port_is_refused_where_it_is_used() {
    let problems = refused(&SPEC.replace("colour: blue", "colour: blue, sip_port: \"0\""));
    assert!(problems.contains("\"0\" is not a port number from 1 to 65535"), "{problems}");
    let problems = refused(&SPEC.replace("colour: blue", "colour: blue, sip_port: \"\""));
    let ports = "components.voice.ports: \"\" is not a port number from 1 to 65535";
    let probe = "components.voice.probe.port: \"\" is not a port number from 1 to 65535";
    assert!(problems.contains(ports) && problems.contains(probe), "{problems}");
}

#[test]
fn the_value_of_a_setting_is_not_a_template() {
    let problems = refused(&SPEC.replace("colour: blue", "colour: blue, sip_port: \"{{ 5 }}\""));
    assert!(problems.contains("ports: \"{{ 5 }}\" is not a port number"), "{problems}");
    let problems = refused(&SPEC.replace("colour: blue", "colour: \"{{ node.address }}\""));
    assert_eq!(
        problems,
        "line 3: settings.colour: a setting cannot be a template (write the value, or use the template in env)"
    );
}

#[test]
fn a_template_in_the_environment_of_a_tenant_is_filled_in() {
    let own = "voice: {version: \"1\", env: {HERE: 'sip:{{ node.address }}{{ \"{{\" }}', DB: \"{{ host.db }}\"}}";
    let plan = plan_of(&SPEC.replace("voice: \"1\"", own), 1).unwrap();
    let share = &plan.nodes[&"n3".parse().unwrap()];
    let env = &share.instances[&"voice".parse().unwrap()].instance.container().unwrap().env;
    let pairs: Vec<(&str, &str)> = env.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(pairs, [("DB", "10.0.0.1"), ("HERE", "sip:10.0.0.3{{")]);
}

#[test]
fn an_unknown_name_in_the_environment_of_a_tenant_is_refused_with_its_place_and_a_hint() {
    for own in ["{{ node.adress }}", "{{ host.web }}", "{{ node.address", "{{ nothing() }}"] {
        let own = format!("voice:\n    version: \"1\"\n    env:\n      HERE: \"{own}\"");
        let problems = refused(&SPEC.replace("voice: \"1\"", &own));
        let place = "line 9: components.voice.env.HERE: cannot render \"{{ no";
        assert!(problems.starts_with(&place[..place.len() - 2]), "{problems}");
        let hint = "(a template can use tenant, settings.NAME, node.name, node.address and host.COMPONENT)";
        assert!(problems.ends_with(hint), "{problems}");
    }
}

#[test]
fn the_limits_of_a_container_reach_its_workload_only_where_the_catalog_changes_them() {
    let more = "    container: voice-server\n    pids_limit: 8192\n    no_new_privileges: false\n    \
                because: it calls sudo\n";
    let catalog = CATALOG.replace("    container: voice-server\n", more);
    let plan = plan_with(SPEC, &catalog, 1).unwrap();
    let text = |node: &str, component: &str| {
        let share = &plan.nodes[&node.parse().unwrap()];
        share.instances[&component.parse().unwrap()].instance.workload.text().to_owned()
    };
    let voice = text("n2", "voice");
    assert!(voice.ends_with(r#","pids_limit":8192,"may_gain_privileges":true}"#), "{voice}");
    let db = text("n1", "db");
    assert!(!db.contains("pids_limit") && !db.contains("privileges"), "{db}");
}

#[test]
fn a_feature_that_an_agent_lacks_is_refused_by_name() {
    let mut nodes = nodes();
    let mut features = BTreeSet::from(Feature::ALL);
    features.remove(&Feature::ProbeSipOptions);
    let old = AgentFacts {
        version: "0.0.9".to_owned(),
        features,
        platforms: BTreeSet::new(),
        policy: None,
    };
    nodes.get_mut(&"n3".parse().unwrap()).unwrap().agent = Some(old);
    let problems = plan_on(&nodes, SPEC, CATALOG, 1).unwrap_err();
    let [problem] = &problems.0[..] else { panic!("{problems}") };
    assert_eq!(problem.path, "components.voice");
    let message = "n3 cannot run it: its agent 0.0.9 does not support probe-sip-options";
    assert_eq!(problem.message, message);
    assert_eq!(
        problem.hint.as_deref(),
        Some("upgrade the agent on n3: apt-get install ./omlagent.deb")
    );
}

#[test]
fn a_node_whose_agent_is_unknown_is_planned_for() {
    assert!(plan_on(&nodes(), SPEC, CATALOG, 1).is_ok());
}

#[test]
fn a_template_with_an_unknown_name_is_refused() {
    let catalog = CATALOG.replace("{{ tenant }}", "{{ settings.nothing }}");
    let problems = plan_with(SPEC, &catalog, 1).unwrap_err().to_string();
    assert!(problems.contains("components.db.env.WHO: cannot render"), "{problems}");
}

/// Specifications that make a plan.
fn spec() -> impl Strategy<Value = String> {
    let version = || "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}";
    let nodes = prop::sample::select(vec!["[n2]", "[n3]", "[n3, n2]", "[n1, n2, n3]"]);
    let env = "[^\\\\\"{\\pC]{0,20}";
    let manner = (1u32..9, 1u64..900);
    (version(), version(), nodes, env, 1u16.., manner).prop_map(
        |(db, voice, nodes, env, port, (max_parallel, soak))| {
            format!(
                "tenant: acme\ncatalog: test\nsettings: {{colour: blue, sip_port: \"{port}\"}}\ncomponents:\n  \
                 db: \"{db}\"\n  voice: {{version: \"{voice}\", nodes: {nodes}, env: {{TEXT: \"{env}\"}}}}\n  \
                 exporter: {{}}\nrollout: {{max_parallel: {max_parallel}, min_healthy_for: {soak}s}}\n"
            )
        },
    )
}

proptest! {
    #[test]
    fn a_plan_is_the_same_bytes_for_any_order_of_the_document(seed in any::<u64>()) {
        let mut lines = ["  db: \"1\"", "  voice: \"1\"", "  exporter: {}"];
        let count = lines.len() as u64;
        lines.rotate_left(usize::try_from(seed % count).unwrap());
        if seed % 2 == 0 { lines.swap(0, 1) }
        let spec = format!(
            "rollout: {{min_healthy_for: 5s}}\ncomponents:\n{}\nsettings: {{colour: blue}}\ncatalog: test\ntenant: acme\n",
            lines.join("\n")
        );
        let print = |plan: Plan| serde_json::to_string(&plan).unwrap();
        prop_assert_eq!(print(plan_of(&spec, 1).unwrap()), print(plan_of(SPEC, 1).unwrap()));
    }
    #[test]
    fn plans_and_assignments_survive_being_written_and_read(spec in spec()) {
        let plan = plan_of(&spec, 7).unwrap();
        let text = serde_json::to_string(&plan).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Plan>(&text).unwrap(), &plan);
        for node in plan.nodes.keys() {
            let (tenant, held) = (&plan.tenant, None);
            let input = assign::Input { epoch: 3, tenant, node, plan: Some(&plan), policy: None, held, force_reissue: false };
            let assignment = assign::assign(input).unwrap();
            let read = document::read::<Assignment>(&document::write(&assignment)).unwrap();
            prop_assert_eq!(&read, &assignment);
            prop_assert_eq!(read.content.share.hash(), plan.nodes[node].hash());
        }
    }

    #[test]
    fn a_tenants_plan_says_nothing_of_another_tenant(
        spec in spec(),
        // Longer than any word that a plan has of its own.
        (one, other) in ("[a-z]{16}", "[a-z]{16}"),
    ) {
        prop_assume!(one != other);
        let plan = |tenant: &str| {
            let spec = spec.replace("tenant: acme", &format!("tenant: {tenant}"));
            serde_json::to_string(&plan_of(&spec, 1).unwrap()).unwrap()
        };
        prop_assert!(!plan(&one).contains(&other));
        // Its own name is all in which it differs from another tenant's.
        prop_assert_eq!(plan(&one).replace(&one, &other), plan(&other));
    }
}

#[test]
fn a_prepared_plan_lacks_only_the_digests() {
    let (spec, catalog) = (TenantSpec::parse(SPEC).unwrap(), Catalog::parse(CATALOG).unwrap());
    let (revision, nodes) = (RevisionNumber(1), &crate::testing::nodes());
    let (mirrors, secrets, catalog) = (&Mirrors::default(), &BTreeMap::new(), &catalog);
    let input = Input {
        revision,
        spec: &spec,
        catalog,
        nodes,
        mirrors,
        secrets,
        thumbprint: None,
        before: None,
    };
    let prepared = prepare(input).unwrap();
    let names: Vec<String> = prepared.images().values().map(ToString::to_string).collect();
    assert_eq!(names, ["docker.io/test/db:1", "docker.io/test/voice:1"]);
    let plan = plan_of(SPEC, 1).unwrap();
    let mut digests = plan.digests(&spec);
    assert_eq!(prepared.clone().finish(&digests).unwrap(), plan);
    digests.retain(|image, _| image.repository.to_string().ends_with("db"));
    assert_eq!(
        prepared.finish(&digests).unwrap_err().to_string(),
        "components.voice.version: docker.io/test/voice:1 is not in the registry"
    );
}
