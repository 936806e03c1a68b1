//! `omlagent run`: reads the settings, makes the parts, joins them, and ends
//! when systemd says so. What a part does is that part's matter.

use std::convert::Infallible;
use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use oml_common::document::report::{Phase, Report};
use oml_common::text::error::chain;
use oml_daemon::env::Env;
use oml_daemon::log;
use oml_daemon::registries::Login;
use omlagent::alive::SignOfLife;
use omlagent::assembly::{Assembly, Daemons, Parts, assemble};
use omlagent::config::{self, Settings};
use omlagent::paths::Paths;
use omlagent::pause::RetryPause;
use omlagent::runtime::ContainerEngine;
use omlagent::runtime::docker::{Docker, PullLogin};
use omlagent::runtime::systemd::Systemd;
use omlagent::session::{HostFacts, dial_over_tls};
use omlagent::statuses::StatusFiles;
use omlagent::usage::Sampler;
use omlagent::{metrics, status};
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{debug, info, warn};

/// The time between two questions to the engine where it keeps images.
const IMAGES_PAUSE: Duration = Duration::from_secs(600);

/// Runs the agent until it is asked to shut down.
pub(crate) async fn run(paths: Paths, env: Env) -> anyhow::Result<()> {
    let settings = Arc::new(config::load(&paths.config)?);
    log::init("omlagent", &settings.log);
    status::say_left_out(&paths, &settings.left_out);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // Follows as long as it is held.
    let (_status_files, statuses) =
        StatusFiles::watch(&paths).context("cannot create the folder of status files")?;
    let sign = Arc::new(sign_of_life(&paths, &env));
    let engine = Docker::new(paths.clone(), Vec::new(), None);
    let (folders, known_folders) = watch::channel(Vec::new());
    let mut sampler = Sampler::new(known_folders);
    let (its_paths, logins) = (paths.clone(), logins(&settings));
    let Assembly { agent, operations, session, reports, session_state, passes } = assemble(Parts {
        env: env.clone(),
        settings: Arc::clone(&settings),
        paths: paths.clone(),
        daemons: Box::new(move |tenant| Daemons {
            docker: Arc::new(Docker::new(its_paths.clone(), logins, tenant.clone())),
            systemd: Arc::new(Systemd::new(its_paths, tenant)),
        }),
        statuses,
        facts: HostFacts::of_host(),
        // Without a name, a copy of this host is recognized only by another machine id.
        process: env.uuid().map(|id| id.to_string()).unwrap_or_default(),
        dial: dial_over_tls(env.clock().clone(), settings.proxies.clone()),
        usage: Box::new(move || sampler.sample()),
        alive: Box::new({
            let (env, sign) = (env.clone(), Arc::clone(&sign));
            move |report| {
                beat(&sign, &env);
                say_alive(report);
            }
        }),
    });
    let source = metrics::Source { reports: reports.clone(), session: session_state, passes };
    info!(version = env!("CARGO_PKG_VERSION"), "agent started");
    notify(&[NotifyState::Ready]);
    // All of it lives and ends together; nothing outlives this.
    tokio::select! {
        () = agent.run() => {}
        () = operations.run() => {}
        () = session.run() => {}
        () = status::keep(paths, reports) => {}
        never = follow_images(&engine, &folders) => match never {},
        never = offer_metrics(&settings, &env, source) => match never {},
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    beat(&sign, &env);
    notify(&[NotifyState::Stopping]);
    info!("agent stopping; components keep running");
    Ok(())
}

/// Asks the engine again and again where it keeps images, because it may be restarted with its
/// data on another disk.
async fn follow_images(engine: &Docker, folders: &watch::Sender<Vec<PathBuf>>) -> Infallible {
    let mut pause = RetryPause::new();
    loop {
        match engine.storage().await {
            Ok(found) => {
                folders.send_replace(found);
                pause.reset();
                sleep(IMAGES_PAUSE).await;
                continue;
            }
            Err(error) => debug!(error = chain(&error), "cannot ask where images are"),
        }
        pause.pause().await;
    }
}

fn sign_of_life(paths: &Paths, env: &Env) -> Option<SignOfLife> {
    let begun = SignOfLife::begin(paths, env.now()).inspect_err(|error| {
        let is_other = error.kind() == std::io::ErrorKind::WouldBlock;
        let why = if is_other { "another omlagent runs on this host" } else { "cannot be written" };
        warn!(%error, why, "omlagent status cannot show whether this agent runs");
    });
    begun.ok()
}

fn beat(sign: &Option<SignOfLife>, env: &Env) {
    if let Some(sign) = sign {
        sign.beat(env.now());
    }
}

fn logins(settings: &Settings) -> Vec<PullLogin> {
    let login = |(registry, login): (&String, &Login)| PullLogin {
        registry: registry.clone(),
        user: login.user.clone(),
        password_file: login.password_file.clone(),
    };
    settings.registries.iter().map(login).collect()
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
    let words = match (report.applied, report.errors.first()) {
        (_, Some(error)) => error.clone(),
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
