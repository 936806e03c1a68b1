//! The bytes of what folders of catalogs add to documents: the files of a container, and the content
//! of a revision's catalog. The fixtures are in `v1/fixtures/files`.

use super::*;
use crate::document::instance::ContainerFile;
use crate::document::revision::Revision;

/// The pinned hashes of the fixtures.
const FILES: [(&str, &str); 2] = [
    ("instance.json", "d34f18be9a80123c72356f44b9b78cbc543c34cdc6206641910d0cb5a8eef844"),
    ("revision.json", "9d083f3bb079f208c6695e0ffe80c23dabef7c24d02f7463f7da9b520c0cdfb5"),
];

fn with_files() -> Instance {
    let file = |path: &str| ContainerFile {
        path: path.to_owned(),
        mode: 0o640,
        uid: 999,
        gid: 998,
        text: "listen = 5432\n".to_owned(),
    };
    let plain = ContainerFile { mode: 0o644, uid: 0, gid: 0, ..file("/etc/plain.conf") };
    let workload = full().workload.edited(|workload| {
        if let Workload::Container(container) = workload {
            container.options.files = vec![file("/etc/asterisk/queues.conf"), plain];
        }
    });
    Instance { workload, ..full() }
}

fn with_catalog() -> Revision {
    Revision { catalog: Some(ContentHash::of(b"catalog")), ..v::revision() }
}

#[test]
fn files_and_catalogs_are_written_in_the_bytes_that_are_pinned() {
    for (golden, (file, hash)) in [
        golden("instance", &with_files(), &minimal()),
        golden("revision", &with_catalog(), &v::revision_minimal()),
    ]
    .iter()
    .zip(FILES)
    {
        let written = &golden.full;
        assert_eq!(*written, fixture(&format!("files/{file}")), "{file} is written differently");
        assert_eq!(ContentHash::of(written.as_bytes()).as_str(), hash, "{file} has another hash");
        assert_eq!((golden.reread)(written).unwrap(), *written, "{file} is read as it was written");
    }
}
