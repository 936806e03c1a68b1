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
    assert_eq!(found(None), FoundPolicy::default());
    assert_eq!(found(Some("")), FoundPolicy::default());
}

#[test]
fn a_file_says_what_is_allowed() {
    let FoundPolicy { policy, problem } = found(Some("privileged = true\n"));
    assert_eq!((policy.privileged, problem.as_str()), (true, ""));
}

#[test]
fn a_file_with_a_mistake_allows_only_the_default_and_every_mistake_is_named() {
    let FoundPolicy { policy, problem } =
        found(Some("privileged = true\ndevices = [\n\"tun\",\n\"sda\"]\n"));
    assert_eq!(policy, HostPolicy::default());
    assert!(problem.starts_with("line 3: devices: \"tun\" is no path"), "{problem}");
    assert!(problem.contains("; line 4: devices: \"sda\" is no path"), "{problem}");
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
