//! The runs of operations on this host: takes orders, follows what runs, and reports it to the session.
//!
//! A run does not depend on this process: its unit goes on when the agent is restarted, and the
//! agent follows it again. A run without a result whose unit is gone was interrupted. None is
//! begun twice: its order is on the disk before anything of it begins.

use std::sync::Arc;
use std::time::Duration;

use oml_common::decide::operation::refusal;
use oml_common::document::Verbatim;
use oml_common::document::operation::{RunOrder, RunOutcome, RunResult};
use oml_common::id::RunId;
use oml_common::text::error::chain;
use oml_common::text::printable::printable;
use oml_common::time::Timestamp;
use oml_daemon::failpoint;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::follow::{Followed, Output};
use crate::host::Host;
use crate::runs;
use crate::runtime::RuntimeError;

mod board;

pub use board::{RunBoard, RunNews};

/// The number of orders that may wait.
pub const ORDERS_LEN_MAX: usize = 8;
/// The time for the last lines of a run that is over.
const LAST_LINES_LIMIT: Duration = Duration::from_secs(10);

/// The line by which a session gives orders and learns what became of them.
#[derive(Clone)]
pub struct RunLine {
    pub orders: mpsc::Sender<Verbatim<RunOrder>>,
    pub board: Arc<RunBoard>,
}

/// The task that takes orders and follows runs.
pub struct Operations {
    host: Host,
    orders: mpsc::Receiver<Verbatim<RunOrder>>,
    board: Arc<RunBoard>,
}

impl Operations {
    /// Makes the task for a host, with the line of its session.
    #[must_use]
    pub fn new(host: Host) -> (Self, RunLine) {
        let (sender, orders) = mpsc::channel(ORDERS_LEN_MAX);
        let board = Arc::<RunBoard>::default();
        let line = RunLine { orders: sender, board: Arc::clone(&board) };
        (Self { host, orders, board }, line)
    }

    /// Runs until dropped.
    pub async fn run(mut self) {
        let mut followed = JoinSet::new();
        self.resume(&mut followed);
        loop {
            // Dropping an arm loses nothing: both keep what they have not returned.
            tokio::select! {
                biased;
                Some(order) = self.orders.recv() => {
                    self.take(&order, &mut followed);
                }
                Some(ended) = followed.join_next(), if !followed.is_empty() => {
                    if let Err(error) = ended {
                        warn!(%error, "the task of a run failed");
                    }
                    self.prune();
                }
                else => return,
            }
        }
    }

    /// Follows what was begun before the agent was started, and reports what is over.
    fn resume(&self, followed: &mut JoinSet<()>) {
        let known = runs::known(&self.host.paths).unwrap_or_else(|error| {
            warn!(error = chain(&error), "cannot list the runs of operations");
            Default::default()
        });
        // Those of updates are followed by their updates.
        for (id, run) in known.into_iter().filter(|(id, _)| !id.is_of_host()) {
            match run.result {
                Some(result) => self.board.end(id, result),
                None => drop(followed.spawn(self.follow(id))),
            }
        }
    }

    /// Takes an order. One that is known already is only reported again.
    fn take(&self, order: &RunOrder, followed: &mut JoinSet<()>) {
        let id = order.id;
        let (operation, component) = (&order.operation, &order.instance.component);
        let known = match runs::known(&self.host.paths) {
            Ok(known) => known,
            Err(error) => return self.refuse(id, &chain(&error)),
        };
        if known.contains_key(&id) {
            return self.board.tell_again(id);
        }
        if let Some(why) = refusal(order, &known) {
            return self.refuse(id, &why.to_string());
        }
        if let Err(error) = runs::write_order(&self.host.paths, order) {
            return self.refuse(id, &chain(&error));
        }
        failpoint::reach("O1");
        info!(run = %id, %operation, %component, "operation ordered");
        self.board.begin(id);
        let (host, order, followed_run) = (self.host.clone(), order.clone(), self.follow(id));
        let board = Arc::clone(&self.board);
        followed.spawn(async move {
            match begin(&host, &order).await {
                Ok(()) => followed_run.await,
                Err(error) => {
                    let result = not_started(&printable(&chain(&error)), host.clock.now());
                    end(&host, &board, id, result).await;
                }
            }
        });
    }

    /// Tells that a run is not begun, of which nothing was written.
    fn refuse(&self, id: RunId, why: &str) {
        warn!(run = %id, reason = why, "operation refused");
        self.board.end(id, not_started(&printable(why), self.host.clock.now()));
    }

    fn follow(&self, id: RunId) -> impl Future<Output = ()> + Send + 'static {
        let follower = Follower { host: self.host.clone(), board: Arc::clone(&self.board), id };
        follower.run()
    }

    fn prune(&self) {
        match runs::prune(&self.host.paths) {
            Ok(forgotten) => forgotten.into_iter().for_each(|id| self.board.forget(id)),
            Err(error) => warn!(error = chain(&error), "cannot remove old runs"),
        }
    }
}

fn not_started(why: &str, now: Timestamp) -> RunResult {
    let (outcome, reason) = (RunOutcome::NotStarted, why.to_owned());
    RunResult { outcome, started: None, ended: now, reason, last_lines: Vec::new() }
}

/// Creates the container of a run and starts its unit.
async fn begin(host: &Host, order: &RunOrder) -> Result<(), RuntimeError> {
    host.docker.create_run(order).await?;
    failpoint::reach("O2");
    host.systemd.start_run(order).await?;
    failpoint::reach("O3");
    Ok(())
}

/// Writes the result of a run, unless there is one, removes its container and reports the result.
async fn end(host: &Host, board: &RunBoard, id: RunId, result: RunResult) {
    let (outcome, words) = (result.outcome, result.to_string());
    let is_written = matches!(runs::read_result(&host.paths, id), Ok(Some(_)));
    if !is_written && let Err(error) = runs::write_result(&host.paths, id, &result) {
        // It is reported all the same; after a restart of the agent the run counts as interrupted.
        warn!(run = %id, error = chain(&error), "cannot write the result of a run");
    }
    failpoint::reach("O4");
    if let Err(error) = host.docker.remove_run(id).await {
        warn!(run = %id, error = chain(&error), "cannot remove the container of a run");
    }
    info!(run = %id, ?outcome, result = words, "operation ended");
    board.end(id, result);
}

/// Follows one run until it is over.
struct Follower {
    host: Host,
    board: Arc<RunBoard>,
    id: RunId,
}

impl Output for Follower {
    fn add(&self, line: String) {
        self.board.add_line(self.id, line);
    }

    fn taken(&self) -> u64 {
        self.board.lines_of(self.id)
    }
}

impl Follower {
    async fn run(self) {
        self.board.begin(self.id);
        let followed = Followed { host: &self.host, id: self.id, output: Some(&self) };
        let result = followed.until_over().await;
        // What it wrote between the last look and its end.
        let last_lines = timeout(LAST_LINES_LIMIT, followed.until_container_ends()).await;
        if last_lines.is_err() {
            warn!(run = %self.id, "cannot read all of the output of a run");
        }
        end(&self.host, &self.board, self.id, result).await;
    }
}

#[cfg(test)]
mod tests;
