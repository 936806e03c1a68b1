//! The files of a crate use each other in one direction.
//!
//! Each file is a module. A file uses another when a `use`, or a path that starts at
//! `crate`, `super`, `self` or a module of the file, leads into it. From such uses alone
//! no file may lead back to itself. Two kinds of use do not count:
//! - a module may use what the modules around it define;
//! - test code may use anything.
//!
//! Paths inside of macros are not seen.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};

use crate::sleeps::production;
use crate::sources::Source;

/// Uses that close a circle and are still there, as (crate, module, module that it uses).
/// This list may only shrink.
const KNOWN: &[(&str, &str, &str)] = &[];

/// The modules of one crate, by path (`agent::pass`; the root's is empty), each with those
/// that it uses.
type Uses = BTreeMap<String, BTreeSet<String>>;

#[test]
fn no_file_leads_back_to_itself() {
    let mut wrong = Vec::new();
    let mut known: BTreeSet<[String; 3]> = KNOWN
        .iter()
        .map(|(package, from, to)| [package, from, to].map(|s| (*s).to_owned()))
        .collect();
    for (package, uses) in crates(&production()) {
        let mut others = uses.clone();
        for (from, to) in circular(&uses) {
            if known.remove(&[package.clone(), from.clone(), to.clone()]) {
                others.entry(from).or_default().remove(&to);
            }
        }
        let lines = circular(&others).into_iter();
        wrong.extend(lines.map(|(from, to)| format!("(\"{package}\", \"{from}\", \"{to}\"),")));
    }
    assert!(wrong.is_empty(), "these uses lead in circles:\n{}", wrong.join("\n"));
    assert!(known.is_empty(), "no longer true, remove from KNOWN: {known:?}");
}

#[test]
fn a_circle_is_found_and_a_use_of_what_is_around_is_none() {
    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let circle = |texts: [&str; 4]| {
        let paths = ["x/src/lib.rs", "x/src/a.rs", "x/src/a/b.rs", "x/src/c.rs"];
        let sources: Vec<Source> = paths.iter().zip(texts).map(|(p, t)| source(p, t)).collect();
        let found = circular(&crates(&sources)["x"]);
        found.iter().map(|(from, to)| format!("{from} {to}")).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(circle(["mod a; use a::A;", "mod b; use b::B;", "use super::A;", ""]), "");
    let both = ["", "use crate::c::C;", "", "use crate::a::A;"];
    assert_eq!(circle(both), "a c, c a");
    let by_path = ["", "", "fn f() { super::super::c::g() }", "use crate::{a::b::{self, X}, D};"];
    assert_eq!(circle(by_path), "a::b c, c a::b");
    let over_the_parent = ["", "mod b; fn f() { b::g() }", "use crate::c;", "use crate::a::A;"];
    assert_eq!(circle(over_the_parent), "a a::b, a::b c, c a");
    assert_eq!(circle(["", "#[cfg(test)] use crate::c;", "", "use crate::a::A;"]), "");
}

fn crates(sources: &[Source]) -> BTreeMap<String, Uses> {
    let mut crates: BTreeMap<String, BTreeMap<String, &Source>> = BTreeMap::new();
    for source in sources {
        if let Some((package, file)) = source.path.split_once("/src/") {
            crates.entry(package.to_owned()).or_default().insert(module(file), source);
        }
    }
    let uses = |modules: BTreeMap<String, &Source>| {
        let names: BTreeSet<String> = modules.keys().cloned().collect();
        modules.iter().map(|(name, source)| (name.clone(), used(name, source, &names))).collect()
    };
    crates.into_iter().map(|(package, modules)| (package, uses(modules))).collect()
}

/// The module of a file below `src`. A program beside a library is a module of its own.
fn module(file: &str) -> String {
    match file.trim_end_matches(".rs") {
        "lib" => String::new(),
        file => file.replace('/', "::"),
    }
}

fn used(name: &str, source: &Source, names: &BTreeSet<String>) -> BTreeSet<String> {
    let mut paths = Paths { own: name, names, prefix: Vec::new(), found: BTreeSet::new() };
    paths.visit_file(&source.syntax());
    let is_around = |other: &str| other.is_empty() || name.starts_with(&format!("{other}::"));
    paths.found.retain(|other| other != name && !is_around(other));
    paths.found
}

/// The uses that lead from a module back to itself.
fn circular(uses: &Uses) -> Vec<(String, String)> {
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        uses.keys().map(|name| (name, reached(name, uses))).collect();
    let pairs = uses.iter().flat_map(|(from, to)| to.iter().map(move |to| (from, to)));
    let leads_back = pairs.filter(|(from, to)| reached[*to].contains(*from));
    leads_back.map(|(from, to)| (from.clone(), to.clone())).collect()
}

/// The modules that a module leads to, directly or through others.
fn reached<'a>(start: &'a String, uses: &'a Uses) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut ahead = vec![start];
    while let Some(next) = ahead.pop() {
        ahead.extend(uses.get(next).into_iter().flatten().filter(|to| reached.insert(*to)));
    }
    reached
}

/// Collects the modules that one file uses.
struct Paths<'a> {
    /// The file's own module.
    own: &'a str,
    names: &'a BTreeSet<String>,
    /// The segments of the `use` that is being read.
    prefix: Vec<String>,
    found: BTreeSet<String>,
}

impl Paths<'_> {
    /// Takes the file that a path leads into: the longest part of it that is a module.
    fn take(&mut self, segments: &[String]) {
        let mut place: Vec<&str> = self.own.split("::").filter(|part| !part.is_empty()).collect();
        let mut segments = segments.iter().map(String::as_str).peekable();
        let own_modules = |first: &str| self.names.contains(&joined(&place, first));
        match segments.peek() {
            Some(&"crate") => place.clear(),
            Some(&"self" | &"super") => {}
            Some(first) if own_modules(first) => {}
            Some(_) | None => return,
        }
        for segment in segments {
            match segment {
                "crate" | "self" => {}
                "super" => drop(place.pop()),
                segment if self.names.contains(&joined(&place, segment)) => place.push(segment),
                _ => break,
            }
        }
        self.found.insert(place.join("::"));
    }

    fn leaves(&mut self, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => {
                self.prefix.push(path.ident.to_string());
                self.leaves(&path.tree);
                self.prefix.pop();
            }
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.leaves(item)),
            syn::UseTree::Name(syn::UseName { ident })
            | syn::UseTree::Rename(syn::UseRename { ident, .. }) => {
                let segments: Vec<String> =
                    self.prefix.iter().cloned().chain([ident.to_string()]).collect();
                self.take(&segments);
            }
            syn::UseTree::Glob(_) => self.take(&self.prefix.clone()),
        }
    }
}

fn joined(place: &[&str], last: &str) -> String {
    [place, &[last]].concat().join("::")
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return false };
        let tokens = list.tokens.to_string();
        attribute.path().is_ident("cfg") && (tokens == "test" || tokens.starts_with("any (test"))
    })
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !is_test(&item.attrs) {
            self.leaves(&item.tree);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if !is_test(&item.attrs) {
            visit::visit_item_impl(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        if segments.len() > 1 {
            self.take(&segments);
        }
        visit::visit_path(self, path);
    }
}
