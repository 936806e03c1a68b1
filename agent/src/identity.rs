//! The certificate and key of the host on disk. They are replaced so that a matching pair
//! exists at every moment.

use std::path::PathBuf;

use oml_common::id::{NodeName, TenantId};
use oml_daemon::tls::{self, Credentials, Identity, InvalidPeer, Peer, TlsError};
use oml_proto::v1;
use rcgen::{CertificateParams, KeyPair};

use crate::files::{self, FileError};
use crate::paths::Paths;

const KEY: &str = "node.key";
/// The file of a key whose certificate was requested.
const NEXT_KEY: &str = "node.key.next";

/// The name of this host and its credentials.
#[derive(Debug, Clone)]
pub struct HostIdentity {
    pub credentials: Credentials,
    pub peer: Peer,
    pub tenant: TenantId,
    pub node: NodeName,
}

/// The files of the identity.
#[derive(Debug, Clone)]
pub struct IdentityFiles {
    folder: PathBuf,
}

/// An error while the identity is read or written.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file cannot be read or written.
    #[error("cannot use the host's identity files")]
    Files(#[from] FileError),
    /// The certificate and the key cannot be used.
    #[error("the host's certificate cannot be used")]
    Tls(#[from] TlsError),
    /// The certificate does not name a node.
    #[error("the host's certificate does not say who the host is")]
    Nameless(#[from] InvalidPeer),
    /// The certificate was issued to something other than a node.
    #[error("the certificate is of {0}, not of a node")]
    NotANode(Identity),
    /// A key could not be made.
    #[error("cannot make a key")]
    Key(#[from] rcgen::Error),
}

/// A key and the request for its certificate.
pub struct KeyRequest {
    pub key_pem: String,
    /// PKCS#10, DER.
    pub csr: Vec<u8>,
}

impl IdentityFiles {
    /// The files below the agent's state folder.
    #[must_use]
    pub fn new(paths: &Paths) -> Self {
        Self { folder: paths.state.join("identity") }
    }

    /// Loads the identity; none before the host is enrolled.
    ///
    /// # Errors
    /// Files that are there and cannot be used.
    pub fn load(&self) -> Result<Option<HostIdentity>, IdentityError> {
        Ok(self.find()?.map(|(identity, _key_file)| identity))
    }

    /// Finds the matching pair and the file of its key.
    fn find(&self) -> Result<Option<(HostIdentity, &'static str)>, IdentityError> {
        let read = |name: &str| files::read_if_there(&self.folder.join(name));
        let (Some(ca_pem), Some(certificate_pem)) = (read("ca.pem")?, read("node.pem")?) else {
            return Ok(None);
        };
        let mut found = None;
        // A crash between the two renames of a renewal leaves the key under
        // its interim name.
        for name in [KEY, NEXT_KEY] {
            let Some(key_pem) = read(name)? else { continue };
            let (ca_pem, certificate_pem) = (ca_pem.clone(), certificate_pem.clone());
            match HostIdentity::new(Credentials { ca_pem, certificate_pem, key_pem }) {
                Ok(identity) => return Ok(Some((identity, name))),
                Err(error) => found = found.or(Some(error)),
            }
        }
        found.map_or(Ok(None), Err)
    }

    /// Completes an interrupted renewal. Only the agent may call it, because another process
    /// could be between the same two renames. The interim file, which is about to be
    /// overwritten, may hold the only key that fits.
    fn end_renewal(&self) -> Result<(), FileError> {
        match self.find() {
            Ok(Some((_identity, NEXT_KEY))) => {
                files::rename_durably(&self.folder.join(NEXT_KEY), &self.folder.join(KEY))
            }
            Err(IdentityError::Files(error)) => Err(error),
            // Where nothing fits, nothing is lost.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Writes a key to disk before its certificate is requested.
    ///
    /// # Errors
    /// An error of the file system.
    pub fn keep_next_key(&self, request: &KeyRequest) -> Result<(), IdentityError> {
        self.end_renewal()?;
        let path = self.folder.join(NEXT_KEY);
        Ok(files::write_durably(&path, request.key_pem.as_bytes(), 0o600)?)
    }

    /// Replaces the certificate and the key on disk.
    ///
    /// # Errors
    /// A certificate that does not match the key, or an error of the file system.
    pub fn keep(
        &self,
        certificate: &v1::Certificate,
        key_pem: &str,
    ) -> Result<HostIdentity, IdentityError> {
        let identity = HostIdentity::of(certificate, key_pem)?;
        self.end_renewal()?;
        let next = self.folder.join(NEXT_KEY);
        files::write_durably(&next, key_pem.as_bytes(), 0o600)?;
        let write = |name: &str, pem: &str| {
            files::write_durably(&self.folder.join(name), pem.as_bytes(), 0o600)
        };
        write("ca.pem", &certificate.ca_pem)?;
        write("node.pem", &certificate.certificate_pem)?;
        files::rename_durably(&next, &self.folder.join(KEY))?;
        Ok(identity)
    }
}

impl HostIdentity {
    /// Reads who a host is from the answer to the request for its certificate.
    pub(crate) fn of(certificate: &v1::Certificate, key_pem: &str) -> Result<Self, IdentityError> {
        Self::new(Credentials {
            ca_pem: certificate.ca_pem.clone(),
            certificate_pem: certificate.certificate_pem.clone(),
            key_pem: key_pem.to_owned(),
        })
    }

    /// Returns true if both are of one tenant of one controller.
    pub(crate) fn has_owner_of(&self, other: &Self) -> bool {
        self.tenant == other.tenant && self.credentials.ca_pem == other.credentials.ca_pem
    }

    fn new(credentials: Credentials) -> Result<Self, IdentityError> {
        // Refuses a key that is not the certificate's.
        credentials.check()?;
        let certificate = tls::certificate(&credentials.certificate_pem, "certificate")?;
        let peer = Peer::from_certificate(&certificate)?;
        match peer.identity.clone() {
            Identity::Node { tenant, node } => Ok(Self { credentials, peer, tenant, node }),
            other @ (Identity::Operator(_) | Identity::Controller) => {
                Err(IdentityError::NotANode(other))
            }
        }
    }
}

impl KeyRequest {
    /// Creates a key, which never leaves this host, and its request.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn new() -> Result<Self, IdentityError> {
        Self::of(&KeyPair::generate()?)
    }

    /// Creates a request for an existing key.
    ///
    /// # Errors
    /// When the text is no key.
    pub fn by(key_pem: &str) -> Result<Self, IdentityError> {
        Self::of(&KeyPair::from_pem(key_pem)?)
    }

    fn of(key: &KeyPair) -> Result<Self, IdentityError> {
        // The controller takes only the public key from it.
        let csr = CertificateParams::default().serialize_request(key)?;
        Ok(Self { key_pem: key.serialize_pem(), csr: csr.der().to_vec() })
    }
}

#[cfg(test)]
mod tests;
