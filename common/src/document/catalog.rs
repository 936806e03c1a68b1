//! Catalogs: the definitions of components, before a tenant chooses their
//! versions, nodes and settings.
//!
//! A text with `{{ … }}` is a template, which `plan` fills in.

use std::collections::BTreeMap;

use crate::decide::order;
use crate::document::instance::{
    ContainerOptions, HttpDetails, PidsLimit, RestartUnhealthy, SipTransport, Timing,
    WebSocketDetails,
};
use crate::id::{
    CatalogName, ComponentName, ContainerName, EnvName, Repository, RoleName, SecretName, UnitName,
};
use crate::text::problem::{Problem, Problems};
use crate::text::yaml::{FieldNode, Fields, Node, Value, parse};

mod component;
mod image;
mod literal;
mod notes;
mod options;
pub(crate) mod port;
pub(crate) mod ports;
mod probe;
mod volume;

pub(crate) use self::literal::is_template;
pub(crate) use self::options::is_address;

/// A set of component definitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    pub name: CatalogName,
    /// The registry of its images, unless the tenant names another. There is none if every
    /// image names its own.
    pub registry: Option<Repository>,
    /// The settings and their defaults; a setting without one must be given by every tenant.
    pub settings: BTreeMap<String, Option<String>>,
    pub components: BTreeMap<ComponentName, Component>,
}

/// The definition of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// The component runs on every node with one of these roles.
    pub roles: Vec<RoleName>,
    pub unit: UnitName,
    /// What the unit runs.
    pub workload: WorkloadTemplate,
    /// The components that must be healthy first on the same node.
    pub after: Vec<ComponentName>,
    /// The ports and ranges of ports it listens on, or that lead to it, as templates such as
    /// `5060/udp` and `8080:80/tcp`.
    pub ports: Vec<String>,
    pub probe: ProbeTemplate,
    /// How its calls are counted, if it has any.
    pub active: Option<crate::document::instance::ActiveProbe>,
    pub timing: Timing,
    /// When it is restarted because it stays unhealthy.
    pub restart_unhealthy: RestartUnhealthy,
    /// The port (a template) and the path of its metrics.
    pub metrics: Option<(String, String)>,
}

/// What a unit runs, before templates are filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkloadTemplate {
    Container(ContainerTemplate),
    /// A unit that a package installed, with the text of our drop-in.
    Unit {
        /// The lines of the `[Service]` section, as a template.
        drop_in: String,
    },
}

/// A container, before templates are filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerTemplate {
    /// The name in the container engine.
    pub name: ContainerName,
    /// The image's repository if it names a registry, else the part of it after the registry.
    pub image: Repository,
    /// The environment variables, whose values are templates.
    pub env: BTreeMap<EnvName, String>,
    /// The environment variables whose values are secrets of the host.
    pub secrets: BTreeMap<EnvName, SecretName>,
    /// The volumes, which are written as `source:target[:ro]`.
    pub volumes: Vec<crate::document::instance::Volume>,
    /// The arguments that replace those of the image, as templates.
    pub command: Vec<String>,
    pub memory_bytes_max: Option<u64>,
    pub pids_limit: PidsLimit,
    pub may_gain_privileges: bool,
    /// Its other options, in which the entry point and the addresses of hosts are templates. The
    /// ports that lead to it are those of the component.
    pub options: Box<ContainerOptions>,
}

/// A probe, before templates are filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeTemplate {
    pub check: CheckTemplate,
    /// The address at which the program is asked, as a template.
    pub address: Option<String>,
    /// The time from one answer to the next check.
    pub interval_ms: u64,
    pub timeout_ms: u64,
    /// The number of failures in a row after which the instance is unhealthy.
    pub failures_max: u32,
}

/// A health check whose port is a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckTemplate {
    Http {
        port: String,
        path: String,
        tls: bool,
        /// Its host and its TLS name are templates.
        details: HttpDetails,
    },
    Tcp {
        port: String,
    },
    SipOptions {
        port: String,
        /// The connection on which it is asked, if not over UDP. Host and TLS name are templates.
        stream: Option<(SipTransport, WebSocketDetails)>,
    },
    Redis {
        port: String,
    },
    Postgres {
        port: String,
        user: String,
    },
    Exec {
        command: Vec<String>,
    },
    UnitActive,
    Rtpengine {
        port: String,
    },
    Gearman {
        port: String,
    },
    Rabbitmq {
        port: String,
    },
}

impl Catalog {
    /// Reads a catalog from YAML.
    ///
    /// # Errors
    /// Returns every problem of the document, including unknown and circular dependencies.
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
                let message = format!("the unit {} already belongs to {other}", component.unit);
                problems.push(Problem::new(format!("components.{name}.unit"), message));
            }
            if let (WorkloadTemplate::Container(a), WorkloadTemplate::Container(b)) =
                (&definition.workload, &component.workload)
                && a.name == b.name
            {
                let message = format!("the container {} already belongs to {other}", b.name);
                problems.push(Problem::new(format!("components.{name}.container"), message));
            }
        }
    }
}

fn read(root: &Node, problems: &mut Problems) -> Option<Catalog> {
    let mut fields = Fields::open(&FieldNode::root(root), problems)?;
    let name = fields.need("catalog", problems).and_then(|field| field.parse(problems));
    let registry_field = fields.get("registry");
    let registry = registry_field.as_ref().and_then(|field| field.parse(problems));
    let settings = match fields.get("settings") {
        Some(field) => read_settings(&field, problems),
        None => BTreeMap::new(),
    };
    let components = match fields.need("components", problems) {
        Some(field) => field
            .entries::<ComponentName>(problems)
            .into_iter()
            .filter_map(|(name, field)| Some((name, component::read(&field, problems)?)))
            .collect(),
        None => BTreeMap::new(),
    };
    if registry_field.is_none() {
        image::need_registry(&components, problems);
    }
    fields.finish(problems);
    Some(Catalog { name: name?, registry, settings, components })
}

fn read_settings(
    field: &FieldNode<'_>,
    problems: &mut Problems,
) -> BTreeMap<String, Option<String>> {
    let entries = field.entries::<String>(problems);
    entries
        .into_iter()
        .map(|(name, field)| match &field.node.value {
            Value::Empty => (name, None),
            Value::Text(_) => (name, literal::text(&field, problems)),
            Value::List(_) | Value::Map(_) => {
                problems.push(field.problem(
                    "a default must be a single value; write nothing if every tenant must give one",
                ));
                (name, None)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
