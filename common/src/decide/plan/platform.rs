//! Whether nodes can run the images of a plan, from what registries say about them.

use std::collections::{BTreeMap, BTreeSet};

use crate::decide::plan::{ImageName, NodeFacts, Prepared};
use crate::document::instance::Container;
use crate::document::spec::TenantSpec;
use crate::id::{ComponentName, NodeName};
use crate::text::problem::{Problem, Problems};

/// The word with which the names of features begin that name a platform, such as
/// `platform-linux-amd64`.
const FEATURE_PREFIX: &str = "platform-";

/// The facts about an image that its registry gives without a pull.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageFacts {
    /// The platforms that the image is for, such as `linux/amd64`; empty if they are unknown.
    pub platforms: BTreeSet<String>,
    /// Whether the image says which program to start; `None` if it is unknown.
    pub has_command: Option<bool>,
}

/// Returns the name of the feature of an agent whose host runs images of the platform.
#[must_use]
pub fn feature_of_platform(platform: &str) -> String {
    format!("{FEATURE_PREFIX}{}", platform.replacen('/', "-", 1))
}

/// Returns the platforms that the names of an agent's features name.
pub(super) fn platforms<'a>(features: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let names = features.filter_map(|name| name.strip_prefix(FEATURE_PREFIX));
    names.map(|name| name.replacen('-', "/", 1)).collect()
}

impl Prepared {
    /// Returns a problem for every component whose image cannot run where it is placed. What
    /// is unknown about an image or a node is no problem.
    #[must_use]
    pub fn unusable(
        &self,
        spec: &TenantSpec,
        nodes: &BTreeMap<NodeName, NodeFacts>,
        facts: &BTreeMap<ImageName, ImageFacts>,
    ) -> Problems {
        let mut problems = Problems::default();
        for (component, image) in self.images() {
            let Some(facts) = facts.get(image) else { continue };
            if self.starts_nothing(component, facts) {
                let message = format!("{image} does not say which program to start");
                let hint = "give the component a command or an entrypoint in the catalog, or one \
                            to the image";
                problems.push(problem(spec, component, message).hint(hint));
            }
            for (node, message) in self.misplaced(component, nodes, facts) {
                let message = format!("{image} cannot run on {node}: {message}");
                let hint = format!(
                    "push {image} for that platform too, or place {component} on another node"
                );
                problems.push(problem(spec, component, message).hint(hint));
            }
        }
        problems
    }

    /// Returns true if neither the image nor the component says which program to start.
    fn starts_nothing(&self, component: &ComponentName, facts: &ImageFacts) -> bool {
        let instances = self.layout().nodes.values().filter_map(|it| it.instances.get(component));
        let mut containers = instances.filter_map(|desired| desired.instance.container());
        let is_bare = |it: &Container| it.command.is_empty() && it.options.entrypoint.is_empty();
        facts.has_command == Some(false) && containers.any(is_bare)
    }

    /// Returns the nodes of the component that run none of the image's platforms, and why.
    fn misplaced<'a>(
        &'a self,
        component: &'a ComponentName,
        nodes: &'a BTreeMap<NodeName, NodeFacts>,
        facts: &'a ImageFacts,
    ) -> impl Iterator<Item = (&'a NodeName, String)> {
        let carriers = self.layout().nodes.iter();
        let carriers = carriers.filter(|(_, share)| share.instances.contains_key(component));
        carriers.filter_map(|(node, _)| {
            let runs = &nodes.get(node)?.agent.as_ref()?.platforms;
            let is_known = !runs.is_empty() && !facts.platforms.is_empty();
            (is_known && runs.is_disjoint(&facts.platforms)).then(|| {
                (
                    node,
                    format!("it is for {}, and the host is {}", list(&facts.platforms), list(runs)),
                )
            })
        })
    }
}

fn problem(spec: &TenantSpec, component: &ComponentName, message: String) -> Problem {
    let path = format!("components.{component}");
    let problem = spec.problem(&format!("{path}.version"), message);
    // In the short form, the component's own line contains the version.
    let line = problem.line.or(spec.problem(&path, "").line);
    Problem { line, ..problem }
}

fn list(platforms: &BTreeSet<String>) -> String {
    let platforms: Vec<&str> = platforms.iter().map(String::as_str).collect();
    platforms.join(", ")
}

#[cfg(test)]
mod tests;
