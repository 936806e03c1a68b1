//! What systemd is told (`sd_notify(3)`). Without systemd nobody is.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::time::Duration;

use oml_common::time::Timestamp;
use sd_notify::NotifyState;

use super::moment;

/// The line to systemd; the same text is not sent twice.
#[derive(Debug, Default)]
pub(super) struct Told {
    line: RefCell<String>,
    sent: RefCell<String>,
    /// Since when the engine does not answer.
    away: Cell<Option<Timestamp>>,
}

impl Told {
    pub(super) fn ready(&self) {
        send(&[NotifyState::Ready]);
    }

    pub(super) fn stopping(&self) {
        send(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
    }

    pub(super) fn extend(&self, by: Duration) {
        let microseconds = u32::try_from(by.as_micros()).unwrap_or(u32::MAX);
        send(&[NotifyState::ExtendTimeoutUsec(microseconds)]);
    }

    /// The line for `systemctl status`.
    pub(super) fn status(&self, line: &str) {
        line.clone_into(&mut self.line.borrow_mut());
        self.tell();
    }

    pub(super) fn engine_is_away(&self, now: Timestamp) {
        if self.away.get().is_none() {
            self.away.set(Some(now));
            self.tell();
        }
    }

    pub(super) fn engine_is_back(&self) {
        if self.away.take().is_some() {
            self.tell();
        }
    }

    /// Shows systemd again and again that this process is not stuck.
    pub(super) async fn keep_watchdog(&self) -> Infallible {
        let Some(limit) = sd_notify::watchdog_enabled() else {
            return std::future::pending().await;
        };
        loop {
            send(&[NotifyState::Watchdog]);
            tokio::time::sleep(limit / 3).await;
        }
    }

    fn tell(&self) {
        let mut line = self.line.borrow().clone();
        if let Some(since) = self.away.get() {
            line += &format!("; docker does not answer since {}", moment::shown(since));
        }
        let mut sent = self.sent.borrow_mut();
        if *sent != line {
            send(&[NotifyState::Status(&line)]);
            *sent = line;
        }
    }
}

fn send(state: &[NotifyState<'_>]) {
    // systemd may be restarting itself; it hears the next one.
    if let Err(error) = sd_notify::notify(state) {
        eprintln!("could not tell systemd: {error}");
    }
}
