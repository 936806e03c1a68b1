//! A proxy in front of the registry that can be made faulty at any moment: it refuses connections, returns errors, cuts a
//! layer in the middle or does not answer. It forwards bytes and parses only the head of a request.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::error::{LabError, Result};
use crate::http::{header, read_head};

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How often a hanging connection checks whether its client is still connected.
const HANG_POLL_INTERVAL: Duration = Duration::from_millis(200);
/// The end of the address that a request is redirected to.
const REDIRECTED: &str = "?redirected";
const REQUESTS_KEPT: usize = 1000;

/// What the proxy does with requests from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Requests are forwarded.
    Pass,
    /// The port is closed, so connections are refused.
    Refuse,
    /// The proxy refuses the login with status 401.
    Unauthorized,
    /// The proxy answers with status 429.
    TooManyRequests,
    /// The proxy answers with status 500.
    ServerError,
    /// The proxy redirects requests for manifests with status 307, and forwards everything else.
    Redirect,
    /// The connection is closed after this many bytes of a layer; every other response is forwarded.
    CutAfter(u64),
    /// The connection is accepted and never answered.
    Hang,
}

/// A proxy that can be made faulty. Dropping the value closes its port.
#[derive(Debug)]
pub struct FaultyRegistry {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    fault: Fault,
    /// This counts the changes of `fault`, so that a hanging connection notices when its fault has ended.
    change: u64,
    is_closed: bool,
    /// The method and path of each request, like `GET /v2/…`, the oldest first.
    requests: Vec<String>,
}

impl FaultyRegistry {
    /// Opens the port. Requests are forwarded until `set` is called.
    pub fn start(address: SocketAddr, upstream: SocketAddr) -> Result<Self> {
        let listener = listen(address)?;
        let address =
            listener.local_addr().map_err(LabError::io("look at the port", address.to_string()))?;
        let shared = Arc::new(Shared {
            upstream,
            state: Mutex::new(State {
                fault: Fault::Pass,
                change: 0,
                is_closed: false,
                requests: Vec::new(),
            }),
            changed: Condvar::new(),
        });
        let acceptor = accept_in_background(listener, &shared);
        Ok(Self { address, shared, acceptor: Some(acceptor) })
    }

    /// Returns the address that the proxy listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what happens to requests, and closes the connections that hang.
    pub fn set(&mut self, fault: Fault) -> Result<()> {
        {
            let mut state = self.shared.lock();
            state.fault = fault;
            state.change += 1;
        }
        self.shared.changed.notify_all();
        match (fault, self.acceptor.is_some()) {
            (Fault::Refuse, true) => self.close_port(),
            (Fault::Refuse, false) => {}
            (_, true) => {}
            (_, false) => {
                let listener = listen(self.address)?;
                self.shared.lock().is_closed = false;
                self.acceptor = Some(accept_in_background(listener, &self.shared));
            }
        }
        Ok(())
    }

    /// Returns the latest thousand requests, like `GET /v2/omnileads/small/manifests/v1`.
    pub fn requests(&self) -> Vec<String> {
        self.shared.lock().requests.clone()
    }

    fn close_port(&mut self) {
        self.shared.lock().is_closed = true;
        // The acceptor checks the flag after each connection; this connection wakes it.
        if let Ok(stream) = TcpStream::connect_timeout(&self.address, CONNECT_LIMIT) {
            drop(stream);
        }
        if let Some(acceptor) = self.acceptor.take()
            && acceptor.join().is_err()
        {
            crate::progress::log("a thread of the faulty registry panicked");
        }
    }
}

impl Drop for FaultyRegistry {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            state.fault = Fault::Refuse;
            state.change += 1;
        }
        self.shared.changed.notify_all();
        if self.acceptor.is_some() {
            self.close_port();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record_request(&self, line: &str) -> (Fault, u64) {
        let mut state = self.lock();
        if state.requests.len() == REQUESTS_KEPT {
            state.requests.remove(0);
        }
        state.requests.push(line.to_owned());
        (state.fault, state.change)
    }

    fn wait_for_change(&self, since: u64) -> bool {
        let state = self.lock();
        let waited = self.changed.wait_timeout(state, HANG_POLL_INTERVAL);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.change != since
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).map_err(LabError::io("listen on", address.to_string()))
}

fn accept_in_background(listener: TcpListener, shared: &Arc<Shared>) -> JoinHandle<()> {
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        for stream in listener.incoming() {
            if shared.lock().is_closed {
                return;
            }
            if let Ok(stream) = stream {
                let shared = Arc::clone(&shared);
                // The client reports a broken connection, and often the test breaks it on purpose.
                thread::spawn(move || serve(stream, &shared).ok());
            }
        }
    })
}

fn serve(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    if !speaks_http(&client)? {
        return answer(&mut client, "400 Bad Request", "UNSUPPORTED");
    }
    let (head, rest) = read_head(&mut client)?;
    let line = head.lines().next().unwrap_or_default();
    let request = line.rsplit_once(' ').map_or(line, |(request, _)| request);
    let (fault, change) = shared.record_request(request);
    match fault {
        Fault::Pass => forward(client, shared.upstream, &head, &rest, None),
        Fault::Redirect => {
            let path = request.split_once(' ').map_or("", |(_, path)| path);
            if !path.contains("/manifests/") || path.ends_with(REDIRECTED) {
                return forward(client, shared.upstream, &head, &rest, None);
            }
            let status = format!("307 Temporary Redirect\r\nLocation: {path}{REDIRECTED}");
            answer(&mut client, &status, "UNKNOWN")
        }
        Fault::CutAfter(bytes) => {
            let is_blob = request.starts_with("GET ") && request.contains("/blobs/");
            let limit = is_blob.then_some(bytes);
            forward(client, shared.upstream, &head, &rest, limit)
        }
        Fault::Unauthorized => answer(
            &mut client,
            "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"lab\"",
            "UNAUTHORIZED",
        ),
        Fault::TooManyRequests => {
            answer(&mut client, "429 Too Many Requests\r\nRetry-After: 1", "TOOMANYREQUESTS")
        }
        Fault::ServerError => answer(&mut client, "500 Internal Server Error", "UNKNOWN"),
        Fault::Hang => hang(&mut client, shared, change),
        Fault::Refuse => Ok(()),
    }
}

/// Returns true if the first byte looks like HTTP. Docker tries TLS first and would otherwise wait a long time.
fn speaks_http(client: &TcpStream) -> io::Result<bool> {
    let mut byte = [0_u8; 1];
    client.peek(&mut byte)?;
    Ok(byte[0].is_ascii_uppercase())
}

fn answer(client: &mut TcpStream, status: &str, code: &str) -> io::Result<()> {
    let body = format!("{{\"errors\":[{{\"code\":\"{code}\",\"message\":\"fault of the lab\"}}]}}");
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    client.write_all((head + &body).as_bytes())
}

/// Keeps the connection open until the fault changes or the client disconnects.
fn hang(client: &mut TcpStream, shared: &Shared, since: u64) -> io::Result<()> {
    client.set_nonblocking(true)?;
    let mut byte = [0_u8; 1];
    while !shared.wait_for_change(since) {
        match client.read(&mut byte) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Forwards one request and its response. With a limit, at most that many bytes of the response body are sent.
fn forward(
    mut client: TcpStream,
    upstream: SocketAddr,
    head: &str,
    rest: &[u8],
    limit: Option<u64>,
) -> io::Result<()> {
    let mut registry = TcpStream::connect_timeout(&upstream, CONNECT_LIMIT)?;
    registry.write_all(with_connection_close(head).as_bytes())?;
    registry.write_all(rest)?;
    let (mut from, mut to) = (client.try_clone()?, registry.try_clone()?);
    thread::spawn(move || io::copy(&mut from, &mut to));
    let (head, start) = read_head(&mut registry)?;
    client.write_all(head.as_bytes())?;
    let body = start.as_slice().chain(&mut registry);
    let sent = match limit {
        Some(bytes) => io::copy(&mut body.take(bytes), &mut client)?,
        None => io::copy(&mut { body }, &mut client)?,
    };
    let is_cut = header(&head, "content-length")
        .and_then(|length| length.parse::<u64>().ok())
        .is_some_and(|length| sent < length);
    registry.shutdown(Shutdown::Both)?;
    if is_cut { client.shutdown(Shutdown::Both) } else { client.shutdown(Shutdown::Write) }
}

/// Returns the head with a header that asks to close the connection after the response.
fn with_connection_close(head: &str) -> String {
    let mut lines: Vec<&str> = head
        .lines()
        .filter(|line| !line.is_empty() && !line.to_ascii_lowercase().starts_with("connection:"))
        .collect();
    lines.push("Connection: close");
    lines.join("\r\n") + "\r\n\r\n"
}

#[cfg(test)]
mod tests;
