//! Whether an operation may run now, where, and what became of its runs.

use std::collections::{BTreeMap, BTreeSet};

use crate::decide::plan::{self, OperationPlace};
use crate::document::Feature;
use crate::document::catalog::{Catalog, OperationMoment, OperationTemplate};
use crate::document::instance::InstanceDocument;
use crate::document::operation::{OperationCommand, RunRecord};
use crate::document::plan::Plan;
use crate::document::report::{InstanceReport, Phase};
use crate::document::spec::TenantSpec;
use crate::id::{ComponentName, NodeName, OperationName, OperationValue, RoleName, ValueName};
use crate::text::problem::{Problem, Problems};
use crate::time::Timestamp;

mod ended;
mod state;

pub use ended::{HostRun, RunRefused, abandoned, has_ended, may_go_on, refusal};
pub use state::{RunState, left_out, surplus};

/// The request to run an operation once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRequest {
    pub component: ComponentName,
    pub operation: OperationName,
    /// The node on which it runs; it may be absent if only one runs the component.
    pub node: Option<NodeName>,
    pub values: BTreeMap<ValueName, String>,
}

/// What is known of a node on which an operation could run.
#[derive(Debug, Clone, Copy)]
pub struct NodeState<'a> {
    pub connected: bool,
    /// What the node reports of the component, if it has reported in this session.
    pub instance: Option<&'a InstanceReport>,
}

/// Everything that decides whether an operation may run.
#[derive(Debug, Clone, Copy)]
pub struct RunInput<'a> {
    pub request: &'a RunRequest,
    /// The specification, the catalog and the nodes of the tenant.
    pub planned: plan::Input<'a>,
    /// The plan of the tenant's current revision.
    pub plan: &'a Plan,
    /// Whether the catalog is another one than that of the plan.
    pub is_catalog_new: bool,
    /// Whether a rollout of the tenant is in progress.
    pub is_rolling: bool,
    /// The nodes of the tenant.
    pub states: &'a BTreeMap<NodeName, NodeState<'a>>,
    /// The runs of the tenant that are known.
    pub runs: &'a [RunRecord],
    pub now: Timestamp,
}

/// A run that may begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmittedRun {
    pub node: NodeName,
    pub instance: InstanceDocument,
    pub values: BTreeMap<ValueName, OperationValue>,
    pub command: OperationCommand,
}

/// Decides whether an operation may run, and where.
///
/// # Errors
/// Returns every reason against it, each with its place. Nothing was changed.
pub fn admit(input: RunInput<'_>) -> Result<AdmittedRun, Problems> {
    let mut problems = Problems::default();
    let request = input.request;
    let template = template(input, &mut problems);
    let node = node(input, &mut problems);
    let values = template.map(|template| values(template, request, &mut problems));
    if let Some(node) = &node {
        check_node(input, node, &mut problems);
    }
    if input.is_rolling {
        let message = "a rollout is in progress, which may replace what the operation runs on";
        let tenant = &input.plan.tenant;
        let hint = format!("wait for its end: omlctl status tenant={tenant} --watch");
        problems.push(Problem::new("tenant", message).hint(hint));
    }
    if input.is_catalog_new {
        let (catalog, revision) = (&input.planned.catalog.name, input.plan.revision);
        let message = format!(
            "catalog {catalog} changed after revision {revision}, so its operations may not fit \
             what runs"
        );
        let hint = "apply the tenant again: omlctl apply -f FILE";
        problems.push(Problem::new("catalog", message).hint(hint));
    }
    let (Some(template), Some(node), Some(values)) = (template, node, values) else {
        return Err(problems);
    };
    problems.into_result(())?;
    let place = OperationPlace {
        component: &request.component,
        node: &node,
        operation: &request.operation,
        template,
    };
    let command = plan::operation_command(input.planned, place, &values)?;
    match instance(input.plan, &node, &request.component) {
        Some(instance) => Ok(AdmittedRun { instance, node, values, command }),
        None => Err(Problem::new("node", format!("{node} does not run it")).into()),
    }
}

/// Returns the operation that the request names.
fn template<'a>(input: RunInput<'a>, problems: &mut Problems) -> Option<&'a OperationTemplate> {
    let RunRequest { component, operation, .. } = input.request;
    let (spec, catalog) = (input.planned.spec, input.planned.catalog);
    if !spec.components.contains_key(component) {
        problems.push(unknown_component(spec, component));
        return None;
    }
    let Some(defined) = catalog.components.get(component) else {
        problems.push(undefined(catalog, component));
        return None;
    };
    match defined.operations.get(operation) {
        Some(found) if found.moment == OperationMoment::OnDemand => Some(found),
        Some(found) => {
            let noun = found.moment.noun();
            let when = match found.moment {
                OperationMoment::OnDemand | OperationMoment::Check => "before every update",
                OperationMoment::Prepare => "before its first start on a host",
                OperationMoment::Migrate => "before another version starts",
            };
            let message = format!("{operation} is a {noun}, which runs {when}");
            let hint = "an operation with run: on-demand is run by omlctl run";
            problems.push(Problem::new("operation", message).hint(hint));
            None
        }
        None => {
            problems.push(unknown_operation(catalog, component, operation));
            None
        }
    }
}

/// Returns the problem of a request that names no operation, with those that there are.
#[must_use]
pub fn no_operation(spec: &TenantSpec, catalog: &Catalog, component: &ComponentName) -> Problem {
    if !spec.components.contains_key(component) {
        return unknown_component(spec, component);
    }
    Problem::new("operation", "no operation is given").hint(offered(catalog, component))
}

/// Names the operations of a component that an operator can ask for, with their values and meanings.
fn offered(catalog: &Catalog, component: &ComponentName) -> String {
    let operations = catalog.components.get(component).map(|found| &found.operations);
    let operations = operations.into_iter().flatten();
    let on_demand = operations.filter(|(_, it)| it.moment == OperationMoment::OnDemand);
    let described = on_demand.map(|(name, it)| {
        let values: String = it.args.iter().map(|value| format!(" {value}=VALUE")).collect();
        format!("{name}{values} ({})", it.means)
    });
    let described: Vec<String> = described.collect();
    match described.as_slice() {
        [] => "it has none that can be asked for".to_owned(),
        described => format!("it has {}", described.join(", ")),
    }
}

fn unknown_component(spec: &TenantSpec, component: &ComponentName) -> Problem {
    let message = format!("{component} is not a component of this tenant");
    let known = spec.components.keys().map(AsRef::as_ref);
    Problem::new("component", message).suggest(component.as_str(), known)
}

/// Returns the problem of a component of the tenant that the catalog does not have any more, or
/// whose definition has mistakes.
fn undefined(catalog: &Catalog, component: &ComponentName) -> Problem {
    let name = &catalog.name;
    let message = match catalog.broken.get(component) {
        Some(mistakes) => {
            let first = mistakes.first_line();
            format!("the definition of {component} in catalog {name} cannot be used: {first}")
        }
        None => format!("catalog {name} does not define {component}"),
    };
    let hint = "see omlcontroller catalog list on the controller's host";
    Problem::new("component", message).hint(hint)
}

fn unknown_operation(
    catalog: &Catalog,
    component: &ComponentName,
    operation: &OperationName,
) -> Problem {
    let operations = catalog.components.get(component).map(|found| &found.operations);
    let operations = operations.into_iter().flatten();
    let on_demand = operations.filter(|(_, it)| it.moment == OperationMoment::OnDemand);
    let names: Vec<&str> = on_demand.map(|(name, _)| name.as_str()).collect();
    let message = format!("{component} has no operation {operation} in catalog {}", catalog.name);
    let problem = Problem::new("operation", message);
    match crate::text::problem::nearest(operation.as_str(), &names) {
        Some(_) => problem.suggest(operation.as_str(), names),
        None => problem.hint(offered(catalog, component)),
    }
}

/// Returns the node on which the operation runs.
fn node(input: RunInput<'_>, problems: &mut Problems) -> Option<NodeName> {
    let RunRequest { component, node, .. } = input.request;
    let runs_it = |share: &crate::document::Share| share.instances.contains_key(component);
    let nodes = input.plan.nodes.iter();
    let carriers: Vec<&NodeName> =
        nodes.filter(|(_, share)| runs_it(share)).map(|(node, _)| node).collect();
    match (node, carriers.as_slice()) {
        (Some(node), _) if carriers.contains(&node) => Some(node.clone()),
        (Some(node), _) => {
            problems.push(not_there(input, node, &carriers));
            None
        }
        (None, [only]) => Some((*only).clone()),
        // The component is unknown, which is reported, or on its way out.
        (None, []) => {
            if input.planned.spec.components.contains_key(component) {
                let message = format!("no node runs {component}");
                let hint = format!("see omlctl status tenant={}", input.plan.tenant);
                problems.push(Problem::new("component", message).hint(hint));
            }
            None
        }
        (None, several) => {
            let names: Vec<String> = several.iter().map(|node| format!("node={node}")).collect();
            let message = format!("{component} runs on {} nodes", several.len());
            let hint = format!("name one of them: {}", names.join(" or "));
            problems.push(Problem::new("node", message).hint(hint));
            None
        }
    }
}

/// Returns the problem of a node that does not run the component.
fn not_there(input: RunInput<'_>, node: &NodeName, carriers: &[&NodeName]) -> Problem {
    let component = &input.request.component;
    let Some(facts) = input.planned.nodes.get(node) else {
        let message = format!("{node} is not a node of this tenant");
        let known = input.planned.nodes.keys().map(AsRef::as_ref);
        return Problem::new("node", message).suggest(node.as_str(), known);
    };
    let roles = |roles: &mut dyn Iterator<Item = &RoleName>| {
        roles.map(AsRef::as_ref).collect::<Vec<&str>>().join(", ")
    };
    let own = roles(&mut facts.roles.iter());
    let needed = input.planned.catalog.components.get(component);
    let needed = needed.map(|found| roles(&mut found.roles.iter())).unwrap_or_default();
    let message =
        format!("{node} (role {own}) does not run {component}, which is for the role {needed}");
    let problem = Problem::new("node", message);
    let names: Vec<String> = carriers.iter().map(|node| format!("node={node}")).collect();
    match names.as_slice() {
        [] => problem.hint(format!("see omlctl status tenant={}", input.plan.tenant)),
        names => problem.hint(format!("it runs on {}", names.join(", "))),
    }
}

/// Reads the values that an operator gives.
fn values(
    template: &OperationTemplate,
    request: &RunRequest,
    problems: &mut Problems,
) -> BTreeMap<ValueName, OperationValue> {
    let known: BTreeSet<&ValueName> = template.args.iter().collect();
    for name in known.iter().filter(|name| !request.values.contains_key(**name)) {
        let message = format!("{name}= is missing");
        let hint = format!("{} takes {name}=VALUE", request.operation);
        problems.push(Problem::new(name.as_str(), message).hint(hint));
    }
    let mut read = BTreeMap::new();
    for (name, text) in &request.values {
        if !known.contains(name) {
            let message = format!("{} takes no value of this name", request.operation);
            let problem = Problem::new(name.as_str(), message);
            let known = known.iter().map(|name| name.as_str());
            problems.push(problem.suggest(name.as_str(), known));
            continue;
        }
        match text.parse() {
            Ok(value) => drop(read.insert(name.clone(), value)),
            Err(error) => {
                let error: crate::id::InvalidId = error;
                problems.push(Problem::new(name.as_str(), error.to_string()));
            }
        }
    }
    read
}

/// Checks that nothing on the node is against the run.
fn check_node(input: RunInput<'_>, node: &NodeName, problems: &mut Problems) {
    let RunInput { request: RunRequest { component, .. }, plan, .. } = input;
    let tenant = &plan.tenant;
    let agent = input.planned.nodes.get(node).and_then(|facts| facts.agent.as_ref());
    if let Some(agent) = agent.filter(|agent| !agent.features.contains(&Feature::Operations)) {
        let word = Feature::Operations.as_str();
        let message = format!("{node}: its agent {} does not support {word}", agent.version);
        let hint = format!("upgrade the agent on {node}: apt-get install ./omlagent.deb");
        problems.push(Problem::new("node", message).hint(hint));
    }
    let state = input.states.get(node);
    if !state.is_some_and(|state| state.connected) {
        let message = format!("{node} is not connected, so it would not hear of the run");
        let hint = format!("see omlctl status tenant={tenant}");
        problems.push(Problem::new("node", message).hint(hint));
        return;
    }
    let running = input.runs.iter().find(|run| {
        &run.component == component && &run.node == node && RunState::of(run, input.now).blocks()
    });
    if let Some(run) = running {
        let message = format!(
            "{} of {component} runs already on {node} as run {}, since {} asked for it",
            run.operation, run.id, run.who
        );
        let hint = format!("wait for its end: omlctl runs tenant={tenant} {component}");
        problems.push(Problem::new("operation", message).hint(hint));
    }
    let wanted = instance(plan, node, component);
    let hash = wanted.map(|wanted| wanted.workload_hash());
    if let Some(why) = unsettled(state.and_then(|state| state.instance), hash.as_ref()) {
        let hint = format!("see omlctl explain tenant={tenant} {component}");
        problems.push(Problem::new("component", format!("{component} on {node} {why}")).hint(hint));
    }
}

/// Returns why an instance is not one that runs what the plan says.
fn unsettled(
    report: Option<&InstanceReport>,
    wanted: Option<&crate::id::ContentHash>,
) -> Option<&'static str> {
    let Some(report) = report else { return Some("was not reported yet") };
    match report.phase {
        Phase::Pending
        | Phase::Pulling { .. }
        | Phase::Preparing
        | Phase::Draining { .. }
        | Phase::Starting
        | Phase::Soaking { .. } => return Some("is being updated"),
        Phase::Removing => return Some("is being removed"),
        Phase::Blocked | Phase::Unknown => return Some("is not in a state that is known"),
        Phase::Ready
        | Phase::Unhealthy
        | Phase::CrashLooping
        | Phase::StoppedByHand { .. }
        | Phase::RolledBack
        | Phase::Failed => {}
    }
    let runs_it = report.hash.is_none() || report.hash.as_ref() == wanted;
    (!runs_it).then_some("runs another version than the plan says")
}

fn instance(plan: &Plan, node: &NodeName, component: &ComponentName) -> Option<InstanceDocument> {
    let desired = plan.nodes.get(node)?.instances.get(component)?;
    Some(desired.instance.clone())
}

#[cfg(test)]
mod tests;
