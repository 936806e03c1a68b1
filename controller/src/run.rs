//! Puts the parts together and starts them: two gRPC ports, the web port and
//! the tasks. Used by the program and, in process, by its tests.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use oml_common::text::error::chain;
use oml_daemon::env::Env;
use oml_proto::v1::agent_server::AgentServer;
use oml_proto::v1::enrollment_server::EnrollmentServer;
use oml_proto::v1::fleet_server::FleetServer;
use oml_proto::{AGENT_MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX};
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::transport::server::Router;
use tower::layer::util::{Identity, Stack};

use crate::api::FleetApi;
use crate::api::enrollment::EnrollmentApi;
use crate::config::Settings;
use crate::ops::catalogs::{CatalogError, Catalogs};
use crate::ops::{Ops, Parts};
use crate::pki::{Authority, PkiError};
use crate::policy::Policy;
use crate::records::{Records, keys};
use crate::registry::Registries;
use crate::session::Sessions;
use crate::shutdown::{Shutdown, ShutdownSignal};
use crate::store::{Store, StoreError};
use crate::tasks::assignment::AssignmentTask;
use crate::tasks::certificate::CertificateTask;
use crate::tasks::rollout::RolloutTask;
use crate::tasks::{Task, TaskCounters, drive};
use crate::tls::{Acceptor, Connection, Limits};
use crate::web::{self, CountersByTask};

/// A peer that does not answer a ping this long after silence of the same
/// length is gone: within five seconds in all.
const KEEP_ALIVE: Duration = Duration::from_secs(2);
/// Calls of one connection at once: an agent has its session and a renewal,
/// `omlctl` a status that it follows and a change. Each may hold a message.
const CALLS_MAX: u32 = 8;
/// Of a host without a certificate, which makes one.
const ENROLLMENT_CALLS_MAX: u32 = 4;
/// Longest wait for the answer to a call; streams are not bounded by it.
const CALL_LIMIT: Duration = Duration::from_secs(30);
/// Largest message of a host without a certificate: a request for one, of at
/// most half of this, and a token or the certificate that has ended.
const ENROLLMENT_BYTES_MAX: usize = 16 << 10;
/// How long a host without a certificate may stay connected: joining takes less
/// than a second, and who says nothing is closed.
const ENROLLMENT_AGE: Duration = Duration::from_secs(5);
/// What is left to it then to take the answer.
const ENROLLMENT_GRACE: Duration = Duration::from_secs(10);
/// Longest wait for what is going on when the controller stops.
const STOP_LIMIT: Duration = Duration::from_secs(3);

/// Why the controller does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The authority cannot be used.
    #[error("cannot use the cluster's authority")]
    Authority(#[source] PkiError),
    /// A catalog cannot be used.
    #[error(transparent)]
    Catalog(CatalogError),
    /// The store cannot be read.
    #[error("cannot read the store")]
    Store(#[source] StoreError),
    /// What is stored was not made by `omlcontroller init`.
    #[error(
        "the store has no epoch: `omlcontroller init` did not end; remove the data folder and run it again"
    )]
    Uninitialized,
    /// Something of the operations does not start.
    #[error(transparent)]
    Ops(crate::ops::OpsError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        /// What went wrong.
        source: io::Error,
    },
}

/// A controller that runs.
#[derive(Debug)]
pub struct Running {
    /// Port of agents and operators.
    pub listen: SocketAddr,
    /// Port of hosts without a certificate.
    pub enrollment_listen: SocketAddr,
    /// Port of metrics and service discovery.
    pub web_listen: Option<SocketAddr>,
    pub ops: Ops,
    shutdown: Shutdown,
    /// End when told.
    ports: JoinSet<()>,
    /// Never end by themselves.
    tasks: JoinSet<()>,
}

/// Starts a controller over a store.
///
/// # Errors
/// What stands in the way; nothing is left running then.
pub async fn start(
    settings: &Settings,
    env: Env,
    store: Arc<dyn Store>,
) -> Result<Running, StartError> {
    let main = bind(&env, settings.listen).await?;
    let enrollment = bind(&env, settings.enrollment_listen).await?;
    let web = match settings.web_listen {
        Some(address) => Some(bind(&env, address).await?),
        None => None,
    };
    let address = |listener: &TcpListener, wanted| listener.local_addr().unwrap_or(wanted);
    let enrollment_listen = address(&enrollment, settings.enrollment_listen);
    let records = Records::new(store);
    let epoch = read_epoch(&records).await?;
    let enrollment_port = enrollment_listen.port();
    let ops = operations(settings, env.clone(), records.clone(), enrollment_port, epoch).await?;
    let (certificate, ports) =
        CertificateTask::new(ops.own_certificates.clone()).map_err(StartError::Ops)?;
    let tasks: [Arc<dyn Task>; 3] = [
        Arc::new(RolloutTask::new(records.clone(), ops.status.clone())),
        Arc::new(AssignmentTask::new(records, ops.tenants.clone(), epoch)),
        Arc::new(certificate),
    ];
    let mut running = Running {
        listen: address(&main, settings.listen),
        enrollment_listen,
        web_listen: web.as_ref().and_then(|listener| listener.local_addr().ok()),
        ops: ops.clone(),
        shutdown: Shutdown::default(),
        ports: JoinSet::new(),
        tasks: JoinSet::new(),
    };
    let mut counters: CountersByTask = BTreeMap::new();
    for task in tasks {
        let count = Arc::new(TaskCounters::default());
        counters.insert(task.name(), Arc::clone(&count));
        running.tasks.spawn(drive(task, count));
    }
    running.tasks.spawn(ops.audit.clone().keep_bounded());
    let (acceptor, connections) = Acceptor::new(main, ports.main, Limits::default());
    running.ports.spawn(acceptor.run());
    let shutdown = running.shutdown.signal();
    let agents = AgentServer::new(Sessions::new(ops.nodes.clone(), shutdown.clone()));
    let fleet = FleetServer::new(FleetApi::new(&ops, shutdown.clone()));
    let router = server(&env, &ops, CALLS_MAX)
        .add_service(agents.max_decoding_message_size(AGENT_MESSAGE_BYTES_MAX))
        .add_service(fleet.max_decoding_message_size(MESSAGE_BYTES_MAX));
    running.ports.spawn(serve(router, connections, shutdown.clone()));
    running.serve_enrollment(&env, enrollment, ports.enrollment);
    if let Some(web) = web {
        running.ports.spawn(web::serve(web, ops.status, counters, shutdown));
    }
    Ok(running)
}

async fn bind(env: &Env, address: SocketAddr) -> Result<TcpListener, StartError> {
    env.listen(address).await.map_err(|source| StartError::Listen { address, source })
}

async fn read_epoch(records: &Records) -> Result<u64, StartError> {
    let epoch = records.get(&keys::epoch()).await.map_err(StartError::Store)?;
    Ok(epoch.ok_or(StartError::Uninitialized)?.value.epoch)
}

async fn operations(
    settings: &Settings,
    env: Env,
    records: Records,
    enrollment_port: u16,
    epoch: u64,
) -> Result<Ops, StartError> {
    let authority =
        Authority::load(&settings.pki_dir(), env.random()).map_err(StartError::Authority)?;
    let catalogs = Catalogs::load(&settings.catalog_dir).map_err(StartError::Catalog)?;
    let ops = Ops::new(Parts {
        env,
        records,
        catalogs,
        registries: Registries::new(settings.registries.clone()),
        authority,
        node_lifetime_ms: settings.node_lifetime_ms,
        enrollment_port,
        epoch,
    });
    ops.load().await.map_err(StartError::Ops)?;
    Ok(ops)
}

fn server(env: &Env, ops: &Ops, calls_max: u32) -> Server<Stack<Policy, Identity>> {
    Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE))
        .max_concurrent_streams(Some(calls_max))
        .timeout(CALL_LIMIT)
        .layer(Policy::new(env.clone(), Arc::clone(&ops.revoked)))
}

async fn serve(
    router: Router<Stack<Policy, Identity>>,
    connections: mpsc::Receiver<Connection>,
    mut shutdown: ShutdownSignal,
) {
    let incoming = ReceiverStream::new(connections).map(Ok::<_, Infallible>);
    let served = router.serve_with_incoming_shutdown(incoming, shutdown.requested()).await;
    if let Err(error) = served {
        let error = chain(&error);
        tracing::error!(%error, "a port is not served any more");
    }
}

impl Running {
    /// Serves hosts that have no certificate yet.
    fn serve_enrollment(
        &mut self,
        env: &Env,
        listener: TcpListener,
        port: Arc<ArcSwap<ServerConfig>>,
    ) {
        let (acceptor, connections) = Acceptor::new(listener, port, Limits::default());
        self.ports.spawn(acceptor.run());
        let joining = EnrollmentServer::new(EnrollmentApi::new(
            self.ops.nodes.clone(),
            self.ops.tokens.clone(),
        ));
        let router = server(env, &self.ops, ENROLLMENT_CALLS_MAX)
            .max_connection_age(ENROLLMENT_AGE)
            .max_connection_age_grace(ENROLLMENT_GRACE)
            .add_service(joining.max_decoding_message_size(ENROLLMENT_BYTES_MAX));
        self.ports.spawn(serve(router, connections, self.shutdown.signal()));
    }

    /// Ends sessions and ports in order, and what does not end in time by force.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        self.shutdown.request();
        let ended = async {
            while self.ports.join_next().await.is_some() {}
            // Sessions outlive their ports: each keeps what it last heard.
            self.shutdown.all_ended().await;
        };
        if timeout(STOP_LIMIT, ended).await.is_err() {
            tracing::warn!("something did not end in time");
        }
        self.ports.shutdown().await;
    }
}
