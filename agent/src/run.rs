//! `omlagent run`: reads the settings, makes the parts, joins them, and ends
//! when systemd says so. What a part does is that part's matter.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;

use anyhow::Context as _;
use oml_common::document::assignment::AssignmentDocument;
use oml_common::document::report::{Phase, Report};
use oml_common::text::error::chain;
use oml_daemon::env::Env;
use oml_daemon::log;
use omlagent::agent::{Agent, Inputs, empty_report};
use omlagent::cache::Cache;
use omlagent::config::{self, Settings};
use omlagent::host::Host;
use omlagent::identity::{HostIdentity, IdentityFiles};
use omlagent::paths::Paths;
use omlagent::runtime::docker::{Docker, Login};
use omlagent::runtime::systemd::Systemd;
use omlagent::session::{HostFacts, Session, SessionState, dial_over_tls};
use omlagent::statuses::StatusFiles;
use omlagent::usage::Sampler;
use omlagent::{metrics, status};
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{info, warn};

/// Runs the agent until it is told to end.
pub(crate) async fn run(paths: Paths, env: Env) -> anyhow::Result<()> {
    let settings = Arc::new(config::load(&paths.config)?);
    log::init("omlagent", &settings.log);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let identity = load_identity(&paths);
    let (reports, published) = watch::channel(Arc::new(empty_report(env.now())));
    // Follows as long as it is held.
    let (_status_files, statuses) =
        StatusFiles::watch(&paths).context("cannot watch the status files")?;
    let (session, links) = session(&paths, &settings, &env, published.clone(), identity.as_ref());
    // Without an identity, the host works by its cache.
    let by_cache = || links.assignment.borrow().as_ref().map(|cached| cached.tenant.clone());
    let tenant = identity.as_ref().map(|identity| identity.tenant.clone()).or_else(by_cache);
    let host = Host {
        docker: Arc::new(Docker::new(paths.clone(), logins(&settings), tenant.clone())),
        systemd: Arc::new(Systemd::new(paths.clone(), tenant)),
        paths: paths.clone(),
        clock: env.clock().clone(),
        min_free: settings.min_free,
    };
    let passes = Arc::default();
    let inputs = Inputs {
        assignment: links.assignment,
        statuses,
        session_trouble: links.trouble,
        unused_assignment: links.unused_assignment,
        usage: {
            let mut sampler = Sampler::new();
            Box::new(move || sampler.sample())
        },
        passes: Arc::clone(&passes),
        alive: Box::new(say_alive),
    };
    let agent = Agent::new(host, links.cache, inputs, reports);
    let source = metrics::Source {
        reports: published.clone(),
        session: links.state,
        passes,
        tenant: identity.as_ref().map(|i| i.tenant.to_string()).unwrap_or_default(),
        node: identity.as_ref().map(|i| i.node.to_string()).unwrap_or_default(),
    };
    info!(version = env!("CARGO_PKG_VERSION"), "agent started");
    notify(&[NotifyState::Ready]);
    // All of it lives and ends together; nothing outlives this.
    tokio::select! {
        () = agent.run() => {}
        () = session.run() => {}
        () = status::keep(paths, published) => {}
        never = offer_metrics(&settings, &env, source) => match never {},
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    notify(&[NotifyState::Stopping]);
    info!("agent stopping; components keep running");
    Ok(())
}

/// An identity that cannot be used stops nothing: the host works by its cache.
fn load_identity(paths: &Paths) -> Option<HostIdentity> {
    IdentityFiles::new(paths).load().unwrap_or_else(|error| {
        warn!(error = chain(&error), "cannot load the identity");
        None
    })
}

fn logins(settings: &Settings) -> Vec<Login> {
    let login = |(registry, login): (&String, &config::RegistryLogin)| Login {
        registry: registry.clone(),
        user: login.username.clone(),
        password_file: login.password_file.clone(),
    };
    settings.registries.iter().map(login).collect()
}

/// What comes out of the session.
struct Links {
    cache: Cache,
    assignment: watch::Receiver<Option<AssignmentDocument>>,
    /// Why the cached assignment is not acted on.
    unused_assignment: Option<String>,
    state: watch::Receiver<SessionState>,
    trouble: watch::Receiver<Option<String>>,
}

fn session(
    paths: &Paths,
    settings: &Arc<Settings>,
    env: &Env,
    reports: watch::Receiver<Arc<Report>>,
    identity: Option<&HostIdentity>,
) -> (Session, Links) {
    let facts = HostFacts::of_host();
    let cache = Cache::new(paths, &facts.machine_id);
    let cached = cache.assignment(identity.map(|identity| (&identity.tenant, &identity.node)));
    let unused_assignment = cached.as_ref().err().map(ToString::to_string);
    let cached = cached.unwrap_or_default();
    let (assignments, assignment) = watch::channel(cached);
    let (state, state_receiver) = watch::channel(SessionState::default());
    let (trouble, trouble_receiver) = watch::channel(None);
    let session = Session {
        settings: Arc::clone(settings),
        files: IdentityFiles::new(paths),
        cache: cache.clone(),
        env: env.clone(),
        // Without a name, only another machine id tells a copy of this host.
        process: env.uuid().map(|id| id.to_string()).unwrap_or_default(),
        facts,
        assignments,
        reports,
        state,
        trouble,
        dial: dial_over_tls(env.clock().clone()),
    };
    let (state, trouble) = (state_receiver, trouble_receiver);
    (session, Links { cache, assignment, unused_assignment, state, trouble })
}

async fn offer_metrics(settings: &Settings, env: &Env, source: metrics::Source) -> Infallible {
    let Some(address) = settings.metrics_listen else { return pending().await };
    match env.listen(address).await {
        Ok(listener) => metrics::serve(listener, source).await,
        Err(error) => {
            // A taken port is no reason to leave a host alone.
            warn!(%address, %error, "cannot serve metrics");
            pending().await
        }
    }
}

fn say_alive(report: &Report) {
    let instances = report.instances.len();
    let ready = report.instances.values().filter(|i| i.phase == Phase::Ready).count();
    let words = match (report.applied, report.troubles.first()) {
        (_, Some(trouble)) => trouble.clone(),
        (Some(generation), None) => {
            format!("assignment {generation}: {ready} of {instances} ready")
        }
        (None, None) => "no assignment yet".to_owned(),
    };
    notify(&[NotifyState::Watchdog, NotifyState::Status(&words)]);
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "cannot notify systemd");
    }
}
