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
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use super::connection_limits::{ConnectionLimits, ConnectionSlot, Holder, counted};
use super::connection_rate::ConnectionRate;
use super::handshakes::{Handshakes, KnownAddresses};
use super::refusals::{Refusal, Refusals, Summary};

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
    /// The number of concurrent handshakes from one address or IPv6 network. As it is that of
    /// the connections a second, a handshake has at least a second before it is evicted by
    /// others from its address.
    pub handshakes_per_address_max: usize,
    /// The time limit of a handshake.
    pub handshake_timeout: Duration,
    /// The number of new connections a second from one address or IPv6 network.
    pub new_per_second_max: usize,
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
            handshakes_per_address_max: 256,
            handshake_timeout: Duration::from_secs(5),
            new_per_second_max: 256,
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
    _permit: ConnectionPermit,
}

/// The permit of a connection, until it is dropped.
#[derive(Debug)]
struct ConnectionPermit {
    _slot: ConnectionSlot,
    _common: Option<OwnedSemaphorePermit>,
    _any: OwnedSemaphorePermit,
}

/// The permits for connections of one port.
#[derive(Debug)]
struct ConnectionPermits {
    limits: Limits,
    any: Arc<Semaphore>,
    /// The permits that not only operators can have.
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
    permits: Arc<ConnectionPermits>,
    tasks: JoinSet<HandshakeResult>,
    /// The tasks that are not joined yet.
    running: HashMap<Id, Running>,
    handshakes: Handshakes<Id>,
    known: KnownAddresses,
    rate: ConnectionRate,
    refusals: Refusals,
}

/// The task of a handshake, and the address of its peer.
#[derive(Debug)]
struct Running {
    address: IpAddr,
    task: AbortHandle,
}

/// The result of a handshake: whether the peer showed a certificate, or why it was refused.
type HandshakeResult = Result<bool, Refusal>;

/// The pause after the system refused to accept, so that a lack of file descriptors does
/// not become a busy loop.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

impl ConnectionPermits {
    fn new(limits: Limits) -> Self {
        let common = limits.connections_max.saturating_sub(limits.operator_connections);
        Self {
            limits,
            any: Arc::new(Semaphore::new(limits.connections_max)),
            common: Arc::new(Semaphore::new(common)),
            slots: Arc::default(),
        }
    }

    /// Takes a permit for another connection of that peer, or returns an error if there is
    /// none or the peer has too many.
    fn take(&self, info: &ConnectionInfo) -> io::Result<ConnectionPermit> {
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
        Ok(ConnectionPermit { _slot: slot, _common: common, _any: any })
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
        // Each connection that waits for the server has a permit, so the queue is never full.
        let (accepted, connections) = mpsc::channel(limits.connections_max.max(1));
        let acceptor = Self {
            listener,
            config,
            limits,
            accepted,
            permits: Arc::new(ConnectionPermits::new(limits)),
            tasks: JoinSet::new(),
            running: HashMap::new(),
            handshakes: Handshakes::new(limits.handshakes_max, limits.handshakes_per_address_max),
            known: KnownAddresses::default(),
            rate: ConnectionRate::new(limits.new_per_second_max, Instant::now()),
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
                () = self.accepted.closed() => return self.log_refusals(),
                Some(ended) = self.tasks.join_next_with_id() => self.note_end(ended),
                () = sleep_until(summary.unwrap_or_else(Instant::now)), if summary.is_some() => {
                    self.log_refusals();
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
        let is_known = self.known.contains(ip);
        if !self.rate.admit(ip, is_known, Instant::now()) {
            return self.note_refusal(ip, &Refusal::TooFast);
        }
        if let Some(evicted) = self.handshakes.to_drop(ip) {
            self.handshakes.end(evicted);
            // It may have finished meanwhile: its end says what became of it.
            if let Some(running) = self.running.get(&evicted) {
                running.task.abort();
            }
        }
        let tls = TlsAcceptor::from(self.config.load_full());
        let (limit, accepted) = (self.limits.handshake_timeout, self.accepted.clone());
        let permits = Arc::clone(&self.permits);
        let task = self.tasks.spawn(async move {
            let handshake = async {
                let (stream, info) = greet(stream, address, tls).await?;
                let (permit, is_certified) = (permits.take(&info)?, info.peer.is_some());
                let sent = accepted.try_send(Connection { stream, info, _permit: permit });
                sent.map_err(|_closed| io::Error::other("the server is stopping"))?;
                Ok(is_certified)
            };
            match timeout(limit, handshake).await {
                Ok(ended) => ended.map_err(|error: io::Error| Refusal::Failed(error.to_string())),
                Err(_elapsed) => Err(Refusal::TookTooLong),
            }
        });
        self.handshakes.begin(task.id(), ip, is_known);
        self.running.insert(task.id(), Running { address: ip, task });
    }

    fn note_end(&mut self, ended: Result<(Id, HandshakeResult), JoinError>) {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        self.handshakes.end(id);
        let Some(Running { address, .. }) = self.running.remove(&id) else { return };
        match ended {
            Ok((_, Ok(true))) => self.known.add(address),
            Ok((_, Ok(false))) => {}
            Ok((_, Err(refusal))) => self.note_refusal(address, &refusal),
            Err(error) if error.is_cancelled() => self.note_refusal(address, &Refusal::Evicted),
            Err(_panicked) => {
                self.note_refusal(address, &Refusal::Failed("the handshake panicked".to_owned()));
            }
        }
    }

    fn note_refusal(&mut self, address: IpAddr, refusal: &Refusal) {
        if self.refusals.note(address, refusal, Instant::now()) {
            tracing::info!(%address, %refusal, "a connection was refused");
        } else {
            tracing::debug!(%address, %refusal, "a connection was refused");
        }
    }

    fn log_refusals(&mut self) {
        if let Some(Summary { total, most, from_most, reasons }) = self.refusals.summary() {
            tracing::info!(total, address = %most, from_address = from_most, reasons, "more connections were refused within a minute");
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
