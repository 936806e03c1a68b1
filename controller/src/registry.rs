//! Asks a registry which image a tag names today (OCI distribution
//! specification). Every answer is bounded in time and size; nothing is pulled.

use std::collections::HashMap;
use std::time::Duration;

use hyper::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Method, StatusCode, Uri};
use oml_common::id::{ContentHash, Digest, Repository, Version};
use tokio::time::timeout;

mod http;
mod login;

use self::http::{Answer, Http, HttpError};

/// How long one question may take, all its requests together.
const ASK_TIMEOUT: Duration = Duration::from_secs(10);

/// The manifests an engine can pull.
const MANIFEST_TYPES: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.docker.distribution.manifest.v2+json";

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// What is configured of one registry.
#[derive(Debug, Clone, Default)]
pub struct RegistryAccess {
    /// Ask it over plain HTTP.
    pub plain_http: bool,
    /// How to log in, if it asks for that.
    pub login: Option<Login>,
}

/// A user's name and password.
#[derive(Clone)]
pub struct Login {
    pub user: String,
    /// The password or token.
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Login({})", self.user)
    }
}

/// Why a tag has no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The registry answers and does not have it: the operator's mistake.
    #[error("{registry} has no {name}:{version}")]
    NotFound {
        registry: String,
        /// The image's name in it.
        name: String,
        version: Version,
    },
    /// The registry does not let us ask.
    #[error("{registry} refuses the login: {reason}")]
    Unauthorized { registry: String, reason: String },
    /// There is no usable answer; later there may be one.
    #[error("{registry} gives no answer: {reason}")]
    Unavailable {
        registry: String,
        /// What went wrong.
        reason: String,
    },
}

impl RegistryError {
    /// The same question may be answered later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::NotFound { .. } | Self::Unauthorized { .. } => false,
        }
    }
}

/// The image registries and how each is reached.
#[derive(Debug, Default)]
pub struct Registries {
    access: HashMap<String, RegistryAccess>,
    http: Http,
    /// Answers in the place of all of them.
    #[cfg(feature = "sim")]
    simulated: Option<SimulatedRegistries>,
}

/// Registries that are simulated: what a tag names, or why nobody says.
#[cfg(feature = "sim")]
pub struct SimulatedRegistries(pub Resolve);

/// What answers in the place of a registry.
#[cfg(feature = "sim")]
pub type Resolve = Box<dyn Fn(&Repository, &Version) -> Answered + Send + Sync>;

/// What a registry says of a tag.
#[cfg(feature = "sim")]
pub type Answered = Result<Digest, RegistryError>;

#[cfg(feature = "sim")]
impl std::fmt::Debug for SimulatedRegistries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SimulatedRegistries")
    }
}

impl Registries {
    /// Knows how to talk to the registries of these addresses (`host` or
    /// `host:port`); any other is asked over HTTPS without a login.
    #[must_use]
    pub fn new(access: HashMap<String, RegistryAccess>) -> Self {
        Self { access, ..Self::default() }
    }

    /// Registries that are simulated.
    #[cfg(feature = "sim")]
    #[must_use]
    pub fn simulated(simulated: SimulatedRegistries) -> Self {
        Self { simulated: Some(simulated), ..Self::default() }
    }

    /// The digest that a tag names now.
    pub async fn resolve(
        &self,
        repository: &Repository,
        version: &Version,
    ) -> Result<Digest, RegistryError> {
        #[cfg(feature = "sim")]
        if let Some(simulated) = &self.simulated {
            return simulated.0(repository, version);
        }
        let (registry, name) = split(repository);
        let access = self.access.get(registry).cloned().unwrap_or_default();
        let question = Question { http: &self.http, registry, name: &name, version, access };
        let asked = timeout(ASK_TIMEOUT, question.ask()).await;
        asked.unwrap_or_else(|_elapsed| {
            Err(question.unavailable(&format!("none within {} s", ASK_TIMEOUT.as_secs())))
        })
    }
}

/// The registry's address and the image's name in it, by Docker's rule: the
/// first part is an address if it could not be a name.
fn split(repository: &Repository) -> (&str, String) {
    let text = repository.as_str();
    let is_address = |part: &str| part.contains(['.', ':']) || part == "localhost";
    match text.split_once('/') {
        Some((first, name)) if is_address(first) => (first, name.to_owned()),
        Some(_) => (DOCKER_HUB, text.to_owned()),
        None => (DOCKER_HUB, format!("library/{text}")),
    }
}

const DOCKER_HUB: &str = "registry-1.docker.io";

/// One tag asked of one registry.
#[derive(Debug)]
struct Question<'a> {
    http: &'a Http,
    registry: &'a str,
    name: &'a str,
    version: &'a Version,
    access: RegistryAccess,
}

impl Question<'_> {
    async fn ask(&self) -> Result<Digest, RegistryError> {
        let scheme = if self.access.plain_http { "http" } else { "https" };
        let (registry, name, version) = (self.registry, self.name, self.version);
        let url = format!("{scheme}://{registry}/v2/{name}/manifests/{version}");
        let url: Uri = url.parse().map_err(|error| self.unavailable(&format!("{error}")))?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(MANIFEST_TYPES));
        let mut answer = self.send(Method::HEAD, &url, &headers).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            self.log_in(&answer, &mut headers).await?;
            answer = self.send(Method::HEAD, &url, &headers).await?;
        }
        self.check(answer.status)?;
        if let Some(digest) = answer.headers.get(CONTENT_DIGEST) {
            let digest = digest.to_str().ok().and_then(|text| text.parse().ok());
            return digest.ok_or_else(|| self.unavailable("it names no SHA-256 digest"));
        }
        let answer = self.send(Method::GET, &url, &headers).await?;
        self.check(answer.status)?;
        let digest = format!("sha256:{}", ContentHash::of(&answer.body));
        Ok(digest.parse().expect("a content hash is 64 hexadecimal digits"))
    }

    /// Adds to `headers` what the registry asked for in `refused`.
    async fn log_in(&self, refused: &Answer, headers: &mut HeaderMap) -> Result<(), RegistryError> {
        let challenge = refused.headers.get(WWW_AUTHENTICATE).and_then(|text| text.to_str().ok());
        let challenge = challenge.ok_or_else(|| self.unauthorized("it does not say how"))?;
        let authorization = login::answer(self, challenge).await?;
        headers.insert(hyper::header::AUTHORIZATION, authorization);
        Ok(())
    }

    async fn send(
        &self,
        method: Method,
        url: &Uri,
        headers: &HeaderMap,
    ) -> Result<Answer, RegistryError> {
        let answer = self.http.send(method, url, headers).await;
        answer.map_err(|error: HttpError| self.unavailable(&error.to_string()))
    }

    fn check(&self, status: StatusCode) -> Result<(), RegistryError> {
        match status {
            StatusCode::OK => Ok(()),
            StatusCode::NOT_FOUND => Err(RegistryError::NotFound {
                registry: self.registry.to_owned(),
                name: self.name.to_owned(),
                version: self.version.clone(),
            }),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(self.unauthorized(&format!("it answers {status}")))
            }
            other => Err(self.unavailable(&format!("it answers {other}"))),
        }
    }

    fn unauthorized(&self, reason: &str) -> RegistryError {
        let registry = self.registry.to_owned();
        RegistryError::Unauthorized { registry, reason: reason.to_owned() }
    }

    fn unavailable(&self, reason: &str) -> RegistryError {
        let registry = self.registry.to_owned();
        RegistryError::Unavailable { registry, reason: reason.to_owned() }
    }
}

#[cfg(test)]
mod tests;
