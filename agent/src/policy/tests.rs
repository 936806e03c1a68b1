use super::*;

fn found(text: Option<&str>) -> FoundPolicy {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    if let Some(text) = text {
        files::write_durably(&paths.policy(), text.as_bytes(), 0o644).unwrap();
    }
    read(&paths)
}

#[test]
fn without_a_file_the_default_holds() {
    assert_eq!(FoundPolicy { secrets: None, ..found(None) }, FoundPolicy::default());
    assert_eq!(FoundPolicy { secrets: None, ..found(Some("")) }, FoundPolicy::default());
}

#[test]
fn a_file_says_what_is_allowed() {
    let FoundPolicy { policy, problem, .. } = found(Some("privileged = true\n"));
    assert_eq!((policy.privileged, problem.as_str()), (true, ""));
}

#[test]
fn a_file_with_a_mistake_allows_nothing_that_it_could_forbid_and_every_mistake_is_named() {
    let FoundPolicy { policy, problem, .. } =
        found(Some("privileged = true\ndevices = [\n\"tun\",\n\"sda\"]\n"));
    assert_eq!(policy, HostPolicy::strictest());
    assert!(problem.starts_with("line 3: devices: \"tun\" is no path"), "{problem}");
    assert!(problem.contains("; line 4: devices: \"sda\" is no path"), "{problem}");
}

#[test]
fn a_mistake_never_allows_what_the_file_without_it_forbids() {
    use oml_common::decide::rights::refused;

    let strict = "host_network = false\nhost_paths = [\"/srv\"]\n";
    let usual = crate::fixtures::container("web", "1");
    for text in [strict.to_owned(), format!("{strict}host_netwerk = 1\n")] {
        let FoundPolicy { policy, problem, .. } = found(Some(&text));
        assert!(!refused(&usual, &policy).is_empty(), "{problem}");
    }
}

#[test]
fn what_is_there_and_cannot_be_read_as_text_allows_nothing_that_a_file_could_forbid() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let path = paths.policy();
    let expect = |expected: &str| {
        let FoundPolicy { policy, problem, .. } = read(&paths);
        assert_eq!(policy, HostPolicy::strictest());
        assert!(problem.contains(expected), "{problem}");
        assert!(problem.len() < 1_000, "{}", problem.len());
    };
    files::write_durably(&path, b"# \xff\n", 0o644).unwrap();
    expect("could not read");
    let long = format!("privileged = true\n{}", "#\n".repeat(128 << 10));
    files::write_durably(&path, long.as_bytes(), 0o644).unwrap();
    expect("is longer than 256 KiB");
    files::remove_durably(&path).unwrap();
    std::os::unix::fs::symlink("nowhere", &path).unwrap();
    expect("it is a link to nothing");
    files::remove_durably(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    expect("could not read");
}

#[test]
fn the_file_that_is_installed_changes_nothing_and_every_line_of_it_can_be_used() {
    let installed = include_str!("../../../packaging/etc/omlagent/policy.toml");
    assert_eq!(HostPolicy::parse(installed), Ok(HostPolicy::default()));
    let is_setting =
        |line: &&str| line.starts_with('#') && !line.starts_with("# ") && line.len() > 1;
    let settings: Vec<&str> = installed.lines().filter(is_setting).map(|line| &line[1..]).collect();
    assert_eq!(settings.len(), 7, "{settings:?}");
    let policy = HostPolicy::parse(&settings.join("\n")).unwrap();
    assert!(policy.privileged && policy.realtime && policy.host_paths.is_some(), "{policy:?}");
}

#[test]
fn the_secrets_of_the_host_are_named_and_their_values_are_not() {
    let home = tempfile::tempdir().unwrap();
    let paths = Paths::below(home.path());
    assert_eq!(read(&paths).secrets, Some([].into()));
    std::fs::create_dir_all(paths.secrets()).unwrap();
    for name in ["db_password", ".hidden~"] {
        std::fs::write(paths.secrets().join(name), "a value").unwrap();
    }
    let found = read(&paths);
    assert_eq!(found.secrets, Some(["db_password".parse().unwrap()].into()));
    assert!(!format!("{found:?}").contains("a value"));
}
