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
use tokio::task::{Id, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use super::connection_limits::{ConnectionLimits, ConnectionSlot, Holder, counted};

/// The limits of one port.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The number of concurrent connections, in a handshake or after it.
    pub connections_max: usize,
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
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 4096,
            connections_per_address_max: 64,
            connections_per_node_max: 8,
            connections_per_operator_max: 256,
            handshakes_max: 512,
            handshakes_per_address_max: 64,
            handshake_timeout: Duration::from_secs(5),
        }
    }
}

impl Limits {
    /// Counts another connection of that peer, or returns an error if it has too many.
    fn slot(
        &self,
        slots: &Arc<ConnectionLimits>,
        info: &ConnectionInfo,
    ) -> io::Result<ConnectionSlot> {
        let (holder, max) = match info.peer.as_ref().map(|peer| &peer.identity) {
            None => {
                let address = counted(info.address.ip());
                (Holder::Address(address), self.connections_per_address_max)
            }
            Some(identity @ Identity::Node { .. }) => {
                (Holder::Identity(identity.clone()), self.connections_per_node_max)
            }
            Some(identity @ (Identity::Operator(_) | Identity::Controller)) => {
                (Holder::Identity(identity.clone()), self.connections_per_operator_max)
            }
        };
        let taken = || io::Error::other(format!("{holder} has {max} connections already"));
        slots.take(holder.clone(), max).ok_or_else(taken)
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
    _place: OwnedSemaphorePermit,
    _slot: ConnectionSlot,
}

/// One listening port.
#[derive(Debug)]
pub struct Acceptor {
    listener: TcpListener,
    config: Arc<ArcSwap<ServerConfig>>,
    limits: Limits,
    accepted: mpsc::Sender<Connection>,
    places: Arc<Semaphore>,
    slots: Arc<ConnectionLimits>,
    handshakes: JoinSet<()>,
    addresses: HashMap<Id, IpAddr>,
}

/// The pause after the system refused to accept, so that a lack of file descriptors does
/// not become a busy loop.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);
/// The number of finished handshakes that may wait for the server.
const ACCEPTED_LEN_MAX: usize = 64;

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
            places: Arc::new(Semaphore::new(limits.connections_max)),
            slots: Arc::default(),
            handshakes: JoinSet::new(),
            addresses: HashMap::new(),
        };
        (acceptor, connections)
    }

    /// Accepts connections until their receiver is dropped.
    pub async fn run(mut self) {
        loop {
            // Every arm is safe to cancel: a connection is only taken when its arm
            // completes, and the others only observe.
            tokio::select! {
                biased;
                () = self.accepted.closed() => return,
                Some(done) = self.handshakes.join_next_with_id() => {
                    let id = done.map_or_else(|panicked| panicked.id(), |(id, ())| id);
                    self.addresses.remove(&id);
                }
                incoming = self.listener.accept() => match incoming {
                    Ok((stream, address)) => self.admit(stream, address),
                    Err(error) => pause_if_exhausted(&error).await,
                },
            }
        }
    }

    /// Starts a handshake, or drops the connection if there are too many.
    fn admit(&mut self, stream: TcpStream, address: SocketAddr) {
        let ip = counted(address.ip());
        let from_there = self.addresses.values().filter(|other| **other == ip).count();
        let is_too_much = self.addresses.len() >= self.limits.handshakes_max
            || from_there >= self.limits.handshakes_per_address_max;
        let place = Arc::clone(&self.places).try_acquire_owned();
        let (false, Ok(place)) = (is_too_much, place) else {
            tracing::debug!(%address, "too many connections, one is dropped");
            return;
        };
        let tls = TlsAcceptor::from(self.config.load_full());
        let (limits, accepted) = (self.limits, self.accepted.clone());
        let slots = Arc::clone(&self.slots);
        let task = self.handshakes.spawn(async move {
            let greeted = async {
                let (stream, info) = greet(stream, address, tls).await?;
                let slot = limits.slot(&slots, &info)?;
                let connection = Connection { stream, info, _place: place, _slot: slot };
                hand_over(&accepted, connection).await
            };
            match timeout(limits.handshake_timeout, greeted).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::info!(%address, %error, "a connection was refused"),
                Err(_elapsed) => tracing::debug!(%address, "a handshake took too long"),
            }
        });
        self.addresses.insert(task.id(), ip);
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
