//! Renews the controller's own certificate. It is never stored: every start makes one,
//! and it is replaced long before it expires.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use oml_common::time::Timestamp;
use rustls::ServerConfig;

use super::{Nudges, Passed, Task, Trigger};
use crate::ops::Result;
use crate::ops::certificate::{OwnCertificates, PortConfigs};

/// The TLS configurations that new connections use.
#[derive(Debug, Clone)]
pub struct Ports {
    /// The configuration of the port for agents and operators.
    pub main: Arc<ArcSwap<ServerConfig>>,
    /// The configuration of the port for hosts without a certificate.
    pub enrollment: Arc<ArcSwap<ServerConfig>>,
}

/// Renews the controller's certificate.
#[derive(Debug)]
pub struct CertificateTask {
    certificates: OwnCertificates,
    ports: Ports,
    validity: Mutex<Validity>,
}

/// The times of the current certificate, by the wall clock.
#[derive(Debug, Clone, Copy)]
struct Validity {
    issued: Timestamp,
    renew_at: Timestamp,
}

impl Validity {
    fn of(configs: &PortConfigs) -> Self {
        Self { issued: configs.issued, renew_at: configs.renew_at }
    }

    /// Returns whether the certificate has to be replaced. One that was made in the
    /// future dates from before the clock was set back, and nobody accepts it.
    fn is_due(self, now: Timestamp) -> bool {
        now >= self.renew_at || now < self.issued
    }
}

impl CertificateTask {
    /// Makes the task and the first certificate.
    ///
    /// # Errors
    /// Returns an error if no certificate can be made.
    pub fn new(certificates: OwnCertificates) -> Result<(Self, Ports)> {
        let configs = certificates.port_configs()?;
        let validity = Validity::of(&configs);
        let PortConfigs { main, enrollment, .. } = configs;
        let ports = Ports {
            main: Arc::new(ArcSwap::from_pointee(main)),
            enrollment: Arc::new(ArcSwap::from_pointee(enrollment)),
        };
        let task = Self { certificates, ports: ports.clone(), validity: Mutex::new(validity) };
        Ok((task, ports))
    }
}

#[async_trait]
impl Task for CertificateTask {
    fn name(&self) -> &'static str {
        "certificate"
    }

    fn nudges(&self) -> Nudges {
        Nudges::default()
    }

    async fn pass(&self, _trigger: Trigger) -> Result<Passed> {
        let mut validity = self.validity.lock().unwrap_or_else(PoisonError::into_inner);
        // The next pass, within half a minute, notices a clock that was set.
        if !validity.is_due(self.certificates.now()) {
            return Ok(Passed::default());
        }
        let configs = self.certificates.port_configs()?;
        *validity = Validity::of(&configs);
        self.ports.main.store(Arc::new(configs.main));
        self.ports.enrollment.store(Arc::new(configs.enrollment));
        tracing::info!("the controller's certificate was renewed");
        Ok(Passed::default())
    }
}

#[cfg(test)]
mod tests;
