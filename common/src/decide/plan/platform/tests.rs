//! Images that nodes cannot run.

use super::*;
use crate::decide::plan::{AgentFacts, Input, Mirrors, prepare};
use crate::document::Feature;
use crate::document::catalog::Catalog;
use crate::id::RevisionNumber;
use crate::testing::{CATALOG, SPEC, nodes};

fn unusable(facts: ImageFacts, platforms: &[&str]) -> Vec<(String, String)> {
    unusable_by(CATALOG, facts, platforms)
}

fn unusable_by(catalog: &str, facts: ImageFacts, platforms: &[&str]) -> Vec<(String, String)> {
    let (spec, catalog) = (TenantSpec::parse(SPEC).unwrap(), Catalog::parse(catalog).unwrap());
    let mut nodes = nodes();
    let agent = AgentFacts {
        version: "1".to_owned(),
        features: Feature::ALL.into(),
        platforms: platforms.iter().map(|&it| it.to_owned()).collect(),
        policy: None,
    };
    nodes.get_mut(&"n3".parse().unwrap()).unwrap().agent = Some(agent);
    let (revision, mirrors) = (RevisionNumber(1), &Mirrors::default());
    let (catalog, secrets) = (&catalog, &BTreeMap::new());
    let input = Input {
        revision,
        spec: &spec,
        catalog,
        nodes: &nodes,
        mirrors,
        secrets,
        thumbprint: None,
        before: None,
    };
    let prepared = prepare(input).unwrap();
    let facts = prepared.images().values().map(|image| (image.clone(), facts.clone())).collect();
    let problems = prepared.unusable(&spec, &nodes, &facts).0;
    problems.into_iter().map(|problem| (problem.path, problem.message)).collect()
}

fn images_for(platforms: &[&str]) -> ImageFacts {
    let platforms = platforms.iter().map(|&it| it.to_owned()).collect();
    ImageFacts { platforms, has_command: Some(true) }
}

#[test]
fn an_image_for_other_platforms_than_a_host_is_refused_with_both() {
    let found =
        unusable(images_for(&["linux/arm64", "windows/amd64"]), &["linux/amd64", "linux/386"]);
    let message = "docker.io/test/voice:1 cannot run on n3: it is for linux/arm64, windows/amd64, \
                   and the host is linux/386, linux/amd64";
    assert_eq!(found, [("components.voice.version".to_owned(), message.to_owned())]);
}

#[test]
fn an_image_for_one_of_the_platforms_of_a_host_is_no_problem_and_neither_is_the_unknown() {
    assert_eq!(
        unusable(images_for(&["linux/arm64", "linux/386"]), &["linux/amd64", "linux/386"]),
        []
    );
    assert_eq!(unusable(images_for(&[]), &["linux/amd64"]), []);
    assert_eq!(unusable(images_for(&["linux/arm64"]), &[]), []);
}

#[test]
fn an_image_that_starts_nothing_is_refused_unless_the_component_has_a_command_or_an_entrypoint() {
    let facts = || ImageFacts { has_command: Some(false), ..ImageFacts::default() };
    let components = |catalog: &str| {
        let found = unusable_by(catalog, facts(), &[]);
        let paths = found.into_iter().map(|(path, message)| {
            assert!(message.ends_with("does not say which program to start"), "{message}");
            path
        });
        paths.collect::<Vec<_>>()
    };
    let (db, voice) = ("components.db.version", "components.voice.version");
    assert_eq!(components(CATALOG), [db, voice]);
    for own in ["command: [serve]", "entrypoint: [/serve]"] {
        let catalog = CATALOG.replace("    image: db\n", &format!("    image: db\n    {own}\n"));
        assert_eq!(components(&catalog), [voice], "{own}");
    }
}

#[test]
fn the_platforms_of_an_agent_are_among_its_features() {
    let names = ["container", "platform-linux-amd64", "platform-linux-arm"];
    let expected = ["linux/amd64", "linux/arm"].map(str::to_owned).into();
    assert_eq!(platforms(names.into_iter()), expected);
    assert_eq!(feature_of_platform("linux/amd64"), "platform-linux-amd64");
}
