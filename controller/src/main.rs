//! The controller's program. It reads the command line and the settings, runs the
//! controller or an administrative command, and prints an error once.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Parser, Subcommand};
use oml_common::document::catalog::Catalog;
use oml_common::document::schema::CATALOG_SCHEMA;
use oml_common::text::error::chain;
use oml_common::text::plural::counted;
use oml_common::text::printable::printable;
use oml_daemon::core_dumps;
use oml_daemon::env::Env;
use oml_daemon::log;
use oml_daemon::tls::OperatorName;
use omlcontroller::admin::AdminError;
use omlcontroller::backup::BackupSummary;
use omlcontroller::config::{self, Settings};
use omlcontroller::init::InitError;
use omlcontroller::ops::catalogs::{self, CatalogError, Catalogs, Checked};
use omlcontroller::ops::operators::Unrecorded;
use omlcontroller::pki::Authority;
use omlcontroller::records::values::PublicEndpoint;
use omlcontroller::seal::SealingKey;
use omlcontroller::store::Embedded;
use omlcontroller::store::embedded::Options;
use omlcontroller::{admin, notify, run};
use tokio::signal::unix::{SignalKind, signal};

/// The number of worker threads. Two are enough for a fleet and need little memory.
const WORKERS: usize = 2;

/// Keeps the desired state of every tenant and assigns each node its share.
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
    /// Checks catalogs of components
    #[command(subcommand)]
    Catalog(CatalogVerb),
    /// Adds and removes operators
    #[command(subcommand)]
    Operator(OperatorVerb),
    /// Makes the key that seals secrets, if there is none: after an upgrade from a release
    /// without secrets. `init` makes it too
    SecretsKey,
    /// Writes authority and store to a new file; the controller must be stopped
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
    /// Address at which the controller is reached, if its name does not resolve; the
    /// first one is written to bundles and tokens, and all are in its certificate
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
    /// Lists the catalogs of the controller, and those that cannot be used
    List,
    /// Reports every mistake in a catalog, with those in its templates and in what it includes
    Check {
        /// The file or the folder of the catalog, or the file of its releases
        #[arg(value_name = "PATH")]
        file: PathBuf,
    },
    /// Prints the JSON schema of catalogs, for editors
    Schema,
}

#[derive(Debug, Subcommand)]
enum OperatorVerb {
    /// Makes a bundle for another operator; the controller must be stopped
    Add {
        /// The operator's name
        name: OperatorName,
        /// File for the bundle
        #[arg(long, value_name = "FILE", default_value = "operator.toml")]
        out: PathBuf,
    },
    /// Removes an operator, whose bundles are refused from the next start on; the
    /// controller must be stopped
    Remove {
        /// The operator's name
        name: OperatorName,
        /// Also revoke a name that is not on record, whose bundle was made after the backup
        /// that was restored
        #[arg(long)]
        unrecorded: bool,
    },
}

/// The exit code for a mistake in the arguments, as in our other programs.
const MISTAKE: u8 = 2;

fn main() -> ExitCode {
    if let Err(error) = core_dumps::forbid() {
        eprintln!("omlcontroller: cannot forbid core dumps: {error}");
    }
    let cli = Cli::parse();
    match perform(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("omlcontroller: {}", chain(error.as_ref()));
            if is_mistake(&error) { ExitCode::from(MISTAKE) } else { ExitCode::FAILURE }
        }
    }
}

/// Returns whether the arguments were wrong, as opposed to a failure at run time.
fn is_mistake(error: &anyhow::Error) -> bool {
    let init = error.downcast_ref::<AdminError>();
    let init = init.is_some_and(|error| {
        matches!(error, AdminError::Init(InitError::Mistake(_)) | AdminError::OutExists { .. })
    });
    // Only `catalog check` returns this error.
    init || error.is::<CatalogError>()
}

fn perform(cli: &Cli) -> Result<()> {
    match &cli.verb {
        Verb::Catalog(CatalogVerb::Check { file }) => return check_catalog(file),
        Verb::Catalog(CatalogVerb::Schema) => return print_schema(),
        Verb::Catalog(CatalogVerb::List)
        | Verb::Init(_)
        | Verb::Run
        | Verb::Operator(_)
        | Verb::SecretsKey
        | Verb::Backup { .. }
        | Verb::Restore { .. } => {}
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
                say(&format!("the bundle of operator {name} was written to {}", out.display()))
            }
            Verb::Operator(OperatorVerb::Remove { name, unrecorded }) => {
                let unrecorded =
                    if *unrecorded { Unrecorded::Revoke } else { Unrecorded::Refuse };
                admin::remove_operator(&settings, &env, name, unrecorded).await?;
                say(&format!("operator {name} was removed; its bundles are refused from the next start on"))
            }
            Verb::SecretsKey => {
                let path = admin::make_secrets_key(&settings, &env)?;
                say(&format!("the key that seals secrets was written to {0}; keep a copy of it apart from backups, and run: systemctl restart omlcontroller", path.display()))
            }
            Verb::Backup { file } => {
                let saved = admin::back_up(&settings, &env, file).await?;
                say(&format!("{} records were written to {}", saved.records, file.display()))?;
                say_if_some(saved.secrets.after_backup(&settings.data_dir))
            }
            Verb::Restore { file } => {
                let saved = admin::restore(&settings, &env, file).await?;
                say_restored(&settings, &saved)
            }
            Verb::Catalog(CatalogVerb::Check { file }) => check_catalog(file),
            Verb::Catalog(CatalogVerb::Schema) => print_schema(),
            Verb::Catalog(CatalogVerb::List) => list_catalogs(&settings),
        }
    })
}

fn check_catalog(file: &Path) -> Result<()> {
    let Checked { catalog, is_part, releases } = catalogs::check(file)?;
    let kind = if is_part { "part" } else { "catalog" };
    let more = match releases {
        0 if is_part => "; its names are checked with a catalog that includes it".to_owned(),
        0 => String::new(),
        count => format!(", {}", counted(u64::try_from(count).unwrap_or(u64::MAX), "releases")),
    };
    say(&format!(
        "{}: {kind} {}, {}{more}",
        file.display(),
        catalog.name,
        components_of(&catalog)
    ))?;
    catalog.notes().iter().try_for_each(|note| say(&format!("note: {}", printable(note))))
}

/// Says how many components a catalog has.
fn components_of(catalog: &Catalog) -> String {
    counted(u64::try_from(catalog.components.len()).unwrap_or(u64::MAX), "components")
}

fn print_schema() -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(CATALOG_SCHEMA.as_bytes()).context("cannot write to standard output")
}

fn list_catalogs(settings: &Settings) -> Result<()> {
    let catalogs = Catalogs::load(&settings.catalog_dir);
    let mut out = std::io::stdout().lock();
    for catalog in catalogs.iter() {
        writeln!(out, "{}: {}", catalog.name, components_of(catalog))
            .context("cannot write to standard output")?;
    }
    for broken in catalogs.reports() {
        say(&printable(&broken))?;
    }
    ensure!(catalogs.reports().next().is_none(), "not every catalog can be used as it is");
    Ok(())
}

fn say_restored(settings: &Settings, saved: &BackupSummary) -> Result<()> {
    let BackupSummary { records, epoch, secrets } = saved;
    say(&format!("{records} records were restored; the new epoch is {epoch}"))?;
    let key = SealingKey::load(settings.credentials_dir.as_deref(), &settings.data_dir);
    say_if_some(secrets.after_restore(&key, &settings.data_dir))?;
    say("all join tokens have expired; make new ones with `omlctl node token`")?;
    say("nodes and operators that were removed after the backup exist again; remove them again")
}

fn say_if_some(text: Option<String>) -> Result<()> {
    text.map_or(Ok(()), |text| say(&text))
}

async fn begin(settings: &Settings, env: &Env, verb: &Init) -> Result<()> {
    let host = verb.address.first().unwrap_or(&verb.name).clone();
    let addresses = verb.address.iter().skip(1).cloned().collect();
    let endpoint = PublicEndpoint { name: verb.name.clone(), host, addresses };
    admin::init(settings, env, endpoint, &verb.operator, &verb.out).await?;
    say(&format!(
        "the controller was made in {}; import the bundle of operator {} from {} with: omlctl context import {}",
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
        "the store in {} belongs to another controller than the authority in {}; restore both from one backup with `omlcontroller restore FILE`",
        settings.store_dir().display(),
        settings.pki_dir().display()
    );
    let store = Embedded::open(&settings.store_dir(), Options::default()).await?;
    let running = run::start(settings, env, Arc::new(store)).await?;
    let notifications = tokio::spawn(notify::keep_notified(running.ops.status.clone()));
    notify::ready(&notify::status_line(&running.ops.status).await?);
    tracing::info!(listen = %running.listen, enrollment = %running.enrollment_listen, "controller started");
    // The order does not matter, because both only wait.
    tokio::select! {
        biased;
        _signal = terminated.recv() => {}
        _signal = interrupted.recv() => {}
    }
    notify::stopping();
    tracing::info!("controller stopping");
    notifications.abort();
    running.stop().await;
    Ok(())
}

fn say(text: &str) -> Result<()> {
    writeln!(std::io::stderr(), "{text}").context("cannot write to standard error")
}
