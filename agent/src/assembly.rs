//! Puts the loop and the session of an agent together. The program uses this on a real host,
//! and the stories on a model of one.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use oml_common::document::report::{HostUsage, Report};
use oml_common::id::TenantId;
use oml_common::text::error::chain;
use oml_daemon::env::Env;
use tokio::sync::watch;
use tracing::warn;

use crate::agent::{Agent, Inputs, empty_report};
use crate::cache::Cache;
use crate::config::Settings;
use crate::host::Host;
use crate::identity::{HostIdentity, IdentityFiles};
use crate::operations::Operations;
use crate::paths::Paths;
use crate::policy;
use crate::runtime::{ContainerEngine, UnitManager};
use crate::session::{Dial, HostFacts, Session, SessionState};
use crate::statuses::Statuses;

/// The host and the network of an agent.
pub struct Parts {
    pub env: Env,
    pub settings: Arc<Settings>,
    pub paths: Paths,
    /// Opens the daemons of a host of that tenant; none if its tenant is not known.
    pub daemons: Box<dyn FnOnce(Option<TenantId>) -> Daemons>,
    /// The last status of each supervisor.
    pub statuses: watch::Receiver<Statuses>,
    pub facts: HostFacts,
    /// The name of this run of the agent, by which a controller distinguishes two hosts with
    /// the same identity.
    pub process: String,
    /// Opens the connection to a controller.
    pub dial: Dial,
    /// Samples the use of the host.
    pub usage: Box<dyn FnMut() -> HostUsage + Send>,
    /// Called at every refresh, so that a watchdog sees that the loop is alive.
    pub alive: Box<dyn Fn(&Report) + Send>,
}

/// The daemons of a host that an agent acts on.
pub struct Daemons {
    pub docker: Arc<dyn ContainerEngine>,
    pub systemd: Arc<dyn UnitManager>,
}

/// The loop, the runs of operations and the session of an agent, none of them started. Each runs until it is dropped.
pub struct Assembly {
    pub agent: Agent,
    /// Runs the operations that the controller orders.
    pub operations: Operations,
    pub session: Session,
    pub reports: watch::Receiver<Arc<Report>>,
    pub session_state: watch::Receiver<SessionState>,
    /// Counts the passes of the loop.
    pub passes: Arc<AtomicU64>,
}

/// Joins the loop and the session of an agent, which starts with what is in its cache.
#[must_use]
pub fn assemble(parts: Parts) -> Assembly {
    let Parts { env, settings, paths, daemons, statuses, facts, process, dial, usage, alive } =
        parts;
    let files = IdentityFiles::new(&paths);
    let identity = load_identity(&files);
    let cache = Cache::new(&paths, &facts.machine_id);
    let cached = cache.assignment(identity.as_ref().map(|own| (&own.tenant, &own.node)));
    let unused_assignment = cached.as_ref().err().cloned();
    let cached = cached.unwrap_or_default();
    if let Err(error) = cache.check_copies(cached.as_ref()) {
        warn!(error = chain(&error), "cannot check the copies of documents");
    }
    // Without an identity, the host works by its cache.
    let by_cache = || cached.as_ref().map(|cached| cached.tenant.clone());
    let tenant = identity.as_ref().map(|own| own.tenant.clone()).or_else(by_cache);
    let Daemons { docker, systemd } = daemons(tenant.clone());
    let (assignments, assignment) = watch::channel(cached);
    let (report_sender, reports) = watch::channel(Arc::new(empty_report(env.now())));
    let (state, session_state) = watch::channel(SessionState::default());
    let (error, session_error) = watch::channel(None);
    let (secrets_sender, secrets) = watch::channel(0);
    let passes = Arc::default();
    let found = policy::read(&paths);
    policy::log(&found);
    let (policies, policy) = watch::channel(found);
    let inputs = Inputs {
        assignment,
        statuses: statuses.clone(),
        session_error,
        unused_assignment,
        secrets,
        policy: policies,
        usage,
        passes: Arc::clone(&passes),
        alive,
    };
    let (clock, min_free) = (env.clock().clone(), settings.min_free);
    let host = Host { docker, systemd, paths: paths.clone(), clock, statuses, min_free };
    let (operations, runs) = Operations::new(host.clone(), tenant);
    let session = Session {
        settings,
        files,
        cache: cache.clone(),
        env,
        process,
        facts,
        assignments,
        reports: reports.clone(),
        secrets: secrets_sender,
        paths,
        state,
        policy,
        error,
        runs,
        dial,
    };
    let agent = Agent::new(host, cache, inputs, report_sender);
    Assembly { agent, operations, session, reports, session_state, passes }
}

/// Loads the identity of the host, if there is one that can be used.
fn load_identity(files: &IdentityFiles) -> Option<HostIdentity> {
    // Without it the host still works by its cache.
    files.load().unwrap_or_else(|error| {
        warn!(error = chain(&error), "cannot load the identity");
        None
    })
}
