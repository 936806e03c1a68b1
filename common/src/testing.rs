//! A small tenant for the tests of this crate.

use std::collections::BTreeMap;

use crate::decide::plan::{ImageName, Input, Mirrors, NodeFacts, prepare};
use crate::decide::secrets::ChosenSecrets;
use crate::document;
use crate::document::catalog::Catalog;
use crate::document::instance::{OperationCommand, OperationStep};
use crate::document::plan::Plan;
use crate::document::spec::TenantSpec;
use crate::id::{AccountThumbprint, Digest, NodeName, RevisionNumber};
use crate::text::problem::Problems;

/// A database, a voice server that comes after it, and a packaged unit on both hosts.
pub(crate) const CATALOG: &str = "\
catalog: test
registry: docker.io/test
settings: {db_host: \"\", sip_port: \"5060\", colour:}
components:
  db:
    roles: [data]
    unit: db.service
    container: db-server
    image: db
    ports: [5432/tcp]
    env: {WHO: \"{{ tenant }}\"}
    probe: {check: tcp, port: \"5432\"}
  voice:
    roles: [voice]
    unit: voice.service
    container: voice-server
    image: voice
    after: [db]
    ports: [\"{{ settings.sip_port }}/udp\"]
    env: {DB: \"{{ settings.db_host or host.db }}\", HERE: \"{{ node.address }}\"}
    probe: {check: sip-options, port: \"{{ settings.sip_port }}\"}
    active: {command: [count], before: active call, noun: calls}
  exporter:
    kind: unit
    roles: [data, voice]
    unit: exporter.service
    ports: [9100/tcp]
    probe: {check: unit-active}
";

/// The specification of the tenant.
pub(crate) const SPEC: &str = "\
tenant: acme
catalog: test
settings: {colour: blue}
components:
  db: \"1\"
  voice: \"1\"
  exporter: {}
rollout: {min_healthy_for: 5s}
";

/// Returns the specification with another version of one component.
pub(crate) fn spec_with(component: &str, version: &str) -> String {
    let line = |version: &str| format!("{component}: \"{version}\"");
    assert!(SPEC.contains(&line("1")), "the tenant has no {component}");
    SPEC.replace(&line("1"), &line(version))
}

/// Returns a check that runs before a version or its files are used.
pub(crate) fn check_step() -> OperationStep {
    let run = OperationCommand {
        command: vec!["check".to_owned()],
        entrypoint: Vec::new(),
        env: BTreeMap::new(),
        deadline_ms: 90_000,
    };
    let operation = "config-test".parse().unwrap();
    OperationStep { operation, run, irreversible: false }
}

/// Returns three nodes: `n1` has the role data, `n2` and `n3` the role voice.
pub(crate) fn nodes() -> BTreeMap<NodeName, NodeFacts> {
    node_facts(3)
}

/// Returns nodes: `n1` has the role data, all others the role voice.
pub(crate) fn node_facts(count: usize) -> BTreeMap<NodeName, NodeFacts> {
    let node = |number: usize| {
        let role = if number == 1 { "data" } else { "voice" };
        let roles = [role.parse().unwrap()].into();
        let address = format!("10.0.0.{number}");
        (format!("n{number}").parse().unwrap(), NodeFacts { roles, address, agent: None })
    };
    (1..=count).map(node).collect()
}

/// Plans a specification. The digest of every image is made from its name.
pub(crate) fn plan_of(spec: &str, revision: u64) -> Result<Plan, Problems> {
    plan_with(spec, CATALOG, revision)
}

/// Returns the plan as a release reads it that does not know the probe of the voice server.
pub(crate) fn with_unreadable_voice(plan: &Plan) -> Plan {
    let text = document::write(plan).replace("sip-options", "carrier-pigeon");
    document::read(&text).unwrap()
}

/// Plans a specification with another catalog.
pub(crate) fn plan_with(spec: &str, catalog: &str, revision: u64) -> Result<Plan, Problems> {
    plan_on(&nodes(), spec, catalog, revision)
}

/// Plans a specification on other nodes.
pub(crate) fn plan_on(
    nodes: &BTreeMap<NodeName, NodeFacts>,
    spec: &str,
    catalog: &str,
    revision: u64,
) -> Result<Plan, Problems> {
    plan_of_nodes(nodes, spec, &Catalog::parse(catalog)?, &BTreeMap::new(), revision)
}

/// Plans a specification by a catalog that was read.
pub(crate) fn plan_by(
    nodes: &BTreeMap<NodeName, NodeFacts>,
    spec: &str,
    catalog: &Catalog,
    revision: u64,
) -> Result<Plan, Problems> {
    plan_of_nodes(nodes, spec, catalog, &BTreeMap::new(), revision)
}

/// Plans a specification with these versions of secrets.
pub(crate) fn plan_with_secrets(
    spec: &str,
    catalog: &str,
    secrets: &ChosenSecrets,
    revision: u64,
) -> Result<Plan, Problems> {
    plan_of_nodes(&nodes(), spec, &Catalog::parse(catalog)?, secrets, revision)
}

fn plan_of_nodes(
    nodes: &BTreeMap<NodeName, NodeFacts>,
    spec: &str,
    catalog: &Catalog,
    secrets: &ChosenSecrets,
    revision: u64,
) -> Result<Plan, Problems> {
    let spec = TenantSpec::parse(spec)?;
    let revision = RevisionNumber(revision);
    let mirrors = &Mirrors::default();
    let acme = spec.tls.as_ref().and_then(|tls| tls.acme.as_ref());
    let thumbprint = acme.map(|_| AccountThumbprint::of_nothing());
    let input = Input {
        revision,
        spec: &spec,
        catalog,
        nodes,
        mirrors,
        secrets,
        thumbprint: thumbprint.as_ref(),
        before: None,
    };
    let prepared = prepare(input)?;
    let digests = digests(prepared.images().values());
    prepared.finish(&digests)
}

fn digests<'a>(images: impl Iterator<Item = &'a ImageName>) -> BTreeMap<ImageName, Digest> {
    images
        .map(|image| {
            let hash = crate::id::ContentHash::of(image.to_string().as_bytes());
            (image.clone(), format!("sha256:{hash}").parse().unwrap())
        })
        .collect()
}
