//! The images of the lines of OMniLeads, made from their contracts and pushed only when a test asks for them. Each has
//! the name of the real one below the registry, with the name of its own registry as the first part, so that one rule
//! of `[mirrors]` leads from every registry to the lab's.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cache::{self, Cache};
use crate::contract::{Action, Contract, Line, Runs};
use crate::debian::write;
use crate::error::{LabError, Result};
use crate::images::{self, PATH, Target};
use crate::lab::Lab;
use crate::oci::{self, ImageConfig};
use crate::push::{Client, ImageBlobs};
use crate::recipes::BOOKWORM;
use crate::run::Run;
use crate::stand_in::{Behaviour, PROGRAM, RULES, rules_of};

mod beside;
mod content;

use beside::Parts;
use content::{Content, content};

/// The longest time that the build of the program may take, together with the crates that it needs.
const BUILD_LIMIT: Duration = Duration::from_secs(900);
/// The folder of the program in an image.
const FOLDER: &str = "oml";

macro_rules! contracts {
    ($file:literal) => {
        include_str!(concat!("../../contracts/", $file))
    };
}

/// The lines, each with its contracts.
const LINES: [(&str, &str); 4] = [
    ("1.26", contracts!("omnileads-1.26.yaml")),
    ("2.2", contracts!("omnileads-2.2.yaml")),
    ("2.6", contracts!("omnileads-2.6.yaml")),
    ("3", contracts!("omnileads-3.yaml")),
];

/// An image that is to be made: all contracts with its name.
struct LineImage<'a> {
    image: &'a str,
    contracts: Vec<&'a Contract>,
    content: Content,
}

/// Returns the contracts of a line, which is `1.26`, `2.2`, `2.6` or `3`.
pub fn line(name: &str) -> Result<Line> {
    let found = LINES.iter().find(|(known, _)| *known == name);
    let (_, text) = found.ok_or_else(|| {
        let known: Vec<&str> = LINES.iter().map(|(known, _)| *known).collect();
        LabError::Invalid(format!("there is no line {name}; use one of {}", known.join(", ")))
    })?;
    Line::parse(text)
}

/// Returns the images of a line, each once, by the names that its contracts give them.
pub fn images_of(name: &str) -> Result<Vec<String>> {
    let line = line(name)?;
    Ok(line_images(&line)?.into_iter().map(|image| image.image.to_owned()).collect())
}

impl Lab {
    /// Puts images of a line into the lab's registry. Each is named by its contract, such as
    /// `docker.io/omnileads/asterisk`, and by a tag, which says how it behaves if it contains the name of a bad one or
    /// `bad-migration`. A host gets it with the rules `"docker.io/" = "registry.lab:5000/docker.io/"` and the same for
    /// `quay.io/`.
    pub fn add_images_of(&self, name: &str, tags: &[(&str, &str)]) -> Result<()> {
        let line = line(name)?;
        let made = line_images(&line)?;
        let find = |image: &str| {
            made.iter()
                .find(|known| known.image == image)
                .ok_or_else(|| LabError::Invalid(format!("the line {name} has no image {image}")))
        };
        let wanted: Vec<(&LineImage<'_>, &str)> =
            tags.iter().map(|&(image, tag)| Ok((find(image)?, tag))).collect::<Result<_>>()?;
        let registry = self.registry()?;
        let login = Some((registry.user().to_owned(), registry.password().to_owned()));
        let client = Client { address: registry.address(), login };
        let scratch = self.folder().join("lines");
        let mut shelf = Shelf::new(client, &scratch)?;
        for (image, tag) in wanted {
            shelf.push(image, tag)?;
        }
        cache::discard(&scratch)
    }
}

/// Groups the contracts of a line by their images.
fn line_images(line: &Line) -> Result<Vec<LineImage<'_>>> {
    let mut grouped: BTreeMap<&str, Vec<&Contract>> = BTreeMap::new();
    for contract in &line.contracts {
        grouped.entry(&contract.image).or_default().push(contract);
    }
    let mut images = Vec::new();
    for (image, contracts) in grouped {
        let wrong = |what: &str| LabError::Invalid(format!("{}: {image}: {what}", line.catalog));
        let runs: Option<BTreeSet<Runs>> = contracts.iter().map(|contract| contract.runs).collect();
        let runs = runs.ok_or_else(|| wrong("a contract of it says no program"))?;
        let content = content(&runs)?;
        let content = content.ok_or_else(|| wrong("its contracts say different programs"))?;
        images.push(LineImage { image, contracts, content });
    }
    Ok(images)
}

/// Pushes images, and remembers which repository has which layer, so that each is sent once.
struct Shelf<'a> {
    client: Client,
    cache: Cache,
    /// The program of the stand-ins.
    stand_in: PathBuf,
    scratch: &'a Path,
    /// A repository of every layer that the registry has, by the layer's digest.
    known: BTreeMap<String, String>,
    /// The layers of a stand-in below its rules, once there was one.
    program: Vec<oci::Layer>,
}

impl<'a> Shelf<'a> {
    fn new(client: Client, scratch: &'a Path) -> Result<Self> {
        // This may take minutes, in which other labs can use the cache.
        let stand_in = build_stand_in()?;
        Ok(Self {
            client,
            cache: Cache::open()?,
            stand_in,
            scratch,
            known: BTreeMap::new(),
            program: Vec::new(),
        })
    }

    fn push(&mut self, image: &LineImage<'_>, tag: &str) -> Result<()> {
        let repository = repository(image.image);
        let folder = self.scratch.join(repository.replace('/', "_")).join(tag);
        match image.content {
            Content::Real { image, below, stop_signal } => {
                let base = images::base_layers(image, &self.cache)?;
                self.mount(&repository, &base, &format!("omnileads/{below}"))?;
                let behaviour = Behaviour::of_tag(tag).as_str();
                let target = Target { repository: &repository, tag, behaviour, stop_signal };
                image.push_as(target, &self.client, &base, &folder)
            }
            Content::StandIn => self.push_stand_in(image, &repository, tag, &folder),
            Content::Both { image: real, below } => {
                let mut layers = images::base_layers(real, &self.cache)?;
                self.mount(&repository, &layers, &format!("omnileads/{below}"))?;
                let parts =
                    Parts { program: &self.stand_in, bookworm: &BOOKWORM.build(&self.cache)? };
                layers.push(beside::layer(image, tag, &folder, &parts)?);
                let behaviour = Behaviour::of_tag(tag).as_str();
                let target = Target { repository: &repository, tag, behaviour, stop_signal: None };
                real.push_as(target, &self.client, &layers, &folder)
            }
        }
    }

    fn push_stand_in(
        &mut self,
        image: &LineImage<'_>,
        repository: &str,
        tag: &str,
        folder: &Path,
    ) -> Result<()> {
        if self.program.is_empty() {
            self.program = vec![images::bookworm(&self.cache)?, self.program_layer()?];
        }
        let mut layers = self.program.clone();
        self.mount(repository, &layers, "omnileads/nginx")?;
        let tree = folder.join("tree");
        write_rules(&tree, image, tag)?;
        layers.push(oci::pack(&tree, folder)?);
        let program = format!("/{FOLDER}/{PROGRAM}");
        let config = ImageConfig {
            title: image.image,
            version: tag,
            entrypoint: &[&program],
            env: &[PATH],
            ..ImageConfig::default()
        };
        let config = oci::config(&config, &layers);
        let manifest = oci::manifest(&config, &layers);
        let blobs = ImageBlobs { config: &config, manifest: &manifest, layers: &layers };
        self.client.push(repository, tag, blobs)?;
        for layer in layers {
            self.known.entry(layer.digest).or_insert_with(|| repository.to_owned());
        }
        Ok(())
    }

    /// Gives a repository the layers that another one has. What is missing there is sent later.
    fn mount(&mut self, repository: &str, layers: &[oci::Layer], from: &str) -> Result<()> {
        for layer in layers {
            let from = self.known.get(&layer.digest).map_or(from, String::as_str);
            if from != repository && self.client.mount_blob(repository, &layer.digest, from)? {
                self.known.entry(layer.digest.clone()).or_insert_with(|| repository.to_owned());
            }
        }
        Ok(())
    }

    /// Packs the program of the stand-ins alone, so that all of them share it.
    fn program_layer(&self) -> Result<oci::Layer> {
        let built = &self.stand_in;
        let folder = self.scratch.join(PROGRAM);
        let inside = folder.join("tree").join(FOLDER);
        fs::create_dir_all(&inside).map_err(LabError::io("make the folder", &inside))?;
        fs::copy(built, inside.join(PROGRAM)).map_err(LabError::io("copy", built))?;
        oci::pack(&folder.join("tree"), &folder)
    }
}

/// Returns the name of an image in the lab's registry. An official image has its place in Docker's library there.
fn repository(image: &str) -> String {
    match image.strip_prefix("docker.io/") {
        Some(name) if !name.contains('/') => format!("docker.io/library/{name}"),
        Some(_) | None => image.to_owned(),
    }
}

/// Writes the rules of an image, a link to the program for each of its commands, and its files.
fn write_rules(tree: &Path, image: &LineImage<'_>, tag: &str) -> Result<()> {
    let rules = rules_of(&image.contracts, tag)?;
    write(&tree.join(FOLDER).join(RULES), &rules, 0o644)?;
    write_files(tree, &image.contracts)?;
    for place in links(&image.contracts) {
        let place = tree.join(place);
        let folder = place.parent().unwrap_or(tree);
        fs::create_dir_all(folder).map_err(LabError::io("make the folder", folder))?;
        if !place.is_symlink() {
            let program = format!("/{FOLDER}/{PROGRAM}");
            symlink(program, &place).map_err(LabError::io("link", &place))?;
        }
    }
    Ok(())
}

/// Writes the files that commands of the catalog expect.
fn write_files(tree: &Path, contracts: &[&Contract]) -> Result<()> {
    for (path, text) in contracts.iter().flat_map(|contract| &contract.files) {
        write(&tree.join(path.trim_start_matches('/')), text, 0o644)?;
    }
    Ok(())
}

/// Returns the places of the commands in the image, without the first slash.
fn links(contracts: &[&Contract]) -> Vec<String> {
    let commands = contracts.iter().flat_map(|contract| &contract.commands);
    let own = commands.filter(|command| command.action != Action::Exec);
    let names = own.filter_map(|command| command.words.first());
    names
        .filter(|name| !name.contains('*') && !name.starts_with('-'))
        .map(|name| match name.strip_prefix('/').or_else(|| name.strip_prefix("./")) {
            Some(place) => place.to_owned(),
            None => format!("usr/local/bin/{name}"),
        })
        .collect()
}

/// Builds the program of the stand-ins, unless it is as its sources say, and returns its path.
pub fn build_stand_in() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Run::new(&cargo.to_string_lossy());
    // Variables that an outer cargo sets for its own package would make build scripts run again.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let of_package = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_"];
        if of_package.iter().any(|prefix| name.starts_with(prefix)) {
            build = build.without_env(&name);
        }
    }
    let manifest = root.join("Cargo.toml");
    build
        .args(["build", "--quiet", "--locked", "--package", "oml-lab", "--bin", "oml-stand-in"])
        .args(["--manifest-path".as_ref(), manifest.as_os_str()])
        .limit(BUILD_LIMIT)
        .ok()?;
    let target = std::env::var_os("CARGO_TARGET_DIR");
    let target = target.map_or_else(|| root.join("target"), |folder| root.join(folder));
    Ok(target.join("debug/oml-stand-in"))
}

#[cfg(test)]
mod tests;
