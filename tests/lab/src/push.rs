//! A client for the HTTP API of a registry. It pushes the missing parts of images and moves tags.

use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::{LabError, Result};
use crate::http::{Request, Response, send};
use crate::oci::{Blob, Layer, MANIFEST_TYPE};

/// A registry's address and, if it requires one, a login.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) login: Option<(String, String)>,
}

/// The parts of an image, as a registry stores them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ImageBlobs<'a> {
    pub(crate) config: &'a Blob,
    pub(crate) manifest: &'a Blob,
    pub(crate) layers: &'a [Layer],
}

impl Client {
    /// Pushes one image under a tag.
    pub(crate) fn push(&self, repository: &str, tag: &str, image: ImageBlobs<'_>) -> Result<()> {
        let ImageBlobs { config, manifest, layers } = image;
        for layer in layers {
            let open = || File::open(&layer.path);
            self.push_blob(repository, &layer.digest, layer.size_bytes, open)?;
        }
        self.push_small_blob(repository, config)?;
        self.put_manifest(repository, tag, MANIFEST_TYPE, &manifest.bytes)
    }

    /// Makes the tag `to` point to the image of the tag `from`.
    pub(crate) fn retag(&self, repository: &str, from: &str, to: &str) -> Result<()> {
        let manifest = self.manifest(repository, from)?;
        self.put_manifest(repository, to, MANIFEST_TYPE, &manifest.body)
    }

    /// Returns the digest that a tag points to.
    pub(crate) fn digest(&self, repository: &str, tag: &str) -> Result<String> {
        self.manifest(repository, tag)?
            .header("docker-content-digest")
            .map(str::to_owned)
            .ok_or_else(|| {
                LabError::Invalid(format!("the registry sent no digest for {repository}:{tag}"))
            })
    }

    /// Returns the HTTP status of the API's root: 200, or 401 if the registry requires a login.
    pub(crate) fn api_status(&self) -> Result<u16> {
        self.send(ApiRequest::new("GET", "/v2/")).map(|response| response.status)
    }

    /// Returns the manifest that a tag points to.
    pub(crate) fn manifest(&self, repository: &str, tag: &str) -> Result<Response> {
        let path = format!("/v2/{repository}/manifests/{tag}");
        self.send_expecting(
            200,
            ApiRequest { header: Some(("Accept", MANIFEST_TYPE)), ..ApiRequest::new("GET", &path) },
        )
    }

    /// Returns the bytes of a small blob.
    pub(crate) fn blob(&self, repository: &str, digest: &str) -> Result<Vec<u8>> {
        let path = format!("/v2/{repository}/blobs/{digest}");
        Ok(self.send_expecting(200, ApiRequest::new("GET", &path))?.body)
    }

    /// Makes a tag point to a manifest or an index.
    pub(crate) fn put_manifest(
        &self,
        repository: &str,
        tag: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<()> {
        let path = format!("/v2/{repository}/manifests/{tag}");
        let mut body = bytes;
        let put = ApiRequest {
            header: Some(("Content-Type", media_type)),
            body: Some((&mut body, bytes.len() as u64)),
            ..ApiRequest::new("PUT", &path)
        };
        self.send_expecting(201, put).map(drop)
    }

    /// Pushes a blob that is in memory, unless the registry has it.
    pub(crate) fn push_small_blob(&self, repository: &str, blob: &Blob) -> Result<()> {
        let size_bytes = blob.bytes.len() as u64;
        self.push_blob(repository, &blob.digest, size_bytes, || Ok(blob.bytes.as_slice()))
    }

    /// Gives a repository a blob of another one, and returns whether the other one has it.
    pub(crate) fn mount_blob(&self, repository: &str, digest: &str, from: &str) -> Result<bool> {
        let path = format!("/v2/{repository}/blobs/uploads/?mount={digest}&from={from}");
        let response = self.send(ApiRequest::new("POST", &path))?;
        match response.status {
            201 => Ok(true),
            202 => Ok(false),
            status => Err(LabError::Invalid(format!(
                "the registry answered {status} to POST {path}: {}",
                String::from_utf8_lossy(&response.body).trim()
            ))),
        }
    }

    fn push_blob<R: Read>(
        &self,
        repository: &str,
        digest: &str,
        size_bytes: u64,
        open: impl FnOnce() -> io::Result<R>,
    ) -> Result<()> {
        let path = format!("/v2/{repository}/blobs/{digest}");
        if self.send(ApiRequest::new("HEAD", &path))?.status == 200 {
            return Ok(());
        }
        let start = format!("/v2/{repository}/blobs/uploads/");
        let started = self.send_expecting(202, ApiRequest::new("POST", &start))?;
        let location = started.header("location").unwrap_or_default();
        let location = location.find("/v2/").and_then(|at| location.get(at..)).unwrap_or_default();
        let path = format!("{location}&digest={digest}");
        let mut body = open().map_err(LabError::io("read", digest))?;
        let put = ApiRequest {
            header: Some(("Content-Type", "application/octet-stream")),
            body: Some((&mut body, size_bytes)),
            ..ApiRequest::new("PUT", &path)
        };
        self.send_expecting(201, put).map(drop)
    }

    fn send_expecting(&self, status: u16, request: ApiRequest<'_>) -> Result<Response> {
        let what = format!("{} {}", request.method, request.path);
        let response = self.send(request)?;
        if response.status == status {
            return Ok(response);
        }
        Err(LabError::Invalid(format!(
            "the registry answered {} to {what}: {}",
            response.status,
            String::from_utf8_lossy(&response.body).trim()
        )))
    }

    fn send(&self, request: ApiRequest<'_>) -> Result<Response> {
        let mut headers: Vec<_> =
            request.header.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        if let Some((user, password)) = &self.login {
            let token = STANDARD.encode(format!("{user}:{password}"));
            headers.push(("Authorization", format!("Basic {token}")));
        }
        let mut nothing = io::empty();
        let (body, body_bytes) = request.body.unwrap_or((&mut nothing, 0));
        let http =
            Request { method: request.method, path: request.path, headers, body, body_bytes };
        send(self.address, http).map_err(LabError::io("request from the registry", request.path))
    }
}

/// One request to the registry's API, without the login.
struct ApiRequest<'a> {
    method: &'a str,
    path: &'a str,
    header: Option<(&'a str, &'a str)>,
    body: Option<(&'a mut dyn Read, u64)>,
}

impl<'a> ApiRequest<'a> {
    fn new(method: &'a str, path: &'a str) -> Self {
        Self { method, path, header: None, body: None }
    }
}
