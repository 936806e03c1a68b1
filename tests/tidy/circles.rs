//! The files of a crate use each other in one direction.
//!
//! Each file is a module. A file uses another when a `use`, or a path that starts at
//! `crate`, `super`, `self` or a module of the file, leads into it. From such uses alone
//! no file may lead back to itself. Two kinds of use do not count:
//! - a module may use what the modules around it define;
//! - test code may use anything.
//!
//! A path that ends at something that a module around it has from elsewhere (`use`) leads
//! on to there. Of the macros, those are read whose arguments are expressions.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, Group, TokenTree};
use syn::visit::{self, Visit};

use crate::sleeps::production;
use crate::sources::Source;

/// The modules of one crate, by path (`agent::pass`; the root's is empty), each with those
/// that it uses.
type Uses = BTreeMap<String, BTreeSet<String>>;

/// The modules of one crate, each with what its `use` items name.
type Bound = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// How often a path leads on; more would be a circle of `use` items.
const HOPS_MAX: usize = 8;

#[test]
fn no_file_leads_back_to_itself() {
    let mut wrong = Vec::new();
    for (package, uses) in crates(&production()) {
        let lines = circular(&uses).into_iter();
        wrong.extend(lines.map(|(from, to)| format!("{package}: {from} uses {to}")));
    }
    assert!(wrong.is_empty(), "these uses lead in circles:\n{}", wrong.join("\n"));
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
    let by_its_new_place = ["pub use c::{C as D};", "use crate::D;", "", "use crate::a::A;"];
    assert_eq!(circle(by_its_new_place), "a c, c a");
    let in_a_list = ["", "fn f() { vec![crate::c::g()] }", "", "use crate::a::A;"];
    assert_eq!(circle(in_a_list), "a c, c a");
}

fn crates(sources: &[Source]) -> BTreeMap<String, Uses> {
    let mut crates: BTreeMap<String, BTreeMap<String, &Source>> = BTreeMap::new();
    for source in sources {
        if let Some((package, file)) = source.path.split_once("/src/") {
            crates.entry(package.to_owned()).or_default().insert(module(file), source);
        }
    }
    let uses = |modules: BTreeMap<String, &Source>| {
        let bound = modules.iter().map(|(name, source)| (name.clone(), bound(source))).collect();
        modules.iter().map(|(name, source)| (name.clone(), used(name, source, &bound))).collect()
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

/// What a module's `use` items name, each with the path that it stands for.
fn bound(source: &Source) -> BTreeMap<String, Vec<String>> {
    let mut found = Vec::new();
    for item in source.syntax().items {
        if let syn::Item::Use(item) = item
            && !is_test(&item.attrs)
        {
            leaves(&item.tree, &mut Vec::new(), &mut found);
        }
    }
    found.into_iter().collect()
}

fn used(name: &str, source: &Source, bound: &Bound) -> BTreeSet<String> {
    let mut paths = Paths { own: name, bound, found: BTreeSet::new() };
    paths.visit_file(&source.syntax());
    paths.found.retain(|other| other != name && !is_around(other, name));
    paths.found
}

fn is_around(other: &str, name: &str) -> bool {
    other.is_empty() || name.starts_with(&format!("{other}::"))
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
    bound: &'a Bound,
    found: BTreeSet<String>,
}

impl Paths<'_> {
    /// Takes the file that a path of a module leads into: the longest part of it that is a
    /// module. Where that is around the file, the path may lead on by a `use` there.
    fn take(&mut self, from: &str, segments: &[String], hops: usize) {
        let mut place: Vec<&str> = from.split("::").filter(|part| !part.is_empty()).collect();
        let mut segments = segments.iter().map(String::as_str).peekable();
        let own_modules = |first: &str| self.bound.contains_key(&joined(&place, first));
        match segments.peek() {
            Some(&"crate") => place.clear(),
            Some(&"self" | &"super") => {}
            Some(first) if own_modules(first) => {}
            Some(_) | None => return,
        }
        while let Some(segment) = segments.next() {
            match segment {
                "crate" | "self" => {}
                "super" => drop(place.pop()),
                segment if self.bound.contains_key(&joined(&place, segment)) => place.push(segment),
                segment => {
                    let around = place.join("::");
                    let stands_for = self.bound[&around].get(segment);
                    if let Some(path) = stands_for
                        && is_around(&around, self.own)
                        && hops < HOPS_MAX
                    {
                        let path: Vec<String> =
                            path.iter().cloned().chain(segments.map(str::to_owned)).collect();
                        self.take(&around, &path, hops + 1);
                    }
                    break;
                }
            }
        }
        self.found.insert(place.join("::"));
    }
}

/// The names that a `use` binds (`*` for everything), each with the path that it stands for.
fn leaves(tree: &syn::UseTree, prefix: &mut Vec<String>, found: &mut Vec<(String, Vec<String>)>) {
    let path = |last: &syn::Ident| [&prefix[..], &[last.to_string()]].concat();
    match tree {
        syn::UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            leaves(&path.tree, prefix, found);
            prefix.pop();
        }
        syn::UseTree::Group(group) => {
            group.items.iter().for_each(|item| leaves(item, prefix, found));
        }
        syn::UseTree::Name(name) if name.ident == "self" => {
            let name = prefix.last().cloned().unwrap_or_default();
            found.push((name, prefix.clone()));
        }
        syn::UseTree::Name(name) => found.push((name.ident.to_string(), path(&name.ident))),
        syn::UseTree::Rename(name) => found.push((name.rename.to_string(), path(&name.ident))),
        syn::UseTree::Glob(_) => found.push(("*".to_owned(), prefix.clone())),
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
            let mut found = Vec::new();
            leaves(&item.tree, &mut Vec::new(), &mut found);
            for (_, path) in found {
                self.take(self.own, &path, 0);
            }
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
            self.take(self.own, &segments, 0);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        // A list of expressions, as most macros take, is what an array holds too.
        let list = Group::new(Delimiter::Bracket, call.tokens.clone());
        if let Ok(list) = syn::parse2::<syn::Expr>(TokenTree::Group(list).into()) {
            self.visit_expr(&list);
        }
        visit::visit_macro(self, call);
    }
}
