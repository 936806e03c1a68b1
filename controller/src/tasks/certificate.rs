//! Keeps the controller's own certificate fresh. It is never stored: every
//! start makes one, and long before it ends the next.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use oml_common::time::Timestamp;
use rustls::ServerConfig;

use super::{Nudges, Task, Trigger};
use crate::ops::Result;
use crate::ops::certificate::{OwnCertificates, PortConfigs};

/// What new connections use.
#[derive(Debug, Clone)]
pub struct Ports {
    /// Of the port for agents and operators.
    pub main: Arc<ArcSwap<ServerConfig>>,
    /// Of the port for hosts without a certificate.
    pub enrollment: Arc<ArcSwap<ServerConfig>>,
}

/// Renews the controller's certificate.
#[derive(Debug)]
pub struct CertificateTask {
    certificates: OwnCertificates,
    ports: Ports,
    validity: Mutex<Validity>,
}

/// The present certificate's times, by the wall clock.
#[derive(Debug, Clone, Copy)]
struct Validity {
    issued: Timestamp,
    renew_at: Timestamp,
}

impl Validity {
    fn of(configs: &PortConfigs) -> Self {
        Self { issued: configs.issued, renew_at: configs.renew_at }
    }

    /// One that was made in the future is of a clock that was set back since:
    /// nobody takes it until then.
    fn is_due(self, now: Timestamp) -> bool {
        now >= self.renew_at || now < self.issued
    }
}

impl CertificateTask {
    /// The task, and the first certificate.
    ///
    /// # Errors
    /// No certificate can be made.
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

    async fn pass(&self, _trigger: Trigger) -> Result<()> {
        let mut validity = self.validity.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that is set is seen by the next look, within half a minute.
        if !validity.is_due(self.certificates.now()) {
            return Ok(());
        }
        let configs = self.certificates.port_configs()?;
        *validity = Validity::of(&configs);
        self.ports.main.store(Arc::new(configs.main));
        self.ports.enrollment.store(Arc::new(configs.enrollment));
        tracing::info!("the controller's certificate was renewed");
        Ok(())
    }
}

#[cfg(test)]
mod tests;
