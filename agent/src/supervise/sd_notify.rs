//! What systemd is told (`sd_notify(3)`). Without systemd nobody is.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::time::Duration;

use super::surroundings::{Notice, Notify};
use super::time;
use oml_common::time::Timestamp;

/// The line to systemd; the same text is not sent twice.
pub(super) struct SystemdNotifier {
    notify: Box<dyn Notify>,
    line: RefCell<String>,
    sent: RefCell<String>,
    /// Since when the engine does not answer.
    away: Cell<Option<Timestamp>>,
}

impl SystemdNotifier {
    pub(super) fn new(notify: Box<dyn Notify>) -> Self {
        Self { notify, line: RefCell::default(), sent: RefCell::default(), away: Cell::default() }
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
        let Some(limit) = self.notify.watchdog() else {
            return std::future::pending().await;
        };
        loop {
            self.notify.say(Notice::Alive);
            tokio::time::sleep(limit / 3).await;
        }
    }

    fn tell(&self) {
        let mut line = self.line.borrow().clone();
        if let Some(since) = self.away.get() {
            line += &format!("; docker does not answer since {}", time::shown(since));
        }
        let mut sent = self.sent.borrow_mut();
        if *sent != line {
            self.notify.say(Notice::Status(&line));
            *sent = line;
        }
    }
}
