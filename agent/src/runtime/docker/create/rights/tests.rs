use oml_common::document::instance::ContainerOptions;

use super::*;
use crate::{files, fixtures};

#[test]
fn a_container_is_refused_as_the_file_says_at_that_moment_and_may_be_created_later() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let write = |text: &str| files::write_durably(&paths.policy(), text.as_bytes(), 0o644).unwrap();
    let usual = fixtures::container("web", "1");
    let options = ContainerOptions { privileged: true, ..ContainerOptions::default() };
    let privileged = Container { options: Box::new(options), ..usual.clone() };
    assert!(check(&usual, &paths).is_ok());
    let error = check(&privileged, &paths).unwrap_err();
    let expected = "could not create oml-web: this host does not allow it: privileged; allow it in \
                    /etc/omlagent/policy.toml of the host, or apply a change without it";
    assert_eq!((error.to_string().as_str(), error.is_transient()), (expected, true));
    write("privileged = true");
    assert!(check(&privileged, &paths).is_ok());
    write("privileged = true\nnonsense = 1");
    assert!(check(&privileged, &paths).is_err());
    assert!(
        check(&usual, &paths).is_err(),
        "with a mistake, it may forbid the network of the host"
    );
    write("host_network = false");
    assert!(check(&usual, &paths).is_err());
    write("# nothing");
    assert!(check(&usual, &paths).is_ok());
}
