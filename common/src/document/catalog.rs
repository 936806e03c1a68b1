//! Catalogs: the definitions of components, before a tenant chooses their
//! versions, nodes and settings.
//!
//! A text with `{{ … }}` is a template, which `plan` fills in.

use std::collections::BTreeMap;

use crate::document::instance::{
    ContainerOptions, HttpDetails, PidsLimit, RestartUnhealthy, SipTransport, Timing,
    WebSocketDetails,
};
use crate::document::secret_use::SecretUse;
use crate::id::{
    CatalogName, ComponentName, ContainerName, EnvName, OperationName, Repository, RoleName,
    UnitName,
};
use crate::text::problem::Problems;
use crate::text::yaml::{FieldNode, Fields, Node};

mod active;
mod check;
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
mod tolerated;
mod volume;

pub use self::condition::{Condition, SettingTest, SettingValues, ValueTest};
pub use self::env::EnvTemplate;
pub use self::file::FileTemplate;
pub(crate) use self::file::{FILE_BYTES_MAX, FILES_BYTES_MAX, hidden};
pub(crate) use self::literal::is_template;
pub use self::operation::{OperationMoment, OperationTemplate};
pub(crate) use self::options::is_address;
pub(crate) use self::place::Places;
pub use self::reload::ReloadTemplate;
pub use self::secrets::SecretConditions;
pub(crate) use self::setting::size_bytes;
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
    /// The mistakes of the components whose definitions cannot be used, and are not among the
    /// others; empty in a catalog that was read whole.
    pub broken: BTreeMap<ComponentName, Problems>,
    /// The mistakes that earlier releases did not refuse. Components with them are used as before, and
    /// only the check of the catalog refuses them.
    pub tolerated: BTreeMap<ComponentName, Problems>,
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
    /// How its calls are counted, if it has any. The words of its commands are templates.
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
    /// When a secret is used; one without a condition always is.
    pub secret_conditions: Box<SecretConditions>,
    /// The volumes, which are written as `source:target[:ro]`.
    pub volumes: Vec<crate::document::instance::Volume>,
    /// The files that are made of templates of the catalog's folder.
    pub files: Vec<FileTemplate>,
    /// How its program takes over files while it runs, if it does.
    pub reload: Option<Box<ReloadTemplate>>,
    /// The arguments that replace those of the image, as templates.
    pub command: Vec<String>,
    /// The limit of its memory, such as `512MiB`, as a template.
    pub memory_max: Option<String>,
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
        /// The program and its arguments, as templates.
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
    /// Returns every problem of the document, including unknown and circular dependencies, and what
    /// earlier releases did not refuse.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        let catalog = CatalogSources::alone(text).catalog()?;
        let tolerated = catalog.tolerated.values().flat_map(|own| own.0.clone());
        tolerated.collect::<Problems>().into_result(catalog)
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
    let ReadComponents { components, broken, tolerated } = match components {
        Some(field) => read_components(&field, templates, problems),
        None => ReadComponents::default(),
    };
    fields.finish(problems);
    let Some(name) = name else {
        problems.0.extend(broken.into_values().flat_map(|own| own.0));
        return None;
    };
    let catalog = Catalog { name, registry, settings, components, broken, tolerated };
    Some(Document { catalog, is_part, include })
}

/// The mistakes of components.
type Mistakes = BTreeMap<ComponentName, Problems>;

/// The components of a document.
#[derive(Default)]
struct ReadComponents {
    components: BTreeMap<ComponentName, Component>,
    /// The mistakes of those that cannot be used.
    broken: Mistakes,
    /// The mistakes of those that can be used.
    tolerated: Mistakes,
}

fn read_components(
    field: &FieldNode<'_>,
    templates: &Lookup<'_>,
    problems: &mut Problems,
) -> ReadComponents {
    let mut read = ReadComponents::default();
    for (name, field) in field.entries::<ComponentName>(problems) {
        let (mut own, mut tolerated) = (Problems::default(), Problems::default());
        // What could be read of one with mistakes is checked further, so that all are found at once.
        if let Some(component) = component::read(&field, templates, &mut own, &mut tolerated) {
            read.components.insert(name.clone(), component);
        }
        if !tolerated.0.is_empty() {
            read.tolerated.insert(name.clone(), tolerated);
        }
        if !own.0.is_empty() {
            read.broken.insert(name, own);
        }
    }
    read
}

#[cfg(test)]
mod tests;
