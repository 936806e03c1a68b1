//! Images of programs that keep data, in versions of which some cannot read what others have written. They are built and
//! pushed only when a test asks for them, so that nobody else waits for them.

use std::path::Path;

use crate::cache::{self, Cache};
use crate::debian::write;
use crate::error::Result;
use crate::images::{PATH, on_bookworm, on_system, on_trixie};
use crate::lab::Lab;
use crate::oci::{self, ImageConfig};
use crate::push::{Client, ImageBlobs};
use crate::recipes::{POSTGRES, POSTGRES_17, REDIS, REDIS_6};
use crate::release::Debian;

/// The lock for what only these images need, so that nobody else waits while it is built.
const LOCK: &str = "data";

/// A file of an image.
struct DataFile {
    /// Its path without the first slash.
    path: &'static str,
    text: &'static str,
    mode: u32,
}

/// One repository below `data/`, with tags that share a base.
struct DataImage {
    name: &'static str,
    tags: &'static [&'static str],
    files: &'static [DataFile],
    entrypoint: &'static [&'static str],
    volume: &'static str,
}

const POSTGRES_OF_BOOKWORM: DataImage = DataImage {
    name: "postgres",
    tags: &["15-a", "15-b"],
    files: &[
        DataFile {
            path: "usr/local/bin/own",
            text: include_str!("../images/data/own.sh"),
            mode: 0o755,
        },
        DataFile {
            path: "usr/local/bin/start",
            text: include_str!("../images/postgres/start.sh"),
            mode: 0o755,
        },
    ],
    entrypoint: &["/usr/local/bin/own"],
    volume: "/var/lib/postgresql/data",
};

const POSTGRES_OF_TRIXIE: DataImage = DataImage { tags: &["17"], ..POSTGRES_OF_BOOKWORM };

const REDIS_OF_BULLSEYE: DataImage = DataImage {
    name: "redis",
    tags: &["6.0.16"],
    files: &[],
    entrypoint: &["/usr/bin/redis-server"],
    volume: "/data",
};

const REDIS_OF_BOOKWORM: DataImage = DataImage { tags: &["7.0.15"], ..REDIS_OF_BULLSEYE };

/// The same program in an image that is broken.
const DYING_REDIS: DataImage = DataImage {
    tags: &["7.0.16"],
    files: &[DataFile {
        path: "usr/local/bin/dies",
        text: include_str!("../images/data/dies.sh"),
        mode: 0o755,
    }],
    entrypoint: &["/usr/local/bin/dies"],
    ..REDIS_OF_BULLSEYE
};

impl Lab {
    /// Puts images of programs that keep data into the lab's registry: `data/postgres:15-a` and `15-b`, which are the
    /// same PostgreSQL 15 of Debian 12, and `17`, that of Debian 13, which cannot read the data of 15; `data/redis:6.0.16`
    /// of Debian 11, `7.0.15` of Debian 12, whose dumps 6 cannot read, and `7.0.16`, the same in an image that dies. They
    /// are built if they are missing.
    pub fn add_data_images(&self) -> Result<()> {
        let registry = self.registry()?;
        let login = Some((registry.user().to_owned(), registry.password().to_owned()));
        let client = Client { address: registry.address(), login };
        let scratch = self.folder().join("data");
        let old = on_system(REDIS_6, &Cache::open_with_lock(LOCK)?)?;
        REDIS_OF_BULLSEYE.push(&client, &old, &scratch)?;
        let new = on_trixie(POSTGRES_17, &Debian::Trixie.open_cache()?)?;
        POSTGRES_OF_TRIXIE.push(&client, &new, &scratch)?;
        for (image, layer) in
            [(POSTGRES_OF_BOOKWORM, POSTGRES), (REDIS_OF_BOOKWORM, REDIS), (DYING_REDIS, REDIS)]
        {
            // Everybody has built this layer already.
            let base = on_bookworm(layer, &Cache::open()?)?;
            image.push(&client, &base, &scratch)?;
        }
        cache::discard(&scratch)
    }
}

impl DataImage {
    /// Builds and pushes every tag of the image. They differ in their label.
    fn push(&self, client: &Client, base: &[oci::Layer], scratch: &Path) -> Result<()> {
        for tag in self.tags {
            let folder = scratch.join(format!("{}-{tag}", self.name));
            let tree = folder.join("tree");
            write(&tree.join("etc/data-version"), &format!("{tag}\n"), 0o644)?;
            for file in self.files {
                write(&tree.join(file.path), file.text, file.mode)?;
            }
            let mut layers = base.to_vec();
            layers.push(oci::pack(&tree, &folder)?);
            let config = ImageConfig {
                title: self.name,
                version: tag,
                entrypoint: self.entrypoint,
                env: &[PATH],
                volumes: &[self.volume],
                working_dir: self.volume,
                ..ImageConfig::default()
            };
            let config = oci::config(&config, &layers);
            let manifest = oci::manifest(&config, &layers);
            let image = ImageBlobs { config: &config, manifest: &manifest, layers: &layers };
            client.push(&format!("data/{}", self.name), tag, image)?;
        }
        Ok(())
    }
}
