//! The commands of omlctl, one file each.

pub(crate) mod apply;
pub(crate) mod completions;
pub(crate) mod context;
pub(crate) mod explain;
pub(crate) mod get;
pub(crate) mod history;
pub(crate) mod node;
pub(crate) mod plan;
pub(crate) mod releases;
pub(crate) mod rollback;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod schema;
pub(crate) mod secret;
pub(crate) mod set_release;
pub(crate) mod set_version;
pub(crate) mod settings;
pub(crate) mod status;
pub(crate) mod tls;
pub(crate) mod validate;
pub(crate) mod version;

use clap::CommandFactory as _;
use oml_daemon::env::Env;

use crate::change::{self, ChangeArgs, ChangeRequest};
use crate::cli::{Cli, Verb};
use crate::common::Common;
use crate::config::Config;
use crate::connection::Target;
use crate::error::CommandError;
use crate::output::Output;
use crate::wait::ExitOutcome;

/// The connection and the output of a command that talks to the controller.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) target: Target,
    pub(crate) output: Output,
}

/// Carries out a command line.
pub(crate) fn run(cli: Cli, env: &Env) -> Result<ExitOutcome, CommandError> {
    let Cli { common, verb } = cli;
    match verb {
        Verb::Context(arguments) => context::run(&common, env, arguments),
        Verb::Completions(arguments) => completions::run(&common, &arguments, Cli::command()),
        Verb::Schema(arguments) => schema::run(&common, &arguments),
        Verb::Validate(arguments) => validate::run(&common, &arguments),
        Verb::Version(arguments) => version::run(&common, env, &arguments),
        Verb::Apply(arguments) => change(&common, env, arguments.request()?, &arguments.args),
        Verb::Plan(arguments) => change(&common, env, arguments.request()?, &ChangeArgs::dry_run()),
        Verb::SetVersion(arguments) => change(&common, env, arguments.request()?, &arguments.args),
        Verb::SetRelease(arguments) => change(&common, env, arguments.request()?, &arguments.args),
        Verb::Rollback(arguments) => change(&common, env, arguments.request()?, &arguments.args),
        Verb::Releases(arguments) => {
            let request = arguments.request()?;
            remote(&common, env, |session| releases::run(session, request))
        }
        Verb::Status(arguments) => {
            let request = arguments.request()?;
            remote(&common, env, |session| status::run(session, request))
        }
        Verb::Get(arguments) => {
            let request = arguments.request()?;
            remote(&common, env, |session| get::run(session, request))
        }
        Verb::History(arguments) => {
            let request = arguments.request()?;
            remote(&common, env, |session| history::run(session, request))
        }
        Verb::Explain(arguments) => {
            let request = arguments.request()?;
            remote(&common, env, |session| explain::run(session, request))
        }
        Verb::Secret(arguments) => {
            let request = arguments.request()?;
            remote(&common, env, |session| secret::run(session, request))
        }
        Verb::Tls(arguments) => {
            let request = arguments.request()?;
            remote(&common, env, |session| tls::run(session, request))
        }
        Verb::Settings(arguments) => {
            let request = arguments.request()?;
            remote(&common, env, |session| settings::run(session, request))
        }
        Verb::Node(arguments) => {
            let request = arguments.request()?;
            remote(&common, env, |session| node::run(session, request))
        }
        Verb::Run(arguments) => {
            let request = arguments.request()?;
            remote(&common, env, |session| run::run(session, request))
        }
        Verb::Runs(arguments) => {
            let request = arguments.request()?;
            remote(&common, env, |session| runs::run(session, request))
        }
    }
}

fn change(
    common: &Common,
    env: &Env,
    request: ChangeRequest,
    args: &ChangeArgs,
) -> Result<ExitOutcome, CommandError> {
    remote(common, env, async |session: Session| {
        change::make(&session.target, &session.output, request, args).await
    })
}

/// Reads the context and runs a command that talks to its controller.
pub(crate) fn remote<V>(common: &Common, env: &Env, verb: V) -> Result<ExitOutcome, CommandError>
where
    V: AsyncFnOnce(Session) -> Result<ExitOutcome, CommandError>,
{
    let config = Config::open(common.config.clone())?;
    let context = config.context(common.context.as_deref())?;
    let target = Target::new(&context, common.endpoint.as_deref(), env.clone())?;
    let session = Session { target, output: Output::new(common.output) };
    // There is only one connection at a time, and a single thread starts faster than a pool.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(CommandError::Start)?.block_on(verb(session))
}
