//! What a supervisor tells systemd (`sd_notify(3)`).

use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::surroundings::{Notice, Notify};
use super::time;
use oml_common::time::Timestamp;

/// The line to systemd; the same text is not sent twice.
pub(super) struct SystemdNotifier {
    notify: Box<dyn Notify>,
    shown: Mutex<Shown>,
}

/// What `systemctl status` shows.
#[derive(Debug, Default)]
struct Shown {
    line: String,
    /// What was last sent.
    sent: String,
    /// Since when the engine does not answer.
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

    /// Shows systemd again and again that this process is not stuck.
    pub(super) async fn keep_watchdog(&self) -> Infallible {
        let Some(limit) = self.notify.watchdog() else {
            return std::future::pending().await;
        };
        loop {
            self.notify.say(Notice::Alive);
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
