//! On which node migrations run, and in which order the nodes change.

use super::*;
use crate::decide::diff::diff;
use crate::testing::{node_facts, spec_with};

/// The catalog, where the voice server has a migration and a preparation.
fn catalog() -> String {
    let operations = "    operations:\n      schema: {run: migrate, means: x, command: [schema, \"{{ \
                      node.name }}\"], deadline: 30s}\n      create: {run: prepare, means: x, command: [create]}\n";
    CATALOG.replace("    active: {", &format!("{operations}    active: {{"))
}

/// The nodes on which the migration runs.
fn migrating(plan: &Plan) -> Vec<&str> {
    let has = |share: &Share| {
        share.instances.values().any(|desired| !desired.instance.migrations.is_empty())
    };
    let nodes = plan.nodes.iter().filter(|(_, share)| has(share));
    nodes.map(|(node, _)| node.as_str()).collect()
}

fn waves(plan: &Plan) -> Vec<Vec<&str>> {
    plan.waves.iter().map(|wave| wave.iter().map(AsRef::as_ref).collect()).collect()
}

#[test]
fn a_migration_runs_on_one_node_which_changes_before_the_others() {
    let plan = plan_with(SPEC, &catalog(), 1).unwrap();
    assert_eq!(migrating(&plan), ["n2"]);
    assert_eq!(waves(&plan), [vec!["n1"], vec!["n2"], vec!["n3"]]);
    let voice = |node: &str| {
        plan.nodes[&node.parse().unwrap()].instances[&"voice".parse().unwrap()].instance.clone()
    };
    let [step] = voice("n2").migrations.clone().try_into().unwrap();
    assert_eq!((step.operation.as_str(), step.run.deadline_ms), ("schema", 30_000));
    assert_eq!(step.run.command, ["schema", "n2"]);
    assert_eq!((voice("n2").preparations.len(), voice("n3").preparations.len()), (1, 1));
    let plain = plan_of(SPEC, 1).unwrap();
    let instance = |plan: &Plan| {
        plan.nodes[&"n2".parse().unwrap()].instances[&"voice".parse().unwrap()].instance.clone()
    };
    assert_eq!(instance(&plain).workload, voice("n2").workload, "no container is replaced for it");
    let more: Vec<Feature> =
        voice("n2").needs().difference(&instance(&plain).needs()).copied().collect();
    assert_eq!(more, [Feature::Migrations]);
}

#[test]
fn a_node_that_has_just_joined_does_not_migrate_for_the_others() {
    let (catalog, spec) = (Catalog::parse(&catalog()).unwrap(), TenantSpec::parse(SPEC).unwrap());
    let mut facts = node_facts(4);
    let newcomer = facts.remove(&"n2".parse().unwrap()).unwrap();
    let plan = |facts: &BTreeMap<NodeName, NodeFacts>, before: Option<&Plan>| {
        let input = Input {
            revision: RevisionNumber(1),
            spec: &spec,
            catalog: &catalog,
            nodes: facts,
            mirrors: &Mirrors::default(),
            secrets: &ChosenSecrets::default(),
            thumbprint: None,
            before,
        };
        prepare(input).unwrap().layout().clone()
    };
    let before = plan(&facts, None);
    assert_eq!(migrating(&before), ["n3"]);
    facts.insert("n2".parse().unwrap(), newcomer);
    let after = plan(&facts, Some(&before));
    assert_eq!(migrating(&after), ["n3"]);
    assert_eq!(waves(&after), [vec!["n1"], vec!["n3"], vec!["n2", "n4"]]);
}

#[test]
fn a_plan_says_what_runs_once_before_another_image_starts() {
    let plan = |spec: &str| plan_with(spec, &catalog(), 1).unwrap();
    let notes = |from: Option<&Plan>, to: &Plan| -> Vec<String> {
        let changes = diff(from, to).into_iter().filter(|it| it.component.as_str() == "voice");
        changes.map(|change| format!("{} {}", change.node, change.note)).collect()
    };
    let first = plan(SPEC);
    assert_eq!(
        notes(None, &first),
        ["n2 prepared first by create, migrated first by schema", "n3 prepared first by create"]
    );
    let next = plan(&spec_with("voice", "2"));
    assert_eq!(notes(Some(&first), &next), ["n2 migrated first by schema", "n3 "]);
    let irreversible = catalog().replace("deadline: 30s}", "deadline: 30s, irreversible: true}");
    let irreversible = plan_with(&spec_with("voice", "2"), &irreversible, 1).unwrap();
    let words = "n2 migrations, migrated first by schema, no way back after schema";
    assert_eq!(notes(Some(&first), &irreversible)[0], words);
    let coloured = plan(&SPEC.replace("voice: \"1\"", "voice: {version: \"1\", env: {A: b}}"));
    assert_eq!(notes(Some(&first), &coloured), ["n2 environment A", "n3 environment A"]);
    let without = plan_of(SPEC, 1).unwrap();
    assert_eq!(notes(Some(&without), &first), ["n2 preparations, migrations", "n3 preparations"]);
}

#[test]
fn an_agent_that_does_not_know_migrations_is_named() {
    let mut facts = node_facts(3);
    for facts in facts.values_mut() {
        let features = Feature::ALL.into_iter().filter(|it| *it != Feature::Migrations).collect();
        let version = "0.2.0".to_owned();
        let agent = AgentFacts { version, features, platforms: BTreeSet::new(), policy: None };
        facts.agent = Some(agent);
    }
    let found = plan_on(&facts, SPEC, &catalog(), 1).unwrap_err().to_string();
    assert!(
        found.contains("n2 cannot run it: its agent 0.2.0 does not support migrations"),
        "{found}"
    );
}
