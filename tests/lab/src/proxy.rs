//! A way to the registry that can be made faulty at any moment: refusing, out of order, cutting a layer in the middle, silent.
//! It forwards bytes; it understands only the first line of a request.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::error::{LabError, Result};
use crate::http::{header, read_head};

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How often a waiting connection looks whether its client is still there.
const HANG_LOOK: Duration = Duration::from_millis(200);
const REQUESTS_KEPT: usize = 1000;

/// What happens to requests from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing: they pass.
    Pass,
    /// The port is closed.
    Refuse,
    /// The login is refused (401).
    Unauthorized,
    /// Too many requests (429).
    TooMany,
    /// An internal error (500).
    ServerError,
    /// The connection breaks after this many bytes of a layer; every other answer passes.
    CutAfter(u64),
    /// The connection is accepted and nothing is ever answered.
    Hang,
}

/// The faulty way to a registry; it closes when the value goes away.
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
    /// Counts the changes of `fault`, so that a hanging connection ends with the fault it came under.
    change: u64,
    is_closed: bool,
    /// Lines like `GET /v2/…`, the oldest first.
    requests: Vec<String>,
}

impl FaultyRegistry {
    /// Opens the port; everything passes at first.
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

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what happens to requests. Connections that hang are ended.
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

    /// The requests so far, like `GET /v2/omnileads/small/manifests/v1`; only the latest thousand.
    pub fn requests(&self) -> Vec<String> {
        self.shared.lock().requests.clone()
    }

    fn close_port(&mut self) {
        self.shared.lock().is_closed = true;
        // The acceptor looks at the flag after each connection: this one wakes it.
        if let Ok(stream) = TcpStream::connect_timeout(&self.address, CONNECT_LIMIT) {
            drop(stream);
        }
        if let Some(acceptor) = self.acceptor.take()
            && acceptor.join().is_err()
        {
            crate::say::say("a thread of the faulty registry panicked");
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

    fn note(&self, line: &str) -> (Fault, u64) {
        let mut state = self.lock();
        if state.requests.len() == REQUESTS_KEPT {
            state.requests.remove(0);
        }
        state.requests.push(line.to_owned());
        (state.fault, state.change)
    }

    fn wait_for_change(&self, since: u64) -> bool {
        let state = self.lock();
        let waited = self.changed.wait_timeout(state, HANG_LOOK);
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
                // A broken connection is the client's to report; here it is often the point.
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
    let (fault, change) = shared.note(request);
    match fault {
        Fault::Pass => forward(client, shared.upstream, (&head, &rest), None),
        Fault::CutAfter(bytes) => {
            let is_blob = request.starts_with("GET ") && request.contains("/blobs/");
            let limit = is_blob.then_some(bytes);
            forward(client, shared.upstream, (&head, &rest), limit)
        }
        Fault::Unauthorized => answer(
            &mut client,
            "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"lab\"",
            "UNAUTHORIZED",
        ),
        Fault::TooMany => {
            answer(&mut client, "429 Too Many Requests\r\nRetry-After: 1", "TOOMANYREQUESTS")
        }
        Fault::ServerError => answer(&mut client, "500 Internal Server Error", "UNKNOWN"),
        Fault::Hang => hang(&mut client, shared, change),
        Fault::Refuse => Ok(()),
    }
}

/// Docker tries TLS first, and would wait long for an end of the first line.
fn speaks_http(client: &TcpStream) -> io::Result<bool> {
    let mut byte = [0_u8; 1];
    client.peek(&mut byte)?;
    Ok(byte[0].is_ascii_uppercase())
}

fn answer(client: &mut TcpStream, status: &str, code: &str) -> io::Result<()> {
    let body = format!("{{\"errors\":[{{\"code\":\"{code}\",\"message\":\"the lab says so\"}}]}}");
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    client.write_all((head + &body).as_bytes())
}

/// Holds the connection until the fault changes or the client leaves.
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

/// Sends one request on and the answer back; with a limit, only that many bytes of a longer body.
fn forward(
    mut client: TcpStream,
    upstream: SocketAddr,
    request: (&str, &[u8]),
    limit: Option<u64>,
) -> io::Result<()> {
    let (head, rest) = request;
    let mut registry = TcpStream::connect_timeout(&upstream, CONNECT_LIMIT)?;
    registry.write_all(one_request(head).as_bytes())?;
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

/// The head with the wish that the connection ends after the answer.
fn one_request(head: &str) -> String {
    let mut lines: Vec<&str> = head
        .lines()
        .filter(|line| !line.is_empty() && !line.to_ascii_lowercase().starts_with("connection:"))
        .collect();
    lines.push("Connection: close");
    lines.join("\r\n") + "\r\n\r\n"
}

#[cfg(test)]
mod tests;
