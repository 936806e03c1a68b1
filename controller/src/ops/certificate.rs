//! The controller's own certificate, which both of its ports show.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use oml_common::time::Timestamp;
use oml_daemon::env::Env;
use rustls::ServerConfig;

use super::{OpsError, Result};
use crate::pki::{Authority, Revoked, Terms};
use crate::records::values::PublicEndpoint;
use crate::tls;

const LIFETIME_MS: u64 = 30 * 24 * 3_600_000;

/// The TLS configurations of both ports.
#[derive(Debug)]
pub struct PortConfigs {
    /// The configuration of the port for agents and operators.
    pub main: ServerConfig,
    /// The configuration of the port for hosts without a certificate.
    pub enrollment: ServerConfig,
    /// The time at which the certificate was made.
    pub issued: Timestamp,
    /// The time at which the next certificate is due.
    pub renew_at: Timestamp,
}

/// Makes the certificates that the controller itself shows.
#[derive(Debug, Clone)]
pub struct OwnCertificates {
    env: Env,
    authority: Arc<Authority>,
    revoked: Arc<Revoked>,
    epoch: u64,
    /// When the newest certificate expires, in milliseconds; 0 before the first.
    expires_ms: Arc<AtomicU64>,
    /// The names of the controller's hosts, once they were read.
    hosts: Arc<OnceLock<Vec<String>>>,
}

impl OwnCertificates {
    /// Issues certificates with that authority, for a store of this epoch. The ports
    /// refuse `revoked` certificates.
    #[must_use]
    pub fn new(env: Env, authority: Arc<Authority>, revoked: Arc<Revoked>, epoch: u64) -> Self {
        Self { env, authority, revoked, epoch, expires_ms: Arc::default(), hosts: Arc::default() }
    }

    /// Returns the wall time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.env.now()
    }

    /// Names these hosts in every certificate that is made from now on.
    pub(super) fn name_hosts(&self, endpoint: PublicEndpoint) {
        let PublicEndpoint { name, host, addresses } = endpoint;
        let mut hosts = vec![name, host];
        hosts.extend(addresses);
        hosts.sort_unstable();
        hosts.dedup();
        // They change at a start only.
        let _set_before = self.hosts.set(hosts);
    }

    /// Returns when the certificate that the controller shows expires.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        Timestamp(self.expires_ms.load(Ordering::Relaxed))
    }

    /// Returns when the authority expires, with everything that it issued.
    #[must_use]
    pub fn authority_expires(&self) -> Timestamp {
        self.authority.expires()
    }

    /// Makes a new certificate and returns the configurations of both ports with it.
    pub fn port_configs(&self) -> Result<PortConfigs> {
        let (clock, now) = (self.env.clock(), self.env.now());
        let terms = Terms { now, lifetime_ms: LIFETIME_MS, epoch: self.epoch, after: None };
        let authority = &self.authority;
        let hosts = self.hosts.get().map_or(&[][..], Vec::as_slice);
        let own = authority.issue_for_ports(hosts, terms)?;
        self.expires_ms.store(own.issued.record.expires.0, Ordering::Relaxed);
        let revoked = Arc::clone(&self.revoked);
        Ok(PortConfigs {
            main: tls::main_config(authority, &own, revoked, clock).map_err(OpsError::Tls)?,
            enrollment: tls::enrollment_config(authority, &own, clock).map_err(OpsError::Tls)?,
            issued: now,
            renew_at: now.plus_ms(LIFETIME_MS / 2),
        })
    }
}
