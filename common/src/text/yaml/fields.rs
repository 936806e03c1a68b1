//! Reads typed values out of a tree and collects a problem, with its place, for each mistake.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use crate::text::printable::printable;
use crate::text::problem::{Problem, Problems};
use crate::time::parse_duration_ms;

use super::{Key, Node, Value};

/// A value and the path that leads to it.
#[derive(Debug, Clone)]
pub struct FieldNode<'n> {
    /// The path of the field, such as `components.asterisk.version`.
    pub path: String,
    pub node: &'n Node,
}

/// A mapping whose known keys are read one by one, so that the rest can be reported as unknown.
#[derive(Debug)]
pub struct Fields<'n> {
    path: String,
    line: u32,
    entries: &'n [(Key, Node)],
    known: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// Begins to read a mapping; anything else is a problem.
    #[must_use]
    pub fn open(field: &FieldNode<'n>, problems: &mut Problems) -> Option<Self> {
        let entries = match &field.node.value {
            Value::Map(entries) => entries.as_slice(),
            Value::Empty => &[],
            Value::Text(_) | Value::List(_) => {
                problems.push(field.problem("must be a mapping of keys to values"));
                return None;
            }
        };
        let line = field.node.line;
        Some(Self { path: field.path.clone(), line, entries, known: Vec::new() })
    }

    /// Returns the value of an optional key, if it is there.
    #[must_use]
    pub fn get(&mut self, name: &'static str) -> Option<FieldNode<'n>> {
        self.known.push(name);
        let (_, node) = self.entries.iter().find(|(key, _)| key.name == name)?;
        Some(FieldNode { path: join(&self.path, name), node })
    }

    /// Returns the value of a required key; a missing one is a problem.
    #[must_use]
    pub fn need(&mut self, name: &'static str, problems: &mut Problems) -> Option<FieldNode<'n>> {
        let field = self.get(name);
        if field.is_none() {
            problems.push(Problem::new(join(&self.path, name), "is missing").at_line(self.line));
        }
        field
    }

    /// Reports every key that was not read.
    pub fn finish(self, problems: &mut Problems) {
        for (key, _) in self.entries {
            if !self.known.contains(&key.name.as_str()) {
                let problem = Problem::new(join(&self.path, &key.name), "unknown key")
                    .at_line(key.line)
                    .suggest(&key.name, self.known.iter().copied());
                problems.push(problem);
            }
        }
    }
}

impl<'n> FieldNode<'n> {
    /// Returns the field that is the whole document.
    #[must_use]
    pub fn root(node: &'n Node) -> Self {
        Self { path: String::new(), node }
    }

    /// Makes a problem at this field.
    #[must_use]
    pub fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::new(self.path.clone(), message).at_line(self.node.line)
    }

    /// Reads a scalar as text.
    #[must_use]
    pub fn text(&self, problems: &mut Problems) -> Option<&'n str> {
        match &self.node.value {
            Value::Text(text) => Some(text),
            Value::Empty => {
                problems.push(self.problem("is empty"));
                None
            }
            Value::List(_) | Value::Map(_) => {
                problems.push(self.problem("must be a single value"));
                None
            }
        }
    }

    /// Reads a scalar as a type with a parsing rule.
    #[must_use]
    pub fn parse<T: FromStr>(&self, problems: &mut Problems) -> Option<T>
    where
        T::Err: Display,
    {
        let text = self.text(problems)?;
        text.parse().map_err(|error| problems.push(self.problem(format!("{error}")))).ok()
    }

    /// Reads a duration, in milliseconds.
    #[must_use]
    pub fn duration_ms(&self, problems: &mut Problems) -> Option<u64> {
        let text = self.text(problems)?;
        let report = |error| problems.push(self.problem(format!("{:?}: {error}", printable(text))));
        parse_duration_ms(text).map_err(report).ok()
    }

    /// Reads a whole number within a range.
    #[must_use]
    pub fn number(
        &self,
        range: std::ops::RangeInclusive<u64>,
        problems: &mut Problems,
    ) -> Option<u64> {
        let text = self.text(problems)?;
        let number = text.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            let (low, high) = (range.start(), range.end());
            problems.push(self.problem(format!("must be a whole number from {low} to {high}")));
        }
        number
    }

    /// Reads `true` or `false`.
    #[must_use]
    pub fn flag(&self, problems: &mut Problems) -> Option<bool> {
        match self.text(problems)? {
            "true" => Some(true),
            "false" => Some(false),
            _ => {
                problems.push(self.problem("must be true or false"));
                None
            }
        }
    }

    /// Reads one of a set of words.
    #[must_use]
    pub fn choice<T: Copy>(&self, words: &[(&str, T)], problems: &mut Problems) -> Option<T> {
        let text = self.text(problems)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let known = words.iter().map(|(word, _)| *word);
            problems.push(
                self.problem(format!("{:?} is not a valid value", printable(text)))
                    .suggest(text, known),
            );
        }
        found
    }

    /// Reads the items of a list.
    #[must_use]
    pub fn list(&self, problems: &mut Problems) -> Vec<FieldNode<'n>> {
        match &self.node.value {
            Value::List(items) => items
                .iter()
                .enumerate()
                .map(|(index, node)| FieldNode { path: format!("{}[{index}]", self.path), node })
                .collect(),
            Value::Empty => Vec::new(),
            Value::Text(_) | Value::Map(_) => {
                problems.push(self.problem("must be a list"));
                Vec::new()
            }
        }
    }

    /// Reads a list of values with a parsing rule.
    #[must_use]
    pub fn parse_list<T: FromStr>(&self, problems: &mut Problems) -> Vec<T>
    where
        T::Err: Display,
    {
        self.list(problems).iter().filter_map(|item| item.parse(problems)).collect()
    }

    /// Reads a mapping whose keys are names, such as those of components.
    #[must_use]
    pub fn entries<K: FromStr + Ord>(&self, problems: &mut Problems) -> BTreeMap<K, FieldNode<'n>>
    where
        K::Err: Display,
    {
        let entries = match &self.node.value {
            Value::Map(entries) => entries.as_slice(),
            Value::Empty => &[],
            Value::Text(_) | Value::List(_) => {
                problems.push(self.problem("must be a mapping of keys to values"));
                &[]
            }
        };
        let mut read = BTreeMap::new();
        for (key, node) in entries {
            let path = join(&self.path, &key.name);
            match key.name.parse() {
                Ok(name) => {
                    read.insert(name, FieldNode { path, node });
                }
                Err(error) => {
                    let error: K::Err = error;
                    problems.push(Problem::new(path, error.to_string()).at_line(key.line));
                }
            }
        }
        read
    }
}

pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
