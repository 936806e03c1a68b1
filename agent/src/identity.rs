//! The host's certificate and key on disk, and how they are replaced without
//! ever being without a pair that fits.

use std::path::PathBuf;

use oml_common::id::{NodeName, TenantId};
use oml_daemon::tls::{self, Credentials, Identity, InvalidPeer, Peer, TlsError};
use oml_proto::v1;
use rcgen::{CertificateParams, KeyPair};

use crate::files::{self, FileError};
use crate::paths::Paths;

const KEY: &str = "node.key";
/// Where a key waits for its certificate.
const NEXT_KEY: &str = "node.key.next";

/// Who this host is, and the proof of it.
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

/// Why there is no usable identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file cannot be read or written.
    #[error("cannot use the host's identity files")]
    Files(#[from] FileError),
    /// Certificate and key are no use.
    #[error("the host's certificate cannot be used")]
    Tls(#[from] TlsError),
    /// The certificate says nothing of a node.
    #[error("the host's certificate does not say who the host is")]
    Nameless(#[from] InvalidPeer),
    /// The certificate is somebody else's.
    #[error("the certificate is of {0}, not of a node")]
    NotANode(Identity),
    /// A key could not be made.
    #[error("cannot make a key")]
    Key(#[from] rcgen::Error),
}

/// A key that asks for a certificate.
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

    /// Who this host is; none before it enrolled.
    ///
    /// # Errors
    /// Files that are there and cannot be used.
    pub fn load(&self) -> Result<Option<HostIdentity>, IdentityError> {
        Ok(self.find()?.map(|(identity, _key_file)| identity))
    }

    /// The pair that fits, and the file its key is in.
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

    /// Ends a renewal that a crash cut short: the interim name is about to be
    /// written over, and may hold the only key that fits. Not done by whoever
    /// only looks: another process may be between the same two renames.
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

    /// Keeps a key that a certificate is about to be asked for.
    ///
    /// # Errors
    /// What the file system says.
    pub fn keep_next_key(&self, request: &KeyRequest) -> Result<(), IdentityError> {
        self.end_renewal()?;
        let path = self.folder.join(NEXT_KEY);
        Ok(files::write_durably(&path, request.key_pem.as_bytes(), 0o600)?)
    }

    /// Keeps a certificate and its key, in place of those before.
    ///
    /// # Errors
    /// A certificate that does not fit, or what the file system says.
    pub fn keep(
        &self,
        certificate: &v1::Certificate,
        key_pem: &str,
    ) -> Result<HostIdentity, IdentityError> {
        let identity = HostIdentity::new(Credentials {
            ca_pem: certificate.ca_pem.clone(),
            certificate_pem: certificate.certificate_pem.clone(),
            key_pem: key_pem.to_owned(),
        })?;
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
    /// A new key that never leaves this host.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn new() -> Result<Self, IdentityError> {
        Self::of(&KeyPair::generate()?)
    }

    /// A request by a key that is there already.
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
