//! The controller's own certificate, for its two ports.

use oml_common::time::Timestamp;
use oml_proto::tls::Identity;
use rustls::ServerConfig;

use super::{Ops, OpsError, Result};
use crate::clock;
use crate::pki::Terms;
use crate::tls;

const LIFETIME_MS: u64 = 30 * 24 * 3_600_000;

/// What both ports use.
#[derive(Debug)]
pub struct PortConfigs {
    /// The port for agents and operators.
    pub main: ServerConfig,
    /// The port for hosts without a certificate.
    pub enrollment: ServerConfig,
    /// When this certificate was made.
    pub issued: Timestamp,
    /// When the next certificate is to be made.
    pub renew_at: Timestamp,
}

impl Ops {
    /// A new certificate in the configurations of both ports.
    pub fn port_configs(&self) -> Result<PortConfigs> {
        let now = clock::now();
        let terms = Terms { now, lifetime_ms: LIFETIME_MS, after: None };
        let authority = &self.parts.authority;
        let own = authority.issue_with_key(&Identity::Controller, terms)?;
        let revoked = std::sync::Arc::clone(&self.parts.revoked);
        Ok(PortConfigs {
            main: tls::main_config(authority, &own, revoked).map_err(OpsError::Tls)?,
            enrollment: tls::enrollment_config(authority, &own).map_err(OpsError::Tls)?,
            issued: now,
            renew_at: now.plus_ms(LIFETIME_MS / 2),
        })
    }
}
