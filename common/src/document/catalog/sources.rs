//! The texts that a catalog is made of: a file, or a folder with its templates, and what both
//! include.
//!
//! Nothing is read here. [`CatalogSources`] says which texts it lacks, and whoever has the folder of
//! catalogs puts them in, until nothing is missing.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::id::ContentHash;
use crate::text::problem::{Problem, Problems};
use crate::text::yaml::{Node, Value, parse};

use super::{Catalog, Document, Include, read};

mod path;

pub(super) use self::path::check_path;
use self::path::{below, document_of};

/// The file of a catalog that is a folder.
pub const CATALOG_FILE: &str = "catalog.yaml";
/// The folder of templates beside the file that names them.
const TEMPLATES: &str = "files";
/// The key with which a document begins that is only included.
const PART: &str = "part";
/// The number of texts that one catalog is made of.
pub const TEXTS_MAX: usize = 256;
/// The size of all texts of one catalog, in bytes.
pub const TEXTS_BYTES_MAX: usize = 4 << 20;
/// How deep documents that include others may be nested.
const DEPTH_MAX: usize = 8;

/// The texts of one catalog, by their paths below the folder of catalogs.
#[derive(Debug, Clone)]
pub struct CatalogSources {
    /// The path of its first document.
    first: String,
    /// The texts that were put in; the reason where one cannot be had.
    texts: BTreeMap<String, Result<String, String>>,
    /// The texts that were asked for and not put in yet.
    missing: RefCell<BTreeSet<String>>,
}

/// A document that is being read, with those that lead to it.
struct Visit<'v> {
    path: &'v str,
    includers: Vec<&'v str>,
}

/// Where a setting or a component was defined first.
struct DefinedAt {
    path: String,
    line: u32,
}

/// What was merged so far.
struct Merged {
    catalog: Catalog,
    places: BTreeMap<String, DefinedAt>,
    done: BTreeSet<String>,
}

/// Hint of a problem with the name of an included document.
const HINT: &str = "name a file or a folder of the folder of catalogs, such as parts/voice.yaml";

impl CatalogSources {
    /// Begins with a file, or with the folder of a catalog, by its name in the folder of catalogs.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let first = document_of(name);
        let missing = RefCell::new(BTreeSet::from([first.clone()]));
        Self { first, texts: BTreeMap::new(), missing }
    }

    /// Begins with a text that has no folder, so everything that it names is missing.
    pub(super) fn alone(text: &str) -> Self {
        let mut sources = Self::new(CATALOG_FILE);
        sources.put(CATALOG_FILE, Ok(text.to_owned()));
        loop {
            let missing = sources.missing();
            if missing.is_empty() {
                return sources;
            }
            for path in missing {
                sources.put(&path, Err("there is no such file".to_owned()));
            }
        }
    }

    /// Returns the path of the first document.
    #[must_use]
    pub fn first(&self) -> &str {
        &self.first
    }

    /// Returns the text of the first document, if it could be had.
    #[must_use]
    pub fn first_text(&self) -> Option<&str> {
        self.texts.get(&self.first)?.as_deref().ok()
    }

    /// Returns the paths of texts that are needed and not there yet. It is empty in the end, because
    /// there are [`TEXTS_MAX`] of them at most.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        // What a document leads to is known only after it was read.
        drop(self.catalog());
        let room = TEXTS_MAX.saturating_sub(self.texts.len());
        self.missing.borrow().iter().take(room).cloned().collect()
    }

    /// Puts in a text, or the reason why it cannot be had.
    pub fn put(&mut self, path: &str, text: Result<String, String>) {
        let bytes: usize = self.texts.values().flatten().map(String::len).sum();
        let fits = |text: &String| bytes.saturating_add(text.len()) <= TEXTS_BYTES_MAX;
        let text = match text {
            Ok(text) if !fits(&text) => {
                Err(format!("all texts of a catalog together may have {TEXTS_BYTES_MAX} bytes"))
            }
            text => text,
        };
        self.missing.borrow_mut().remove(path);
        self.texts.insert(path.to_owned(), text);
    }

    /// Returns a text. One that is missing is asked for.
    fn text(&self, path: &str) -> Option<&Result<String, String>> {
        let text = self.texts.get(path);
        if text.is_none() {
            self.missing.borrow_mut().insert(path.to_owned());
        }
        text
    }

    /// Whether the first document is only a part of catalogs.
    #[must_use]
    pub fn is_part(&self) -> bool {
        let text = self.texts.get(&self.first).and_then(|text| text.as_ref().ok());
        text.and_then(|text| parse(text).ok()).is_some_and(|root| has_key(&root, PART))
    }

    /// Returns the hash of all texts, which changes with every byte and every name of them.
    #[must_use]
    pub fn content_hash(&self) -> ContentHash {
        let mut all = String::new();
        for (path, text) in &self.texts {
            let text = text.as_deref().unwrap_or_default();
            all.push_str(&format!("{path} {}\n{text}\n", text.len()));
        }
        ContentHash::of(all.as_bytes())
    }

    /// Makes the catalog of the texts that are there.
    ///
    /// # Errors
    /// Returns every problem of every document. Those of an included one begin with its path.
    pub fn catalog(&self) -> Result<Catalog, Problems> {
        let mut catalog = self.usable()?;
        let broken = std::mem::take(&mut catalog.broken);
        let problems: Problems = broken.into_values().flat_map(|own| own.0).collect();
        problems.into_result(catalog)
    }

    /// Makes the catalog of the texts that are there, in which the components that have mistakes are
    /// set apart, so that its tenants can use the others.
    ///
    /// # Errors
    /// Returns every problem if one of them is not that of a component.
    pub fn usable(&self) -> Result<Catalog, Problems> {
        let Some(Ok(text)) = self.text(&self.first) else {
            return Err(self.unreadable(&self.first).into());
        };
        let root = parse(text)?;
        let mut problems = Problems::default();
        let Some(first) = self.document(&self.first, &root, &mut problems) else {
            return Err(problems.sorted());
        };
        let is_part = first.is_part;
        let has_registry = has_key(&root, "registry");
        let places = places(&self.first, &root);
        let done = BTreeSet::from([self.first.clone()]);
        let mut merged = Merged { catalog: first.catalog, places, done };
        let visit = Visit { path: &self.first, includers: Vec::new() };
        self.include(&visit, &first.include, &mut merged, &mut problems);
        if !self.has_room() {
            let message = format!("a catalog is made of {TEXTS_MAX} files at most");
            problems.push(Problem::new("", message));
        }
        // What a part names may be in another one.
        if !is_part {
            merged.catalog.check(has_registry);
        }
        let Merged { mut catalog, .. } = merged;
        if problems.0.is_empty() {
            let Catalog { components, broken, .. } = &mut catalog;
            components.retain(|name, _| !broken.contains_key(name));
            return Ok(catalog);
        }
        problems.0.extend(catalog.broken.into_values().flat_map(|own| own.0));
        Err(problems.sorted())
    }

    fn has_room(&self) -> bool {
        self.texts.len() < TEXTS_MAX || self.missing.borrow().is_empty()
    }

    fn unreadable(&self, path: &str) -> Problem {
        let why = match self.texts.get(path) {
            Some(Err(why)) => why,
            Some(Ok(_)) | None => "it was not read",
        };
        Problem::new("", format!("cannot read {path}: {why}"))
    }

    /// Reads one document, with the templates beside it.
    fn document(&self, path: &str, root: &Node, problems: &mut Problems) -> Option<Document> {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let lookup = |name: &str| {
            let full = below(folder, &below(TEMPLATES, name));
            let text = match self.text(&full)? {
                Ok(text) => Ok(text.clone()),
                Err(why) => Err(format!("cannot read {full}: {why}")),
            };
            Some(text)
        };
        read(root, &lookup, problems)
    }

    /// Reads the documents that another one includes, and adds what they define.
    fn include(
        &self,
        by: &Visit<'_>,
        include: &[Include],
        merged: &mut Merged,
        problems: &mut Problems,
    ) {
        for Include { name, line } in include {
            let path = document_of(name);
            let at = |message: String| in_file(&self.first, by.path, "include", *line, message);
            if let Err(why) = check_path(name) {
                problems.push(at(format!("{name:?} {why}")).hint(HINT));
                continue;
            }
            if path == by.path || by.includers.contains(&path.as_str()) {
                let way: Vec<&str> = by.includers.iter().copied().chain([by.path]).collect();
                let way = way.join(", which includes ");
                problems.push(at(format!("{path} includes itself: {way}, which includes {path}")));
                continue;
            }
            if by.includers.len() >= DEPTH_MAX {
                let message = format!("{path} is included more than {DEPTH_MAX} documents deep");
                problems.push(at(message));
                continue;
            }
            if !merged.done.insert(path.clone()) {
                continue;
            }
            match self.text(&path).map(Result::as_ref) {
                None => {}
                Some(Err(why)) => {
                    problems.push(at(format!("cannot read {path}: {why}")).hint(HINT));
                }
                Some(Ok(text)) => {
                    let includers = by.includers.iter().copied().chain([by.path]).collect();
                    self.add(&Visit { path: &path, includers }, text, merged, problems);
                }
            }
        }
    }

    /// Adds what one included document defines, and what that includes.
    fn add(&self, visit: &Visit<'_>, text: &str, merged: &mut Merged, problems: &mut Problems) {
        let mut own = Problems::default();
        let document = match parse(text) {
            Ok(root) => self.define(visit.path, &root, merged, &mut own),
            Err(problems) => {
                own = problems;
                None
            }
        };
        problems.0.extend(own.0.into_iter().map(|problem| name_file(visit.path, problem)));
        if let Some(include) = document {
            self.include(visit, &include, merged, problems);
        }
    }

    /// Adds the settings and components of one included document, and returns what it includes.
    fn define(
        &self,
        path: &str,
        root: &Node,
        merged: &mut Merged,
        own: &mut Problems,
    ) -> Option<Vec<Include>> {
        let document = self.document(path, root, own)?;
        let registry = &document.catalog.registry;
        if registry.is_some() && *registry != merged.catalog.registry {
            let message = "is not that of the catalog that includes it";
            let hint = "leave it out, or complete the names of its images";
            own.push(Problem::new("registry", message).hint(hint));
        }
        for (defined, place) in places(path, root) {
            match merged.places.get(&defined) {
                Some(first) => {
                    let message = format!("is defined in {}, line {} too", first.path, first.line);
                    own.push(Problem::new(defined, message).at_line(place.line));
                }
                None => drop(merged.places.insert(defined, place)),
            }
        }
        for (name, value) in document.catalog.settings {
            merged.catalog.settings.entry(name).or_insert(value);
        }
        for (name, component) in document.catalog.components {
            merged.catalog.components.entry(name).or_insert(component);
        }
        let named = |problems: Problems| {
            problems.0.into_iter().map(|problem| name_file(path, problem)).collect::<Problems>()
        };
        for (name, problems) in document.catalog.broken {
            merged.catalog.broken.entry(name).or_insert(named(problems));
        }
        for (name, problems) in document.catalog.tolerated {
            merged.catalog.tolerated.entry(name).or_insert(named(problems));
        }
        Some(document.include)
    }
}

fn has_key(root: &Node, name: &str) -> bool {
    match &root.value {
        Value::Map(entries) => entries.iter().any(|(key, _)| key.name == name),
        Value::Empty | Value::Text(_) | Value::List(_) => false,
    }
}

/// Returns where each setting and component of a document is defined.
fn places(path: &str, root: &Node) -> BTreeMap<String, DefinedAt> {
    let Value::Map(entries) = &root.value else { return BTreeMap::new() };
    let mut places = BTreeMap::new();
    let counted = entries.iter().filter(|(key, _)| matches!(&*key.name, "settings" | "components"));
    for (key, node) in counted {
        let Value::Map(defined) = &node.value else { continue };
        places.extend(defined.iter().map(|(name, _)| {
            let place = DefinedAt { path: path.to_owned(), line: name.line };
            (format!("{}.{}", key.name, name.name), place)
        }));
    }
    places
}

/// Makes a problem in a document, whose path it names unless it is the first one.
fn in_file(first: &str, path: &str, field: &str, line: u32, message: String) -> Problem {
    let problem = Problem::new(field, message).at_line(line);
    if path == first { problem } else { name_file(path, problem) }
}

fn name_file(path: &str, problem: Problem) -> Problem {
    let field = match problem.path.as_str() {
        "" => path.to_owned(),
        field => format!("{path}: {field}"),
    };
    Problem { path: field, ..problem }
}

#[cfg(test)]
mod tests;
