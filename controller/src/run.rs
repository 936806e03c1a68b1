//! Puts the parts together and starts them: two gRPC ports, the web port and the tasks.
//! The program uses this, and so do its tests in their own process.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use oml_common::text::error::chain;
use oml_daemon::env::Env;
use oml_daemon::failpoint;
use oml_proto::v1::agent_server::{self, AgentServer};
use oml_proto::v1::enrollment_server::EnrollmentServer;
use oml_proto::v1::fleet_server::{self, FleetServer};
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
use tonic_health::pb::health_server::{self, HealthServer};
use tonic_reflection::pb::v1::server_reflection_server;
use tower::layer::util::{Identity, Stack};

use crate::acme::Directories;
use crate::api::FleetApi;
use crate::api::enrollment::EnrollmentApi;
use crate::api::health::HealthApi;
use crate::config::Settings;
use crate::ops::catalogs::Catalogs;
use crate::ops::{Ops, OpsError, Parts};
use crate::pki::{Authority, PkiError};
use crate::policy::Policy;
use crate::records::{Records, keys};
use crate::registry::Registries;
use crate::seal::SealingKey;
use crate::session::Sessions;
use crate::shutdown::{Shutdown, ShutdownSignal};
use crate::store::{Store, StoreError};
use crate::tasks::assignment::AssignmentTask;
use crate::tasks::certificate::CertificateTask;
use crate::tasks::orders::OrdersTask;
use crate::tasks::rollout::RolloutTask;
use crate::tasks::{Task, TaskCounters, drive};
use crate::tls::{Acceptor, Connection, Limits};
use crate::web::{self, CountersByTask, Pages};

/// The interval of pings to a silent peer, and the time limit for the answer. A lost peer
/// is therefore detected within five seconds.
const KEEP_ALIVE: Duration = Duration::from_secs(2);
/// The number of concurrent calls of one connection. An agent has its session and a
/// renewal; `omlctl` has a status that it watches and a change. Each call may hold a
/// message.
const CALLS_MAX: u32 = 8;
/// The same for a host without a certificate, which makes one call.
const ENROLLMENT_CALLS_MAX: u32 = 4;
/// The time limit for the reply to a call. It does not apply to streams.
const CALL_LIMIT: Duration = Duration::from_secs(30);
/// The size limit of a message from a host without a certificate. It contains a
/// certificate request of at most half of this size, and a token or the expired
/// certificate.
const ENROLLMENT_BYTES_MAX: usize = 16 << 10;
/// The time limit of a connection without a certificate. Joining takes less than a
/// second, and a silent peer is disconnected.
const ENROLLMENT_AGE: Duration = Duration::from_secs(5);
/// The time that it has afterwards to read the reply.
const ENROLLMENT_GRACE: Duration = Duration::from_secs(10);
/// The time limit for running calls when the controller stops.
const STOP_LIMIT: Duration = Duration::from_secs(3);

const DESCRIBED: &str = "the description of the protocol was made when this was built";

/// The error of a controller that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The authority cannot be used.
    #[error("cannot use the cluster's authority")]
    Authority(#[source] PkiError),
    /// The store cannot be read.
    #[error("cannot read the store")]
    Store(#[source] StoreError),
    /// The store was not made completely by `omlcontroller init`.
    #[error(
        "the store has no epoch: `omlcontroller init` did not end; remove the data folder and run it again"
    )]
    Uninitialized,
    /// An operation failed during the start.
    #[error(transparent)]
    Ops(OpsError),
    /// A port cannot be opened.
    #[error("cannot listen on {address}")]
    Listen { address: SocketAddr, source: io::Error },
}

/// A running controller.
#[derive(Debug)]
pub struct Running {
    /// The port of agents and operators.
    pub listen: SocketAddr,
    /// The port of hosts without a certificate.
    pub enrollment_listen: SocketAddr,
    /// The port of metrics and service discovery.
    pub web_listen: Option<SocketAddr>,
    pub ops: Ops,
    shutdown: Shutdown,
    /// The services, which end when a shutdown is requested.
    ports: JoinSet<()>,
    /// The tasks, which never end by themselves.
    tasks: JoinSet<()>,
}

/// Starts a controller over a store.
///
/// # Errors
/// Returns a [`StartError`] with the reason; nothing is left running then.
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
    let parts = parts(settings, env.clone(), records, enrollment_port, epoch)?;
    let (ops, mut tasks) = operations(parts).await.map_err(StartError::Ops)?;
    let (certificate, ports) =
        CertificateTask::new(ops.own_certificates.clone()).map_err(StartError::Ops)?;
    tasks.push(Arc::new(certificate));
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
        running.tasks.spawn(failpoint::carry(task.name(), drive(task, count)));
    }
    running.tasks.spawn(ops.audit.clone().keep_bounded());
    running.tasks.spawn(ops.audit.clone().keep_refusals());
    let (acceptor, connections) = Acceptor::new(main, ports.main, Limits::default());
    running.ports.spawn(acceptor.run());
    let shutdown = running.shutdown.signal();
    let agents = agents(&ops, shutdown.clone());
    let router = server(&env, &ops, CALLS_MAX)
        .add_service(agents)
        .add_service(operators(&ops, shutdown.clone()))
        .add_service(HealthServer::new(HealthApi::new(ops.status.clone(), shutdown.clone())))
        .add_service(reflection().build_v1().expect(DESCRIBED))
        .add_service(reflection().build_v1alpha().expect(DESCRIBED));
    running.ports.spawn(serve(router, connections, shutdown.clone()));
    running.serve_enrollment(&env, enrollment, ports.enrollment);
    if let Some(web) = web {
        running.ports.spawn(web::serve(web, Pages::new(&ops, counters), shutdown));
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

/// Loads the operations, and makes the tasks that decide about rollouts and assignments, and that order
/// certificates.
///
/// # Errors
/// Returns the error of reading the store.
pub async fn operations(parts: Parts) -> Result<(Ops, Vec<Arc<dyn Task>>), OpsError> {
    let (records, epoch) = (parts.records.clone(), parts.epoch);
    let ops = Ops::new(parts);
    ops.load().await?;
    if let Some(other) = ops.secrets.other_key().await? {
        tracing::error!(reason = %other, "secrets that another key sealed cannot be sent to hosts");
    }
    let rollouts = RolloutTask::new(records.clone(), ops.status.clone());
    let assignments = AssignmentTask::new(records, ops.tenants.clone(), epoch);
    let orders = OrdersTask::new(ops.orders.clone());
    Ok((ops, vec![Arc::new(rollouts), Arc::new(assignments), Arc::new(orders)]))
}

/// Makes the service that agents have their sessions with.
#[must_use]
pub fn agents(ops: &Ops, shutdown: ShutdownSignal) -> AgentServer<Sessions> {
    AgentServer::new(Sessions::new(ops, shutdown))
        .max_decoding_message_size(AGENT_MESSAGE_BYTES_MAX)
}

/// Makes the service that operators call.
#[must_use]
pub fn operators(ops: &Ops, shutdown: ShutdownSignal) -> FleetServer<FleetApi> {
    FleetServer::new(FleetApi::new(ops, shutdown)).max_decoding_message_size(MESSAGE_BYTES_MAX)
}

/// Describes the services of the main port to clients that ask for it.
fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(oml_proto::DESCRIPTION)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .with_service_name(agent_server::SERVICE_NAME)
        .with_service_name(fleet_server::SERVICE_NAME)
        .with_service_name(health_server::SERVICE_NAME)
        .with_service_name(server_reflection_server::SERVICE_NAME)
}

fn parts(
    settings: &Settings,
    env: Env,
    records: Records,
    enrollment_port: u16,
    epoch: u64,
) -> Result<Parts, StartError> {
    let authority =
        Authority::load(&settings.pki_dir(), env.random()).map_err(StartError::Authority)?;
    let catalogs = Arc::new(Catalogs::load(&settings.catalog_dir));
    for broken in catalogs.broken() {
        tracing::error!(file = %broken.error.path().display(), error = %broken, "changes of a catalog's tenants are refused until its file is corrected");
    }
    for broken in catalogs.broken_components() {
        tracing::error!(file = %broken.path.display(), error = %broken, "changes of a component's tenants are refused until its catalog is corrected");
    }
    for (catalog, mistakes) in catalogs.tolerated() {
        tracing::warn!(%catalog, %mistakes, "a catalog has mistakes that `omlcontroller catalog check` refuses");
    }
    let registries = Registries::new(settings.reach.clone(), env.clock().clone());
    let (proxies, trusted) = (settings.reach.proxies.clone(), settings.acme_authorities.clone());
    let directories = Directories::new(env.clock().clone(), proxies, trusted);
    let key = SealingKey::load(settings.credentials_dir.as_deref(), &settings.data_dir);
    if let Err(missing) = &key {
        tracing::error!(reason = %missing, "secrets can neither be given, rotated nor sent to hosts");
    }
    Ok(Parts {
        env,
        records,
        catalogs,
        registries,
        directories,
        authority,
        node_lifetime_ms: settings.node_lifetime_ms,
        enrollment_port,
        epoch,
        key,
    })
}

fn server(env: &Env, ops: &Ops, calls_max: u32) -> Server<Stack<Policy, Identity>> {
    Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE))
        .max_concurrent_streams(Some(calls_max))
        .timeout(CALL_LIMIT)
        .layer(Policy::new(env.clone(), Arc::clone(&ops.revoked), ops.audit.refused().clone()))
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
        tracing::error!(%error, "server stopped unexpectedly");
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
            self.ops.audit.refused().clone(),
        ));
        let router = server(env, &self.ops, ENROLLMENT_CALLS_MAX)
            .max_connection_age(ENROLLMENT_AGE)
            .max_connection_age_grace(ENROLLMENT_GRACE)
            .add_service(joining.max_decoding_message_size(ENROLLMENT_BYTES_MAX));
        self.ports.spawn(serve(router, connections, self.shutdown.signal()));
    }

    /// Ends sessions and ports in order. What does not end in time is aborted.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        self.shutdown.request();
        let ended = async {
            while self.ports.join_next().await.is_some() {}
            // Sessions end after their ports, because each records its last report.
            self.shutdown.all_ended().await;
        };
        if timeout(STOP_LIMIT, ended).await.is_err() {
            tracing::warn!("shutdown timed out");
        }
        self.ports.shutdown().await;
        self.ops.audit.write_refusals().await;
    }
}
