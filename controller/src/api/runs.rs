//! Starts runs of operations, and streams their output until they are over.

use std::collections::BTreeMap;
use std::time::Duration;

use oml_common::decide::operation::{RunRequest, RunState};
use oml_common::id::{ComponentName, TenantId, ValueName};
use oml_common::time::Timestamp;
use oml_proto::{run, v1};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Response, Status};

use super::fields::RequestFields;
use super::{FleetApi, Reply};
use crate::ops::OpsError;
use crate::ops::runs::{
    OutputLines, ReportedRun, RunChanges, RunHistory, RunOutput, RunRecord, Runs,
};
use crate::policy;
use crate::shutdown::ShutdownSignal;
use crate::wire;

/// The longest time between two looks at a run that somebody follows: a nudge may be lost.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// A run that an operator follows.
struct Followed {
    runs: Runs,
    tenant: TenantId,
    run: RunRecord,
    messages: mpsc::Sender<Result<v1::RunEvent, Status>>,
}

/// Returns the runs of a tenant for its operators, the newest first.
pub(super) fn to_wire(found: &RunHistory, now: Timestamp) -> Vec<v1::Run> {
    let asked = found.runs.iter().map(|known| run::to_wire(known, now));
    let of_update =
        |known: &ReportedRun| run::reported_to_wire(&known.node, &known.component, &known.run);
    let mut runs: Vec<v1::Run> = asked.chain(found.of_updates.iter().map(of_update)).collect();
    // One whose start is not known yet goes on.
    let newest = |run: &v1::Run| match run.asked_at_ms {
        0 => u64::MAX,
        at => at,
    };
    runs.sort_by_key(|run| std::cmp::Reverse(newest(run)));
    runs
}

impl FleetApi {
    /// Records a run and returns the stream of what becomes of it.
    pub(super) async fn start_run(
        &self,
        who: policy::OperatorCaller,
        request: v1::RunOperationRequest,
    ) -> Reply<super::Replies<v1::RunEvent>> {
        let v1::RunOperationRequest { tenant, component, operation, node, values } = request;
        let mut fields = RequestFields::default();
        let tenant: Option<TenantId> = fields.read("tenant", &tenant);
        let component: Option<ComponentName> = fields.read("component", &component);
        let node = fields.read_optional("node", &node);
        let mut given = BTreeMap::new();
        for (name, value) in values {
            let name: Option<ValueName> = fields.read(&name, &name);
            given.extend(name.map(|name| (name, value)));
        }
        if operation.is_empty() {
            let (tenant, component) = fields.finish(tenant.zip(component))?;
            let refused = self.runs.without_operation(&tenant, &component).await;
            return Err(wire::status_of(&refused));
        }
        let operation = fields.read("operation", &operation);
        let read = tenant.zip(component).zip(operation).zip(node);
        let (((tenant, component), operation), node) = fields.finish(read)?;
        let wanted = RunRequest { component, operation, node, values: given };
        let changes = self.runs.changes(&tenant);
        let (runs, name, of_tenant) = (self.runs.clone(), who.name, tenant.clone());
        let started =
            super::run_to_completion(async move { runs.start(&name, &of_tenant, &wanted).await });
        let (run, output) = started.await?;
        let life = Duration::from_millis(who.expires.since_ms(self.runs.now()));
        let (messages, replies) = mpsc::channel(1);
        let followed = Followed { runs: self.runs.clone(), tenant, run, messages };
        tokio::spawn(followed.until_end(output, changes, life, self.shutdown.clone()));
        Ok(Response::new(Box::pin(ReceiverStream::new(replies))))
    }
}

impl Followed {
    /// Sends what becomes of the run until it is over, the reader is gone or its certificate
    /// expires, or the controller stops.
    async fn until_end(
        mut self,
        output: RunOutput,
        changes: RunChanges,
        life: Duration,
        mut shutdown: ShutdownSignal,
    ) {
        let messages = self.messages.clone();
        // Every arm only observes.
        let ended = tokio::select! {
            biased;
            () = tokio::time::sleep(life) => Err(policy::expired()),
            () = shutdown.requested() => Err(Status::unavailable("the controller is stopping")),
            () = messages.closed() => Ok(()),
            ended = self.send_all(output, changes) => ended,
        };
        if let Err(status) = ended {
            // A reader that is gone needs no reason.
            let _gone = messages.try_send(Err(status));
        }
    }

    async fn send_all(
        &mut self,
        mut output: RunOutput,
        mut changes: RunChanges,
    ) -> Result<(), Status> {
        self.send(OutputLines::default()).await;
        let mut has_output = true;
        loop {
            // That no host answers is no change of the store.
            let until_change = RunState::changes_in_ms(&self.run, self.runs.now());
            let until_change = until_change.map_or(LOOK_INTERVAL, Duration::from_millis);
            let look = Instant::now() + until_change.min(LOOK_INTERVAL);
            // Lines and nudges that are not returned now are returned in the next round.
            tokio::select! {
                biased;
                lines = output.next(), if has_output => match lines {
                    Some(lines) => {
                        self.send(lines).await;
                        continue;
                    }
                    None => has_output = false,
                },
                () = changes.next() => {}
                () = sleep_until(look) => {}
            }
            let found = self.runs.get(&self.tenant, self.run.id).await;
            let found = found.map_err(|error: OpsError| wire::status_of(&error))?;
            let Some(run) = found else {
                return Err(Status::not_found("the record of the run was removed"));
            };
            let before = std::mem::replace(&mut self.run, run);
            let is_over = !RunState::of(&self.run, self.runs.now()).blocks();
            if is_over {
                while let Some(lines) = self.rest(&mut output, has_output).await {
                    self.send(lines).await;
                }
                self.send(OutputLines::default()).await;
                return Ok(());
            }
            if before != self.run {
                self.send(OutputLines::default()).await;
            }
        }
    }

    /// Returns the lines of a run that is over. Its output is closed right after its result is
    /// recorded.
    async fn rest(&self, output: &mut RunOutput, has_output: bool) -> Option<OutputLines> {
        let is_ended = self.run.result.is_some();
        if has_output && is_ended { output.next().await } else { None }
    }

    async fn send(&self, output: OutputLines) {
        let OutputLines { left_out, lines } = output;
        let run = Some(run::to_wire(&self.run, self.runs.now()));
        // The end of the stream is noticed where it is waited for.
        let _gone = self.messages.send(Ok(v1::RunEvent { run, left_out, lines })).await.is_err();
    }
}
