//! The operations of the controller: changes of a tenant, joining and removing nodes, and
//! reading the status.
//!
//! Only this layer writes intent. It knows no wire format, and it moves neither pointers
//! nor assignments, which only the tasks do. Each part is a small value with what it
//! needs. Handlers, tasks and sessions get the parts that they use.

use std::collections::HashMap;
use std::sync::Arc;

use oml_daemon::env::Env;

use crate::acme::Directories;
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
pub mod orders;
pub mod presence;
pub mod reader;
pub mod reports;
mod retries;
pub mod runs;
pub mod secrets;
pub mod settings;
pub mod snapshot;
pub mod status;
pub mod tenants;
pub mod tokens;
pub mod verdict;

pub use self::error::{OpsError, Result, UnreadablePlan};

use self::audit::AuditTrail;
use self::catalogs::Catalogs;
use self::certificate::OwnCertificates;
use self::change::Changes;
use self::issuer::NodeIssuer;
use self::nodes::Nodes;
use self::operators::Operators;
use self::orders::Orders;
use self::presence::Presence;
use self::reader::StatusReader;
use self::runs::Runs;
use self::secrets::{Secrets, SecretsKey};
use self::tenants::Tenants;
use self::tokens::Tokens;

/// The parts that the operations are made of.
#[derive(Debug)]
pub struct Parts {
    /// The clocks, randomness and ports.
    pub env: Env,
    /// The store's records.
    pub records: Records,
    pub catalogs: Arc<Catalogs>,
    pub registries: Registries,
    /// The ACME directories from which tenants order certificates.
    pub directories: Directories,
    pub authority: Authority,
    /// The lifetime of a node's certificate.
    pub node_lifetime_ms: u64,
    /// The port of the enrolment service, as hosts reach it.
    pub enrollment_port: u16,
    /// The epoch of the store, which every restore raises.
    pub epoch: u64,
    /// The key that seals secrets, or why there is none.
    pub key: SecretsKey,
}

/// All operations. They are put together once, at the start.
#[derive(Debug, Clone)]
pub struct Ops {
    /// The changes of what tenants run.
    pub changes: Changes,
    /// The nodes that have joined.
    pub nodes: Nodes,
    pub tokens: Tokens,
    pub secrets: Secrets,
    /// The runs of operations.
    pub runs: Runs,
    /// The certificates that tenants order.
    pub orders: Orders,
    /// The status of all tenants and nodes.
    pub status: StatusReader,
    /// The operators of the controller.
    pub operators: Operators,
    /// The recorded tenants, revisions and plans.
    pub tenants: Tenants,
    /// The controller's own certificates.
    pub own_certificates: OwnCertificates,
    /// Who did what, newest last, for as many lines as are kept.
    pub audit: AuditTrail,
    /// The newest certificate of each identity that is refused with all older ones.
    pub revoked: Arc<Revoked>,
}

impl Ops {
    /// Puts the operations together without reading anything.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { env, records, catalogs, registries, authority, .. } = parts;
        let authority = Arc::new(authority);
        let (presence, revoked) = (Arc::<Presence>::default(), Arc::<Revoked>::default());
        let tenants = Tenants::new(records.clone());
        let secrets = Secrets::new(env.clone(), records.clone(), tenants.clone(), parts.key);
        let nodes = Nodes {
            env: env.clone(),
            records: records.clone(),
            tenants: tenants.clone(),
            presence: Arc::clone(&presence),
            issuer: NodeIssuer::new(Arc::clone(&authority), parts.node_lifetime_ms, parts.epoch),
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
        let changes = Changes {
            env: env.clone(),
            records: records.clone(),
            tenants: tenants.clone(),
            catalogs: Arc::clone(&catalogs),
            registries: Arc::new(registries),
            secrets: secrets.clone(),
        };
        let runs = Runs::new(&changes, Arc::clone(&presence), parts.epoch);
        let orders = Orders::new(&changes, parts.directories);
        let own_certificates = OwnCertificates::new(
            env.clone(),
            Arc::clone(&authority),
            Arc::clone(&revoked),
            parts.epoch,
        );
        Self {
            changes,
            nodes,
            tokens,
            secrets,
            runs,
            orders,
            status: StatusReader {
                env: env.clone(),
                records: records.clone(),
                tenants: tenants.clone(),
                presence,
                catalogs,
            },
            operators: Operators::new(env.clone(), records.clone(), authority),
            tenants,
            own_certificates,
            audit: AuditTrail::new(env, records),
            revoked,
        }
    }

    /// Reads the revoked certificates, the controller's names and the last reports of nodes. The controller
    /// accepts no connection before this has succeeded.
    ///
    /// # Errors
    /// Returns an error if the store cannot be read.
    pub async fn load(&self) -> Result<()> {
        let mut lines = HashMap::new();
        lines.extend(self.nodes.revocations().await?);
        lines.extend(self.operators.revocations().await?);
        self.revoked.replace(lines);
        if let Some(endpoint) = self.operators.public_endpoint().await? {
            self.own_certificates.name_hosts(endpoint);
        }
        self.nodes.load_reports().await
    }
}
