//! The rules of one image, which are made from the contracts of its programs.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::contract::{Command, Contract, has_form};

/// The exit code of a command that is not there, as shells and Docker have it.
const NOT_FOUND: u8 = 127;
/// The exit code of a program that refuses its settings.
const REFUSED: u8 = 1;

/// What an image does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rules {
    pub(super) image: String,
    pub(super) tag: String,
    pub(super) behaviour: Behaviour,
    programs: Vec<Program>,
}

/// One program of an image: what its contract says about its start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Program {
    has_command: bool,
    required: Vec<String>,
    lacks: BTreeMap<String, String>,
    forms: BTreeMap<String, String>,
    needs: Vec<String>,
    commands: Vec<Command>,
}

/// How an image behaves whose tag says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Behaviour {
    #[serde(rename = "good")]
    Good,
    #[serde(rename = "exits-at-once")]
    ExitsAtOnce,
    #[serde(rename = "exits-after-20s")]
    ExitsAfter20s,
    #[serde(rename = "hangs")]
    Hangs,
    #[serde(rename = "dies-in-soak")]
    DiesInSoak,
}

/// Why a program does not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: u8,
    pub(super) words: String,
}

/// A command, and the program that knows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chosen<'a> {
    pub(super) program: &'a Program,
    pub(super) command: &'a Command,
}

impl Behaviour {
    /// Returns the behaviour of a tag, which contains its name; every other tag is a good one.
    pub fn of_tag(tag: &str) -> Self {
        let bad = [Self::ExitsAtOnce, Self::ExitsAfter20s, Self::Hangs, Self::DiesInSoak];
        bad.into_iter().find(|bad| tag.contains(bad.as_str())).unwrap_or(Self::Good)
    }

    /// Returns its name, as tags and the entry script have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::ExitsAtOnce => "exits-at-once",
            Self::ExitsAfter20s => "exits-after-20s",
            Self::Hangs => "hangs",
            Self::DiesInSoak => "dies-in-soak",
        }
    }
}

impl Refusal {
    /// Says that neither the image nor its container has a command.
    pub(super) fn no_command() -> Self {
        let words = "no command specified: the image has none of its own".to_owned();
        Self { code: NOT_FOUND, words }
    }
}

impl Rules {
    /// Makes the rules of an image with this tag from the contracts of its programs.
    pub(super) fn new(contracts: &[&Contract], tag: &str) -> Self {
        let program = |contract: &&Contract| Program {
            has_command: contract.has_command == Some(true),
            required: contract.reads.required.clone(),
            lacks: contract.lacks.clone(),
            forms: contract.forms.clone(),
            needs: contract.needs.clone(),
            commands: contract.all_commands(),
        };
        Self {
            image: contracts.first().map(|contract| contract.image.clone()).unwrap_or_default(),
            tag: tag.to_owned(),
            behaviour: Behaviour::of_tag(tag),
            programs: contracts.iter().map(program).collect(),
        }
    }

    /// Finds the command that these words and this environment start.
    pub(super) fn choose(
        &self,
        words: &[String],
        env: &BTreeMap<String, String>,
    ) -> Result<Chosen<'_>, Refusal> {
        let found = self.programs.iter().filter(|it| it.has_command || !words.is_empty()).find_map(
            |program| {
                let command = program.commands.iter().find(|it| it.is_for(words, env))?;
                Some(Chosen { program, command })
            },
        );
        found.ok_or_else(|| match words.first() {
            None => Refusal::no_command(),
            Some(name) => Refusal { code: NOT_FOUND, words: format!("{name}: not found") },
        })
    }
}

impl Program {
    /// Refuses an environment or a container that the program cannot work with.
    pub(super) fn check(&self, image: &str, env: &BTreeMap<String, String>) -> Result<(), Refusal> {
        let refuse = |words| Err(Refusal { code: REFUSED, words });
        let is_set = |key: &&String| env.get(*key).is_some_and(|value| !value.is_empty());
        if let Some(key) = self.required.iter().find(|key| !is_set(key)) {
            let own = format!("ERROR: {image} needs the environment variable {{key}}");
            let words = self.lacks.get(key).or_else(|| self.lacks.get("*")).unwrap_or(&own);
            return refuse(words.replace("{key}", key));
        }
        for (key, form) in &self.forms {
            let value = env.get(key).map_or("", String::as_str);
            if !has_form(value, form) {
                return refuse(format!("ERROR: {key} must be {form}, and it is {value:?}"));
            }
        }
        match self.needs.iter().find(|path| !Path::new(path.as_str()).exists()) {
            Some(path) => refuse(format!("ERROR: {image} needs {path}, and it is not there")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
