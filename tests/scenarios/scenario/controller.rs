//! The real controller of a script: its operations, tasks and sessions over a
//! store in memory. Agents reach it through pipes in memory; who they are is
//! handed in, in place of TLS.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};

use hyper_util::rt::TokioIo;
use oml_common::id::{ContentHash, Digest, NodeName, RevisionNumber, RoleName, TenantId};
use oml_daemon::env::{Clock, Env};
use oml_daemon::proxy::Proxies;
use oml_daemon::tls::{
    self, ConnectError, Credentials, Fingerprint, Identity, OperatorName, Peer, Serial,
};
use oml_proto::v1;
use omlagent::identity::KeyRequest;
use omlagent::session::{Dial, DialError};
use omlcontroller::acme::Directories;
use omlcontroller::ops::catalogs::Catalogs;
use omlcontroller::ops::change::{ChangeRequest, ChangeResult, RequestContext};
use omlcontroller::ops::history::HistoryEntry;
use omlcontroller::ops::node_id::NodeId;
use omlcontroller::ops::snapshot::TenantSnapshot;
use omlcontroller::ops::tokens::{JoinRequest, TokenRequest};
use omlcontroller::ops::{Ops, OpsError, Parts};
use omlcontroller::pki::Authority;
use omlcontroller::policy::Policy;
use omlcontroller::records::values::Epoch;
use omlcontroller::records::{Batch, Records, keys};
use omlcontroller::registry::{Registries, RegistryError, SimulatedRegistries};
use omlcontroller::run;
use omlcontroller::seal::SealingKey;
use omlcontroller::shutdown::Shutdown;
use omlcontroller::store::{Expect, Memory};
use omlcontroller::tasks::drive;
use omlcontroller::tls::ConnectionInfo;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, copy_bidirectional, duplex};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::server::Connected;
use tonic::transport::{Channel, Endpoint, Error, Server};

use super::change_watch::ChangeWatch;
use super::seen::{Seen, Sight};
use super::world::BEGIN;

const EPOCH: u64 = 1;
/// The key that seals the secrets of scripts, in the form of its file.
const SECRETS_KEY: &str = "omlk1.a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s";
const PIPE_BYTES: usize = 64 << 10;
/// No certificate ends within a script.
const NODE_LIFETIME_MS: u64 = 10 * 365 * 24 * 3_600_000;
/// The catalogs that tenants of scripts are made from.
const CATALOGS: [&str; 3] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/../catalog/omnileads.yaml"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/../catalog/omnileads-2.6.yaml"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/catalogs/small.yaml"),
];

/// The controller of a script.
pub(super) struct Controller {
    pub(super) ops: Ops,
    pub(super) tenant: TenantId,
    operator: OperatorName,
    connections: mpsc::UnboundedSender<Pipe>,
    _shutdown: Shutdown,
    _running: JoinSet<()>,
}

/// One end of a connection, with the identity of the peer.
struct Pipe {
    stream: DuplexStream,
    info: ConnectionInfo,
}

/// These catalogs, which are read once for all scripts.
static READ: LazyLock<Arc<Catalogs>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder of the test");
    for path in CATALOGS.map(Path::new) {
        let name = path.file_name().expect("it is a file");
        std::fs::copy(path, folder.path().join(name)).expect("the catalog is there");
    }
    Arc::new(Catalogs::load(folder.path()))
});

impl Controller {
    /// Starts the controller, with its keys in `folder`.
    pub(super) async fn start(env: Env, folder: &Path, registry: oml_sim::Registry) -> Self {
        let authority = Authority::create(folder, "scenario", env.now(), env.random());
        let policy_env = env.clone();
        let records = Records::new(Arc::new(Memory::new()));
        let epoch = Batch::default().put(&keys::epoch(), Expect::Absent, &Epoch { epoch: EPOCH });
        records.commit(epoch).await.expect("the store is empty");
        let clock = env.clock().clone();
        let loaded = run::operations(Parts {
            records,
            catalogs: Arc::clone(&READ),
            registries: registries(registry, clock.clone()),
            directories: Directories::new(clock, Proxies::default(), Vec::new()),
            authority: authority.expect("a key can be made"),
            env,
            node_lifetime_ms: NODE_LIFETIME_MS,
            enrollment_port: 7444,
            epoch: EPOCH,
            key: Ok(SealingKey::parse(SECRETS_KEY).expect("it is a key")),
        });
        let (ops, tasks) = loaded.await.expect("the store can be read");
        let shutdown = Shutdown::default();
        let mut running = JoinSet::new();
        for task in tasks {
            running.spawn(drive(task, Arc::default()));
        }
        let (connections, incoming) = mpsc::unbounded_channel();
        let router = Server::builder()
            .layer(Policy::new(policy_env, Arc::clone(&ops.revoked), ops.audit.refused().clone()))
            .add_service(run::agents(&ops, shutdown.signal()))
            .add_service(run::operators(&ops, shutdown.signal()));
        let incoming = UnboundedReceiverStream::new(incoming).map(Ok::<_, io::Error>);
        running.spawn(async move {
            router.serve_with_incoming(incoming).await.expect("pipes can be served");
        });
        Self {
            ops,
            tenant: "acme".parse().expect("a tenant's name"),
            operator: "maria".parse().expect("an operator's name"),
            connections,
            _shutdown: shutdown,
            _running: running,
        }
    }

    /// Returns the function with which an agent connects to the controller.
    pub(super) fn dial(&self, reachable: watch::Receiver<bool>) -> Dial {
        let connections = self.connections.clone();
        Box::new(move |address, credentials| {
            let (connections, reachable) = (connections.clone(), reachable.clone());
            Box::pin(async move {
                let peer = peer_of(&credentials)?;
                let failed = |source| ConnectError::Failed { address, source };
                Ok(connect(connections, reachable, peer).await.map_err(failed)?)
            })
        })
    }

    /// Enrols a host, and returns its certificate and key.
    pub(super) async fn enroll(
        &self,
        node: &NodeName,
        roles: Vec<RoleName>,
        address: &str,
    ) -> Result<(v1::Certificate, String), String> {
        let wanted = TokenRequest {
            tenant: self.tenant.clone(),
            roles,
            node: Some(node.clone()),
            valid_ms: None,
        };
        let created = self.ops.tokens.create(&self.operator, wanted).await;
        let token = created.map_err(|error| error.to_string())?.token;
        let key = KeyRequest::new().map_err(|error| error.to_string())?;
        let request = JoinRequest {
            token,
            node: node.clone(),
            csr: key.csr.clone(),
            address: address.parse().map_err(|_| "no address".to_owned())?,
        };
        let issued = self.ops.tokens.enroll(&request).await.map_err(|error| error.to_string())?;
        let certificate = v1::Certificate {
            ca_pem: issued.ca_pem,
            certificate_pem: issued.certificate_pem,
            ..Default::default()
        };
        Ok((certificate, key.key_pem))
    }

    pub(super) async fn remove(&self, node: &NodeName) -> Result<(), OpsError> {
        let id = NodeId { tenant: self.tenant.clone(), name: node.clone() };
        self.ops.nodes.remove(&self.operator, &id).await
    }

    pub(super) async fn change(&self, request: &ChangeRequest) -> Result<ChangeResult, OpsError> {
        let context = RequestContext {
            who: self.operator.clone(),
            op_id: None,
            dry_run: false,
            why: String::new(),
            if_revision: None,
            no_removals: false,
            no_one_way: false,
            force: String::new(),
        };
        self.ops.changes.make(request, &context).await
    }

    /// Watches a change as the operator's `omlctl` does, over a connection of its own.
    pub(super) async fn watch_change(&self, revision: RevisionNumber) -> ChangeWatch {
        let peer = Arc::new(Peer {
            identity: Identity::Operator(self.operator.clone()),
            serial: Serial(1),
            public_key: Fingerprint::of(b"the operator's key"),
            issued: BEGIN,
            expires: BEGIN.plus_ms(NODE_LIFETIME_MS),
        });
        // The operator's network is never lost.
        let reachable = watch::channel(true).1;
        let channel = connect(self.connections.clone(), reachable, peer).await;
        ChangeWatch::start(channel.expect("the controller runs"), &self.tenant, revision)
    }

    /// Returns the facts about the tenant's rollout; none before the first revision.
    pub(super) async fn snapshot(&self) -> Option<TenantSnapshot> {
        self.ops.status.tenant(&self.tenant).await.ok().flatten()
    }

    /// Adds every change of the tenant's rollout and of the connected nodes to `seen`.
    pub(super) fn follow(&self, seen: Seen) -> impl Future<Output = ()> + use<> {
        let (status, tenant) = (self.ops.status.clone(), self.tenant.clone());
        async move {
            let mut changes = status.changes(Some(&tenant));
            loop {
                changes.next().await;
                seen.add(Sight::Tenant(Box::new(status.tenant(&tenant).await.ok().flatten())));
            }
        }
    }

    pub(super) async fn history(&self) -> Vec<HistoryEntry> {
        self.ops.status.history(&self.tenant).await.unwrap_or_default()
    }

    /// Returns the text of the tenant's current specification.
    pub(super) async fn spec(&self) -> String {
        let found = self.ops.status.specification(&self.tenant, RevisionNumber(0)).await;
        found.map(|revision| revision.spec_yaml.clone()).unwrap_or_default()
    }

    pub(super) async fn plan(
        &self,
        number: RevisionNumber,
    ) -> Option<Arc<oml_common::document::plan::Plan>> {
        self.ops.tenants.plan_of(&self.tenant, number).await.ok().flatten()
    }
}

/// Registries whose digests are made from the names of images.
fn registries(registry: oml_sim::Registry, clock: Clock) -> Registries {
    let resolve = SimulatedRegistries(Box::new(move |repository, version| {
        if registry.is_away() {
            let registry = repository.as_str().split('/').next().unwrap_or_default().to_owned();
            let reason = "the registry does not answer".to_owned();
            return Err(RegistryError::Unavailable { registry, reason });
        }
        let hash = ContentHash::of(format!("{repository}:{version}").as_bytes());
        let digest: Digest = format!("sha256:{hash}").parse().expect("64 hexadecimal digits");
        Ok(digest)
    }));
    Registries::simulated(resolve, clock)
}

fn peer_of(credentials: &Credentials) -> Result<Arc<Peer>, DialError> {
    let certificate = tls::certificate(&credentials.certificate_pem, "certificate")?;
    Ok(Arc::new(Peer::from_certificate(&certificate).expect("a certificate of the controller")))
}

/// Connects to the controller through pipes.
async fn connect(
    connections: mpsc::UnboundedSender<Pipe>,
    reachable: watch::Receiver<bool>,
    peer: Arc<Peer>,
) -> Result<Channel, Error> {
    let connector = tower::service_fn(move |_uri| {
        std::future::ready(open(&connections, &reachable, peer.clone()).map(TokioIo::new))
    });
    Endpoint::from_static("http://controller:7443").connect_with_connector(connector).await
}

/// A pipe to the controller, which ends when the host cannot be reached any more.
fn open(
    connections: &mpsc::UnboundedSender<Pipe>,
    reachable: &watch::Receiver<bool>,
    peer: Arc<Peer>,
) -> io::Result<DuplexStream> {
    if !*reachable.borrow() {
        return Err(io::ErrorKind::HostUnreachable.into());
    }
    let (near, mut near_wire) = duplex(PIPE_BYTES);
    let (far, mut far_wire) = duplex(PIPE_BYTES);
    let mut reachable = reachable.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ended = copy_bidirectional(&mut near_wire, &mut far_wire) => {}
            Ok(_lost) = reachable.wait_for(|reachable| !reachable) => {}
        }
    });
    let address = SocketAddr::from(([10, 0, 0, 1], 7443));
    let info = ConnectionInfo { address, peer: Some(peer) };
    let gone = |_| io::Error::from(io::ErrorKind::ConnectionRefused);
    connections.send(Pipe { stream: far, info }).map_err(gone)?;
    Ok(near)
}

impl Connected for Pipe {
    type ConnectInfo = ConnectionInfo;

    fn connect_info(&self) -> ConnectionInfo {
        self.info.clone()
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Versions of components, as `set` gives them.
pub(super) type Versions = BTreeMap<oml_common::id::ComponentName, oml_common::id::ImageVersion>;
