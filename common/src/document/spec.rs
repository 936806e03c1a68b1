//! Tenant specifications: the components, versions and settings that an operator wants.

use std::collections::BTreeMap;

use crate::document::assignment::OnDeadline;
use crate::document::plan::OnFailure;
use crate::document::secret_use::{SecretSource, SecretUse, read_sources, read_uses};
use crate::id::{
    CatalogName, ComponentName, EnvName, ImageVersion, NodeName, Repository, SecretName, TenantId,
};
use crate::text::printable::name_of;
use crate::text::problem::{PROBLEMS_SHOWN_MAX, Problem, Problems};
use crate::text::yaml::{FieldNode, Fields, Node, Value, parse_partly};

mod acme;
mod image;
mod registries;
mod tls;
mod unread;
mod versions;

pub use self::acme::{AcmeSpec, LETS_ENCRYPT};
pub use self::registries::{REGISTRIES_MAX, RegistryUse};
pub use self::tls::{TLS_NAMES_MAX, TlsMode, TlsSpec};
pub use self::versions::{with_known_versions, with_versions};

use self::unread::Unread;

/// The largest number of components that a tenant may have.
pub const COMPONENTS_MAX: usize = 256;

/// The desired state of a tenant, as its operator wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantSpec {
    pub tenant: TenantId,
    /// The catalog that defines its components.
    pub catalog: CatalogName,
    /// The registry of its images, in place of the catalog's own.
    pub registry: Option<Repository>,
    /// Its logins to registries, by the key of the registry.
    pub registries: BTreeMap<String, RegistryUse>,
    /// Values for the catalog's settings.
    pub settings: BTreeMap<String, String>,
    /// Where the secrets are kept of which the catalog does not say it.
    pub secrets: BTreeMap<SecretName, SecretSource>,
    /// Its certificate; none if the controller keeps none for it.
    pub tls: Option<TlsSpec>,
    pub components: BTreeMap<ComponentName, ComponentSpec>,
    pub rollout: RolloutSpec,
    /// The line of every path, so that later checks can name the place of a problem.
    lines: BTreeMap<String, u32>,
    /// The values that could not be read; none in a document without mistakes.
    unread: Unread,
}

/// One component of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ComponentSpec {
    /// The version; a packaged unit has none.
    pub version: Option<ImageVersion>,
    /// The repository of its image, in place of the catalog's.
    pub image: Option<Repository>,
    /// The environment variables in addition to the catalog's.
    pub env: BTreeMap<EnvName, String>,
    /// The secrets in addition to the catalog's.
    pub secrets: BTreeMap<EnvName, SecretUse>,
    /// The nodes that run it, in place of all nodes with its role.
    pub nodes: Option<Vec<NodeName>>,
    /// The components that must be healthy first on the same node, in addition to the catalog's.
    pub after: Vec<ComponentName>,
    /// The memory limit, in place of the catalog's.
    pub memory_bytes_max: Option<u64>,
}

/// How changes are rolled out to a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloutSpec {
    /// The number of nodes that change at the same time.
    pub max_parallel: u32,
    /// How long a new version must stay healthy before the rollout goes on.
    pub min_healthy_for_ms: u64,
    /// The longest wait for calls to end.
    pub drain_deadline_ms: u64,
    /// What happens when calls are still up at the drain deadline.
    pub on_deadline: OnDeadline,
    /// What happens when a new version fails.
    pub on_failure: OnFailure,
}

impl Default for RolloutSpec {
    fn default() -> Self {
        Self {
            max_parallel: 1,
            min_healthy_for_ms: 30_000,
            drain_deadline_ms: 30 * 60_000,
            on_deadline: OnDeadline::Abort,
            on_failure: OnFailure::Rollback,
        }
    }
}

impl TenantSpec {
    /// Reads a specification from YAML.
    ///
    /// # Errors
    /// Returns every problem of the document.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        let (spec, problems) = Self::read_partly(text)?;
        problems.into_result(spec)
    }

    /// Reads what can be read of a specification, and returns it with its mistakes, so that what else is
    /// wrong with it is reported together with them. A specification with mistakes is never used.
    ///
    /// # Errors
    /// Returns the problems of a document that is no YAML, that does not name its tenant and its
    /// catalog, or that has more problems than are shown.
    pub fn read_partly(text: &str) -> Result<(Self, Problems), Problems> {
        let (root, mut problems) = parse_partly(text)?;
        match read(&root, &mut problems) {
            Some(spec) if problems.0.len() <= PROBLEMS_SHOWN_MAX => Ok((spec, problems)),
            Some(_) | None => Err(problems.sorted()),
        }
    }

    /// Whether the value at a path, what it is a part of, or a part of it could not be read. What
    /// follows from that is no mistake of its own.
    #[must_use]
    pub fn is_unread(&self, path: &str) -> bool {
        self.unread.touches(path)
    }

    /// Returns whether two specifications have the same content, however it is written.
    #[must_use]
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let Self {
            tenant,
            catalog,
            registry,
            registries,
            settings,
            secrets,
            tls,
            components,
            rollout,
            lines: _,
            unread: _,
        } = self;
        *tenant == other.tenant
            && *catalog == other.catalog
            && *registry == other.registry
            && *registries == other.registries
            && *settings == other.settings
            && *secrets == other.secrets
            && *tls == other.tls
            && *components == other.components
            && *rollout == other.rollout
    }

    /// Makes a problem at a path of this document, with its line.
    #[must_use]
    pub fn problem(&self, path: &str, message: impl Into<String>) -> Problem {
        let problem = Problem::new(path, message);
        match self.lines.get(path) {
            Some(line) => problem.at_line(*line),
            None => problem,
        }
    }
}

fn read(root: &Node, problems: &mut Problems) -> Option<TenantSpec> {
    let mut fields = Fields::open(&FieldNode::root(root), problems)?;
    let tenant = fields.need("tenant", problems).and_then(|field| field.parse(problems));
    let catalog = fields.need("catalog", problems).and_then(|field| field.parse(problems));
    let registry = fields.get("registry").and_then(|field| field.parse(problems));
    let registries = fields.get("registries");
    let registries = registries.map(|p| registries::read(&p, problems)).unwrap_or_default();
    let settings = match fields.get("settings") {
        Some(field) => read_settings(&field, problems),
        None => BTreeMap::new(),
    };
    let secrets = fields.get("secrets").map(|p| read_sources(&p, problems)).unwrap_or_default();
    let tls = fields.get("tls").map(|field| tls::read(&field, problems));
    let components = match fields.need("components", problems) {
        Some(field) => read_components(&field, problems),
        None => BTreeMap::new(),
    };
    let rollout = match fields.get("rollout") {
        Some(field) => read_rollout(&field, problems),
        None => RolloutSpec::default(),
    };
    fields.finish(problems);
    let unread = Unread::of(root, problems);
    let mut lines = BTreeMap::new();
    // A document with more problems is not looked at any further.
    if problems.0.len() <= PROBLEMS_SHOWN_MAX {
        note_lines("", root, &unread, &mut lines);
    }
    Some(TenantSpec {
        tenant: tenant?,
        catalog: catalog?,
        registry,
        registries,
        settings,
        secrets,
        tls,
        components,
        rollout,
        lines,
        unread,
    })
}

/// Notes the line of every path. Below a value that could not be read, they may be very many and long,
/// and nobody asks for them.
fn note_lines(path: &str, node: &Node, unread: &Unread, lines: &mut BTreeMap<String, u32>) {
    if let Value::Map(entries) = &node.value {
        for (key, child) in entries {
            let path =
                if path.is_empty() { key.name.clone() } else { format!("{path}.{}", key.name) };
            if !unread.is(&path) {
                note_lines(&path, child, unread, lines);
            }
            lines.insert(path, key.line);
        }
    }
}

fn read_settings(field: &FieldNode<'_>, problems: &mut Problems) -> BTreeMap<String, String> {
    let entries = field.entries::<String>(problems);
    entries
        .into_iter()
        .filter_map(|(name, field)| Some((name, read_value(&field, problems)?)))
        .collect()
}

/// Reads the value of a setting or an environment variable. It may have several lines.
pub(crate) fn read_value(field: &FieldNode<'_>, problems: &mut Problems) -> Option<String> {
    let text = field.text(problems)?;
    if let Some(c) = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        problems.push(field.problem(format!("a value cannot contain {}", name_of(c))));
    }
    Some(text.to_owned())
}

fn read_components(
    field: &FieldNode<'_>,
    problems: &mut Problems,
) -> BTreeMap<ComponentName, ComponentSpec> {
    let entries = field.entries::<ComponentName>(problems);
    if entries.len() > COMPONENTS_MAX {
        let count = entries.len();
        let message =
            format!("{count} components are too many; a tenant may have {COMPONENTS_MAX}");
        problems.push(field.problem(message));
        return BTreeMap::new();
    }
    entries.into_iter().map(|(name, field)| (name, read_component(&field, problems))).collect()
}

/// Reads one component. What cannot be read of it is left out, because the others may name it.
fn read_component(field: &FieldNode<'_>, problems: &mut Problems) -> ComponentSpec {
    // `asterisk: "230204.01"` is short for a mapping that has only a version.
    if let Value::Text(_) = field.node.value {
        return ComponentSpec { version: field.parse(problems), ..ComponentSpec::default() };
    }
    let Some(mut fields) = Fields::open(field, problems) else { return ComponentSpec::default() };
    let (image, version) = image::read(&mut fields, problems);
    let spec = ComponentSpec {
        version,
        image,
        env: fields.get("env").map(|field| read_env(&field, problems)).unwrap_or_default(),
        secrets: fields.get("secrets").map(|p| read_uses(&p, problems)).unwrap_or_default(),
        nodes: fields.get("nodes").map(|field| field.parse_list(problems)),
        after: fields.get("after").map(|p| p.parse_list(problems)).unwrap_or_default(),
        memory_bytes_max: fields.get("memory_max").and_then(|p| read_bytes(&p, problems)),
    };
    fields.finish(problems);
    spec
}

/// Reads environment variables and their values.
pub(crate) fn read_env(
    field: &FieldNode<'_>,
    problems: &mut Problems,
) -> BTreeMap<EnvName, String> {
    let entries = field.entries::<EnvName>(problems);
    entries
        .into_iter()
        .filter_map(|(name, field)| match field.node.value {
            Value::Empty => Some((name, String::new())),
            Value::Text(_) | Value::List(_) | Value::Map(_) => {
                Some((name, read_value(&field, problems)?))
            }
        })
        .collect()
}

/// What a limit of memory can be.
pub(crate) const SIZE_RULE: &str = "a size of at least 8MiB, such as 512MiB or 2GiB";

/// Reads a size such as `512MiB`, in bytes.
pub(crate) fn read_bytes(field: &FieldNode<'_>, problems: &mut Problems) -> Option<u64> {
    let bytes = bytes_of(field.text(problems)?);
    if bytes.is_none() {
        problems.push(field.problem(format!("must be {SIZE_RULE}")));
    }
    bytes
}

/// Returns the number of bytes of a size such as `512MiB`; none below 8 MiB.
pub(crate) fn bytes_of(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: Option<u64> = match unit {
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    };
    let bytes = number.parse::<u64>().ok().zip(factor).and_then(|(n, f)| n.checked_mul(f));
    bytes.filter(|bytes| *bytes >= 8 << 20)
}

fn read_rollout(field: &FieldNode<'_>, problems: &mut Problems) -> RolloutSpec {
    let default = RolloutSpec::default();
    let Some(mut fields) = Fields::open(field, problems) else { return default };
    let deadlines =
        [OnDeadline::Wait, OnDeadline::Abort, OnDeadline::Cut].map(|word| (word.as_str(), word));
    let failures = [OnFailure::Rollback, OnFailure::Pause].map(|word| (word.as_str(), word));
    let max_parallel = fields.get("max_parallel").and_then(|p| p.number(1..=1000, problems));
    let spec = RolloutSpec {
        max_parallel: max_parallel
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(default.max_parallel),
        min_healthy_for_ms: fields
            .get("min_healthy_for")
            .and_then(|field| field.duration_ms(problems))
            .unwrap_or(default.min_healthy_for_ms),
        drain_deadline_ms: fields
            .get("drain_deadline")
            .and_then(|field| field.duration_ms(problems))
            .unwrap_or(default.drain_deadline_ms),
        on_deadline: fields
            .get("on_deadline")
            .and_then(|field| field.choice(&deadlines, problems))
            .unwrap_or(default.on_deadline),
        on_failure: fields
            .get("on_failure")
            .and_then(|field| field.choice(&failures, problems))
            .unwrap_or(default.on_failure),
    };
    fields.finish(problems);
    spec
}

#[cfg(test)]
mod tests;
