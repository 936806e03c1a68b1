//! What the commands of a script mean for what must run afterwards. Every action declares that too, and
//! the trials compare both.

use std::collections::BTreeSet;

use crate::action::Effect;

/// The effects of a script by its commands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// Those that it must declare.
    pub(crate) required: BTreeSet<Effect>,
    /// Those that it may declare, because they depend on whose container it is.
    pub(crate) allowed: BTreeSet<Effect>,
}

/// One command of a script, as its words.
type Words<'a> = Vec<&'a str>;

/// Programs that mean nothing for what must run.
const HARMLESS: &[&str] = &[
    "cd", "chmod", "chown", "cp", "df", "echo", "head", "kill", "mkdir", "mount", "mv", "printf",
    "sed", "tail", "truncate",
];
/// The file of a unit in the folder of the administrator.
const UNIT_FILE: &[&str] = &["$U", "/etc/systemd/system/$U"];

/// Returns the effects that follow from the commands of a script.
///
/// # Errors
/// A command has no rule here, or its outcome would not be known.
pub(crate) fn meaning(script: &str) -> Result<Meaning, String> {
    let commands = commands(script);
    let mut meaning = Meaning::default();
    for (number, words) in commands.iter().enumerate() {
        let found = of_command(words)?;
        let is_wish = found.iter().any(|it| matches!(it, Effect::Stops | Effect::Starts));
        // The exit code of a script is that of its last command.
        if is_wish && number + 1 < commands.len() {
            return Err(format!("{}: must come last", words.join(" ")));
        }
        // With `--no-block` the exit code says whether systemd takes the start, not whether it works.
        if found.contains(&Effect::Starts) && !words.contains(&"--no-block") {
            return Err(format!("{}: needs --no-block", words.join(" ")));
        }
        meaning.required.extend(found);
        if words.starts_with(&["docker", "rm"]) {
            meaning.allowed.insert(Effect::RemovesForeign);
        }
    }
    Ok(meaning)
}

/// Splits a script at the operators of the shell, also inside `$(…)`.
fn commands(script: &str) -> Vec<Words<'_>> {
    let parts = script.split(['\n', ';', '|', '(', ')', '&']);
    let words = parts.map(|part| {
        // The value of a variable, a redirection and a number behind `$(…)` are no commands.
        let words = part.split_whitespace().skip_while(|word| word.ends_with("=$"));
        words.collect::<Words<'_>>()
    });
    words.filter(|words| words.first().is_some_and(|word| is_command(word))).collect()
}

/// Returns true unless the word is a test or what is left behind an operator.
fn is_command(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_lowercase()) && word != "k"
}

fn of_command(words: &[&str]) -> Result<Vec<Effect>, String> {
    let unknown = || format!("{}: no rule says what it means", words.join(" "));
    match words {
        ["systemctl", verb, rest @ ..] => of_systemctl(verb, rest).ok_or_else(unknown),
        ["docker", verb, rest @ ..] => of_docker(verb, rest).ok_or_else(unknown),
        ["ln", ..] => Ok(vec![Effect::ForgetsStop]),
        ["rm", rest @ ..] => {
            let is_unit = rest.iter().any(|word| UNIT_FILE.contains(word));
            Ok(if is_unit { vec![Effect::ForgetsStop] } else { Vec::new() })
        }
        [program, ..] if HARMLESS.contains(program) => Ok(Vec::new()),
        _ => Err(unknown()),
    }
}

fn of_systemctl(verb: &str, rest: &[&str]) -> Option<Vec<Effect>> {
    let has = |word: &str| rest.contains(&word);
    let names = |units: &[&str]| rest.iter().any(|word| units.contains(word));
    let now = |effect: Effect| has("--now").then_some(effect);
    let on_unit: Vec<Effect> = match verb {
        "stop" => vec![Effect::Stops],
        "start" | "restart" | "reload-or-restart" => vec![Effect::Starts],
        "disable" => now(Effect::Stops).into_iter().collect(),
        "enable" | "reenable" => now(Effect::Starts).into_iter().collect(),
        "mask" => now(Effect::Stops).into_iter().chain([Effect::ForgetsStop]).collect(),
        "unmask" => vec![Effect::ForgetsStop],
        "kill" | "reset-failed" | "set-property" | "show" => Vec::new(),
        "daemon-reload" => return Some(Vec::new()),
        "daemon-reexec" => return Some(vec![Effect::EndsBus]),
        _ => return None,
    };
    if has("$U") {
        return Some(on_unit);
    }
    let ends = matches!(verb, "stop" | "restart" | "reload-or-restart" | "kill");
    if ends && names(&["omlagent", "omlagent.service"]) {
        return Some(vec![Effect::EndsAgent]);
    }
    if ends && names(&["dbus", "dbus.service"]) {
        return Some(vec![Effect::EndsBus]);
    }
    // Whether these run is seen at every look.
    let others = ["omlagent", "docker", "docker.service", "containerd", "omlcontroller"];
    names(&others).then(Vec::new)
}

fn of_docker(verb: &str, rest: &[&str]) -> Option<Vec<Effect>> {
    match (verb, rest) {
        ("run" | "create", _) => Some(vec![Effect::MakesForeign]),
        ("container" | "system", ["prune", ..]) => Some(vec![Effect::RemovesStopped]),
        ("image", ["prune", ..])
        | (
            "commit" | "inspect" | "kill" | "pause" | "rename" | "restart" | "rm" | "rmi" | "stop"
            | "unpause" | "update",
            _,
        ) => Some(Vec::new()),
        _ => None,
    }
}
