//! Reads and writes the operator's contexts: the addresses of controllers and the
//! credentials for them.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use oml_common::document::bundle::Bundle;
use oml_common::text::printable::printable;
use oml_common::text::problem::Problem;
use oml_daemon::tls::{Credentials, Identity, Peer, certificate, uri};
use serde::{Deserialize, Serialize};

use crate::error::CommandError;
use crate::variables;

/// The contexts, and the file that lists them.
#[derive(Debug)]
pub(crate) struct Config {
    path: PathBuf,
    listed: Listed,
}

/// The content of the file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    current: Option<ContextName>,
    #[serde(default)]
    contexts: BTreeMap<ContextName, Entry>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    endpoints: Vec<String>,
}

/// A controller and the operator's credentials for it.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) name: ContextName,
    /// Addresses as `host:port`, in the order in which they are tried.
    pub(crate) endpoints: Vec<String>,
    /// The file that holds the endpoints.
    pub(crate) listed_in: PathBuf,
    pub(crate) credentials: Credentials,
}

/// The name of a context, which is also the name of its folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct ContextName(String);

/// The error of a text that is not a valid name of a context.
#[derive(Debug, thiserror::Error)]
#[error(
    "must be the name of a context: 1 to 63 letters, digits, dots, hyphens and underscores, starting with a letter or digit"
)]
pub(crate) struct InvalidContextName;

const AUTHORITY: &str = "ca.pem";
const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";

/// The hint for an endpoint that is not valid.
pub(crate) const ADDRESS_HINT: &str = "write host:port, for example controller.example.com:7443";

impl Config {
    /// Reads the file that `--config` or the environment names, or else the default file.
    /// Only the default file may be missing, and it then counts as empty.
    pub(crate) fn open(path: Option<PathBuf>) -> Result<Self, CommandError> {
        match path.or_else(variables::config_file) {
            Some(path) => Self::read(path, false),
            None => Self::read(usual()?, true),
        }
    }

    /// Reads the file for a verb that writes it, so it may be missing.
    pub(crate) fn open_or_new(path: Option<PathBuf>) -> Result<Self, CommandError> {
        match path.or_else(variables::config_file) {
            Some(path) => Self::read(path, true),
            None => Self::read(usual()?, true),
        }
    }

    fn read(path: PathBuf, may_be_missing: bool) -> Result<Self, CommandError> {
        let listed = match fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text)
                .map_err(|error| CommandError::Context(placed(&path, &text, &error)))?,
            Err(error) if may_be_missing && error.kind() == io::ErrorKind::NotFound => {
                Listed::default()
            }
            Err(source) => return Err(CommandError::File { doing: "read", path, source }),
        };
        Ok(Self { path, listed })
    }

    /// Returns the names of all contexts.
    pub(crate) fn names(&self) -> impl Iterator<Item = &ContextName> {
        self.listed.contexts.keys()
    }

    /// Returns the endpoints of a context.
    pub(crate) fn endpoints(&self, name: &ContextName) -> &[String] {
        self.listed.contexts.get(name).map(|entry| entry.endpoints.as_slice()).unwrap_or_default()
    }

    /// Returns the context that is used when the command line names none.
    pub(crate) fn current(&self) -> Option<&ContextName> {
        self.listed.current.as_ref()
    }

    /// Reads the named context, or the current one.
    pub(crate) fn context(&self, name: Option<&str>) -> Result<Context, CommandError> {
        let name = match (name, &self.listed.current) {
            (Some(name), _) => self.known(name)?,
            (None, Some(current)) => self.known_current(current)?,
            (None, None) => return Err(CommandError::Context(self.none_chosen())),
        };
        let read = |file: &str| read_limited(&self.folder(&name).join(file));
        Ok(Context {
            endpoints: self.endpoints(&name).to_vec(),
            listed_in: self.path.clone(),
            credentials: Credentials {
                ca_pem: read(AUTHORITY)?,
                certificate_pem: read(CERTIFICATE)?,
                key_pem: read(KEY)?,
            },
            name,
        })
    }

    /// Stores a bundle as a context. The first context becomes the current one.
    pub(crate) fn import(
        &mut self,
        bundle: Bundle,
        name: Option<ContextName>,
        replace: bool,
    ) -> Result<(ContextName, String), CommandError> {
        let name = match name {
            Some(name) => name,
            None => bundle.name.parse().map_err(|error: InvalidContextName| {
                CommandError::Context(format!(
                    "{}: {error} (choose another name with --name)",
                    printable(&bundle.name)
                ))
            })?,
        };
        if self.listed.contexts.contains_key(&name) && !replace {
            return Err(CommandError::Context(format!(
                "context {name} already exists (overwrite it with --replace, or choose another name with --name)"
            )));
        }
        let credentials = Credentials {
            ca_pem: bundle.ca_pem,
            certificate_pem: bundle.certificate_pem,
            key_pem: bundle.key_pem,
        };
        credentials
            .check()
            .map_err(|source| CommandError::Credentials { context: name.to_string(), source })?;
        let endpoint = address(&bundle.endpoint).to_owned();
        let folder = self.folder(&name);
        make_folder(&folder)?;
        write_private(&folder.join(AUTHORITY), &credentials.ca_pem)?;
        write_private(&folder.join(CERTIFICATE), &credentials.certificate_pem)?;
        write_private(&folder.join(KEY), &credentials.key_pem)?;
        let entry = Entry { endpoints: vec![endpoint.clone()] };
        self.listed.contexts.insert(name.clone(), entry);
        self.listed.current.get_or_insert_with(|| name.clone());
        self.save()?;
        Ok((name, endpoint))
    }

    /// Makes a context the current one.
    pub(crate) fn choose(&mut self, name: &str) -> Result<ContextName, CommandError> {
        let name = self.known(name)?;
        self.listed.current = Some(name.clone());
        self.save()?;
        Ok(name)
    }

    /// Removes a context and its key.
    pub(crate) fn remove(&mut self, name: &str) -> Result<ContextName, CommandError> {
        let name = self.known(name)?;
        self.listed.contexts.remove(&name);
        if self.listed.current.as_ref() == Some(&name) {
            self.listed.current = None;
        }
        self.save()?;
        let folder = self.folder(&name);
        match fs::remove_dir_all(&folder) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(CommandError::File { doing: "remove", path: folder, source })
            }
            Ok(()) | Err(_) => Ok(name),
        }
    }

    fn known(&self, name: &str) -> Result<ContextName, CommandError> {
        match self.names().find(|known| known.0 == name) {
            Some(known) => Ok(known.clone()),
            None => {
                let problem = Problem::new("", format!("there is no context {}", printable(name)));
                let known = self.names().map(|name| name.0.as_str());
                Err(CommandError::Context(problem.suggest(name, known).to_string()))
            }
        }
    }

    fn known_current(&self, name: &ContextName) -> Result<ContextName, CommandError> {
        if self.listed.contexts.contains_key(name) {
            return Ok(name.clone());
        }
        let known: Vec<&str> = self.names().map(|name| name.0.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Err(CommandError::Context(format!(
            "{}: current: there is no context {name} (select one with omlctl context use NAME; known: {known})",
            self.path.display()
        )))
    }

    fn none_chosen(&self) -> String {
        if self.listed.contexts.is_empty() {
            "there is no context yet; import your operator bundle with omlctl context import FILE"
                .to_owned()
        } else {
            "no context is selected; select one with omlctl context use NAME, or use --context NAME"
                .to_owned()
        }
    }

    fn folder(&self, name: &ContextName) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join("contexts").join(&name.0)
    }

    fn save(&self) -> Result<(), CommandError> {
        let text = toml::to_string(&self.listed)
            .map_err(|error| CommandError::Format("TOML", error.into()))?;
        if let Some(folder) = self.path.parent().filter(|path| !path.as_os_str().is_empty()) {
            make_folder(folder)?;
        }
        write_private(&self.path, &text)
    }
}

/// Formats an error of a TOML file with its line, but without the text, which may be private.
fn placed(path: &Path, text: &str, error: &toml::de::Error) -> String {
    let line = error.span().and_then(|span| text.get(..span.start)).map(|before| {
        let line = before.matches('\n').count() + 1;
        format!("line {line}: ")
    });
    let (path, line) = (path.display(), line.unwrap_or_default());
    format!("{path}: {line}{}", printable(error.message()))
}

fn usual() -> Result<PathBuf, CommandError> {
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    home.map(|home| home.join(".config/omlctl/config.toml")).ok_or_else(|| {
        CommandError::Context("there is no home directory; name the file with --config FILE".into())
    })
}

/// Reads the file that `omlcontroller init` writes for an operator, and refuses one that cannot
/// be used.
pub(crate) fn read_bundle(path: &Path) -> Result<Bundle, CommandError> {
    let text = read_limited(path)?;
    let refused = |why: &dyn fmt::Display| {
        let path = path.display();
        CommandError::Context(format!("{path} is not an operator's bundle: {why}"))
    };
    // The message names the field; the text itself holds a key and is not shown.
    let bundle: Bundle = toml::from_str(&text).map_err(|error| refused(&error.message()))?;
    match problem_of(&bundle) {
        Some(problem) => Err(refused(&problem)),
        None => Ok(bundle),
    }
}

/// Returns the problem of a bundle whose endpoint is not valid or whose certificate is
/// not that of an operator.
fn problem_of(bundle: &Bundle) -> Option<Problem> {
    let endpoint = address(&bundle.endpoint);
    if uri(endpoint).is_none() {
        let problem = Problem::new("endpoint", format!("{endpoint:?} is not an address"));
        return Some(problem.hint(ADDRESS_HINT));
    }
    // A certificate that cannot be parsed is reported when the credentials are tried.
    let own = certificate(&bundle.certificate_pem, "certificate").ok()?;
    let wrong = match Peer::from_certificate(&own).map(|peer| peer.identity) {
        Ok(Identity::Operator(_)) => return None,
        Ok(other) => format!("it belongs to {other}"),
        Err(error) => error.to_string(),
    };
    let hint = "use the file that the command init or operator add of the controller wrote";
    Some(Problem::new("certificate_pem", wrong).hint(hint))
}

/// Returns an endpoint as `host:port`, even if it was written as a URL.
pub(crate) fn address(endpoint: &str) -> &str {
    endpoint.trim().trim_start_matches("https://").trim_end_matches('/')
}

fn read_limited(path: &Path) -> Result<String, CommandError> {
    use std::io::Read as _;
    const BYTES_MAX: u64 = 1 << 20;
    let read = || {
        let mut text = String::new();
        fs::File::open(path)?.take(BYTES_MAX).read_to_string(&mut text)?;
        Ok(text)
    };
    read().map_err(|source| CommandError::File { doing: "read", path: path.to_owned(), source })
}

fn make_folder(path: &Path) -> Result<(), CommandError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| CommandError::File { doing: "write", path: path.to_owned(), source })
}

/// Writes a file atomically, with a mode that lets only its owner read it.
fn write_private(path: &Path, text: &str) -> Result<(), CommandError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let write = || {
        // `NamedTempFile` creates the file with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|source| CommandError::File { doing: "write", path: path.to_owned(), source })
}

impl std::str::FromStr for ContextName {
    type Err = InvalidContextName;

    fn from_str(text: &str) -> Result<Self, InvalidContextName> {
        let word = |b: u8| b.is_ascii_alphanumeric();
        let valid = text.len() <= 63
            && text.bytes().next().is_some_and(word)
            && text.bytes().all(|b| word(b) || matches!(b, b'.' | b'-' | b'_'));
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidContextName) }
    }
}

impl TryFrom<String> for ContextName {
    type Error = InvalidContextName;
    fn try_from(text: String) -> Result<Self, InvalidContextName> {
        text.parse()
    }
}

impl From<ContextName> for String {
    fn from(name: ContextName) -> String {
        name.0
    }
}

impl fmt::Display for ContextName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
