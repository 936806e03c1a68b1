//! How catalogs and tenants name the secrets of a component: which, from where, and whether as a
//! value of the environment or as a file.

use std::collections::BTreeMap;

use crate::id::{EnvName, SecretName};
use crate::text::problem::Problems;
use crate::text::yaml::{FieldNode, Fields, Value};

/// The folder of containers in which secrets are usually mounted.
const FILES: &str = "/run/secrets";
/// The longest path of a mounted secret, in bytes (`PATH_MAX` of Linux is 4096).
const FILE_BYTES_MAX: usize = 255;

/// Where the value of a secret is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretSource {
    /// In a file of each host, which its administrator writes.
    Host,
    /// At the controller, sealed; each host gets those of its own instances.
    Controller,
}

/// A secret of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretUse {
    pub name: SecretName,
    /// None if the tenant may choose; it is the host then, unless the tenant says otherwise.
    pub from: Option<SecretSource>,
    /// The path in the container at which the value is mounted. The environment variable holds
    /// this path then, and not the value.
    pub file: Option<String>,
}

const SOURCES: [(&str, SecretSource); 2] =
    [("host", SecretSource::Host), ("controller", SecretSource::Controller)];

/// Reads the secrets of a component: `ENV: NAME`, or `ENV: {name: NAME, from: controller}`.
pub(crate) fn read_uses(
    field: &FieldNode<'_>,
    problems: &mut Problems,
) -> BTreeMap<EnvName, SecretUse> {
    let entries = field.entries(problems).into_iter();
    entries.filter_map(|(name, field)| Some((name, read_use(&field, problems)?))).collect()
}

fn read_use(field: &FieldNode<'_>, problems: &mut Problems) -> Option<SecretUse> {
    if !matches!(field.node.value, Value::Map(_)) {
        return Some(SecretUse { name: field.parse(problems)?, from: None, file: None });
    }
    let mut fields = Fields::open(field, problems)?;
    let name = fields.need("name", problems).and_then(|field| field.parse(problems));
    let from = fields.get("from").and_then(|field| field.choice(&SOURCES, problems));
    let file_field = fields.get("file");
    let file = file_field.as_ref().and_then(|field| read_file(field, problems));
    fields.finish(problems);
    if let Some(field) = file_field.filter(|_| from != Some(SecretSource::Controller)) {
        let message = "only a secret of the controller can be mounted as a file";
        problems.push(field.problem(message).hint("add from: controller"));
    }
    Some(SecretUse { name: name?, from, file })
}

fn read_file(field: &FieldNode<'_>, problems: &mut Problems) -> Option<String> {
    let path = field.text(problems)?;
    let is_plain = |part: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        !matches!(part, "" | "." | "..") && part.bytes().all(allowed)
    };
    let parts = path.strip_prefix('/').map(|rest| rest.split('/').all(is_plain));
    if parts != Some(true) || path.len() > FILE_BYTES_MAX {
        let message = "must be an absolute path of letters, digits, dots, hyphens and underscores";
        problems.push(field.problem(message).hint(format!("for example {FILES}/postgres")));
        return None;
    }
    Some(path.to_owned())
}

/// Reads where a tenant keeps its secrets: `NAME: controller`.
pub(crate) fn read_sources(
    field: &FieldNode<'_>,
    problems: &mut Problems,
) -> BTreeMap<SecretName, SecretSource> {
    let entries = field.entries(problems).into_iter();
    entries.filter_map(|(name, field)| Some((name, field.choice(&SOURCES, problems)?))).collect()
}
