//! Puts images into a registry, only what is missing, and moves tags. Speaks the registry's own protocol.

use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::{LabError, Result};
use crate::http::{Request, Response, send};
use crate::oci::{Document, Layer, MANIFEST_TYPE};

/// A registry and, where it asks for one, a login.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) login: Option<(String, String)>,
}

impl Client {
    /// Pushes one image under a tag.
    pub(crate) fn push(
        &self,
        repository: &str,
        tag: &str,
        image: (&Document, &Document),
        layers: &[Layer],
    ) -> Result<()> {
        let (config, manifest) = image;
        for layer in layers {
            let open = || File::open(&layer.path);
            self.push_blob(repository, &layer.digest, layer.size_bytes, open)?;
        }
        let size_bytes = config.bytes.len() as u64;
        self.push_blob(repository, &config.digest, size_bytes, || Ok(config.bytes.as_slice()))?;
        self.put_manifest(repository, tag, &manifest.bytes)
    }

    /// Gives an image a second tag, or moves a tag to another image.
    pub(crate) fn retag(&self, repository: &str, from: &str, to: &str) -> Result<()> {
        let manifest = self.manifest(repository, from)?;
        self.put_manifest(repository, to, &manifest.body)
    }

    /// The digest a tag points to.
    pub(crate) fn digest(&self, repository: &str, tag: &str) -> Result<String> {
        self.manifest(repository, tag)?
            .header("docker-content-digest")
            .map(str::to_owned)
            .ok_or_else(|| LabError::Invalid(format!("no digest for {repository}:{tag}")))
    }

    /// The status of the registry's front door: 200, or 401 when it wants a login.
    pub(crate) fn front_door(&self) -> Result<u16> {
        self.ask(Ask::new("GET", "/v2/")).map(|response| response.status)
    }

    fn manifest(&self, repository: &str, tag: &str) -> Result<Response> {
        let path = format!("/v2/{repository}/manifests/{tag}");
        self.expect(200, Ask { header: Some(("Accept", MANIFEST_TYPE)), ..Ask::new("GET", &path) })
    }

    fn put_manifest(&self, repository: &str, tag: &str, bytes: &[u8]) -> Result<()> {
        let path = format!("/v2/{repository}/manifests/{tag}");
        let mut body = bytes;
        let put = Ask {
            header: Some(("Content-Type", MANIFEST_TYPE)),
            body: Some((&mut body, bytes.len() as u64)),
            ..Ask::new("PUT", &path)
        };
        self.expect(201, put).map(drop)
    }

    fn push_blob<R: Read>(
        &self,
        repository: &str,
        digest: &str,
        size_bytes: u64,
        open: impl FnOnce() -> io::Result<R>,
    ) -> Result<()> {
        let path = format!("/v2/{repository}/blobs/{digest}");
        if self.ask(Ask::new("HEAD", &path))?.status == 200 {
            return Ok(());
        }
        let start = format!("/v2/{repository}/blobs/uploads/");
        let started = self.expect(202, Ask::new("POST", &start))?;
        let place = started.header("location").unwrap_or_default();
        let place = place.find("/v2/").and_then(|at| place.get(at..)).unwrap_or_default();
        let path = format!("{place}&digest={digest}");
        let mut body = open().map_err(LabError::io("read", digest))?;
        let put = Ask {
            header: Some(("Content-Type", "application/octet-stream")),
            body: Some((&mut body, size_bytes)),
            ..Ask::new("PUT", &path)
        };
        self.expect(201, put).map(drop)
    }

    fn expect(&self, status: u16, ask: Ask<'_>) -> Result<Response> {
        let what = format!("{} {}", ask.method, ask.path);
        let response = self.ask(ask)?;
        if response.status == status {
            return Ok(response);
        }
        Err(LabError::Invalid(format!(
            "the registry answered {} to {what}: {}",
            response.status,
            String::from_utf8_lossy(&response.body).trim()
        )))
    }

    fn ask(&self, ask: Ask<'_>) -> Result<Response> {
        let mut headers: Vec<_> =
            ask.header.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        if let Some((user, password)) = &self.login {
            let token = STANDARD.encode(format!("{user}:{password}"));
            headers.push(("Authorization", format!("Basic {token}")));
        }
        let mut nothing = io::empty();
        let (body, body_bytes) = ask.body.unwrap_or((&mut nothing, 0));
        let request = Request { method: ask.method, path: ask.path, headers, body, body_bytes };
        send(self.address, request).map_err(LabError::io("ask the registry for", ask.path))
    }
}

/// One question to the registry.
struct Ask<'a> {
    method: &'a str,
    path: &'a str,
    header: Option<(&'a str, &'a str)>,
    body: Option<(&'a mut dyn Read, u64)>,
}

impl<'a> Ask<'a> {
    fn new(method: &'a str, path: &'a str) -> Self {
        Self { method, path, header: None, body: None }
    }
}
