use oml_common::document::Verbatim;
use oml_common::document::instance::{Instance, InstanceDocument, KeptSecret};

use super::*;
use crate::fixtures;

fn login(folder: &std::path::Path) -> PullLogin {
    PullLogin {
        registry: "registry.lab:5000".to_owned(),
        user: "oml".to_owned(),
        password_file: folder.join("password"),
    }
}

#[test]
fn a_login_goes_only_to_its_registry() {
    let folder = tempfile::tempdir().unwrap();
    let logins = [login(folder.path())];
    std::fs::write(&logins[0].password_file, "sesame\n").unwrap();
    let found = find(&logins, &"registry.lab:5000/omnileads/redis".parse().unwrap()).unwrap();
    assert_eq!(found.unwrap().password.as_deref(), Some("sesame"));
    for other in ["registry.lab/redis", "registry.lab:5001/redis", "redis"] {
        assert_eq!(find(&logins, &other.parse().unwrap()).unwrap(), None, "{other}");
    }
}

#[test]
fn a_login_to_docker_hub_is_used_for_every_way_to_write_its_images() {
    let folder = tempfile::tempdir().unwrap();
    let logins = [PullLogin { registry: "docker.io".to_owned(), ..login(folder.path()) }];
    std::fs::write(&logins[0].password_file, "sesame").unwrap();
    for image in ["redis", "omnileads/redis", "docker.io/redis", "index.docker.io/omnileads/redis"]
    {
        let found = find(&logins, &image.parse().unwrap()).unwrap().unwrap();
        assert_eq!(found.serveraddress.as_deref(), Some("https://index.docker.io/v1/"), "{image}");
    }
}

#[test]
fn a_missing_password_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let logins = [login(folder.path())];
    let error = find(&logins, &"registry.lab:5000/redis".parse().unwrap()).unwrap_err();
    let path = folder.path().join("password");
    let expected = format!("the password file {} is missing", path.display());
    assert!(error.to_string().ends_with(&expected), "{error}");
}

#[test]
fn a_password_is_read_as_the_controller_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let logins = [login(folder.path())];
    let read = |text: &str| {
        std::fs::write(&logins[0].password_file, text).unwrap();
        find(&logins, &"registry.lab:5000/redis".parse().unwrap())
    };
    assert_eq!(read("sesame\r\n").unwrap().unwrap().password.as_deref(), Some("sesame"));
    let path = folder.path().join("password");
    for (text, why) in [("\r\n", "is empty"), ("ses\tame", "contains a tab (U+0009)")] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(&format!("the password file {} {why}", path.display())), "{error}");
    }
}

/// An instance whose tenant has a login of its own to the registry of the image.
fn with_login() -> InstanceDocument {
    let mark = format!("{:032x}", 2).parse().unwrap();
    let password = KeptSecret { name: "hub".parse().unwrap(), version: 2, mark, file: None };
    let login = RegistryLogin { user: "puller".to_owned(), password };
    Verbatim::seal(Instance { pull_login: Some(login), ..fixtures::instance("redis", "7") })
}

#[test]
fn the_login_of_a_tenant_goes_before_that_of_the_host_and_waits_for_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let document = with_login();
    let instance = ContainerInstance::of(&document).unwrap();
    let registry = instance.container().repository.registry();
    let host = PullLogin { registry: registry.clone(), ..login(folder.path()) };
    std::fs::write(&host.password_file, "sesame").unwrap();
    let error = of(instance, std::slice::from_ref(&host), &paths).unwrap_err().to_string();
    assert!(error.ends_with("the controller has not sent secret hub version 2 yet"), "{error}");
    let secret = &document.pull_login.as_ref().unwrap().password;
    let file = paths.kept_secret(&secret.name, &secret.mark);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "open").unwrap();
    let found = of(instance, std::slice::from_ref(&host), &paths).unwrap().unwrap();
    assert_eq!(found.username.as_deref(), Some("puller"));
    assert_eq!(found.password.as_deref(), Some("open"));
    assert_eq!(found.serveraddress.as_deref(), Some(server_address(&registry)));
    let plain = Verbatim::seal(fixtures::instance("redis", "7"));
    let plain = ContainerInstance::of(&plain).unwrap();
    let found = of(plain, &[host], &paths).unwrap().unwrap();
    assert_eq!(found.password.as_deref(), Some("sesame"));
    assert_eq!(of(plain, &[], &paths).unwrap(), None);
}
