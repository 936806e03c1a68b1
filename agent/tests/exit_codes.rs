//! What the exit code of the program means to a script: 2 is the operator's mistake, 1 is an error.

use std::path::Path;
use std::process::{Command, Stdio};

use oml_daemon::tls::{Fingerprint, JoinToken};

/// Enrols a system below the folder; gives the exit code and what was said.
fn enroll(root: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_omlagent"))
        .args(["enroll", "--root"])
        .arg(root)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program was built for this test");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_mistake_ends_with_2_and_an_error_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, JoinToken::new([7; 32], Fingerprint([9; 32])).reveal()).unwrap();
    let token = token.to_str().unwrap();
    let broken = folder.path().join("broken");
    std::fs::write(&broken, "hunter2").unwrap();
    let broken = broken.to_str().unwrap();
    // Nothing listens on port 1.
    let here = "127.0.0.1:1";
    for (controller, token_file, name, code, words) in [
        ("a b", token, "voice-1", 2, "\"a b\" is not an address"),
        (here, "/nonexistent", "voice-1", 2, "cannot read the token from /nonexistent"),
        (here, broken, "voice-1", 2, "holds no join token"),
        (here, token, "Voice 1", 2, "--name"),
        (here, token, "voice-1", 1, "cannot reach the controller"),
    ] {
        let arguments = ["--controller", controller, "--token-file", token_file, "--name", name];
        let (ended, output) = enroll(folder.path(), &arguments);
        assert!(
            ended == Some(code) && output.contains(words),
            "{arguments:?}: {ended:?}: {output}"
        );
    }
}
