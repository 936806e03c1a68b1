//! Plans a revision. A tenant's specification, a catalog and the enrolled nodes become a
//! complete plan, or a list of all problems.

use std::collections::{BTreeMap, BTreeSet};

use crate::decide::order;
use crate::decide::secrets::ChosenSecrets;
use crate::document::assignment::ChangePolicy;
use crate::document::catalog::{Catalog, Component};
use crate::document::host_policy::FoundPolicy;
use crate::document::node::AgentRecord;
use crate::document::plan::{Plan, Strategy};
use crate::document::spec::TenantSpec;
use crate::document::{Feature, Share, Verbatim};
use crate::id::{AccountThumbprint, ComponentName, NodeName, RevisionNumber, RoleName};
use crate::text::problem::{Problem, Problems};

mod challenges;
pub mod conflicts;
mod features;
mod host_secrets;
mod images;
mod migrations;
mod mirrors;
pub mod names;
pub mod offline;
mod operation;
mod place;
mod platform;
mod ports;
mod prepared;
pub mod presence;
mod registries;
mod render;
mod rights;
mod secrets;
pub(crate) mod settings;
pub(crate) mod template;
mod waves;
mod without_catalog;

pub use images::ImageName;
pub(crate) use images::complete;
use images::images;
pub use mirrors::{Mirrors, SourceTooLong};
pub use operation::operation_command;
use place::place;
pub use platform::{ImageFacts, feature_of_platform};
pub use prepared::{Prepared, Unprepared};
pub use render::OperationPlace;
use render::Renderer;
pub use without_catalog::check_without_catalog;

/// The facts about an enrolled node that planning needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFacts {
    pub roles: BTreeSet<RoleName>,
    /// The address at which other hosts reach the node.
    pub address: String,
    /// The facts about the agent; `None` before its first greeting.
    pub agent: Option<AgentFacts>,
}

/// The facts about an agent from its last greeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentFacts {
    pub version: String,
    /// The features of the agent, without those that this release does not know.
    pub features: BTreeSet<Feature>,
    /// The platforms whose images the host runs, such as `linux/amd64`; empty if its agent
    /// does not say.
    pub platforms: BTreeSet<String>,
    /// What its host allows; `None` if its agent does not say.
    pub policy: Option<FoundPolicy>,
}

/// The input of a plan.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The number of the new revision.
    pub revision: RevisionNumber,
    pub spec: &'a TenantSpec,
    pub catalog: &'a Catalog,
    /// The nodes of the tenant.
    pub nodes: &'a BTreeMap<NodeName, NodeFacts>,
    /// Where images are pulled, if not where their names say.
    pub mirrors: &'a Mirrors,
    /// The versions of the tenant's secrets that the plan names.
    pub secrets: &'a ChosenSecrets,
    /// The thumbprint of the account by which challenges are answered; none if the tenant orders no
    /// certificate.
    pub thumbprint: Option<&'a AccountThumbprint>,
    /// The plan on which the change is made; `None` for the first one.
    pub before: Option<&'a Plan>,
}

impl AgentRecord {
    /// Returns the facts that a plan depends on.
    #[must_use]
    pub fn facts(self) -> AgentFacts {
        let names = || self.features.iter().map(String::as_str);
        let (features, platforms) = (Feature::known(names()), platform::platforms(names()));
        AgentFacts { version: self.version, features, platforms, policy: self.policy }
    }
}

/// Makes the plan without the digests of its images.
///
/// # Errors
/// Returns every problem that can be found without a registry, and the part of the plan that can be made.
pub fn prepare(input: Input<'_>) -> Result<Prepared, Unprepared> {
    let absent = presence::absent(input.spec, input.catalog);
    let present = presence::present(input.spec, &absent);
    let input = Input { spec: &present, ..input };
    let (images, mut problems) = images(input.spec, input.catalog);
    settings::check(input, &mut problems);
    registries::check(input.spec, input.secrets, &mut problems);
    check_units(input, &mut problems);
    challenges::check(input, &mut problems);
    let order = dependency_order(input, &mut problems);
    let placed = place(input, &mut problems);
    let stand_in = place::stand_in(input, &placed);
    let placed = stand_in.as_ref().map_or(&placed, |it| &it.placed);
    let on = stand_in.as_ref().map_or(input, |it| Input { nodes: &it.nodes, ..input });
    let renderer = Renderer::new(on, placed);
    let mut nodes: BTreeMap<NodeName, Share> = BTreeMap::new();
    for (component, carriers) in placed {
        for node in carriers {
            let desired = renderer.instance(component, node, &mut problems);
            if let Some(desired) = desired.filter(|_| input.nodes.contains_key(node)) {
                let share = nodes.entry(node.clone()).or_default();
                share.instances.insert(component.clone(), Verbatim::seal(desired));
            }
        }
    }
    let waves = waves::waves(&nodes, &order);
    let waves = migrations::on_one_node(&mut nodes, waves, input.before);
    for (node, share) in &nodes {
        ports::check(input.spec, node, share, &mut problems);
        let Some(agent) = input.nodes.get(node).and_then(|facts| facts.agent.as_ref()) else {
            continue;
        };
        features::check(input.spec, node, agent, share, &mut problems);
        rights::check(input, node, agent, share, &mut problems);
        host_secrets::check(input, node, agent, share, &mut problems);
    }
    let strategy = Strategy {
        max_parallel: input.spec.rollout.max_parallel,
        on_failure: input.spec.rollout.on_failure,
    };
    let tenant = input.spec.tenant.clone();
    let policy = Some(policy(input.spec).into());
    let revision = input.revision;
    let plan = Plan { tenant, revision, strategy, policy, nodes, waves, absent };
    let prepared = Prepared::new(plan, images);
    if problems.0.is_empty() {
        return Ok(prepared);
    }
    // Others may follow, so they are not cut yet.
    Err(Unprepared { prepared: Box::new(prepared), problems: problems.in_order() })
}

fn definition<'a>(
    spec: &TenantSpec,
    catalog: &'a Catalog,
    name: &ComponentName,
    problems: &mut Problems,
) -> Option<&'a Component> {
    let component = catalog.components.get(name);
    if let Some(mistakes) = catalog.broken.get(name) {
        problems.push(broken(spec, catalog, name, mistakes));
    } else if component.is_none() {
        let message = format!("unknown component; catalog {} does not define it", catalog.name);
        let known = catalog.components.keys().map(AsRef::as_ref);
        let problem = spec.problem(&format!("components.{name}"), message);
        problems.push(problem.suggest(name.as_str(), known));
    }
    component
}

/// Refuses a component whose definition has mistakes. Its tenants may use the others of its catalog.
fn broken(
    spec: &TenantSpec,
    catalog: &Catalog,
    name: &ComponentName,
    mistakes: &Problems,
) -> Problem {
    let first = mistakes.first_line();
    let message = format!("its definition in catalog {} cannot be used: {first}", catalog.name);
    let hint = "see omlcontroller catalog list on the controller's host, correct the file, and \
                restart omlcontroller";
    spec.problem(&format!("components.{name}"), message).hint(hint)
}

/// Refuses the units that systemd never loads. A catalog that names one stays readable, because
/// tenants may use its other components.
fn check_units(input: Input<'_>, problems: &mut Problems) {
    let catalog = input.catalog;
    for name in input.spec.components.keys() {
        let Some(component) = catalog.components.get(name) else { continue };
        let unit = &component.unit;
        let Some(instance) = unit.instance_of_template() else { continue };
        let message =
            format!("its unit {unit} in catalog {} is a template, which is no unit", catalog.name);
        let problem = input.spec.problem(&format!("components.{name}"), message);
        problems.push(problem.hint(format!("name one of its instances, such as {instance}")));
    }
}

/// Checks that the components of a tenant wait for others of it only.
fn check_after(spec: &TenantSpec, problems: &mut Problems) {
    for (name, component) in &spec.components {
        for dependency in &component.after {
            if !spec.components.contains_key(dependency) {
                let message = format!("{dependency} is not a component of this tenant");
                let known = spec.components.keys().map(AsRef::as_ref);
                let problem = spec.problem(&format!("components.{name}.after"), message);
                problems.push(problem.suggest(dependency.as_str(), known));
            }
        }
    }
}

fn dependency_order(input: Input<'_>, problems: &mut Problems) -> Vec<ComponentName> {
    check_after(input.spec, problems);
    let names = input.spec.components.keys();
    let edges: BTreeMap<_, _> =
        names.map(|name| (name.clone(), dependencies(input, name))).collect();
    order::topological(&edges).unwrap_or_else(|cycle| {
        let problem = input.spec.problem("components", order::describe_cycle(&cycle));
        problems.push(problem.hint("take one of them out of after"));
        Vec::new()
    })
}

/// Returns the components that must be healthy before a component starts, from the catalog
/// and from the specification.
fn dependencies(input: Input<'_>, name: &ComponentName) -> Vec<ComponentName> {
    let of_spec = input.spec.components.get(name).map(|c| c.after.as_slice()).unwrap_or_default();
    let of_catalog =
        input.catalog.components.get(name).map(|c| c.after.as_slice()).unwrap_or_default();
    let mut all: Vec<ComponentName> = of_spec.iter().chain(of_catalog).cloned().collect();
    all.retain(|dependency| input.spec.components.contains_key(dependency));
    all.sort();
    all.dedup();
    all
}

fn policy(spec: &TenantSpec) -> ChangePolicy {
    ChangePolicy {
        soak_ms: spec.rollout.min_healthy_for_ms,
        drain_deadline_ms: spec.rollout.drain_deadline_ms,
        on_deadline: spec.rollout.on_deadline,
        forward_only: false,
    }
}

#[cfg(test)]
mod tests;
