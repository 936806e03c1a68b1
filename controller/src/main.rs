//! The controller's program: reads the command line and the settings, starts
//! or maintains a controller, and prints what went wrong, once.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Parser, Subcommand};
use oml_common::text::error::chain;
use oml_daemon::env::Env;
use oml_daemon::log;
use oml_daemon::tls::OperatorName;
use omlcontroller::admin::AdminError;
use omlcontroller::backup::BackupSummary;
use omlcontroller::config::{self, Settings};
use omlcontroller::init::InitError;
use omlcontroller::ops::catalogs::{self, CatalogError};
use omlcontroller::pki::Authority;
use omlcontroller::records::values::PublicEndpoint;
use omlcontroller::store::Embedded;
use omlcontroller::store::embedded::Options;
use omlcontroller::{admin, notify, run};
use tokio::signal::unix::{SignalKind, signal};

/// Enough for a fleet, and little memory.
const WORKERS: usize = 2;

/// Keeps the desired state of every tenant and hands each node its share.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// Folder of controller.toml and conf.d
    #[arg(long, global = true, value_name = "DIR", default_value = config::FOLDER)]
    config: PathBuf,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Makes a new controller: authority, store and first operator
    Init(Init),
    /// Runs the controller
    Run,
    /// Catalogs of components
    #[command(subcommand)]
    Catalog(CatalogVerb),
    /// Operators
    #[command(subcommand)]
    Operator(OperatorVerb),
    /// Writes authority and store into a new file; the controller must not run
    Backup {
        /// The file
        file: PathBuf,
    },
    /// Makes a controller from a backup, under a higher epoch
    Restore {
        /// The file
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
struct Init {
    /// The controller's host name
    #[arg(long, value_name = "HOST")]
    name: String,
    /// Address by which it is reached, where its name is not enough; the first one goes into bundles and tokens
    #[arg(long, value_name = "IP")]
    address: Vec<String>,
    /// Name of the first operator
    #[arg(long, value_name = "NAME", default_value = "admin")]
    operator: OperatorName,
    /// File for the operator's bundle
    #[arg(long, value_name = "FILE", default_value = "operator.toml")]
    out: PathBuf,
}

#[derive(Debug, Subcommand)]
enum CatalogVerb {
    /// Says everything that is wrong with a catalog
    Check {
        /// The file
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum OperatorVerb {
    /// Makes a bundle for a further operator; the controller must not run
    Add {
        /// The operator's name
        name: OperatorName,
        /// File for the bundle
        #[arg(long, value_name = "FILE", default_value = "operator.toml")]
        out: PathBuf,
    },
    /// Takes an operator away: its bundles open nothing from the next start on; the controller must not run
    Remove {
        /// The operator's name
        name: OperatorName,
    },
}

/// For a mistake of the caller's, as everywhere.
const MISTAKE: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match perform(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("omlcontroller: {}", chain(error.as_ref()));
            if is_mistake(&error) { ExitCode::from(MISTAKE) } else { ExitCode::FAILURE }
        }
    }
}

/// Whether what was asked for was wrong, not what happened.
fn is_mistake(error: &anyhow::Error) -> bool {
    let init = error.downcast_ref::<AdminError>();
    let init = init.is_some_and(|e| matches!(e, AdminError::Init(InitError::Mistake(_))));
    // Of catalogs themselves only `catalog check` speaks.
    init || error.is::<CatalogError>()
}

fn perform(cli: &Cli) -> Result<()> {
    if let Verb::Catalog(CatalogVerb::Check { file }) = &cli.verb {
        return check_catalog(file);
    }
    let settings = config::load(&cli.config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let env = Env::system();
    runtime.block_on(async {
        match &cli.verb {
            Verb::Run => serve(&settings, env).await,
            Verb::Init(verb) => begin(&settings, &env, verb).await,
            Verb::Operator(OperatorVerb::Add { name, out }) => {
                admin::add_operator(&settings, &env, name, out).await?;
                say(&format!("the bundle of operator {name} is in {}", out.display()))
            }
            Verb::Operator(OperatorVerb::Remove { name }) => {
                if let Some(problem) = admin::remove_operator(&settings, &env, name).await? {
                    say(&problem.to_string())?;
                }
                say(&format!("operator {name} was removed; its bundles open nothing any more"))
            }
            Verb::Backup { file } => {
                let saved = admin::back_up(&settings, &env, file).await?;
                say(&format!("{} records are in {}", saved.records, file.display()))
            }
            Verb::Restore { file } => {
                let saved = admin::restore(&settings, &env, file).await?;
                let BackupSummary { records, epoch } = saved;
                say(&format!("{records} records were restored; the epoch is {epoch} now"))?;
                say("make join tokens anew: none from before is good any more")?;
                say("nodes and operators removed since the backup are back: remove them again")
            }
            Verb::Catalog(CatalogVerb::Check { file }) => check_catalog(file),
        }
    })
}

fn check_catalog(file: &Path) -> Result<()> {
    let catalog = catalogs::read_file(file)?;
    say(&format!(
        "{}: catalog {}, {} components",
        file.display(),
        catalog.name,
        catalog.components.len()
    ))
}

async fn begin(settings: &Settings, env: &Env, verb: &Init) -> Result<()> {
    let host = verb.address.first().unwrap_or(&verb.name).clone();
    let endpoint = PublicEndpoint { name: verb.name.clone(), host };
    admin::begin(settings, env, endpoint, &verb.operator, &verb.out).await?;
    say(&format!(
        "the controller is in {}; the bundle of operator {} is in {}: omlctl context import {}",
        settings.data_dir.display(),
        verb.operator,
        verb.out.display(),
        verb.out.display()
    ))
}

async fn serve(settings: &Settings, env: Env) -> Result<()> {
    log::init("omlcontroller", &settings.log);
    let mut terminated = signal(SignalKind::terminate()).context("cannot wait for signals")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("cannot wait for signals")?;
    let authority = Authority::load(&settings.pki_dir(), env.random())?;
    ensure!(
        Embedded::cluster_in(&settings.store_dir())? == authority.fingerprint().to_string(),
        "the store in {} belongs to another controller than the authority in {}",
        settings.store_dir().display(),
        settings.pki_dir().display()
    );
    let store = Embedded::open(&settings.store_dir(), Options::default()).await?;
    let running = run::start(settings, env, Arc::new(store)).await?;
    let telling = tokio::spawn(notify::keep_notified(running.ops.status.clone()));
    notify::ready(&notify::status_line(&running.ops.status).await?);
    tracing::info!(listen = %running.listen, enrollment = %running.enrollment_listen, "the controller serves");
    // Both only observe.
    tokio::select! {
        biased;
        _signal = terminated.recv() => {}
        _signal = interrupted.recv() => {}
    }
    notify::stopping();
    tracing::info!("the controller stops");
    telling.abort();
    running.stop().await;
    Ok(())
}

fn say(text: &str) -> Result<()> {
    writeln!(std::io::stderr(), "{text}").context("cannot write to standard error")
}
