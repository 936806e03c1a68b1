//! The accept loop: it accepts TCP connections and returns verified TLS connections.
//! Slow, silent and greedy peers are dropped, and none of them delays another.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwap;
use oml_daemon::tls::{Identity, Peer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use super::arrivals::Arrivals;
use super::connection_limits::{ConnectionLimits, ConnectionSlot, Holder, counted};
use super::handshakes::{Handshakes, KnownAddresses};
use super::refusals::{Refusal, Refusals};

/// The limits of one port.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The number of concurrent connections after their handshake.
    pub connections_max: usize,
    /// The number of these connections that only operators can have.
    pub operator_connections: usize,
    /// The number of concurrent connections of peers without a certificate from one
    /// address or IPv6 network.
    pub connections_per_address_max: usize,
    /// The number of concurrent connections of one node. A lost connection may remain for
    /// a moment.
    pub connections_per_node_max: usize,
    /// The number of concurrent connections of one operator, whose programs share a name.
    pub connections_per_operator_max: usize,
    /// The number of concurrent handshakes.
    pub handshakes_max: usize,
    /// The number of concurrent handshakes from one address or IPv6 network.
    pub handshakes_per_address_max: usize,
    /// The time limit of a handshake.
    pub handshake_timeout: Duration,
    /// The number of new connections a second from one address or IPv6 network.
    pub arrivals_per_second_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 4096,
            operator_connections: 64,
            connections_per_address_max: 64,
            connections_per_node_max: 8,
            connections_per_operator_max: 256,
            handshakes_max: 512,
            handshakes_per_address_max: 64,
            handshake_timeout: Duration::from_secs(5),
            arrivals_per_second_max: 256,
        }
    }
}

/// The peer of a connection. Every request of the connection carries it as an extension.
#[derive(Debug, Clone)]
pub struct ConnectionInfo {
    pub address: SocketAddr,
    /// The facts of its verified certificate; `None` on the enrolment port.
    pub peer: Option<Arc<Peer>>,
}

/// A connection after its handshake.
#[derive(Debug)]
pub struct Connection {
    stream: TlsStream<TcpStream>,
    info: ConnectionInfo,
    _place: Place,
}

/// The place of a connection, until it is dropped.
#[derive(Debug)]
struct Place {
    _slot: ConnectionSlot,
    _common: Option<OwnedSemaphorePermit>,
    _any: OwnedSemaphorePermit,
}

/// The places for connections of one port.
#[derive(Debug)]
struct Places {
    limits: Limits,
    any: Arc<Semaphore>,
    /// The places that not only operators can have.
    common: Arc<Semaphore>,
    slots: Arc<ConnectionLimits>,
}

/// One listening port.
#[derive(Debug)]
pub struct Acceptor {
    listener: TcpListener,
    config: Arc<ArcSwap<ServerConfig>>,
    limits: Limits,
    accepted: mpsc::Sender<Connection>,
    places: Arc<Places>,
    tasks: JoinSet<Handshaken>,
    aborts: HashMap<Id, AbortHandle>,
    handshakes: Handshakes<Id>,
    known: KnownAddresses,
    arrivals: Arrivals,
    refusals: Refusals,
}

/// How a handshake ended: whether the peer showed a certificate, or why it was refused.
type Handshaken = Result<bool, Refusal>;

/// The pause after the system refused to accept, so that a lack of file descriptors does
/// not become a busy loop.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);
/// The number of finished handshakes that may wait for the server.
const ACCEPTED_LEN_MAX: usize = 64;

impl Places {
    fn new(limits: Limits) -> Self {
        let common = limits.connections_max.saturating_sub(limits.operator_connections);
        Self {
            limits,
            any: Arc::new(Semaphore::new(limits.connections_max)),
            common: Arc::new(Semaphore::new(common)),
            slots: Arc::default(),
        }
    }

    /// Takes a place for another connection of that peer, or returns an error if there is
    /// none or the peer has too many.
    fn take(&self, info: &ConnectionInfo) -> io::Result<Place> {
        let limits = &self.limits;
        let identity = info.peer.as_ref().map(|peer| &peer.identity);
        let (holder, max) = match identity {
            None => {
                let address = counted(info.address.ip());
                (Holder::Address(address), limits.connections_per_address_max)
            }
            Some(identity @ Identity::Node { .. }) => {
                (Holder::Identity(identity.clone()), limits.connections_per_node_max)
            }
            Some(identity @ (Identity::Operator(_) | Identity::Controller)) => {
                (Holder::Identity(identity.clone()), limits.connections_per_operator_max)
            }
        };
        let is_common = matches!(identity, None | Some(Identity::Node { .. }));
        let full = |_| io::Error::other("all places for connections are taken");
        let taken = || io::Error::other(format!("{holder} has {max} connections already"));
        let slot = self.slots.take(holder.clone(), max).ok_or_else(taken)?;
        let common = is_common.then(|| Arc::clone(&self.common).try_acquire_owned());
        let common = common.transpose().map_err(full)?;
        let any = Arc::clone(&self.any).try_acquire_owned().map_err(full)?;
        Ok(Place { _slot: slot, _common: common, _any: any })
    }
}

impl Acceptor {
    /// Makes a loop over `listener`, and the receiver of its connections. New handshakes
    /// use the current value of `config`.
    #[must_use]
    pub fn new(
        listener: TcpListener,
        config: Arc<ArcSwap<ServerConfig>>,
        limits: Limits,
    ) -> (Self, mpsc::Receiver<Connection>) {
        let (accepted, connections) = mpsc::channel(ACCEPTED_LEN_MAX);
        let acceptor = Self {
            listener,
            config,
            limits,
            accepted,
            places: Arc::new(Places::new(limits)),
            tasks: JoinSet::new(),
            aborts: HashMap::new(),
            handshakes: Handshakes::new(limits.handshakes_max, limits.handshakes_per_address_max),
            known: KnownAddresses::default(),
            arrivals: Arrivals::new(limits.arrivals_per_second_max, Instant::now()),
            refusals: Refusals::default(),
        };
        (acceptor, connections)
    }

    /// Accepts connections until their receiver is dropped.
    pub async fn run(mut self) {
        loop {
            let summary = self.refusals.due();
            // Every arm is safe to cancel: a connection is only taken when its arm
            // completes, and the others only observe.
            tokio::select! {
                biased;
                () = self.accepted.closed() => return,
                Some(done) = self.tasks.join_next_with_id() => match done {
                    Ok((id, ended)) => self.note_end(id, ended),
                    // It panicked, or it was dropped and is told already.
                    Err(error) => drop(self.forget(error.id())),
                },
                () = sleep_until(summary.unwrap_or_else(Instant::now)), if summary.is_some() => {
                    if let Some(summary) = self.refusals.summary() {
                        tracing::warn!("{summary}");
                    }
                }
                incoming = self.listener.accept() => match incoming {
                    Ok((stream, address)) => self.admit(stream, address),
                    Err(error) => pause_if_exhausted(&error).await,
                },
            }
        }
    }

    /// Starts a handshake. If there are too many, another one gives way to it.
    fn admit(&mut self, stream: TcpStream, address: SocketAddr) {
        let ip = counted(address.ip());
        if !self.arrivals.admit(ip, Instant::now()) {
            return self.note_refusal(ip, &Refusal::TooFast);
        }
        if let Some(dropped) = self.handshakes.to_drop(ip) {
            if let Some(task) = self.aborts.get(&dropped) {
                task.abort();
            }
            if let Some(ip) = self.forget(dropped) {
                self.note_refusal(ip, &Refusal::GaveWay);
            }
        }
        let tls = TlsAcceptor::from(self.config.load_full());
        let (limit, accepted) = (self.limits.handshake_timeout, self.accepted.clone());
        let places = Arc::clone(&self.places);
        let task = self.tasks.spawn(async move {
            let greeted = async {
                let (stream, info) = greet(stream, address, tls).await?;
                let (place, is_certified) = (places.take(&info)?, info.peer.is_some());
                hand_over(&accepted, Connection { stream, info, _place: place }).await?;
                Ok(is_certified)
            };
            match timeout(limit, greeted).await {
                Ok(ended) => ended.map_err(|error: io::Error| Refusal::Failed(error.to_string())),
                Err(_elapsed) => Err(Refusal::TookTooLong),
            }
        });
        self.handshakes.begin(task.id(), ip, self.known.contains(ip));
        self.aborts.insert(task.id(), task);
    }

    fn note_end(&mut self, id: Id, ended: Handshaken) {
        let Some(ip) = self.forget(id) else { return };
        match ended {
            Ok(true) => self.known.add(ip),
            Ok(false) => {}
            Err(refusal) => self.note_refusal(ip, &refusal),
        }
    }

    fn forget(&mut self, id: Id) -> Option<IpAddr> {
        self.aborts.remove(&id);
        self.handshakes.end(id)
    }

    fn note_refusal(&mut self, ip: IpAddr, refusal: &Refusal) {
        if let Some(line) = self.refusals.note(ip, refusal, Instant::now()) {
            tracing::info!("{line}");
        }
    }
}

async fn greet(
    stream: TcpStream,
    address: SocketAddr,
    tls: TlsAcceptor,
) -> io::Result<(TlsStream<TcpStream>, ConnectionInfo)> {
    stream.set_nodelay(true)?;
    let stream = tls.accept(stream).await?;
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let peer = shown.map(Peer::from_certificate).transpose().map_err(io::Error::other)?;
    Ok((stream, ConnectionInfo { address, peer: peer.map(Arc::new) }))
}

async fn hand_over(accepted: &mpsc::Sender<Connection>, connection: Connection) -> io::Result<()> {
    let sent = accepted.send(connection).await;
    sent.map_err(|_closed| io::Error::other("the server is stopping"))
}

async fn pause_if_exhausted(error: &io::Error) {
    let is_of_one_connection =
        matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset);
    if !is_of_one_connection {
        tracing::warn!(%error, "accept failed; retrying");
        sleep(REFUSED_PAUSE).await;
    }
}

impl Connected for Connection {
    type ConnectInfo = ConnectionInfo;

    fn connect_info(&self) -> ConnectionInfo {
        self.info.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
