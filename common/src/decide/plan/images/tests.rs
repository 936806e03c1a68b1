//! Which image a component runs, and where it is pulled.

use crate::decide::diff::diff;
use crate::decide::plan::{AgentFacts, Input, Mirrors, NodeFacts, Prepared, prepare};
use crate::document::catalog::Catalog;
use crate::document::spec::TenantSpec;
use crate::document::{Feature, instance::Instance};
use crate::id::{NodeName, RevisionNumber};
use crate::testing::{CATALOG, SPEC, nodes, plan_of, plan_with};

use super::*;

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn prepared(
    nodes: &BTreeMap<NodeName, NodeFacts>,
    spec: &str,
    catalog: &str,
    mirrors: &[(&str, &str)],
) -> Result<Prepared, String> {
    let spec = TenantSpec::parse(spec).map_err(|problems| problems.to_string())?;
    let catalog = Catalog::parse(catalog).map_err(|problems| problems.to_string())?;
    let mirrors = &Mirrors::parse(mirrors.iter().copied()).unwrap();
    let input = Input {
        revision: RevisionNumber(1),
        spec: &spec,
        catalog: &catalog,
        nodes,
        mirrors,
        secrets: &BTreeMap::new(),
        thumbprint: None,
        before: None,
    };
    prepare(input).map_err(|unprepared| unprepared.problems.to_string())
}

/// Returns the images of a specification with another entry for `db`.
fn images_with(db: &str, catalog: &str) -> Result<Vec<String>, String> {
    let spec = SPEC.replace("db: \"1\"", &format!("db: {db}"));
    let prepared = prepared(&nodes(), &spec, catalog, &[])?;
    Ok(prepared.images().values().map(ToString::to_string).collect())
}

fn instance(prepared: &Prepared, component: &str) -> Instance {
    let component = component.parse().unwrap();
    let mut shares = prepared.layout().nodes.values();
    let found = shares.find_map(|share| share.instances.get(&component)).unwrap();
    (*found.instance).clone()
}

#[test]
fn one_tenant_has_images_of_several_registries() {
    let catalog = CATALOG.replace("image: db", "image: quay.io/sql/db");
    assert_eq!(
        images_with("\"1\"", &catalog).unwrap(),
        ["quay.io/sql/db:1", "docker.io/test/voice:1"]
    );
    // The tenant's registry is for the images that name none.
    let spec = format!("registry: own.example:5000/a\n{SPEC}");
    let prepared = prepared(&nodes(), &spec, &catalog, &[]).unwrap();
    let names: Vec<String> = prepared.images().values().map(ToString::to_string).collect();
    assert_eq!(names, ["quay.io/sql/db:1", "own.example:5000/a/voice:1"]);
}

#[test]
fn a_catalog_needs_no_registry_if_every_image_names_its_own() {
    let without = CATALOG.replace("registry: docker.io/test\n", "");
    let refused = images_with("\"1\"", &without).unwrap_err();
    assert!(refused.contains("registry: is missing, and the image of db names no"), "{refused}");
    let full = without.replace("image: db", "image: quay.io/sql/db");
    let full = full.replace("image: voice", "image: localhost/voice");
    assert_eq!(images_with("\"1\"", &full).unwrap(), ["quay.io/sql/db:1", "localhost/voice:1"]);
}

#[test]
fn an_image_that_is_not_below_the_registry_of_its_catalog_is_noted() {
    assert!(Catalog::parse(CATALOG).unwrap().notes().is_empty());
    let catalog = CATALOG.replace("image: db", "image: quay.io/sql/db");
    assert_eq!(
        Catalog::parse(&catalog).unwrap().notes(),
        ["images of quay.io: db; before 0.2.0 these names were read as docker.io/test/quay.io/…"]
    );
    let of_hub = CATALOG.replace("image: db", "image: index.docker.io/library/db");
    assert!(Catalog::parse(&of_hub).unwrap().notes().is_empty());
    let without = catalog.replace("registry: docker.io/test\n", "");
    let without = without.replace("image: voice", "image: quay.io/voice");
    assert!(Catalog::parse(&without).unwrap().notes().is_empty());
}

#[test]
fn a_tenant_names_its_own_image_for_a_component() {
    for (entry, expected) in [
        ("{image: \"r.example:5000/a/b:2\"}".to_owned(), "r.example:5000/a/b:2".to_owned()),
        ("{image: r.example/b, version: \"3\"}".to_owned(), "r.example/b:3".to_owned()),
        (format!("{{image: \"docker.io/b@{DIGEST}\"}}"), format!("docker.io/b@{DIGEST}")),
        (format!("\"1@{DIGEST}\""), format!("docker.io/test/db:1@{DIGEST}")),
        (format!("\"{DIGEST}\""), format!("docker.io/test/db@{DIGEST}")),
        (format!("{{image: r.example/b, version: \"{DIGEST}\"}}"), format!("r.example/b@{DIGEST}")),
    ] {
        assert_eq!(images_with(&entry, CATALOG).unwrap()[0], expected, "{entry}");
    }
}

#[test]
fn wrong_images_of_a_tenant_are_refused_all_at_once() {
    let spec = SPEC
        .replace("db: \"1\"", "db: {image: \"r.example/B:1\", version: \"1\"}")
        .replace("voice: \"1\"", "voice: {image: \"r.example/b:1\", version: \"2@sha256:12\"}");
    let refused = prepared(&nodes(), &spec, CATALOG, &[]).unwrap_err();
    for words in [
        "line 5: components.db.image: the name of an image is in lower case (write r.example/b:1)",
        "line 6: components.voice.version: \"sha256:12\" is not a digest",
        "line 6: components.voice.version: the image has the version 1 already",
    ] {
        assert!(refused.contains(words), "{words}\n{refused}");
    }
    let unit = SPEC.replace("exporter: {}", "exporter: {image: r.example/b}");
    let refused = prepared(&nodes(), &unit, CATALOG, &[]).unwrap_err();
    assert!(refused.contains("components.exporter: must have no image"), "{refused}");
}

#[test]
fn a_catalog_refuses_versions_and_wrong_names() {
    for (image, words) in [
        ("r.example/b:1", "has no version; every tenant chooses it (write r.example/b)"),
        ("db:1", "has no version; every tenant chooses it (write db)"),
        ("r.example/B", "is in lower case (write r.example/b)"),
        ("D", "is in lower case (write d)"),
        ("a b", "is not a image repository"),
    ] {
        let catalog = CATALOG.replace("image: db", &format!("image: {image:?}"));
        let refused = images_with("\"1\"", &catalog).unwrap_err();
        assert!(refused.contains(words), "{image}: {refused}");
        assert!(refused.contains("components.db.image: "), "{refused}");
    }
}

#[test]
fn a_pinned_version_is_known_by_the_digest_that_an_earlier_plan_recorded() {
    let plan = plan_of(SPEC, 1).unwrap();
    let recorded = plan.digests(&TenantSpec::parse(SPEC).unwrap());
    let (unpinned, digest) =
        recorded.iter().find(|(image, _)| image.to_string() == "docker.io/test/db:1").unwrap();
    for version in [ImageVersion::pinned(digest.clone()), format!("1@{digest}").parse().unwrap()] {
        let pinned = ImageName { version, ..unpinned.clone() };
        assert_eq!(recorded.get(&pinned), Some(digest), "{pinned}");
    }
}

/// Returns the digests that a plan records of components that have one image, with these
/// versions. A version without a digest has `DIGEST`.
fn recorded_of_one_image(versions: &[&str]) -> BTreeMap<String, String> {
    let mut catalog = "catalog: test\nregistry: docker.io/test\ncomponents:\n".to_owned();
    let mut spec = "tenant: acme\ncatalog: test\ncomponents:\n".to_owned();
    for (index, version) in versions.iter().enumerate() {
        let port = format!("\"{}\"", 5000 + index);
        let probe = format!("{{check: tcp, port: {port}}}");
        catalog.push_str(&format!(
            "  c{index}: {{roles: [data], unit: c{index}.service, container: c{index}, image: db, probe: {probe}}}\n"
        ));
        spec.push_str(&format!("  c{index}: \"{version}\"\n"));
    }
    let prepared = prepared(&nodes(), &spec, &catalog, &[]).unwrap();
    let digest = |image: &ImageName| {
        image.version.digest().cloned().unwrap_or_else(|| DIGEST.parse().unwrap())
    };
    let digests = prepared.images().values().map(|image| (image.clone(), digest(image))).collect();
    let plan = prepared.finish(&digests).unwrap();
    let recorded = plan.digests(&TenantSpec::parse(&spec).unwrap());
    recorded.into_iter().map(|(image, digest)| (image.to_string(), digest.to_string())).collect()
}

#[test]
fn a_pinned_component_does_not_move_another_with_the_same_tag() {
    let (two, three) = (format!("sha256:{:064}", 2), format!("sha256:{:064}", 3));
    let (at_two, at_three) = (format!("7@{two}"), format!("7@{three}"));
    for (versions, expected) in [
        (&["7", &at_two][..], Some(DIGEST)),
        (&[&at_two, "7"], Some(DIGEST)),
        (&[&at_two, &at_three, "7"], Some(DIGEST)),
        // Nobody else says what the tag is.
        (&[&at_two, &at_two], Some(two.as_str())),
        (&[&at_two, &at_three], None),
    ] {
        let recorded = recorded_of_one_image(versions);
        let by_tag = recorded.get("docker.io/test/db:7").map(String::as_str);
        assert_eq!(by_tag, expected, "{versions:?}");
        assert_eq!(recorded[&format!("docker.io/test/db:{at_two}")], two);
        assert_eq!(recorded[&format!("docker.io/test/db@{two}")], two);
    }
}

#[test]
fn a_pinned_version_has_the_tag_as_its_version_in_documents() {
    let spec = SPEC.replace("db: \"1\"", &format!("db: \"7@{DIGEST}\""));
    let prepared = prepared(&nodes(), &spec, CATALOG, &[]).unwrap();
    assert_eq!(instance(&prepared, "db").version().unwrap().as_str(), "7");
}

#[test]
fn a_mirror_says_where_an_image_is_pulled_and_replaces_nothing() {
    let direct = prepared(&nodes(), SPEC, CATALOG, &[]).unwrap();
    let rules = [("docker.io/test/", "mirror.corp:5000/oml/")];
    let mirrored = prepared(&nodes(), SPEC, CATALOG, &rules).unwrap();
    let (before, after) = (instance(&direct, "voice"), instance(&mirrored, "voice"));
    assert_eq!(before.pull_from, None);
    assert_eq!(after.image_source().unwrap().as_str(), "mirror.corp:5000/oml/voice");
    assert_eq!(before.workload_hash(), after.workload_hash());
    let written = crate::document::write(&after);
    assert!(written.contains(",\"pull_from\":\"mirror.corp:5000/oml/voice\","), "{written}");
    assert_eq!(crate::document::read::<Instance>(&written).unwrap(), after);
    assert_eq!(instance(&mirrored, "exporter").pull_from, None);
    let changes = diff(Some(direct.layout()), mirrored.layout());
    let notes: Vec<String> = changes
        .iter()
        .map(|c| format!("{} {}: {}", c.kind.as_str(), c.component, c.note))
        .collect();
    assert_eq!(notes[1], "update voice: pulled from mirror.corp:5000/oml/voice");
    let back = diff(Some(mirrored.layout()), direct.layout());
    assert_eq!(back[1].note, "pulled from docker.io/test/voice");
}

#[test]
fn an_image_whose_name_a_mirror_makes_too_long_is_refused() {
    let to = format!("mirror.corp/{}/", "a".repeat(240));
    let rules = [("docker.io/test/", to.as_str())];
    let refused = prepared(&nodes(), SPEC, CATALOG, &rules).unwrap_err();
    let words = "line 6: components.voice.image: the rule \"docker.io/test/\" of [mirrors] makes the \
                 name of its image longer than 255 characters (shorten the rule in controller.toml)";
    assert!(refused.contains(words), "{refused}");
}

#[test]
fn an_agent_that_cannot_pull_from_a_mirror_is_named() {
    let mut nodes = nodes();
    let mut features: std::collections::BTreeSet<Feature> = Feature::ALL.into();
    features.remove(&Feature::PullFrom);
    let version = "0.1.0".to_owned();
    let agent = AgentFacts { version, features, platforms: [].into(), policy: None };
    nodes.get_mut(&"n2".parse().unwrap()).unwrap().agent = Some(agent);
    let rules = [("docker.io/test/", "mirror.corp:5000/oml/")];
    let refused = prepared(&nodes, SPEC, CATALOG, &rules).unwrap_err();
    let words = "n2 cannot run it: its agent 0.1.0 does not support pull-from";
    assert!(refused.contains(words), "{refused}");
    assert!(prepared(&nodes, SPEC, CATALOG, &[]).is_ok());
}

#[test]
fn the_fields_of_a_direct_pull_are_those_of_earlier_releases() {
    let text = crate::document::write(&plan_with(SPEC, CATALOG, 1).unwrap());
    assert!(!text.contains("pull_from"), "{text}");
}
