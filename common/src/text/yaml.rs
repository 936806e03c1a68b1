//! Reads YAML that people write into a tree in which every value has its line.
//!
//! Scalars stay text, because `230204.10` is a version and not a number. Reading
//! typed values out of the tree collects every problem instead of stopping at the first.

use std::collections::BTreeMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span};

use crate::text::problem::{Problem, Problems};

mod block;
mod fields;
mod syntax;

use fields::join;
pub use fields::{FieldNode, Fields};

/// The size of the largest document that is read, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 1 << 20;
const DEPTH_MAX: usize = 16;
/// The length of the longest key. Keys are repeated in the path of every value below them.
const KEY_BYTES_MAX: usize = 256;
const NODES_MAX: usize = 100_000;
/// The number of problems that get their full path; far fewer are ever shown.
const PATHS_MAX: usize = 1000;

/// A value in a document, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The line, counted from 1.
    pub line: u32,
    /// The range of the text in the document; empty for lists and mappings. That of a block
    /// scalar begins with its header, such as `>-`, and ends with its last letter.
    pub bytes: Range<usize>,
    pub value: Value,
}

/// The content of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// No value, `~` or `null`.
    Empty,
    /// A scalar, as it was written.
    Text(String),
    List(Vec<Node>),
    /// A mapping, in the order in which it was written.
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub name: String,
    /// The line, counted from 1.
    pub line: u32,
}

/// Reads one document.
///
/// # Errors
/// Returns the problems of a text that is not valid YAML, is too large or nested too
/// deeply, has duplicate keys, aliases or tags, or holds no or several documents.
pub fn parse(text: &str) -> Result<Node, Problems> {
    let (root, problems) = parse_partly(text)?;
    problems.into_result(root)
}

/// Reads one document, also with duplicate keys, of which the first counts. Returns it with a problem
/// for each of the others.
///
/// # Errors
/// As [`parse`], but for duplicate keys.
pub fn parse_partly(text: &str) -> Result<(Node, Problems), Problems> {
    if text.len() > DOCUMENT_BYTES_MAX {
        let message = format!("the document is larger than {DOCUMENT_BYTES_MAX} bytes");
        return Err(Problem::new("", message).into());
    }
    let mut builder = Builder { text, ..Builder::default() };
    for event in Parser::new_from_str(text) {
        let (event, span) =
            event.map_err(|error| syntax::problem(text, error.marker().line(), &error.info()))?;
        builder.take(&event, &span)?;
    }
    let Some(root) = builder.root else {
        return Err(Problem::new("", "the document is empty").into());
    };
    Ok((root, builder.problems))
}

#[derive(Default)]
struct Builder<'t> {
    text: &'t str,
    /// Where the last scalar ended.
    scalar_end: usize,
    open: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
    problems: Problems,
}

struct Open {
    line: u32,
    items: Vec<Node>,
    entries: Vec<(Key, Node)>,
    key: Option<Key>,
    /// The line of every key so far, because searching the entries would take quadratic time.
    lines: BTreeMap<String, u32>,
    is_map: bool,
}

impl Builder<'_> {
    fn take(&mut self, event: &Event<'_>, span: &Span) -> Result<(), Problem> {
        let at = line(span.start.line());
        if event.tag().is_some() {
            return Err(Problem::new("", "tags are not supported")
                .at_line(at)
                .hint("remove the tag"));
        }
        match event {
            Event::Scalar(text, style, ..) => {
                let start = span.start.byte_offset().unwrap_or_default();
                let end = span.end.byte_offset().unwrap_or(start);
                let bytes = match style {
                    ScalarStyle::Literal | ScalarStyle::Folded => {
                        block::range(self.text, self.scalar_end, start..end)
                    }
                    ScalarStyle::Plain | ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                        start..end
                    }
                };
                self.scalar_end = end;
                // The parser reports a missing value as a plain "~" (YAML 1.2 §10.3.2).
                let is_null = *style == ScalarStyle::Plain && matches!(&**text, "" | "~" | "null");
                let value = if is_null { Value::Empty } else { Value::Text(text.to_string()) };
                self.add(Node { line: at, bytes, value })
            }
            Event::SequenceStart(..) => self.push(at, false),
            Event::MappingStart(..) => self.push(at, true),
            Event::SequenceEnd | Event::MappingEnd => self.pop(),
            Event::Alias(..) | Event::UnresolvedAlias(..) => {
                let hint = "write the value itself";
                Err(Problem::new("", "aliases are not supported").at_line(at).hint(hint))
            }
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(Problem::new("", "there is more than one document in the file").at_line(at))
            }
            // These carry no value. The parser's enum is non-exhaustive, hence the wildcard.
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd
            | Event::Anchor(..)
            | Event::Comment(..)
            | _ => Ok(()),
        }
    }

    fn push(&mut self, line: u32, is_map: bool) -> Result<(), Problem> {
        if self.open.len() == DEPTH_MAX {
            return Err(Problem::new("", "the document is nested too deeply").at_line(line));
        }
        let open = Open {
            line,
            items: Vec::new(),
            entries: Vec::new(),
            key: None,
            lines: BTreeMap::new(),
            is_map,
        };
        self.open.push(open);
        Ok(())
    }

    fn pop(&mut self) -> Result<(), Problem> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = if open.is_map { Value::Map(open.entries) } else { Value::List(open.items) };
        self.add(Node { line: open.line, bytes: 0..0, value })
    }

    fn add(&mut self, node: Node) -> Result<(), Problem> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(Problem::new("", format!("the document has more than {NODES_MAX} values")));
        }
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        if !parent.is_map {
            parent.items.push(node);
            return Ok(());
        }
        match parent.key.take() {
            Some(key) => {
                if let Some(first) = parent.lines.get(&key.name) {
                    let message = format!("duplicate key, first written on line {first}");
                    let has_room = self.problems.0.len() < PATHS_MAX;
                    let path = if has_room { self.path_of(&key.name) } else { key.name };
                    self.problems.push(Problem::new(path, message).at_line(key.line));
                } else {
                    parent.lines.insert(key.name.clone(), key.line);
                    parent.entries.push((key, node));
                }
            }
            None => match node.value {
                Value::Text(name) if name.len() > KEY_BYTES_MAX => {
                    let message = format!("a key is longer than {KEY_BYTES_MAX} bytes");
                    return Err(Problem::new("", message).at_line(node.line));
                }
                Value::Text(name) => parent.key = Some(Key { name, line: node.line }),
                Value::Empty | Value::List(_) | Value::Map(_) => {
                    return Err(Problem::new("", "a key must be plain text").at_line(node.line));
                }
            },
        }
        Ok(())
    }
}

impl Builder<'_> {
    /// Returns the path of a key of the innermost mapping.
    fn path_of(&self, name: &str) -> String {
        let mut path = String::new();
        for open in self.open.iter().rev().skip(1).rev() {
            match &open.key {
                Some(key) => path = join(&path, &key.name),
                None => path.push_str(&format!("[{}]", open.items.len())),
            }
        }
        join(&path, name)
    }
}

fn line(line: usize) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
