use super::*;

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
