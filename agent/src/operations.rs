//! The runs of operations on this host: takes orders, follows what runs, and reports it to the session.
//!
//! A run does not depend on this process: its unit goes on when the agent is restarted, and the
//! agent follows it again. A run without a result whose unit is gone was interrupted. None is
//! begun twice: its order is on the disk before anything of it begins.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use oml_common::decide::operation::{HostRun, RunRefused, may_go_on, refusal};
use oml_common::document::Verbatim;
use oml_common::document::operation::{RunOrder, RunOutcome, RunResult};
use oml_common::id::{RunId, TenantId};
use oml_common::text::error::chain;
use oml_common::text::printable::printable;
use oml_common::time::Timestamp;
use oml_daemon::failpoint;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tracing::{debug, info, warn};

use crate::files::FileError;
use crate::follow::{Followed, Output};
use crate::host::Host;
use crate::pause::RetryPause;
use crate::runs;
use crate::runtime::RuntimeError;

mod board;

pub use board::{RunBoard, RunMessage};

/// The number of orders that may wait.
pub const ORDERS_LEN_MAX: usize = 8;
/// The time for the last lines of a run that is over.
const LAST_LINES_LIMIT: Duration = Duration::from_secs(10);
/// Why an order is not begun whose number another one has.
const OTHER_ORDER: &str = "this host has another order of this number, or cannot read the one that \
                           it has; ask for the run again, which gives it another number";

/// The line by which a session gives orders and learns what became of them.
#[derive(Clone)]
pub struct RunLine {
    pub orders: mpsc::Sender<Verbatim<RunOrder>>,
    pub board: Arc<RunBoard>,
}

/// The task that takes orders and follows runs.
pub struct Operations {
    host: Host,
    /// The tenant of this host, if it is known: runs of another are not its own.
    tenant: Option<TenantId>,
    orders: mpsc::Receiver<Verbatim<RunOrder>>,
    board: Arc<RunBoard>,
    /// The tasks of runs, each until nothing of its run is left but its files.
    tasks: JoinSet<RunId>,
    /// The runs that have a task.
    under_way: BTreeSet<RunId>,
}

impl Operations {
    /// Makes the task for a host of that tenant, with the line of its session.
    #[must_use]
    pub fn new(host: Host, tenant: Option<TenantId>) -> (Self, RunLine) {
        let (sender, orders) = mpsc::channel(ORDERS_LEN_MAX);
        let board = Arc::<RunBoard>::default();
        let line = RunLine { orders: sender, board: Arc::clone(&board) };
        let (tasks, under_way) = (JoinSet::new(), BTreeSet::new());
        (Self { host, tenant, orders, board, tasks, under_way }, line)
    }

    /// Runs until dropped.
    pub async fn run(mut self) {
        self.resume();
        loop {
            // Dropping an arm loses nothing: both keep what they have not returned.
            tokio::select! {
                biased;
                Some(order) = self.orders.recv() => self.take(&order),
                Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    self.take_end(ended);
                }
                else => return,
            }
        }
    }

    /// Follows what was begun before the agent was started. Of what is over, it reports the
    /// result and removes what is left.
    fn resume(&mut self) {
        let known = self.known().unwrap_or_else(|error| {
            warn!(error = chain(&error), "cannot list the runs of operations");
            Default::default()
        });
        // Those of updates are followed by their updates.
        for (id, run) in known.into_iter().filter(|(id, _)| !id.is_of_host()) {
            let follower = self.follower(id);
            match run.result {
                Some(result) => self.spawn(id, follower.clear(result)),
                None => self.spawn(id, follower.run()),
            }
        }
    }

    fn spawn(&mut self, id: RunId, task: impl Future<Output = ()> + Send + 'static) {
        self.under_way.insert(id);
        self.tasks.spawn(async move {
            task.await;
            id
        });
    }

    fn take_end(&mut self, ended: Result<RunId, JoinError>) {
        match ended {
            Ok(id) => {
                self.under_way.remove(&id);
            }
            // What is left of its run is kept until the agent is restarted.
            Err(error) => warn!(%error, "the task of a run failed"),
        }
        self.prune();
    }

    /// Returns the runs of this host's own tenant.
    fn known(&self) -> Result<BTreeMap<RunId, HostRun>, FileError> {
        runs::known(&self.host.paths, self.tenant.as_ref())
    }

    /// Takes an order. One that is known already is only reported again.
    fn take(&mut self, order: &Verbatim<RunOrder>) {
        let id = order.id;
        let (operation, component) = (&order.operation, &order.instance.component);
        let mut known = match self.known() {
            Ok(known) => known,
            Err(error) => return drop(self.report_refused(id, &chain(&error))),
        };
        match known.get(&id).map(|run| run.order.as_ref() == Some(order)) {
            Some(true) => return self.board.report_again(id),
            Some(false) => return drop(self.report_refused(id, OTHER_ORDER)),
            // It was refused, and could not be written.
            None if self.board.has_result(id) => return self.board.report_again(id),
            None => {}
        }
        // Whether those of updates go on is asked of the engine and of systemd, which may be slow.
        known.retain(|id, run| !id.is_of_host() || run.result.is_some());
        if let Some(why) = refusal(order, &known) {
            return self.refuse(order, &why.to_string());
        }
        if let Err(error) = runs::begin(&self.host.paths, order) {
            return self.refuse(order, &chain(&error));
        }
        failpoint::reach("O1");
        info!(run = %id, %operation, %component, "operation ordered");
        self.board.begin(id);
        let (host, order, follower) = (self.host.clone(), order.clone(), self.follower(id));
        let tenant = self.tenant.clone();
        self.spawn(id, async move {
            let begun = match beside_update(&host, tenant.as_ref(), &order).await {
                Ok(None) => begin(&host, &order).await.map_err(|error| chain(&error)),
                Ok(Some(why)) => Err(why.to_string()),
                Err(error) => Err(chain(&error)),
            };
            match begun {
                Ok(()) => follower.run().await,
                Err(why) => follower.end(not_started(&printable(&why), host.clock.now())).await,
            }
        });
    }

    /// Reports that a run is not begun, and writes it down: its order may come again when nothing
    /// is against it any more, and what was reported counts.
    fn refuse(&self, order: &Verbatim<RunOrder>, why: &str) {
        // Before it is written: what is pruned is reported no more.
        self.prune();
        let result = self.report_refused(order.id, why);
        if let Err(error) = runs::write_refused(&self.host.paths, order, &result) {
            warn!(run = %order.id, error = chain(&error), "cannot write that a run was refused");
        }
    }

    /// Reports that a run is not begun, and returns the result.
    fn report_refused(&self, id: RunId, why: &str) -> RunResult {
        warn!(run = %id, reason = why, "operation refused");
        let result = not_started(&printable(why), self.host.clock.now());
        self.board.end(id, result.clone());
        result
    }

    fn follower(&self, id: RunId) -> Follower {
        Follower { host: self.host.clone(), board: Arc::clone(&self.board), id }
    }

    fn prune(&self) {
        match runs::prune(&self.host.paths, self.tenant.as_ref(), &self.under_way) {
            Ok(forgotten) => forgotten.into_iter().for_each(|id| self.board.forget(id)),
            Err(error) => warn!(error = chain(&error), "cannot remove old runs"),
        }
    }
}

fn not_started(why: &str, now: Timestamp) -> RunResult {
    let (outcome, reason) = (RunOutcome::NotStarted, why.to_owned());
    RunResult { outcome, started: None, ended: now, reason, last_lines: Vec::new() }
}

/// Looks for a run of an update that goes on and beside which the order must not begin. One that is
/// written meanwhile is found too.
async fn beside_update(
    host: &Host,
    tenant: Option<&TenantId>,
    order: &RunOrder,
) -> Result<Option<RunRefused>, FileError> {
    let mut left = BTreeSet::new();
    loop {
        let known = runs::known(&host.paths, tenant)?;
        let is_waited_for = |id: &RunId| id.is_of_host() && !left.contains(id);
        let begun = may_go_on(&order.instance.component, &known).find(is_waited_for);
        let Some(begun) = begun else { return Ok(None) };
        if !host.has_left(begun).await {
            return Ok(Some(RunRefused::beside(begun, &known)));
        }
        left.insert(begun);
    }
}

/// Creates the container of a run and starts its unit. An error means that it was not started.
async fn begin(host: &Host, order: &RunOrder) -> Result<(), RuntimeError> {
    host.docker.create_run(order).await?;
    failpoint::reach("O2");
    match host.systemd.start_run(order).await {
        // It may have been started all the same, so it is followed like one that was.
        Err(error @ RuntimeError::Unavailable { .. }) => {
            warn!(run = %order.id, error = chain(&error), "systemd did not say that it starts a run");
        }
        started => started?,
    }
    failpoint::reach("O3");
    Ok(())
}

/// Follows one run until nothing of it is left but its files.
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
        self.end(result).await;
    }

    /// Writes the result of the run, unless there is one, reports it and removes the container.
    async fn end(self, result: RunResult) {
        let Self { host, id, .. } = &self;
        let (outcome, words) = (result.outcome, result.to_string());
        let is_written = matches!(runs::read_result(&host.paths, *id), Ok(Some(_)));
        if !is_written && let Err(error) = runs::write_result(&host.paths, *id, &result) {
            // It is reported all the same; after a restart of the agent the run counts as interrupted.
            warn!(run = %id, error = chain(&error), "cannot write the result of a run");
        }
        failpoint::reach("O4");
        info!(run = %id, ?outcome, result = words, "operation ended");
        self.clear(result).await;
    }

    /// Removes the container of the run, however long that takes, and reports the result after the
    /// first try.
    async fn clear(self, result: RunResult) {
        let Self { host, board, id } = &self;
        let mut removed = host.docker.remove_run(*id).await;
        board.end(*id, result);
        if let Err(error) = &removed {
            warn!(run = %id, error = chain(error), "cannot remove the container of a run; retrying");
        }
        let mut pause = RetryPause::new();
        while let Err(error) = removed {
            debug!(run = %id, error = chain(&error), "container of a run not removed yet");
            pause.pause().await;
            removed = host.docker.remove_run(*id).await;
        }
    }
}

#[cfg(test)]
mod tests;
