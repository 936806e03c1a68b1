//! The program of the images for which the lab has no real one. It does what the contract of its image says and nothing
//! else: it refuses to start without the variables, files and commands that the image needs, listens where the image
//! listens, and answers there as much as a probe asks.
//!
//! Its rules are in the file `rules.json` beside it, which is made from the contract. It is linked in the image under
//! the name of every command; the name by which it was started is the first word of its command then.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{self, ExitCode};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use crate::contract::{Action, Command, Context, Contract};
use crate::error::{LabError, Result as LabResult};

mod drive;
mod http;
mod protocols;
mod rules;
mod s3;
mod serve;
mod signals;
mod sip;
mod site;

pub use rules::Behaviour;

use rules::{Chosen, Refusal, Rules};

/// The name of the program in an image.
pub const PROGRAM: &str = "stand-in";
/// The name of the file with its rules, which is in the same folder.
pub const RULES: &str = "rules.json";
/// What a tag contains whose migration fails.
const BAD_MIGRATION: &str = "bad-migration";
/// The exit code of a program that ended because of its surroundings, such as a port that is in use.
const FAILED: u8 = 1;

/// Returns the text of the file with the rules of an image, which are those of its contracts and of its tag.
pub fn rules_of(contracts: &[&Contract], tag: &str) -> LabResult<String> {
    serde_json::to_string_pretty(&Rules::new(contracts, tag))
        .map_err(|error| LabError::Invalid(format!("write the rules of an image: {error}")))
}

/// Runs the program of an image, until it ends or is stopped.
pub fn main() -> ExitCode {
    match start() {
        Ok(code) => ExitCode::from(code),
        Err(Refusal { code, words }) => {
            eprintln!("{words}");
            ExitCode::from(code)
        }
    }
}

fn start() -> Result<u8, Refusal> {
    // Links are resolved, so the rules are found from every one of its names.
    let program = std::env::current_exe().map_err(failed("find the program"))?;
    let folder = program.parent().unwrap_or(Path::new("/"));
    let text = std::fs::read_to_string(folder.join(RULES)).map_err(failed("read the rules"))?;
    let rules: Rules = serde_json::from_str(&text).map_err(failed("read the rules"))?;
    let mut words: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let is_plain = |name: &String| Path::new(name).file_name().is_some_and(|it| it == PROGRAM);
    if words.first().is_none_or(is_plain) {
        words.drain(..words.len().min(1));
    }
    let text = |part: std::ffi::OsString| part.to_string_lossy().into_owned();
    let env = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
    run(&rules, &words, &env)
}

/// Returns what makes a refusal of an error.
fn failed<E: std::fmt::Display>(action: &str) -> impl FnOnce(E) -> Refusal {
    let action = action.to_owned();
    move |error| Refusal { code: FAILED, words: format!("ERROR: cannot {action}: {error}") }
}

fn run(rules: &Rules, words: &[String], env: &BTreeMap<String, String>) -> Result<u8, Refusal> {
    let Chosen { program, command } = rules.choose(words, env)?;
    program.check(&rules.image, env)?;
    match command.action {
        Action::Exec => {
            let (name, arguments) = words.split_first().ok_or_else(Refusal::no_command)?;
            let error = process::Command::new(name).args(arguments).exec();
            Err(failed(&format!("run {name}"))(error))
        }
        Action::End | Action::Migrate => run_once(rules, command, words),
        Action::Serve if command.becomes.is_empty() => serve(rules, command, words, env),
        Action::Serve => become_another(command),
    }
}

/// Runs itself under the words of another command, as a script does with `exec`.
fn become_another(command: &Command) -> Result<u8, Refusal> {
    let (name, arguments) = command.becomes.split_first().ok_or_else(Refusal::no_command)?;
    let program = std::env::current_exe().map_err(failed("find the program"))?;
    let error = process::Command::new(program).arg0(name).args(arguments).exec();
    Err(failed(&format!("run {name}"))(error))
}

/// Prints what a command that runs once is there for.
fn run_once(rules: &Rules, command: &Command, words: &[String]) -> Result<u8, Refusal> {
    for line in &command.prints {
        say(line)?;
    }
    let is_migration = command.action == Action::Migrate;
    if command.prints.is_empty() || is_migration {
        let Rules { image, tag, .. } = rules;
        say(&format!("a stand-in for {image} {tag} pretends to run {}", words.join(" ")))?;
    }
    if is_migration && rules.tag.contains(BAD_MIGRATION) {
        say("migration 0002 failed: this version has a bad migration")?;
        return Ok(FAILED);
    }
    Ok(0)
}

fn serve(
    rules: &Rules,
    command: &Command,
    words: &[String],
    env: &BTreeMap<String, String>,
) -> Result<u8, Refusal> {
    let Rules { image, tag, behaviour, .. } = rules;
    let stopped = signals::watch().map_err(failed("wait for signals"))?;
    say(&format!("a stand-in for {image} {tag} starts: {}", words.join(" ")))?;
    if *behaviour == Behaviour::ExitsAtOnce {
        let words = "configuration error: this version exits at once".to_owned();
        return Err(Refusal { code: FAILED, words });
    }
    if *behaviour == Behaviour::Hangs {
        say("waiting for something that never comes: this version never answers")?;
    } else {
        for line in &command.prints {
            say(line)?;
        }
        let context = Context { env, words };
        for at in serve::start(&command.listens, context, rules)? {
            say(&format!("listening at {at}"))?;
        }
    }
    let (limit, words, code) = match behaviour {
        Behaviour::ExitsAfter20s => (20, "fatal: this version exits after 20 s", 3),
        Behaviour::DiesInSoak => (15, "segmentation fault: this version answers, then dies", 139),
        Behaviour::Good | Behaviour::Hangs | Behaviour::ExitsAtOnce => {
            stopped.recv().map_err(failed("wait for signals"))?;
            return Ok(0);
        }
    };
    match stopped.recv_timeout(Duration::from_secs(limit)) {
        Ok(_signal) => Ok(0),
        Err(RecvTimeoutError::Timeout) => Err(Refusal { code, words: words.to_owned() }),
        Err(error @ RecvTimeoutError::Disconnected) => Err(failed("wait for signals")(error)),
    }
}

/// Prints a line at once, so that a log has it when the program ends.
fn say(line: &str) -> Result<(), Refusal> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(failed("print"))
}
