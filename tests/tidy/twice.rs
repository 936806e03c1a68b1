//! One public name means one type.
//!
//! Two types (struct, enum, union, trait, type alias) must not bear one name
//! - within a crate, when neither is private (`pub`, `pub(crate)`, `pub(super)`);
//! - in two crates of which one depends on the other, directly or through
//!   others, when both are `pub`.
//!
//! Exceptions, and why:
//! - **The wire.** Types generated from the .proto are not looked at. They live in
//!   `oml_proto::v1`, are always written `v1::Name`, and bear the name of the
//!   document that they carry on purpose: `v1::Report` is a `Report` in transit.
//! - **Versions of a document.** Types of different `document/vN/` folders are
//!   one type at two times, and are distinguished by the version in their path.
//! - **Idioms.** The names in [`IDIOMS`] mean "what this module takes or fails with".
//!   They may repeat between modules, because the module is part of the name: outside,
//!   it is written (`plan::Input`, `verb::apply::Arguments`). So nothing may import
//!   them bare across modules; a `use` of an idiom has to start at `super` or `self`.
//! - **`Result`.** An alias of the standard type with the module's error filled in, as
//!   in every Rust library. It hides no second meaning, so it may be imported bare.
//! - **Tests.** Test code has types of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};

use crate::sleeps::production;
use crate::sources::{Source, all, root};

/// The names that a module may give to its own input, command-line arguments and error.
const IDIOMS: [&str; 3] = ["Input", "Arguments", "Error"];

/// The alias that every crate and module may have.
const ALIAS: &str = "Result";

/// The names that are still shared, as (name, crate, crate, number of pairs).
/// This list may only shrink: an entry that is not exactly true any more fails.
const KNOWN: &[(&str, &str, &str, usize)] = &[];

/// The modules that still import an idiom bare, as (file, idiom). This list may only shrink.
const KNOWN_IMPORTS: &[(&str, &str)] = &[];

/// One named type and where it stands.
struct Named {
    name: String,
    package: String,
    path: String,
    line: usize,
    /// `pub`, without a restriction.
    is_exported: bool,
}

#[test]
fn no_two_public_types_of_one_crate_graph_share_a_name() {
    let packages = packages();
    let types = types(&packages);
    assert!(types.len() > 100, "only {} types were found", types.len());
    let mut by_name: BTreeMap<&str, Vec<&Named>> = BTreeMap::new();
    let is_free = |name: &str| name == ALIAS || IDIOMS.contains(&name);
    for named in types.iter().filter(|named| !is_free(&named.name)) {
        by_name.entry(&named.name).or_default().push(named);
    }
    let mut counts: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
    let mut places: BTreeMap<(&str, &str, &str), BTreeSet<String>> = BTreeMap::new();
    for (name, bearers) in &by_name {
        for (index, one) in bearers.iter().enumerate() {
            for other in bearers[index + 1..].iter().filter(|other| clash(one, other, &packages)) {
                let mut pair = [one.package.as_str(), other.package.as_str()];
                pair.sort_unstable();
                let key = (*name, pair[0], pair[1]);
                *counts.entry(key).or_default() += 1;
                let both = [one, other].map(|named| format!("{}:{}", named.path, named.line));
                places.entry(key).or_default().extend(both);
            }
        }
    }
    let known: BTreeMap<(&str, &str, &str), usize> =
        KNOWN.iter().map(|(name, one, other, pairs)| ((*name, *one, *other), *pairs)).collect();
    let mut wrong = Vec::new();
    for (key @ (name, one, other), pairs) in &counts {
        if known.get(key) != Some(pairs) {
            let places = places[key].iter().cloned().collect::<Vec<_>>().join(", ");
            wrong.push(format!("(\"{name}\", \"{one}\", \"{other}\", {pairs}), // {places}"));
        }
    }
    let gone = known.keys().filter(|key| !counts.contains_key(*key));
    wrong.extend(gone.map(|(name, one, other)| {
        format!("no longer true, remove it from KNOWN: {name} ({one}, {other})")
    }));
    assert!(
        wrong.is_empty(),
        "rename one of each; where an entry of KNOWN has fewer pairs now, lower its number:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn an_idiom_is_written_with_its_module() {
    let mut found: BTreeSet<(String, String)> = BTreeSet::new();
    for source in &production() {
        let mut imports = Imports { bare: Vec::new() };
        imports.visit_file(&source.syntax());
        found.extend(imports.bare.into_iter().map(|idiom| (source.path.clone(), idiom)));
    }
    let known: BTreeSet<(String, String)> =
        KNOWN_IMPORTS.iter().map(|(path, idiom)| ((*path).into(), (*idiom).into())).collect();
    let new: Vec<String> = found
        .difference(&known)
        .map(|(path, idiom)| format!("(\"{path}\", \"{idiom}\"),"))
        .collect();
    assert!(new.is_empty(), "import the module and write module::Name:\n{}", new.join("\n"));
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(gone.is_empty(), "no longer true, remove them from KNOWN_IMPORTS: {gone:?}");
}

#[test]
fn two_versions_of_a_document_may_share_a_name() {
    let named = |path: &str| Named {
        name: "Plan".into(),
        package: "oml-common".into(),
        path: path.into(),
        line: 1,
        is_exported: true,
    };
    let first = named("common/src/document/v1/plan.rs");
    let packages = BTreeMap::new();
    assert!(!clash(&first, &named("common/src/document/v2/plan.rs"), &packages));
    assert!(clash(&first, &named("common/src/document/v1/rollout.rs"), &packages));
    assert!(clash(&first, &named("common/src/decide/plan.rs"), &packages));
}

fn clash(one: &Named, other: &Named, packages: &BTreeMap<String, Package>) -> bool {
    if let (Some(a), Some(b)) = (document_version(&one.path), document_version(&other.path))
        && a != b
    {
        return false;
    }
    if one.package == other.package {
        return true;
    }
    let depends = |user: &str, used: &str| needs(user, packages).contains(used);
    let related = depends(&one.package, &other.package) || depends(&other.package, &one.package);
    related && one.is_exported && other.is_exported
}

/// Returns the `vN` of a path below `document/vN`.
fn document_version(path: &str) -> Option<&str> {
    let rest = path.split_once("/document/")?.1;
    let version = rest.split(['/', '.']).next()?;
    let number = version.strip_prefix('v')?;
    number.parse::<u32>().is_ok().then_some(version)
}

/// One crate of the workspace.
struct Package {
    /// Its folder below the workspace's root.
    folder: String,
    /// What its `[dependencies]` name.
    dependencies: BTreeSet<String>,
}

/// Returns the crates of the workspace by name, as the manifests beside the sources say.
fn packages() -> BTreeMap<String, Package> {
    let root = root();
    let mut folders = BTreeSet::new();
    for source in all() {
        let ancestors = Path::new(&source.path).ancestors().map(Path::to_path_buf);
        folders.extend(ancestors.filter(|f| root.join(f).join("Cargo.toml").is_file()));
    }
    let mut packages = BTreeMap::new();
    for folder in folders.iter().filter(|folder| !folder.as_os_str().is_empty()) {
        let manifest = fs::read_to_string(root.join(folder).join("Cargo.toml"))
            .expect("a manifest can be read");
        let (mut section, mut name, mut dependencies) = ("", None, BTreeSet::new());
        for line in manifest.lines().map(str::trim) {
            let key = line.split(['=', '.', ' ']).next().unwrap_or_default();
            match section {
                _ if line.starts_with('[') => section = line,
                "[package]" if key == "name" => name = line.split('"').nth(1),
                "[dependencies]" if !key.is_empty() => {
                    dependencies.insert(key.to_owned());
                }
                _ => {}
            }
        }
        let name = name.unwrap_or_else(|| panic!("{}: no name", folder.display())).to_owned();
        let folder = folder.to_string_lossy().into_owned();
        packages.insert(name, Package { folder, dependencies });
    }
    packages
}

/// Returns every crate of the workspace that this one depends on, directly or not.
fn needs(user: &str, packages: &BTreeMap<String, Package>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![user.to_owned()];
    while let Some(next) = open.pop() {
        for used in packages.get(&next).iter().flat_map(|package| &package.dependencies) {
            if packages.contains_key(used) && found.insert(used.clone()) {
                open.push(used.clone());
            }
        }
    }
    found
}

fn types(packages: &BTreeMap<String, Package>) -> Vec<Named> {
    let mut types = Vec::new();
    for source in &production() {
        let home = packages.iter().find(|(_, package)| {
            let rest = source.path.strip_prefix(&package.folder);
            rest.is_some_and(|rest| rest.starts_with("/src/"))
        });
        let Some((package, _)) = home else { continue };
        let mut found = Types { package, source, types: &mut types };
        found.visit_file(&source.syntax());
    }
    types
}

struct Types<'a> {
    package: &'a str,
    source: &'a Source,
    types: &'a mut Vec<Named>,
}

impl Types<'_> {
    fn add(&mut self, visibility: &syn::Visibility, name: &syn::Ident) {
        let is_exported = match visibility {
            syn::Visibility::Public(_) => true,
            syn::Visibility::Restricted(_) => false,
            syn::Visibility::Inherited => return,
        };
        self.types.push(Named {
            name: name.to_string(),
            package: self.package.to_owned(),
            path: self.source.path.clone(),
            line: name.span().start().line,
            is_exported,
        });
    }
}

impl<'ast> Visit<'ast> for Types<'_> {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.add(&item.vis, &item.ident);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.add(&item.vis, &item.ident);
    }

    fn visit_item_union(&mut self, item: &'ast syn::ItemUnion) {
        self.add(&item.vis, &item.ident);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.add(&item.vis, &item.ident);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.add(&item.vis, &item.ident);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }
}

/// The idioms that a file imports from another module by their bare name.
struct Imports {
    bare: Vec<String>,
}

impl Imports {
    fn leaves(&mut self, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => self.leaves(&path.tree),
            syn::UseTree::Name(name) => self.bare.push(name.ident.to_string()),
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.leaves(item)),
            // Under another name it says whose it is.
            syn::UseTree::Rename(_) | syn::UseTree::Glob(_) => {}
        }
    }
}

impl<'ast> Visit<'ast> for Imports {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let syn::UseTree::Path(path) = &item.tree else { return };
        let first = path.ident.to_string();
        if first == "crate" || first.starts_with("oml") {
            let before = self.bare.len();
            self.leaves(&path.tree);
            let idioms = self.bare.split_off(before);
            self.bare.extend(idioms.into_iter().filter(|name| IDIOMS.contains(&name.as_str())));
        }
    }
}
