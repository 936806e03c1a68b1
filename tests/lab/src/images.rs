//! The images of the lab. The first part is data: what each image consists of and how its tags behave. The second part
//! builds and pushes the images.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::cache::{self, Cache, stamp};
use crate::debian::{PackageLayer, System, write};
use crate::error::{LabError, Result};
use crate::oci::{self, ImageConfig};
use crate::push::{Client, ImageBlobs};
use crate::recipes::{
    ASTERISK, BOOKWORM, KAMAILIO, NGINX, POSTGRES, REDIS, RTPENGINE, TOOLS, TRIXIE,
};
use crate::run::Run;

/// Raise this number when the way images are built changes but the data does not.
const REVISION: &str = "1";
const ENTRY: &str = include_str!("../images/entry.sh");
pub(crate) const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The base that an image adds its own files to.
#[derive(Clone, Copy)]
pub(crate) enum Base {
    /// The image contains busybox and nothing else.
    Busybox,
    /// The image contains these packages on Debian 12.
    Bookworm(PackageLayer),
    /// The image contains a complete system of its own.
    OwnSystem(System),
}

/// One repository below `omnileads/` and all its tags.
pub(crate) struct Image {
    pub(crate) name: &'static str,
    pub(crate) base: Base,
    pub(crate) start: &'static str,
    /// The further files by their paths without the first slash. A script with its interpreter can be executed.
    pub(crate) files: &'static [(&'static str, &'static str)],
    pub(crate) volumes: &'static [&'static str],
    pub(crate) good: &'static [&'static str],
    pub(crate) has_bad: bool,
}

/// The name under which an image is pushed, and how it behaves there.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) repository: &'a str,
    pub(crate) tag: &'a str,
    /// One of the words that the entry script knows.
    pub(crate) behaviour: &'a str,
    /// The signal that stops it; SIGTERM if there is none.
    pub(crate) stop_signal: Option<&'a str>,
}

/// The tags that fail on purpose. The entry script defines how.
pub(crate) const BAD: [&str; 4] = ["exits-at-once", "exits-after-20s", "hangs", "dies-in-soak"];

macro_rules! image_file {
    ($path:literal) => {
        include_str!(concat!("../images/", $path))
    };
}

/// The files of every image with Asterisk, whose first program only says where it listens.
pub(crate) const ASTERISK_FILES: &[(&str, &str)] = &[
    ("oml/configure", image_file!("asterisk/configure.sh")),
    // The catalog of 3.X names it.
    ("docker-entrypoint.sh", "#!/bin/sh\nexec /oml/entry /docker-entrypoint.sh\n"),
    ("etc/asterisk/asterisk.conf", image_file!("asterisk/asterisk.conf")),
    ("etc/asterisk/modules.conf", image_file!("asterisk/modules.conf")),
    ("etc/asterisk/pjsip.conf", image_file!("asterisk/pjsip.conf")),
    ("etc/asterisk/extensions.conf", image_file!("asterisk/extensions.conf")),
    ("etc/asterisk/queues.conf", image_file!("asterisk/queues.conf")),
    ("etc/asterisk/http.conf", image_file!("asterisk/http.conf")),
    ("etc/asterisk/ari.conf", image_file!("asterisk/ari.conf")),
    ("etc/asterisk/logger.conf", image_file!("asterisk/logger.conf")),
    ("etc/asterisk/manager.conf", image_file!("asterisk/manager.conf")),
    // Asterisk always reads these files; empty files avoid three errors at every start.
    ("etc/asterisk/acl.conf", ""),
    ("etc/asterisk/udptl.conf", ""),
    ("etc/asterisk/pjproject.conf", ""),
    ("etc/asterisk/rtp.conf", image_file!("asterisk/rtp.conf")),
];

pub(crate) const ALL: [Image; 9] = [
    Image {
        name: "small",
        base: Base::Busybox,
        start: image_file!("small/start.sh"),
        files: &[],
        volumes: &[],
        good: &["v1", "v2"],
        has_bad: true,
    },
    Image {
        name: "omlapp",
        base: Base::Busybox,
        start: image_file!("omlapp/start.sh"),
        files: &[],
        volumes: &[],
        good: &["1.26.0", "1.27.0"],
        has_bad: false,
    },
    Image {
        name: "websockets",
        base: Base::Busybox,
        start: image_file!("websockets/start.sh"),
        files: &[],
        volumes: &[],
        good: &["230204.01", "240705.01"],
        has_bad: false,
    },
    Image {
        name: "asterisk",
        base: Base::OwnSystem(ASTERISK),
        start: image_file!("asterisk/start.sh"),
        files: ASTERISK_FILES,
        volumes: &[],
        good: &["230204.01", "230215.01", "230220.01"],
        has_bad: true,
    },
    Image {
        name: "kamailio",
        base: Base::Bookworm(KAMAILIO),
        start: image_file!("kamailio/start.sh"),
        files: &[("etc/kamailio/kamailio.cfg", image_file!("kamailio/kamailio.cfg"))],
        volumes: &[],
        good: &["230204.01", "240625.01"],
        has_bad: false,
    },
    Image {
        name: "rtpengine",
        base: Base::Bookworm(RTPENGINE),
        start: image_file!("rtpengine/start.sh"),
        files: &[],
        volumes: &[],
        good: &["230328.01", "240625.01"],
        has_bad: false,
    },
    Image {
        name: "redis",
        base: Base::Bookworm(REDIS),
        start: image_file!("redis/start.sh"),
        files: &[],
        volumes: &["/data"],
        good: &["230204.01", "231125.01"],
        has_bad: false,
    },
    Image {
        name: "postgres",
        base: Base::Bookworm(POSTGRES),
        start: image_file!("postgres/start.sh"),
        files: &[],
        volumes: &["/var/lib/postgresql/data"],
        good: &["230204.01", "240902.02"],
        has_bad: false,
    },
    Image {
        name: "nginx",
        base: Base::Bookworm(NGINX),
        start: image_file!("nginx/start.sh"),
        files: &[("etc/nginx/nginx.conf", image_file!("nginx/nginx.conf"))],
        volumes: &[],
        good: &["230215.01", "241009.01"],
        has_bad: false,
    },
];

/// Returns a stamp that changes whenever the content of any image would.
pub(crate) fn stamp_of_all() -> String {
    let parts: Vec<String> = ALL.iter().map(Image::stamp).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    stamp(&parts)
}

/// Returns the layers of an image's base and builds them if they are missing.
pub(crate) fn base_layers(image: &Image, cache: &Cache) -> Result<Vec<oci::Layer>> {
    match image.base {
        Base::Busybox => {
            let tools = TOOLS.build(cache, &BOOKWORM)?;
            let stamp = stamp(&[REVISION, &TOOLS.stamp(&BOOKWORM)]);
            let folder = cache.entry("tar-busybox", &stamp, |folder| {
                let tree = folder.join("tree");
                busybox_tree(&tools, &tree)?;
                oci::pack(&tree, folder)?;
                cache::discard(&tree)
            })?;
            Ok(vec![oci::packed(&folder)?])
        }
        Base::Bookworm(layer) => on_bookworm(layer, cache),
        Base::OwnSystem(system) => on_system(system, cache),
    }
}

/// Returns the layer of a complete system and builds it if it is missing.
pub(crate) fn on_system(system: System, cache: &Cache) -> Result<Vec<oci::Layer>> {
    let tree = system.build(cache)?;
    Ok(vec![packed(cache, system.name, &system.stamp(), &tree)?])
}

/// Returns the layers of Debian 12 with these packages and builds them if they are missing.
pub(crate) fn on_bookworm(layer: PackageLayer, cache: &Cache) -> Result<Vec<oci::Layer>> {
    let tree = layer.build(cache, &BOOKWORM)?;
    Ok(vec![bookworm(cache)?, packed(cache, layer.name, &layer.stamp(&BOOKWORM), &tree)?])
}

/// Returns the layers of Debian 13 with these packages and builds them if they are missing. The cache is that of the release.
pub(crate) fn on_trixie(layer: PackageLayer, cache: &Cache) -> Result<Vec<oci::Layer>> {
    let tree = layer.build(cache, &TRIXIE)?;
    let system = packed(cache, TRIXIE.name, &TRIXIE.stamp(), &TRIXIE.build(cache)?)?;
    Ok(vec![system, packed(cache, layer.name, &layer.stamp(&TRIXIE), &tree)?])
}

/// Returns the layer of Debian 12 alone and builds it if it is missing.
pub(crate) fn bookworm(cache: &Cache) -> Result<oci::Layer> {
    packed(cache, BOOKWORM.name, &BOOKWORM.stamp(), &BOOKWORM.build(cache)?)
}

impl Image {
    /// Returns the name of the image's repository.
    pub(crate) fn repository(&self) -> String {
        format!("omnileads/{}", self.name)
    }

    /// Returns true if the image needs its own run of debootstrap, which takes longest.
    pub(crate) fn has_own_system(&self) -> bool {
        matches!(self.base, Base::OwnSystem(_))
    }

    /// Builds and pushes every tag of the image.
    pub(crate) fn push(&self, client: &Client, base: &[oci::Layer], scratch: &Path) -> Result<()> {
        let repository = self.repository();
        for (tag, behaviour) in self.tags() {
            let folder = scratch.join(format!("{}-{tag}", self.name));
            let target = Target { repository: &repository, tag, behaviour, stop_signal: None };
            self.push_as(target, client, base, &folder)?;
        }
        Ok(())
    }

    /// Builds and pushes one tag of the image under a name.
    pub(crate) fn push_as(
        &self,
        target: Target<'_>,
        client: &Client,
        base: &[oci::Layer],
        folder: &Path,
    ) -> Result<()> {
        let Target { repository, tag, behaviour, stop_signal } = target;
        let mut layers = base.to_vec();
        layers.push(self.top_layer(tag, behaviour, folder)?);
        let config = oci::config(
            &ImageConfig {
                title: self.name,
                version: tag,
                entrypoint: &["/oml/entry"],
                env: &[PATH],
                volumes: self.volumes,
                stop_signal,
                ..ImageConfig::default()
            },
            &layers,
        );
        let manifest = oci::manifest(&config, &layers);
        let image = ImageBlobs { config: &config, manifest: &manifest, layers: &layers };
        client.push(repository, tag, image)
    }

    fn tags(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let bad: &[&'static str] = if self.has_bad { &BAD } else { &[] };
        let good = self.good.iter().map(|tag| (*tag, "good"));
        good.chain(bad.iter().map(|tag| (*tag, *tag)))
    }

    fn top_layer(&self, tag: &str, behaviour: &str, folder: &Path) -> Result<oci::Layer> {
        let tree = folder.join("tree");
        write(&tree.join("oml/entry"), ENTRY, 0o755)?;
        write(&tree.join("oml/start"), self.start, 0o755)?;
        write(&tree.join("oml/version"), &format!("{tag}\n"), 0o644)?;
        write(&tree.join("oml/behaviour"), &format!("{behaviour}\n"), 0o644)?;
        for (path, content) in self.files {
            let mode = if content.starts_with("#!/") { 0o755 } else { 0o644 };
            write(&tree.join(path), content, mode)?;
        }
        oci::pack(&tree, folder)
    }

    fn stamp(&self) -> String {
        let base = match self.base {
            Base::Busybox => TOOLS.stamp(&BOOKWORM),
            Base::Bookworm(layer) => layer.stamp(&BOOKWORM),
            Base::OwnSystem(system) => system.stamp(),
        };
        let tags: Vec<_> = self.tags().map(|(tag, _)| tag).collect();
        let files: Vec<_> = self.files.iter().flat_map(|(path, text)| [*path, *text]).collect();
        stamp(&[
            REVISION,
            self.name,
            &base,
            ENTRY,
            self.start,
            &files.join("\n"),
            &tags.join(" "),
            &self.volumes.join(" "),
        ])
    }
}

fn packed(cache: &Cache, name: &str, stamp: &str, tree: &Path) -> Result<oci::Layer> {
    let entry =
        cache.entry(&format!("tar-{name}"), stamp, |folder| oci::pack(tree, folder).map(drop))?;
    oci::packed(&entry)
}

/// Writes the smallest system that can run a shell script and an HTTP server.
fn busybox_tree(tools: &Path, tree: &Path) -> Result<()> {
    let program: PathBuf = tools.join("usr/bin/busybox");
    let bin = tree.join("bin");
    for folder in ["bin", "tmp", "etc", "www"] {
        let path = tree.join(folder);
        fs::create_dir_all(&path).map_err(LabError::io("make the folder", &path))?;
    }
    fs::copy(&program, bin.join("busybox")).map_err(LabError::io("copy", &program))?;
    write(&tree.join("etc/passwd"), "root:x:0:0:root:/:/bin/sh\n", 0o644)?;
    let names = Run::new(&program.to_string_lossy()).args(["--list"]).ok()?;
    for name in names.stdout.lines().filter(|name| *name != "busybox") {
        let link = bin.join(name);
        symlink("busybox", &link).map_err(LabError::io("link", &link))?;
    }
    Ok(())
}
