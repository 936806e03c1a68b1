//! Resolves the version of an image to a digest at its registry (OCI distribution
//! specification). Every request is bounded in time and size; no image is pulled.

use std::collections::HashMap;
use std::time::Duration;

use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE,
};
use hyper::{Method, StatusCode, Uri};
use oml_common::decide::plan::{ImageFacts, Mirrors};
use oml_common::id::{ContentHash, DOCKER_HUB, Digest, ImageVersion, Repository};
use oml_common::text::error::chain;
use oml_daemon::env::Clock;
use oml_daemon::proxy::Proxies;
use rustls::pki_types::CertificateDer;
use tokio::time::timeout;
use tracing::debug;

mod credentials;
mod error;
mod http;
mod login;
mod manifest;
mod redirect;
mod trust;

pub use self::credentials::{RegistryCredentials, TenantLogins};
pub use self::error::RegistryError;
use self::http::HttpError;
pub(crate) use self::http::{Http, Outgoing, Response};
use self::manifest::Described;

/// The time limit for resolving one tag, including all its HTTP requests.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The time limit for reading what a manifest says about its image.
const DESCRIBE_TIMEOUT: Duration = Duration::from_secs(5);

/// The media types of the manifests that a container engine can pull.
const MANIFEST_TYPES: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.docker.distribution.manifest.v2+json";

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// The configured access to one registry.
#[derive(Debug, Clone, Default)]
pub struct RegistryAccess {
    /// Uses plain HTTP instead of HTTPS.
    pub plain_http: bool,
    /// The login for a registry that requires one.
    pub login: Option<RegistryCredentials>,
    /// The authorities that are trusted for it besides those of the system.
    pub authorities: Vec<CertificateDer<'static>>,
}

/// An image as its registry has it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedImage {
    pub digest: Digest,
    /// What the registry reports about it; unknown if that cannot be read.
    pub facts: ImageFacts,
}

/// How registries are reached. Every registry without an entry is reached over HTTPS without a
/// login.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// The access by the registry's key ([`oml_common::id::registry_key`]).
    pub access: HashMap<String, RegistryAccess>,
    pub mirrors: Mirrors,
    pub proxies: Proxies,
}

/// The image registries and how each is reached.
#[derive(Debug)]
pub struct Registries {
    access: HashMap<String, RegistryAccess>,
    mirrors: Mirrors,
    http: Http,
    /// The simulation that replaces all registries, if there is one.
    #[cfg(feature = "sim")]
    simulated: Option<SimulatedRegistries>,
}

/// A simulation of all registries, which resolves tags without a network.
#[cfg(feature = "sim")]
pub struct SimulatedRegistries(pub Resolve);

/// What answers in the place of a registry.
#[cfg(feature = "sim")]
pub type Resolve = Box<dyn Fn(&Repository, &oml_common::id::Version) -> Answered + Send + Sync>;

/// The result of resolving a tag: its digest, or the reason that there is none.
#[cfg(feature = "sim")]
pub type Answered = Result<Digest, RegistryError>;

#[cfg(feature = "sim")]
impl std::fmt::Debug for SimulatedRegistries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SimulatedRegistries")
    }
}

impl Registries {
    /// Makes registries that are reached like this. Certificates are judged by `clock`.
    #[must_use]
    pub fn new(Reach { access, mirrors, proxies }: Reach, clock: Clock) -> Self {
        Self {
            access,
            mirrors,
            http: Http::new(clock, proxies),
            #[cfg(feature = "sim")]
            simulated: None,
        }
    }

    /// Makes registries that are replaced by a simulation.
    #[cfg(feature = "sim")]
    #[must_use]
    pub fn simulated(simulated: SimulatedRegistries, clock: Clock) -> Self {
        Self { simulated: Some(simulated), ..Self::new(Reach::default(), clock) }
    }

    /// Returns the rules by which images are pulled from another place than their names say.
    #[must_use]
    pub fn mirrors(&self) -> &Mirrors {
        &self.mirrors
    }

    /// Returns the key of the registry that is asked for the images of a repository. Of one that no rule
    /// of mirrors can name it is the repository's own, and the question is refused.
    #[must_use]
    pub fn asked_for(&self, repository: &Repository) -> String {
        let mirrored = self.mirrors.source(repository).ok().flatten();
        mirrored.as_ref().unwrap_or(repository).registry()
    }

    /// Returns the image that a version names now, asked where hosts pull it from, with the login of
    /// the tenant if it has one for that registry.
    ///
    /// # Errors
    /// Returns [`RegistryError`] with the reason.
    pub async fn resolve_as(
        &self,
        logins: &TenantLogins,
        repository: &Repository,
        version: &ImageVersion,
    ) -> Result<ResolvedImage, RegistryError> {
        #[cfg(feature = "sim")]
        if let Some(simulated) = &self.simulated {
            let tagged = simulated.0(repository, &version.name())?;
            let digest = version.digest().cloned().unwrap_or(tagged);
            return Ok(ResolvedImage { digest, facts: ImageFacts::default() });
        }
        let mirrored = self.mirrors.source(repository).map_err(|error| {
            let (registry, reason) = (repository.registry(), error.to_string());
            RegistryError::Refused { registry, reason }
        })?;
        let source = mirrored.as_ref().unwrap_or(repository);
        let (registry, name) = (source.registry(), source.name());
        let mut access = self.access.get(&registry).cloned().unwrap_or_default();
        access.login = logins.get(&registry).cloned().or(access.login);
        let lookup = TagLookup {
            http: &self.http,
            registry: &registry,
            name: &name,
            mirror_of: mirrored.as_ref().map(|_| repository),
            version,
            access,
        };
        let asked = timeout(RESOLVE_TIMEOUT, lookup.resolve()).await;
        let found = asked.unwrap_or_else(|_elapsed| {
            Err(lookup.unavailable(&format!("no response within {} s", RESOLVE_TIMEOUT.as_secs())))
        })?;
        let Found { digest, is_manifest } = found;
        let facts = match is_manifest {
            true => timeout(DESCRIBE_TIMEOUT, lookup.describe(&digest)).await,
            false => Ok(Ok(ImageFacts::default())),
        };
        // The digest is enough to go on; the engine of a host says the same later.
        let facts = facts.unwrap_or_else(|_elapsed| Ok(ImageFacts::default()));
        let facts = facts.unwrap_or_else(|error| {
            debug!(repository = %source, %version, error = chain(&error), "cannot read the manifest");
            ImageFacts::default()
        });
        Ok(ResolvedImage { digest, facts })
    }
}

/// Returns the address under which a registry answers. Docker Hub is named after a host that
/// serves no images.
fn address(registry: &str) -> &str {
    if registry == DOCKER_HUB { "registry-1.docker.io" } else { registry }
}

/// Returns true if the response is of a type that says something about the image.
fn is_manifest(response: &Response) -> bool {
    let kind = response.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    kind.is_some_and(|kind| MANIFEST_TYPES.split(", ").any(|known| known == kind))
}

/// The digest that a tag names, and whether the registry says that it is a manifest's.
#[derive(Debug)]
struct Found {
    digest: Digest,
    is_manifest: bool,
}

/// The lookup of one tag at one registry.
#[derive(Debug)]
struct TagLookup<'a> {
    http: &'a Http,
    registry: &'a str,
    name: &'a str,
    /// The image that is pulled from here by a rule, if there is one.
    mirror_of: Option<&'a Repository>,
    version: &'a ImageVersion,
    access: RegistryAccess,
}

impl TagLookup<'_> {
    async fn resolve(&self) -> Result<Found, RegistryError> {
        let found = self.find().await?;
        match self.version.digest() {
            Some(wanted) if *wanted != found.digest => {
                Err(self.unavailable(&format!("asked for {wanted}, it sent {}", found.digest)))
            }
            Some(_) | None => Ok(found),
        }
    }

    /// Returns what the registry has under the version.
    async fn find(&self) -> Result<Found, RegistryError> {
        let url = self.url(&format!("manifests/{}", self.version.reference()))?;
        let head = self.fetch(Method::HEAD, &url).await?;
        let is_elsewhere = !redirect::is_same_server(&head.url, &url);
        if head.status == StatusCode::OK
            && let Some(digest) = head.headers.get(CONTENT_DIGEST)
        {
            let digest = digest.to_str().ok().and_then(|text| text.parse().ok());
            let digest = digest.ok_or_else(|| self.unavailable("it sent no SHA-256 digest"))?;
            return Ok(Found { digest, is_manifest: is_manifest(&head) });
        }
        // An address that is signed for GET refuses HEAD.
        if !is_elsewhere && head.status != StatusCode::METHOD_NOT_ALLOWED {
            self.check(head.status)?;
        }
        let response = self.fetch(Method::GET, &url).await?;
        self.check(response.status)?;
        let digest = format!("sha256:{}", ContentHash::of(&response.body));
        let digest = digest.parse().expect("a content hash is 64 hexadecimal digits");
        Ok(Found { digest, is_manifest: is_manifest(&response) })
    }

    /// Reads what the manifest, or the configuration that it names, says about the image.
    async fn describe(&self, digest: &Digest) -> Result<ImageFacts, RegistryError> {
        let read = async |path: String| {
            let response = self.fetch(Method::GET, &self.url(&path)?).await?;
            self.check(response.status).map(|()| response.body)
        };
        match manifest::of_manifest(&read(format!("manifests/{digest}")).await?) {
            Described::Facts(facts) => Ok(facts),
            Described::Config(digest) => {
                Ok(manifest::of_config(&read(format!("blobs/{digest}")).await?))
            }
        }
    }

    /// Returns the address of something that belongs to the image.
    fn url(&self, path: &str) -> Result<Uri, RegistryError> {
        let scheme = if self.access.plain_http { "http" } else { "https" };
        let (host, name) = (address(self.registry), self.name);
        let url = format!("{scheme}://{host}/v2/{name}/{path}");
        url.parse().map_err(|error| self.unavailable(&format!("{error}")))
    }

    /// Requests a manifest or a blob, and logs in if that is required.
    async fn fetch(&self, method: Method, url: &Uri) -> Result<Response, RegistryError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(MANIFEST_TYPES));
        let response = self.send(method.clone(), url, &headers).await?;
        if response.status != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        // The login is for this registry and for no other one to which it redirects.
        let is_own = redirect::is_same_server(&response.url, url);
        let login = self.access.login.clone().filter(|_| is_own);
        let access = RegistryAccess { login, ..self.access.clone() };
        Self { access, ..*self }.log_in(&response, &mut headers).await?;
        self.send(method, &response.url, &headers).await
    }

    /// Adds the authorization that the registry requires in `refused` to `headers`.
    async fn log_in(
        &self,
        refused: &Response,
        headers: &mut HeaderMap,
    ) -> Result<(), RegistryError> {
        let sent = refused.headers.get_all(WWW_AUTHENTICATE).iter();
        let sent: Vec<String> = sent.map(login::readable).collect();
        if sent.is_empty() {
            return Err(self.unauthorized("it sent no login challenge"));
        }
        let authorization = login::authorize(self, sent.iter().map(String::as_str)).await?;
        headers.insert(AUTHORIZATION, authorization);
        Ok(())
    }

    /// Sends a request and follows redirects, but never with a login to another server.
    async fn send(
        &self,
        method: Method,
        url: &Uri,
        headers: &HeaderMap,
    ) -> Result<Response, RegistryError> {
        let mut headers = headers.clone();
        let mut url = url.clone();
        for _ in 0..=redirect::REDIRECTS_MAX {
            let trusted = &self.access.authorities;
            let response = self.http.send(method.clone(), &url, &headers, trusted).await;
            let response = response.map_err(|error| self.failed(&error))?;
            if !redirect::is_redirect(response.status) {
                return Ok(response);
            }
            let target = redirect::target(&response).map_err(|reason| self.unavailable(&reason))?;
            if !redirect::is_same_server(&url, &target) {
                headers.remove(AUTHORIZATION);
            }
            url = target;
        }
        let reason = format!("it redirects more than {} times", redirect::REDIRECTS_MAX);
        Err(self.unavailable(&reason))
    }

    fn check(&self, status: StatusCode) -> Result<(), RegistryError> {
        match status {
            StatusCode::OK => Ok(()),
            StatusCode::NOT_FOUND | StatusCode::GONE => Err(RegistryError::NotFound {
                registry: self.registry.to_owned(),
                name: format!("{}{}", self.name, self.version.suffix()),
                mirror_of: self.mirror_of.cloned(),
            }),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(self.unauthorized(&format!("it responded with {status}")))
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
                Err(self.unavailable(&format!("it responded with {status}")))
            }
            other if other.is_client_error() => {
                let registry = self.registry.to_owned();
                Err(RegistryError::Refused {
                    registry,
                    reason: format!("it responded with {other}"),
                })
            }
            other => Err(self.unavailable(&format!("it responded with {other}"))),
        }
    }

    fn failed(&self, error: &HttpError) -> RegistryError {
        let Some(wrong) = error.wrong_certificate() else {
            return self.unavailable(&error.to_string());
        };
        let hint = match *wrong == rustls::CertificateError::UnknownIssuer {
            true => {
                "; if its certificate is of a private authority, name that by ca_file in controller.toml"
            }
            false => "",
        };
        let registry = self.registry.to_owned();
        RegistryError::Untrusted { registry, reason: format!("{error}{hint}") }
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
