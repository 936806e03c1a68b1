use std::os::unix::fs::symlink;

use oml_common::document::instance::Volume;

use super::*;
use crate::fixtures;

fn mounting(source: &str) -> Container {
    let source = source.to_owned();
    let volumes = vec![Volume { source, target: "/x".to_owned(), read_only: true }];
    Container { volumes, ..fixtures::container("web", "1") }
}

#[test]
fn a_link_to_a_protected_folder_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let paths = Paths::below(&root);
    std::fs::create_dir_all(paths.config.join("secrets")).unwrap();
    std::fs::create_dir_all(root.join("srv")).unwrap();
    symlink(&paths.config, root.join("srv/link")).unwrap();
    symlink(root.join("var/lib/nothing-yet"), root.join("srv/dangling")).unwrap();
    let check = |path: &str| {
        let source = root.join(path);
        check(&mounting(source.to_str().unwrap()), &paths, Some(&root.join("storage")))
    };
    for path in ["srv/link", "srv/link/secrets", "srv/link/later/file", "storage/volumes", "etc"] {
        let error = check(path).unwrap_err();
        assert!(!error.is_transient(), "{path}");
        assert!(error.to_string().contains("could not create oml-web: it would mount"), "{error}");
    }
    let error = check("srv/link").unwrap_err().to_string();
    let way = format!("srv/link, which is {0}, and so reach {0}", paths.config.display());
    assert!(error.ends_with(&way), "{error}");
    for path in ["srv", "srv/data", "etc/omnileads"] {
        assert!(check(path).is_ok(), "{path}");
    }
}

#[test]
fn what_is_protected_on_every_host_is_refused_without_a_link_too() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    for source in ["/", "/etc", "/var/run", "//run//docker.sock", "/var/lib/docker"] {
        assert!(check(&mounting(source), &paths, None).is_err(), "{source}");
    }
    for source in ["/etc/localtime", "/srv/nothing", "oml_redis"] {
        assert!(check(&mounting(source), &paths, None).is_ok(), "{source}");
    }
}
