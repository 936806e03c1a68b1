//! Controllers that cannot be reached: exit code 5 and a message of one line.
#![expect(clippy::disallowed_methods, reason = "the test measures a real process in real time")]

use std::net::TcpListener;
use std::time::{Duration, Instant};

use oml_lab::own_address;

use crate::fake::Script;
use crate::pki::Authority;
use crate::world::*;

#[test]
fn a_refused_connection_is_reported_in_one_line() {
    let world = World::new(Script::default());
    let free = own_address().to_string();
    for arguments in [vec!["status"], UPGRADE.to_vec(), vec!["explain"]] {
        let mut arguments = arguments;
        arguments.extend(["--endpoint", &free]);
        let ran = world.run(&arguments);
        let expected = format!("error: cannot reach the controller: {free}: connection refused\n");
        assert_eq!((ran.code, ran.stderr), (5, expected));
    }
}

#[test]
fn a_certificate_of_another_authority_is_reported_as_refused() {
    let world = World::new(Script::default());
    let mut credentials = Authority::new().operator();
    credentials.ca_pem = world.authority.pem.clone();
    let bundle = world.bundle("foreign", &credentials);
    assert_eq!(world.run(&["context", "import", &bundle]).code, 0);
    let expected = format!(
        "error: cannot reach the controller: {}: certificate refused by the controller\n",
        world.address
    );
    // The test runs several times, because the message once depended on which side closed first.
    for _ in 0..10 {
        let ran = world.run(&["get", "tenants", "--context", "foreign"]);
        assert_eq!((ran.code, ran.stderr.as_str()), (5, expected.as_str()));
        let mut arguments = UPGRADE.to_vec();
        arguments.extend(["--context", "foreign"]);
        let ran = world.run(&arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (5, expected.as_str()));
    }
    assert_eq!(world.asked(), []);
}

#[test]
fn a_controller_of_another_authority_is_not_trusted() {
    let world = World::new(Script::default());
    let bundle = world.bundle("foreign", &Authority::new().operator());
    assert_eq!(world.run(&["context", "import", &bundle]).code, 0);
    let ran = world.run(&["status", "--context", "foreign"]);
    assert_eq!(ran.code, 5);
    assert!(
        ran.stderr.contains("not issued by the certificate authority of this context"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.stderr.lines().count(), 1);
}

#[test]
fn a_silent_controller_times_out_after_three_seconds() {
    let world = World::new(Script::default());
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let began = Instant::now();
    let ran = world.run(&["status", "--endpoint", &address]);
    assert_eq!(ran.code, 5);
    let expected =
        format!("error: cannot reach the controller: {address}: no connection within 3 s\n");
    assert_eq!(ran.stderr, expected);
    assert!(began.elapsed() < Duration::from_secs(6));
}

#[test]
fn a_server_without_tls_is_reported_in_one_line() {
    let world = World::new(Script::default());
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = plain.local_addr().unwrap().to_string();
    let answering = std::thread::spawn(move || {
        use std::io::Write as _;
        let (mut stream, _) = plain.accept().unwrap();
        stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").unwrap();
        stream
    });
    let ran = world.run(&["status", "--endpoint", &address]);
    answering.join().unwrap();
    assert_eq!((ran.code, ran.stderr.lines().count()), (5, 1), "{ran:?}");
}

#[test]
fn a_closed_standard_output_is_not_an_error() {
    use std::process::{Command, Stdio};
    let world = World::new(Script::default());
    let mut child = Command::new(env!("CARGO_BIN_EXE_omlctl"))
        .args(["completions", "bash"])
        .env("OMLCTL_CONFIG", world.folder.path().join("ctl/config.toml"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stderr, b"");
}
