//! Images that stand in for some of Docker's official library. They are built and pushed only when a test asks for them,
//! so that nobody else waits for them. What each of them has in common with the official one is in the head of its
//! script below `images/library`.

use std::path::Path;

use crate::cache::{self, Cache};
use crate::debian::{PackageLayer, write};
use crate::error::Result;
use crate::images::{PATH, on_bookworm};
use crate::lab::Lab;
use crate::oci::{self, ImageConfig};
use crate::push::{Client, ImageBlobs};
use crate::recipes::{MARIADB, NGINX, PHP};

/// The lock for what only these images need, so that nobody else waits while it is built.
const LOCK: &str = "library";

/// A file of an image: its path without the first slash, its text, and whether it is a program.
type ImageFile = (&'static str, &'static str, bool);

/// One repository below `library/`, with one tag.
struct LibraryImage {
    name: &'static str,
    tag: &'static str,
    base: PackageLayer,
    files: &'static [ImageFile],
    entrypoint: &'static [&'static str],
    command: &'static [&'static str],
    volumes: &'static [&'static str],
    working_dir: &'static str,
    stop_signal: Option<&'static str>,
}

macro_rules! library_file {
    ($path:literal) => {
        include_str!(concat!("../images/library/", $path))
    };
}

const ALL: [LibraryImage; 3] = [
    LibraryImage {
        name: "mariadb",
        tag: "10.11",
        base: MARIADB,
        files: &[
            ("usr/local/bin/docker-entrypoint.sh", library_file!("mariadb/entry.sh"), true),
            ("usr/local/bin/healthcheck.sh", library_file!("mariadb/healthcheck.sh"), true),
            (
                "etc/mysql/mariadb.conf.d/05-skipcache.cnf",
                library_file!("mariadb/cache.cnf"),
                false,
            ),
        ],
        entrypoint: &["docker-entrypoint.sh"],
        command: &["mariadbd"],
        volumes: &["/var/lib/mysql"],
        working_dir: "",
        stop_signal: None,
    },
    LibraryImage {
        name: "wordpress",
        tag: "6.8-php8.2-fpm",
        base: PHP,
        files: &[
            ("usr/local/bin/docker-entrypoint.sh", library_file!("wordpress/entry.sh"), true),
            ("usr/local/sbin/php-fpm", library_file!("wordpress/php-fpm.sh"), true),
            ("usr/local/etc/php-fpm.conf", library_file!("wordpress/php-fpm.conf"), false),
            ("usr/local/etc/php-fpm.d/www.conf", library_file!("wordpress/www.conf"), false),
            ("usr/local/etc/php-fpm.d/docker.conf", library_file!("wordpress/docker.conf"), false),
            (
                "usr/local/etc/php-fpm.d/zz-docker.conf",
                library_file!("wordpress/zz-docker.conf"),
                false,
            ),
            ("usr/local/etc/php/conf.d/docker-fpm.ini", "fastcgi.logging = Off\n", false),
            ("usr/src/wordpress/index.php", library_file!("wordpress/index.php"), false),
            (
                "usr/src/wordpress/wp-config-docker.php",
                library_file!("wordpress/wp-config-docker.php"),
                false,
            ),
        ],
        entrypoint: &["docker-entrypoint.sh"],
        command: &["php-fpm"],
        volumes: &["/var/www/html"],
        working_dir: "/var/www/html",
        stop_signal: Some("SIGQUIT"),
    },
    LibraryImage {
        name: "nginx",
        tag: "1.28",
        base: NGINX,
        files: &[
            ("docker-entrypoint.sh", library_file!("nginx/entry.sh"), true),
            ("etc/nginx/nginx.conf", library_file!("nginx/nginx.conf"), false),
            ("etc/nginx/conf.d/default.conf", library_file!("nginx/default.conf"), false),
        ],
        entrypoint: &["/docker-entrypoint.sh"],
        command: &["nginx", "-g", "daemon off;"],
        volumes: &[],
        working_dir: "",
        stop_signal: Some("SIGQUIT"),
    },
];

impl Lab {
    /// Puts images that stand in for official ones into the lab's registry, under the names that these have there:
    /// `library/mariadb:10.11`, `library/wordpress:6.8-php8.2-fpm` and `library/nginx:1.28`. They are built if they are
    /// missing.
    pub fn add_library_images(&self) -> Result<()> {
        let registry = self.registry()?;
        let login = Some((registry.user().to_owned(), registry.password().to_owned()));
        let client = Client { address: registry.address(), login };
        let scratch = self.folder().join("library");
        // Everybody has built this layer already, and the others have another lock.
        let shared = on_bookworm(NGINX, &Cache::open()?)?;
        let cache = Cache::open_with_lock(LOCK)?;
        for image in &ALL {
            let base = match image.base.name == NGINX.name {
                true => shared.clone(),
                false => on_bookworm(image.base, &cache)?,
            };
            image.push(&client, &base, &scratch.join(image.name))?;
        }
        cache::discard(&scratch)
    }
}

impl LibraryImage {
    fn push(&self, client: &Client, base: &[oci::Layer], folder: &Path) -> Result<()> {
        let tree = folder.join("tree");
        for (path, text, is_program) in self.files {
            write(&tree.join(path), text, if *is_program { 0o755 } else { 0o644 })?;
        }
        let mut layers = base.to_vec();
        layers.push(oci::pack(&tree, folder)?);
        let config = ImageConfig {
            title: self.name,
            version: self.tag,
            entrypoint: self.entrypoint,
            command: self.command,
            env: &[PATH],
            volumes: self.volumes,
            working_dir: self.working_dir,
            stop_signal: self.stop_signal,
        };
        let config = oci::config(&config, &layers);
        let manifest = oci::manifest(&config, &layers);
        let image = ImageBlobs { config: &config, manifest: &manifest, layers: &layers };
        client.push(&format!("library/{}", self.name), self.tag, image)
    }
}
