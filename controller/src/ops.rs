//! What can be asked of the controller, by whomever: changes of a tenant,
//! nodes coming and going, and how everything stands.
//!
//! Only this layer writes intent. It knows no wire format, and moves neither
//! pointers nor assignments: that is the tasks' affair. Each part is a small
//! value that holds what it needs; handlers, tasks and sessions are given the
//! parts that they use.

use std::collections::HashMap;
use std::sync::Arc;

use oml_daemon::env::Env;

use crate::pki::{Authority, Revoked};
use crate::records::Records;
use crate::registry::Registries;

pub mod audit;
pub mod catalogs;
pub mod certificate;
pub mod change;
mod digests;
mod error;
pub mod history;
mod issuer;
pub mod node_id;
pub mod nodes;
pub mod operators;
pub mod presence;
pub mod reports;
mod retries;
pub mod snapshot;
pub mod status;
pub mod tenants;
pub mod tokens;
pub mod verdict;

pub use self::error::{OpsError, Result};

use self::audit::AuditTrail;
use self::catalogs::Catalogs;
use self::certificate::OwnCertificates;
use self::change::Changes;
use self::issuer::NodeIssuer;
use self::nodes::Nodes;
use self::operators::Operators;
use self::presence::Presence;
use self::status::StatusReader;
use self::tenants::Tenants;
use self::tokens::Tokens;

/// What the operations are made of.
#[derive(Debug)]
pub struct Parts {
    /// Clocks, randomness and ports.
    pub env: Env,
    /// All that is kept.
    pub records: Records,
    pub catalogs: Catalogs,
    pub registries: Registries,
    pub authority: Authority,
    /// How long a node's certificate lives.
    pub node_lifetime_ms: u64,
    /// Port of the enrolment service, as hosts reach it.
    pub enrollment_port: u16,
    /// Raised by every restore of the store.
    pub epoch: u64,
}

/// All operations, put together once at the start.
#[derive(Debug, Clone)]
pub struct Ops {
    /// Changes of what tenants run.
    pub changes: Changes,
    /// Nodes that joined.
    pub nodes: Nodes,
    pub tokens: Tokens,
    /// How everything stands.
    pub status: StatusReader,
    /// Who may operate the controller.
    pub operators: Operators,
    /// Tenants and their plans, as they are kept.
    pub tenants: Tenants,
    /// The controller's own certificates.
    pub own_certificates: OwnCertificates,
    /// The log of who did what.
    pub audit: AuditTrail,
    /// Certificates that no longer count.
    pub revoked: Arc<Revoked>,
}

impl Ops {
    /// Puts the operations together; nothing is read yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { env, records, catalogs, registries, authority, .. } = parts;
        let (catalogs, authority) = (Arc::new(catalogs), Arc::new(authority));
        let (presence, revoked) = (Arc::<Presence>::default(), Arc::<Revoked>::default());
        let tenants = Tenants::new(records.clone());
        let issuer = NodeIssuer::new(Arc::clone(&authority), parts.node_lifetime_ms, parts.epoch);
        let nodes = Nodes {
            env: env.clone(),
            records: records.clone(),
            tenants: tenants.clone(),
            presence: Arc::clone(&presence),
            issuer: issuer.clone(),
            revoked: Arc::clone(&revoked),
        };
        let tokens = Tokens {
            env: env.clone(),
            records: records.clone(),
            nodes: nodes.clone(),
            catalogs: Arc::clone(&catalogs),
            authority: Arc::clone(&authority),
            enrollment_port: parts.enrollment_port,
            epoch: parts.epoch,
        };
        let registries = Arc::new(registries);
        let own_certificates = OwnCertificates::new(
            env.clone(),
            Arc::clone(&authority),
            Arc::clone(&revoked),
            parts.epoch,
        );
        Self {
            changes: Changes {
                env: env.clone(),
                records: records.clone(),
                tenants: tenants.clone(),
                catalogs,
                registries,
            },
            nodes,
            tokens,
            status: StatusReader {
                env: env.clone(),
                records: records.clone(),
                tenants: tenants.clone(),
                presence,
            },
            operators: Operators::new(env, records.clone(), authority),
            tenants,
            own_certificates,
            audit: AuditTrail::new(records),
            revoked,
        }
    }

    /// Reads what must be known before anybody is let in: which certificates no
    /// longer count, and what nodes last reported.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn load(&self) -> Result<()> {
        let mut lines = HashMap::new();
        lines.extend(self.nodes.revocations().await?);
        lines.extend(self.operators.revocations().await?);
        self.revoked.replace(lines);
        self.nodes.load_reports().await
    }
}
