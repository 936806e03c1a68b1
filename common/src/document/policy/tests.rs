use super::*;

fn problems(text: &str) -> String {
    HostPolicy::parse(text).unwrap_err().to_string()
}

#[test]
fn an_empty_file_allows_what_no_file_allows() {
    assert_eq!(HostPolicy::parse("# nothing\n"), Ok(HostPolicy::default()));
}

#[test]
fn every_key_is_read() {
    let policy = HostPolicy::parse(
        "privileged = true\nrealtime = true\nhost_network = false\n\
         capabilities = [\"CAP_NET_ADMIN\", \"SYS_NICE\"]\ndevices = [\"/dev/net/tun\"]\n\
         sysctls = [\"net.core.*\", \"kernel.sem\"]\nhost_paths = [\"/srv\"]",
    );
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let expected = HostPolicy {
        privileged: true,
        realtime: true,
        no_host_network: true,
        capabilities: ["NET_ADMIN".parse().unwrap(), "SYS_NICE".parse().unwrap()].into(),
        devices: names(&["/dev/net/tun"]),
        sysctls: names(&["net.core.*", "kernel.sem"]),
        host_paths: Some(names(&["/srv"])),
    };
    assert_eq!(policy, Ok(expected));
}

#[test]
fn the_strictest_policy_allows_nothing_that_any_file_could_forbid() {
    let strictest = HostPolicy::parse("host_network = false\nhost_paths = []");
    assert_eq!(strictest, Ok(HostPolicy::strictest()));
}

#[test]
fn every_mistake_is_named_with_its_line() {
    let text = "capabilities = [\n  \"NET_ADMIN\",\n  \"net admin\",\n]\ndevices = [\"tun\"]\n\
                sysctls = [\"net.*.core\"]\nhost_paths = [\"/srv/../etc\", \"srv\"]\n";
    let found = problems(text);
    let lines: Vec<&str> = found.lines().map(|it| it.split(": ").next().unwrap_or(it)).collect();
    assert_eq!(lines, ["line 3", "line 5", "line 6", "line 7", "line 7"], "{found}");
    assert!(found.contains("line 5: devices: \"tun\" is no path of a device"), "{found}");
}

#[test]
fn what_is_no_such_file_is_named_with_its_line() {
    for (text, expected) in [
        ("privileged = true\nprivilege = true", "line 2: unknown field `privilege`"),
        ("\n\nprivileged = \"yes\"", "line 3: invalid type"),
        ("privileged = true\nrealtime =", "line 2: "),
    ] {
        let found = problems(text);
        assert!(found.starts_with(expected), "{found}");
    }
}

#[test]
fn more_names_than_are_kept_are_refused_and_so_is_a_long_one() {
    let names: Vec<String> = (0..=NAMES_MAX).map(|n| format!("\"/srv/{n}\"")).collect();
    let found = problems(&format!("host_paths = [{}]", names.join(", ")));
    assert!(found.contains("has 257 names; at most 256 are read"), "{found}");
    let found = problems(&format!("host_paths = [\"/{}\"]", "x".repeat(NAME_BYTES_MAX)));
    assert!(found.contains("a name has at most 256 bytes"), "{found}");
}

#[test]
fn no_text_makes_it_panic() {
    for text in ["\u{0}", "[[[[", "devices = [[]]", "a.b.c = 1", "\"\\u0000\" = 1", "=", "'"] {
        assert!(HostPolicy::parse(text).is_err(), "{text:?}");
    }
}
