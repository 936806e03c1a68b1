//! Component definitions as data: what a component is, before a tenant says
//! which version, where and with which values.
//!
//! Texts with `{{ … }}` are templates; `plan` fills them in.

use std::collections::BTreeMap;

use crate::decide::order;
use crate::document::instance::Timing;
use crate::id::{
    CatalogName, ComponentName, ContainerName, EnvName, Repository, RoleName, SecretName, UnitName,
};
use crate::text::problem::{Problem, Problems};
use crate::text::yaml::{Fields, Node, Place, Value, parse};

mod component;

/// A set of component definitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    pub name: CatalogName,
    /// Where its images are, unless the tenant says otherwise.
    pub registry: Repository,
    /// Settings a tenant may give; none means that it has to.
    pub settings: BTreeMap<String, Option<String>>,
    pub components: BTreeMap<ComponentName, Component>,
}

/// The definition of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Any node with one of these roles carries it.
    pub roles: Vec<RoleName>,
    pub unit: UnitName,
    /// What the unit runs.
    pub workload: WorkloadTemplate,
    /// Components of the same node that come first.
    pub after: Vec<ComponentName>,
    /// Ports it listens on, as `5060/udp`; templates.
    pub ports: Vec<String>,
    /// How its health is asked.
    pub probe: ProbeTemplate,
    /// How its calls are counted.
    pub active: Option<crate::document::instance::ActiveProbe>,
    pub timing: Timing,
    /// Port (a template) and path of its metrics.
    pub metrics: Option<(String, String)>,
}

/// What a unit runs, before values are filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkloadTemplate {
    Container(ContainerTemplate),
    /// A unit of the distribution, with the text of our drop-in.
    Unit {
        /// Lines of the `[Service]` section; a template.
        drop_in: String,
    },
}

/// A container, before values are filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerTemplate {
    /// Name in the engine.
    pub name: ContainerName,
    /// Last part of the image's repository.
    pub image: Repository,
    /// Environment; templates.
    pub env: BTreeMap<EnvName, String>,
    /// Environment from secrets of the host.
    pub secrets: BTreeMap<EnvName, SecretName>,
    /// Volumes as `source:target[:ro]`.
    pub volumes: Vec<crate::document::instance::Volume>,
    /// Arguments in place of the image's own; templates.
    pub command: Vec<String>,
    /// Hard limit of memory.
    pub memory_bytes_max: Option<u64>,
}

/// A probe, before values are filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeTemplate {
    pub check: CheckTemplate,
    /// From one answer to the next question.
    pub interval_ms: u64,
    /// Longest wait for an answer.
    pub timeout_ms: u64,
    /// This many failures in a row make it unhealthy.
    pub failures_max: u32,
}

/// A question about health; ports are templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckTemplate {
    Http { port: String, path: String, tls: bool },
    Tcp { port: String },
    SipOptions { port: String },
    Redis { port: String },
    Postgres { port: String, user: String },
    Exec { command: Vec<String> },
    UnitActive,
}

impl Catalog {
    /// Reads a catalog.
    ///
    /// # Errors
    /// Every problem of the document, unknown and circular dependencies included.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        let root = parse(text)?;
        let mut problems = Problems::default();
        let Some(catalog) = read(&root, &mut problems) else { return Err(problems.sorted()) };
        catalog.check(&mut problems);
        problems.into_result(catalog)
    }

    fn check(&self, problems: &mut Problems) {
        for (name, component) in &self.components {
            let path = format!("components.{name}");
            for dependency in &component.after {
                if !self.components.contains_key(dependency) {
                    let known = self.components.keys().map(AsRef::as_ref);
                    problems.push(
                        Problem::new(
                            format!("{path}.after"),
                            format!("{dependency} is not a component"),
                        )
                        .suggest(dependency.as_str(), known),
                    );
                }
            }
            self.check_unique(name, component, problems);
        }
        let edges = self.components.iter().map(|(name, c)| (name.clone(), c.after.clone()));
        if let Err(cycle) = order::topological(&edges.collect()) {
            problems.push(Problem::new("components", order::describe_cycle(&cycle)));
        }
    }

    fn check_unique(&self, name: &ComponentName, component: &Component, problems: &mut Problems) {
        let others = self.components.iter().filter(|(other, _)| *other < name);
        for (other, definition) in others {
            if definition.unit == component.unit {
                let message = format!("{} is also the unit of {other}", component.unit);
                problems.push(Problem::new(format!("components.{name}.unit"), message));
            }
            if let (WorkloadTemplate::Container(a), WorkloadTemplate::Container(b)) =
                (&definition.workload, &component.workload)
                && a.name == b.name
            {
                let message = format!("{} is also the container of {other}", b.name);
                problems.push(Problem::new(format!("components.{name}.container"), message));
            }
        }
    }
}

fn read(root: &Node, problems: &mut Problems) -> Option<Catalog> {
    let mut fields = Fields::open(&Place::root(root), problems)?;
    let name = fields.need("catalog", problems).and_then(|place| place.parse(problems));
    let registry = fields.need("registry", problems).and_then(|place| place.parse(problems));
    let settings = match fields.get("settings") {
        Some(place) => read_settings(&place, problems),
        None => BTreeMap::new(),
    };
    let components = match fields.need("components", problems) {
        Some(place) => place
            .entries::<ComponentName>(problems)
            .into_iter()
            .filter_map(|(name, place)| Some((name, component::read(&place, problems)?)))
            .collect(),
        None => BTreeMap::new(),
    };
    fields.finish(problems);
    Some(Catalog { name: name?, registry: registry?, settings, components })
}

fn read_settings(place: &Place<'_>, problems: &mut Problems) -> BTreeMap<String, Option<String>> {
    let entries = place.entries::<String>(problems);
    entries
        .into_iter()
        .map(|(name, place)| match &place.node.value {
            Value::Empty => (name, None),
            Value::Text(text) => (name, Some(text.clone())),
            Value::List(_) | Value::Map(_) => {
                problems.push(place.problem(
                    "a default is a single value, or nothing when the tenant must give one",
                ));
                (name, None)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
