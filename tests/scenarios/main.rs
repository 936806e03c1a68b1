//! Plays every script of this folder and compares what its commands print with
//! what stands below them. `UPDATE_SCENARIOS=1` writes what they print instead.
#![expect(clippy::disallowed_methods, reason = "a test reads its own variables")]

use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Failed, Trial};
use oml_common::planted::{Bug, plant};
use similar::{ChangeTag, TextDiff};

mod scenario;

use Finding::{Broken, NotPrinted};

/// How a script finds a bug.
#[derive(Clone, Copy)]
enum Finding {
    /// This line of the script is not printed.
    NotPrinted(&'static str),
    /// A check breaks, and its message contains this.
    Broken(&'static str),
}

/// Bugs that can be planted in the real code, each with a script that finds it.
const PLANTED: [(Bug, &str, Finding); 5] = [
    (
        Bug::AgentLoop,
        "hangs",
        NotPrinted(
            "03:18.2  acme-voice  asterisk      rolled-back 230204.01 runs; version 230215.01 did not answer within 2m 0s",
        ),
    ),
    (
        Bug::Executor,
        "set_version",
        NotPrinted("acme-voice  oml-asterisk-server-prev       230204.01    exited 0"),
    ),
    (Bug::RolloutTask, "rollback", NotPrinted("   4  set-version   2 changes  completed")),
    (Bug::HeadTransition, "dies_in_soak", NotPrinted("*  1  apply         3 changes  completed")),
    (Bug::ChangeWatch, "hangs", Broken("the watch of revision 1 ")),
];

/// Unchanged lines shown round a difference.
const CONTEXT: usize = 3;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let entries = fs::read_dir(&folder).expect("the folder of this file is there");
    let paths = entries.map(|entry| entry.expect("an entry can be read").path());
    let mut scripts: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "txt")).collect();
    scripts.sort();
    let update = std::env::var_os("UPDATE_SCENARIOS").is_some();
    let trials =
        scripts.into_iter().map(|path| Trial::test(shown(&path), move || check(&path, update)));
    let planted = PLANTED.into_iter().map(|(bug, story, finding)| {
        let path = folder.join(story).with_extension("txt");
        Trial::test(format!("{story} finds a planted bug: {bug:?}"), move || {
            finds(bug, &path, finding)
        })
    });
    let broken = scenario::histories().into_iter().map(|history| {
        let name = format!("an invariant finds a planted history: {}", history.name);
        Trial::test(name, move || breaks(&history))
    });
    let livelock = Trial::test("a livelock is found", || match scenario::finds_a_livelock() {
        true => Ok(()),
        false => Err("it is not found".into()),
    });
    let trials = trials.chain(planted).chain(broken).chain([livelock]);
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

/// An invariant must accept what keeps it and refuse what breaks it.
fn breaks(history: &scenario::Planted) -> Result<(), Failed> {
    if let Some(Err(what)) = history.kept.iter().find(|kept| kept.is_err()) {
        return Err(format!("a history that keeps it is refused: {what}").into());
    }
    match history.broken.iter().position(Result::is_ok) {
        Some(number) => Err(format!("the broken history {number} is accepted").into()),
        None => Ok(()),
    }
}

/// A bug that is planted in this thread until this is dropped.
struct PlantedBug;

impl PlantedBug {
    fn with(bug: Bug) -> Self {
        plant(Some(bug));
        Self
    }
}

impl Drop for PlantedBug {
    fn drop(&mut self) {
        plant(None);
    }
}

/// Plays a script while a bug is planted, which must be found.
fn finds(bug: Bug, path: &Path, finding: Finding) -> Result<(), Failed> {
    let script = fs::read_to_string(path)?;
    let played = {
        let _bug = PlantedBug::with(bug);
        scenario::play(&shown(path), &script)
    };
    match (finding, played) {
        (NotPrinted(line), played) => is_not_printed(line, &script, &played?),
        (Broken(what), Err(error)) if error.to_string().contains(what) => Ok(()),
        (Broken(what), played) => {
            Err(format!("no check says {what:?}, but this: {played:?}").into())
        }
    }
}

fn is_not_printed(line: &str, script: &str, played: &str) -> Result<(), Failed> {
    let is_in = |text: &str| text.lines().any(|other| other == line);
    if !is_in(script) {
        return Err(format!("the script has no such line: {line}").into());
    }
    match is_in(played) {
        false => Ok(()),
        true => {
            let difference = difference(script, played);
            Err(format!("the line is printed all the same: {line}\n{difference}").into())
        }
    }
}

/// The name of a script, for people.
fn shown(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().replace('_', " ")
}

fn check(path: &Path, update: bool) -> Result<(), Failed> {
    let script = fs::read_to_string(path)?;
    let played = scenario::play(&shown(path), &script)?;
    // A script with replays repeats itself.
    if !script.contains("at each step") {
        let again = scenario::play(&shown(path), &played)?;
        if again != played {
            let difference = difference(&played, &again);
            return Err(format!("played twice, it gave different text:\n{difference}").into());
        }
    }
    if played == script {
        return Ok(());
    }
    if update {
        fs::write(path, played)?;
        return Ok(());
    }
    let difference = difference(&script, &played);
    Err(format!("{}: prints something else now:\n{difference}", path.display()).into())
}

fn difference(expected: &str, played: &str) -> String {
    let diff = TextDiff::from_lines(expected, played);
    let mut shown = String::new();
    for group in diff.grouped_ops(CONTEXT) {
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let (mark, line) = match change.tag() {
                ChangeTag::Delete => ('-', change.old_index()),
                ChangeTag::Insert => ('+', change.new_index()),
                ChangeTag::Equal => (' ', change.new_index()),
            };
            let number = line.map_or(0, |line| line + 1);
            shown += &format!("{number:>4} {mark} {}", change.value());
        }
        shown.push('\n');
    }
    shown + "- is what the script says, + is what was printed; UPDATE_SCENARIOS=1 takes it over"
}
