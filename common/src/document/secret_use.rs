//! How catalogs and tenants name the secrets of a component: which, from where, and whether as a
//! value of the environment or as a file.

use std::collections::BTreeMap;

use crate::document::tls_secret::TlsSecret;
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
    /// Whether it is left out for a tenant without a certificate; only of a part of that.
    pub is_optional: bool,
    /// Whether a program that takes over files while it runs takes over this one.
    pub is_reloaded: bool,
}

impl SecretUse {
    /// Whether a volume of the component around its place is left out where it is mounted: a tenant
    /// has either the folder of its hosts or the certificate of the controller there.
    #[must_use]
    pub fn replaces_volumes(&self) -> bool {
        self.is_optional && self.file.is_some()
    }
}

const SOURCES: [(&str, SecretSource); 2] =
    [("host", SecretSource::Host), ("controller", SecretSource::Controller)];

/// Reads the secrets of a component: `ENV: NAME`, or `ENV: {name: NAME, from: controller}`.
pub(crate) fn read_uses(
    field: &FieldNode<'_>,
    problems: &mut Problems,
) -> BTreeMap<EnvName, SecretUse> {
    read_uses_with(field, &mut |_, _, _| {}, problems)
}

/// Reads what else a document may say of a secret: its variable, and the fields of its mapping.
pub(crate) type ReadMore<'r> = dyn FnMut(&EnvName, &mut Fields<'_>, &mut Problems) + 'r;

/// Reads the secrets of a component, and with `more` what else may be in their mappings.
pub(crate) fn read_uses_with(
    field: &FieldNode<'_>,
    more: &mut ReadMore<'_>,
    problems: &mut Problems,
) -> BTreeMap<EnvName, SecretUse> {
    let entries = field.entries(problems).into_iter();
    let read = |(variable, field): (EnvName, FieldNode<'_>)| {
        let mut more = |fields: &mut Fields<'_>, problems: &mut Problems| {
            more(&variable, fields, problems);
        };
        let read = read_use(&field, &mut more, problems)?;
        Some((variable, read))
    };
    entries.filter_map(read).collect()
}

fn read_use(
    field: &FieldNode<'_>,
    more: &mut dyn FnMut(&mut Fields<'_>, &mut Problems),
    problems: &mut Problems,
) -> Option<SecretUse> {
    if !matches!(field.node.value, Value::Map(_)) {
        let (name, is_optional) = (field.parse(problems)?, false);
        let (from, file, is_reloaded) = (None, None, true);
        return Some(SecretUse { name, from, file, is_optional, is_reloaded });
    }
    let mut fields = Fields::open(field, problems)?;
    let name = fields.need("name", problems).and_then(|field| field.parse(problems));
    let from = fields.get("from").and_then(|field| field.choice(&SOURCES, problems));
    let file_field = fields.get("file");
    let file = file_field.as_ref().and_then(|field| read_file(field, problems));
    let optional_field = fields.get("optional");
    let is_optional = optional_field.as_ref().and_then(|field| field.flag(problems));
    let is_optional = is_optional.unwrap_or(false);
    let reload_field = fields.get("reload");
    let is_reloaded = reload_field.as_ref().and_then(|field| field.flag(problems));
    let is_reloaded = is_reloaded.unwrap_or(true);
    more(&mut fields, problems);
    fields.finish(problems);
    if let Some(field) = optional_field.filter(|_| is_optional && !is_of_tls(name.as_ref(), from)) {
        let message = "only the certificate of the tenant can be left out";
        let hint = "use it for tls_certificate, tls_key and tls_ca, with from: controller";
        problems.push(field.problem(message).hint(hint));
    }
    if let Some(field) = file_field.filter(|_| from != Some(SecretSource::Controller)) {
        let message = "only a secret of the controller can be mounted as a file";
        problems.push(field.problem(message).hint("add from: controller"));
    }
    if let Some(field) = reload_field.filter(|_| file.is_none()) {
        let message = "an environment variable cannot be reloaded";
        problems.push(field.problem(message).hint("remove it, or mount the secret by file:"));
    }
    Some(SecretUse { name: name?, from, file, is_optional, is_reloaded })
}

/// Whether a secret is a part of the certificate of the tenant that a host may get.
fn is_of_tls(name: Option<&SecretName>, from: Option<SecretSource>) -> bool {
    let secret = name.and_then(TlsSecret::of);
    from == Some(SecretSource::Controller) && secret.is_some_and(TlsSecret::is_for_hosts)
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
