//! The record of a sequence, from which a failure can be understood without another run.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use oml_lab::{Host, Output};

use crate::action::SequenceStep;
use crate::component::{COMPONENTS, ComponentIndex};

/// What was done in a sequence.
#[derive(Debug, Default)]
pub(crate) struct Record {
    steps: Vec<DoneStep>,
    /// The components of which something was wrong at the last look.
    pub(crate) suspects: BTreeSet<ComponentIndex>,
}

/// One step that was done.
#[derive(Debug, Clone)]
struct DoneStep {
    step: SequenceStep,
    /// When it began and ended, in milliseconds since 1970.
    began_ms: u64,
    ended_ms: u64,
    exit_code: i32,
    /// The last line that it wrote.
    last_line: String,
}

impl Record {
    pub(crate) fn add(
        &mut self,
        step: SequenceStep,
        began_ms: u64,
        ended_ms: u64,
        output: &Output,
    ) {
        let words = if output.stderr.trim().is_empty() { &output.stdout } else { &output.stderr };
        let last_line = words.trim_end().lines().last().unwrap_or_default().to_owned();
        let exit_code = output.status;
        self.steps.push(DoneStep { step, began_ms, ended_ms, exit_code, last_line });
    }

    /// Returns the steps with their times, a line each.
    pub(crate) fn shown(&self) -> String {
        let begin_ms = self.steps.first().map_or(0, |first| first.began_ms);
        let mut text = String::new();
        for (number, done) in self.steps.iter().enumerate() {
            let DoneStep { step, began_ms, ended_ms, exit_code, last_line } = done;
            let (after, took) =
                (began_ms.saturating_sub(begin_ms), ended_ms.saturating_sub(*began_ms));
            // Writing to a String cannot fail.
            let _infallible = writeln!(
                text,
                "  {}. {} (after {after} ms, took {took} ms) {step}: exit code {exit_code} {last_line}\n     {}",
                number + 1,
                clock(*began_ms),
                step.action.script
            );
        }
        text
    }

    /// Returns the last lines of the agent and of the unit of every component of which something was
    /// wrong; of all, if nothing was looked at.
    pub(crate) fn lines(&self, host: &Host) -> String {
        let all = 0..COMPONENTS.len();
        let is_shown =
            |index: &ComponentIndex| self.suspects.is_empty() || self.suspects.contains(index);
        let scripts = all.filter(is_shown).map(|index| {
            let name = COMPONENTS[index].name;
            let unit = COMPONENTS[index].unit;
            format!(
                "echo '--- the agent about {name}'; {JOURNAL} -n 2000 -u omlagent | grep -w {name} | tail -15\n\
                 echo '--- {unit}'; {JOURNAL} -n 15 -u {unit}; systemctl status --no-pager -n 0 {unit}"
            )
        });
        let mut script: Vec<String> = scripts.collect();
        script.push(format!(
            "echo '--- the agent'; {JOURNAL} -n 20 -u omlagent; echo '--- docker'; {JOURNAL} -n 10 -u docker\n\
             echo '--- containers'; timeout 10 docker ps -a --no-trunc"
        ));
        let output = host.exec(&["sh", "-c", &script.join("\n")]);
        output.map_or_else(|error| error.to_string(), |output| output.stdout)
    }
}

const JOURNAL: &str = "journalctl -q --no-pager -o short-precise --utc";

/// Returns the time of day as the journal shows it.
fn clock(at_ms: u64) -> String {
    let seconds = at_ms / 1000;
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{:03}", seconds % 60, at_ms % 1000)
}
