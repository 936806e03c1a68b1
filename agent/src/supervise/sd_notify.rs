//! The notices that a supervisor sends to systemd (`sd_notify(3)`).

use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::surroundings::{Notice, Notify};
use super::time;
use oml_common::time::Timestamp;

/// Sends notices to systemd. It does not send the same status line twice in a row.
pub(super) struct SystemdNotifier {
    notify: Box<dyn Notify>,
    shown: Mutex<Shown>,
}

/// The status line that `systemctl status` shows.
#[derive(Debug, Default)]
struct Shown {
    line: String,
    /// The last line that was sent.
    sent: String,
    /// The time since when the engine does not answer.
    away: Option<Timestamp>,
}

impl SystemdNotifier {
    pub(super) fn new(notify: Box<dyn Notify>) -> Self {
        Self { notify, shown: Mutex::default() }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ready(&self) {
        self.notify.say(Notice::Ready);
    }

    pub(super) fn stopping(&self) {
        self.notify.say(Notice::Stopping);
        self.notify.say(Notice::Status("stopping"));
    }

    pub(super) fn extend(&self, by: Duration) {
        self.notify.say(Notice::Extend(by));
    }

    /// Sets the line for `systemctl status`.
    pub(super) fn status(&self, line: &str) {
        let mut shown = self.shown();
        line.clone_into(&mut shown.line);
        self.send(&mut shown);
    }

    pub(super) fn engine_is_away(&self, now: Timestamp) {
        let mut shown = self.shown();
        if shown.away.is_none() {
            shown.away = Some(now);
            self.send(&mut shown);
        }
    }

    pub(super) fn engine_is_back(&self) {
        let mut shown = self.shown();
        if shown.away.take().is_some() {
            self.send(&mut shown);
        }
    }

    /// Notifies systemd periodically that this process is not stuck.
    pub(super) async fn keep_watchdog(&self) -> Infallible {
        let Some(limit) = self.notify.watchdog() else {
            return std::future::pending().await;
        };
        loop {
            self.notify.say(Notice::Alive);
            // systemd recommends half the limit (sd_watchdog_enabled(3)); a third leaves room
            // for one that is late.
            tokio::time::sleep(limit / 3).await;
        }
    }

    fn send(&self, shown: &mut Shown) {
        let mut line = shown.line.clone();
        if let Some(since) = shown.away {
            line += &format!("; docker does not answer since {}", time::shown(since));
        }
        if shown.sent != line {
            self.notify.say(Notice::Status(&line));
            shown.sent = line;
        }
    }
}
