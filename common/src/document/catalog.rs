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
use crate::document::secret_use::SecretUse;
use crate::id::{
    CatalogName, ComponentName, ContainerName, EnvName, OperationName, Repository, RoleName,
    UnitName,
};
use crate::text::problem::{Problem, Problems};
use crate::text::yaml::{FieldNode, Fields, Node};

mod component;
mod condition;
mod env;
mod file;
mod image;
mod literal;
mod notes;
mod operation;
mod options;
mod place;
pub(crate) mod port;
pub(crate) mod ports;
mod probe;
mod reload;
mod secrets;
mod setting;
mod sources;
mod templates;
mod volume;

pub use self::condition::{Condition, SettingTest, SettingValues, ValueTest};
pub use self::env::EnvTemplate;
pub use self::file::FileTemplate;
pub(crate) use self::file::{FILE_BYTES_MAX, FILES_BYTES_MAX, hidden};
pub(crate) use self::literal::is_template;
pub use self::operation::{OperationMoment, OperationTemplate};
pub(crate) use self::options::is_address;
pub(crate) use self::place::Places;
pub(crate) use self::setting::size_bytes;
pub use self::reload::ReloadTemplate;
pub use self::setting::{Mismatch, NumberRange, Setting, SettingChoice, SettingKind, TextPattern};
pub use self::sources::{CATALOG_FILE, CatalogSources, TEXTS_BYTES_MAX, TEXTS_MAX};
pub use self::templates::TemplateText;

/// A set of component definitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    pub name: CatalogName,
    /// The registry of its images, unless the tenant names another. There is none if every
    /// image names its own.
    pub registry: Option<Repository>,
    /// What its tenants may choose.
    pub settings: BTreeMap<String, Setting>,
    pub components: BTreeMap<ComponentName, Component>,
}

/// The definition of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// The component runs on every node with one of these roles.
    pub roles: Vec<RoleName>,
    /// When the component exists; without a condition it always does.
    pub when: Option<Condition>,
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
    /// What can be run once with its image.
    pub operations: BTreeMap<OperationName, OperationTemplate>,
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
    pub env: BTreeMap<EnvName, EnvTemplate>,
    /// The environment variables whose values, or files, are secrets.
    pub secrets: BTreeMap<EnvName, SecretUse>,
    /// The volumes, which are written as `source:target[:ro]`.
    pub volumes: Vec<crate::document::instance::Volume>,
    /// The files that are made of templates of the catalog's folder.
    pub files: Vec<FileTemplate>,
    /// How its program takes over files while it runs, if it does.
    pub reload: Option<Box<ReloadTemplate>>,
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
    /// Reads a catalog that is one YAML text. Of a folder it is read by [`CatalogSources`].
    ///
    /// # Errors
    /// Returns every problem of the document, including unknown and circular dependencies.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        CatalogSources::alone(text).catalog()
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
            self.check_conditions(&path, component, problems);
            file::check_settings(self, name, component, problems);
        }
        let edges = self.components.iter().map(|(name, c)| (name.clone(), c.after.clone()));
        if let Err(cycle) = order::topological(&edges.collect()) {
            problems.push(Problem::new("components", order::describe_cycle(&cycle)));
        }
    }

    fn check_conditions(&self, path: &str, component: &Component, problems: &mut Problems) {
        if let Some(when) = &component.when {
            when.check(&format!("{path}.when"), &self.settings, problems);
        }
        let WorkloadTemplate::Container(container) = &component.workload else { return };
        for (name, EnvTemplate { when, .. }) in &container.env {
            if let Some(when) = when {
                when.check(&format!("{path}.env.{name}.when"), &self.settings, problems);
            }
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

/// One document of a catalog, with the documents that it includes.
struct Document {
    catalog: Catalog,
    /// Whether it is only included.
    is_part: bool,
    include: Vec<Include>,
}

/// The name of a document that another one includes.
struct Include {
    name: String,
    line: u32,
}

/// Finds a template by its name: nothing if it was not read yet, or the reason why it cannot be.
type Lookup<'l> = dyn Fn(&str) -> Option<Result<String, String>> + 'l;

fn read(root: &Node, templates: &Lookup<'_>, problems: &mut Problems) -> Option<Document> {
    let mut fields = Fields::open(&FieldNode::root(root), problems)?;
    let part = fields.get("part");
    let is_part = part.is_some();
    let name = part.or_else(|| fields.need("catalog", problems));
    let name = name.and_then(|field| field.parse(problems));
    let include = fields.get("include").map(|field| field.list(problems)).unwrap_or_default();
    let include = include.iter().filter_map(|item| {
        let name = literal::text(item, problems)?;
        Some(Include { name, line: item.node.line })
    });
    let include: Vec<Include> = include.collect();
    let registry = fields.get("registry").and_then(|field| field.parse(problems));
    let settings = match fields.get("settings") {
        Some(field) => setting::read_all(&field, problems),
        None => BTreeMap::new(),
    };
    let components = match is_part || !include.is_empty() {
        true => fields.get("components"),
        false => fields.need("components", problems),
    };
    let components = match components {
        Some(field) => field
            .entries::<ComponentName>(problems)
            .into_iter()
            .filter_map(|(name, field)| Some((name, component::read(&field, templates, problems)?)))
            .collect(),
        None => BTreeMap::new(),
    };
    fields.finish(problems);
    let catalog = Catalog { name: name?, registry, settings, components };
    Some(Document { catalog, is_part, include })
}

#[cfg(test)]
mod tests;
