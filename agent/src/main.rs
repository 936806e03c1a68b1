//! The program `omlagent` joins the parts for each verb of the command line.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use oml_common::id::{ComponentName, NodeName, RunId};
use oml_common::text::error::chain;
use oml_daemon::core_dumps;
use oml_daemon::env::Env;
use oml_daemon::proxy::{Proxies, ReadProxies, Use};
use oml_daemon::settings::SettingsError;
use omlagent::enroll::{EnrollError, Enrollment, enroll};
use omlagent::operate::{OperateSurroundings, operate};
use omlagent::paths::Paths;
use omlagent::runtime::systemd::start_agent;
use omlagent::status;
use omlagent::status::StatusError;
use omlagent::supervise::{SuperviseError, Surroundings, supervise};

mod run;

/// The exit code of a command that failed.
const FAILURE: u8 = 1;
/// The exit code for a wrong command line, token or setting; clap uses the same.
const MISTAKE: u8 = 2;

/// Runs on this host the components that its controller assigns to it.
#[derive(Debug, Parser)]
#[command(name = "omlagent", version)]
struct Command {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Runs the agent; systemd does this.
    Run,
    /// Runs the container of one component; the component's unit does this.
    Supervise {
        /// The component whose container it is, as the catalog names it.
        component: ComponentName,
    },
    /// Runs one operation of a component once; its transient unit does this.
    Operate {
        /// The number of the run.
        run: RunId,
    },
    /// Joins this host to a tenant.
    Enroll(EnrollArgs),
    /// Shows what the agent last found on this host.
    Status,
}

#[derive(Debug, Args)]
struct EnrollArgs {
    /// The address of the controller's enrolment service, as shown with the token.
    #[arg(long, value_name = "HOST:PORT")]
    controller: String,
    /// The address of a controller's service for agents, if it is on another host; may be repeated.
    #[arg(long = "session", value_name = "HOST:PORT")]
    sessions: Vec<String>,
    /// A file that holds the token; - reads standard input.
    #[arg(long, value_name = "PATH")]
    token_file: PathBuf,
    /// The name of this node, if it is not the host's own.
    #[arg(long)]
    name: Option<NodeName>,
    /// The address by which the tenant's other hosts reach this one.
    #[arg(long, value_name = "IP")]
    address: Option<IpAddr>,
    /// Joins although the host has joined before.
    #[arg(long)]
    replace: bool,
    /// Does not start the agent afterwards.
    #[arg(long)]
    no_start: bool,
    /// Joins the system below this folder, as when an image is made; implies --no-start.
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

fn main() -> ExitCode {
    if let Err(error) = core_dumps::forbid() {
        eprintln!("omlagent: cannot forbid core dumps: {error}");
    }
    match act(Command::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("omlagent: {}", chain(error.as_ref()));
            ExitCode::from(exit_status(&error))
        }
    }
}

fn exit_status(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<SuperviseError>() {
        Some(error) => error.exit_status(),
        None if is_mistake(error) => MISTAKE,
        None => FAILURE,
    }
}

/// Returns true if the command line, the token or a setting is wrong.
fn is_mistake(error: &anyhow::Error) -> bool {
    let enrolling = error.downcast_ref::<EnrollError>().is_some_and(EnrollError::is_mistake);
    let showing = matches!(error.downcast_ref(), Some(StatusError::NotRoot));
    enrolling || showing || error.is::<SettingsError>()
}

fn act(verb: Verb) -> anyhow::Result<()> {
    let (paths, env) = (Paths::system(), Env::system());
    // One thread: a host has better use for its memory and cores.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match verb {
        Verb::Run => runtime.block_on(run::run(paths, env)),
        Verb::Supervise { component } => runtime.block_on(async {
            let surroundings = Surroundings::of_process(paths, &component, env)?;
            Ok(supervise(surroundings, component).await?)
        }),
        Verb::Operate { run } => runtime.block_on(async {
            let surroundings = OperateSurroundings::of_process(paths, env)?;
            let result = operate(surroundings, run).await?;
            eprintln!("run {}: {result}", run.number);
            Ok(())
        }),
        Verb::Enroll(args) => runtime.block_on(join(&env, args)),
        Verb::Status => {
            use std::io::Write as _;
            let mut out = std::io::stdout().lock();
            // This is shown also if there is no report that can be read.
            out.write_all(status::show_agent(&paths, env.now())?.as_bytes())?;
            Ok(out.write_all(status::show(&paths, env.now())?.as_bytes())?)
        }
    }
}

async fn join(env: &Env, args: EnrollArgs) -> anyhow::Result<()> {
    let ReadProxies { proxies, wrong } = Proxies::of_environment(Use::Tls);
    wrong.into_result(()).map_err(SettingsError::from)?;
    let paths = args.root.as_deref().map_or_else(Paths::system, Paths::below);
    let starts = args.root.is_none() && !args.no_start;
    let wish = Enrollment {
        controller: args.controller,
        sessions: args.sessions,
        token_file: args.token_file,
        name: args.name,
        address: args.address,
        replace: args.replace,
        proxies,
    };
    let identity = enroll(&paths, env.clock(), &wish).await?;
    eprintln!("enrolled as {} of {}", identity.node, identity.tenant);
    if !starts {
        return Ok(());
    }
    start_agent().await.context("the host is enrolled, but omlagent.service was not started")?;
    eprintln!("omlagent.service runs");
    Ok(())
}
