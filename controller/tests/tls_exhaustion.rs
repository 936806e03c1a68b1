//! Tests that a port without free file descriptors waits without spinning, and serves
//! again once descriptors are free.
//!
//! The server is a child process that runs this test program with a low limit.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test program: failures are panics, and the child says its address"
)]

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use oml_daemon::env::{Clock, Env, Random};
use oml_daemon::proxy::Proxies;
use oml_daemon::tls::{Fingerprint, Identity, connect, enrollment_config};
use omlcontroller::pki::{Authority, Terms};
use omlcontroller::tls::{self, Acceptor, Limits};

const DIR: &str = "OML_TEST_SERVER_DIR";
const DESCRIPTORS: usize = 64;

/// Serves the enrolment port and prints its address. It does nothing unless it was
/// started as the server.
#[tokio::test]
async fn server_child() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let now = Env::system().now();
    let authority = Authority::create(dir.as_ref(), "test", now, &Random::system()).unwrap();
    let terms = Terms { now, lifetime_ms: 3_600_000, epoch: 1, after: None };
    let own = authority.issue_with_key(&Identity::Controller, terms).unwrap();
    let config = tls::enrollment_config(&authority, &own, &Clock::system()).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("\nserving {} {}", listener.local_addr().unwrap(), authority.fingerprint());
    let limits = Limits {
        handshakes_per_address_max: 1000,
        connections_per_address_max: 1000,
        new_per_second_max: 1000,
        ..Limits::default()
    };
    let config = Arc::new(ArcSwap::from_pointee(config));
    let (acceptor, mut connections) = Acceptor::new(listener, config, limits);
    let accepting = tokio::spawn(acceptor.run());
    // The connections stay open and silent.
    let mut open = Vec::new();
    while let Some(connection) = connections.recv().await {
        open.push(connection);
    }
    accepting.await.unwrap();
}

struct Server {
    child: Child,
    address: SocketAddr,
    fingerprint: Fingerprint,
}

impl Server {
    fn start(dir: &Path) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut command = Command::new("sh");
        let script = format!("ulimit -n {DESCRIPTORS}; exec \"$0\" \"$@\"");
        command.args(["-c", &script]).arg(program);
        command.args(["--exact", "server_child", "--nocapture"]).env(DIR, dir);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let said = lines.find_map(|line| line.strip_prefix("serving ").map(str::to_owned));
        let said = said.unwrap();
        let (address, fingerprint) = said.split_once(' ').unwrap();
        let (address, fingerprint) = (address.parse().unwrap(), fingerprint.parse().unwrap());
        Self { child, address, fingerprint }
    }

    /// Returns the processor time that the server has used so far.
    fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let (_, after_name) = stat.rsplit_once(')').unwrap();
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        // proc(5) counts clock ticks, which are hundredths of a second on every current
        // Linux.
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process may have ended already; the assertions of the test detect that.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

#[tokio::test]
async fn a_port_without_descriptors_waits_and_serves_again() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let client = Arc::new(enrollment_config(server.fingerprint, &Clock::system()));
    let address = server.address.to_string();
    assert!(connect(&address, Arc::clone(&client), &Proxies::default()).await.is_ok());

    let silent: Vec<_> =
        (0..DESCRIPTORS * 2).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    let (before, measured) = (server.cpu(), Duration::from_secs(2));
    tokio::time::sleep(measured).await;
    let used = server.cpu() - before;
    assert!(used < measured / 5, "{used:?} of processor time in {measured:?}");

    drop(silent);
    let start = Instant::now();
    while connect(&address, Arc::clone(&client), &Proxies::default()).await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(30), "the server does not serve again");
    }
}
