//! Keeps the controller's own certificate fresh. It is never stored: every
//! start makes one, and long before it ends the next.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use oml_common::time::Timestamp;
use rustls::ServerConfig;

use super::{Nudges, Task, Why};
use crate::clock;
use crate::ops::certificate::PortConfigs;
use crate::ops::{Ops, Result};

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
    ops: Ops,
    ports: Ports,
    renew_at: Mutex<Timestamp>,
}

impl CertificateTask {
    /// The task, and the first certificate.
    ///
    /// # Errors
    /// No certificate can be made.
    pub fn new(ops: Ops) -> Result<(Self, Ports)> {
        let PortConfigs { main, enrollment, renew_at } = ops.port_configs()?;
        let ports = Ports {
            main: Arc::new(ArcSwap::from_pointee(main)),
            enrollment: Arc::new(ArcSwap::from_pointee(enrollment)),
        };
        let task = Self { ops, ports: ports.clone(), renew_at: Mutex::new(renew_at) };
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

    async fn pass(&self, _why: Why) -> Result<()> {
        let mut renew_at = self.renew_at.lock().unwrap_or_else(PoisonError::into_inner);
        if clock::now() < *renew_at {
            return Ok(());
        }
        let configs = self.ops.port_configs()?;
        self.ports.main.store(Arc::new(configs.main));
        self.ports.enrollment.store(Arc::new(configs.enrollment));
        *renew_at = configs.renew_at;
        tracing::info!("the controller's certificate was renewed");
        Ok(())
    }
}
