//! Requests the version from a port every 2 ms, from this machine over the lab's
//! bridge, and records the last answer of the old version and the first answer of
//! the new one.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

const PERIOD: Duration = Duration::from_millis(2);
const ANSWER_LIMIT: Duration = Duration::from_millis(500);
const ANSWER_BYTES_MAX: u64 = 4096;
/// The longest wait for the first answer of the old version.
const START_LIMIT: Duration = Duration::from_secs(20);
/// The longest wait for the new version after the command has returned.
const END_LIMIT: Duration = Duration::from_secs(60);

/// The moments at which the two versions answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Switchover {
    /// The time of the old version's last answer.
    pub(crate) last_old: Instant,
    /// The time of the new version's first answer.
    pub(crate) first_new: Instant,
}

/// A port that a background thread polls.
pub(crate) struct Watch {
    thread: JoinHandle<Option<Switchover>>,
    is_over: Arc<AtomicBool>,
}

impl Watch {
    /// Starts polling and returns when the old version has answered.
    pub(crate) fn start(port: SocketAddr, old: &str, new: &str) -> Result<Self> {
        let is_over = Arc::new(AtomicBool::new(false));
        let (sender, has_started) = mpsc::channel();
        let [first, second] = [old, new].map(str::to_owned);
        let flag = Arc::clone(&is_over);
        let thread = thread::spawn(move || poll(port, &first, &second, &flag, &sender));
        let watch = Self { thread, is_over };
        if has_started.recv_timeout(START_LIMIT).is_err() {
            watch.is_over.store(true, Ordering::Relaxed);
            bail!("{port} did not answer with version {old} within {START_LIMIT:?}");
        }
        Ok(watch)
    }

    /// Waits for the first answer of the new version.
    pub(crate) fn finish(self) -> Result<Switchover> {
        let deadline = Instant::now() + END_LIMIT;
        while !self.thread.is_finished() && Instant::now() < deadline {
            thread::sleep(PERIOD);
        }
        self.is_over.store(true, Ordering::Relaxed);
        let seen = self.thread.join().map_err(|_| anyhow!("the watching thread panicked"))?;
        seen.with_context(|| format!("the new version did not answer within {END_LIMIT:?}"))
    }
}

fn poll(
    port: SocketAddr,
    old: &str,
    new: &str,
    is_over: &AtomicBool,
    has_started: &Sender<()>,
) -> Option<Switchover> {
    let mut last_old = None;
    let mut next = Instant::now();
    while !is_over.load(Ordering::Relaxed) {
        // A refused or closed connection counts as no answer.
        let answer = get_version(port).unwrap_or_default();
        let now = Instant::now();
        if answer == old {
            if last_old.is_none() {
                has_started.send(()).ok()?;
            }
            last_old = Some(now);
        } else if answer == new {
            return Some(Switchover { last_old: last_old?, first_new: now });
        }
        next = (next + PERIOD).max(now);
        thread::sleep(next - now);
    }
    None
}

/// Returns the body of `GET /` without the newline at its end.
pub(crate) fn get_version(port: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&port, ANSWER_LIMIT)?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok(body.trim_end().to_owned())
}
