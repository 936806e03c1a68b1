//! Tests of the environment that is passed through sudo and of the folders whose owner is changed.

use super::*;

fn passed_of(variables: &[(&str, &str)]) -> Vec<String> {
    let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    sudo_environment(variables).iter().map(|word| word.to_string_lossy().into_owned()).collect()
}

#[test]
fn only_variables_of_the_lab_cargo_and_rustup_are_passed_through_sudo() {
    let found = passed_of(&[
        ("HOME", "/home/anna"),
        ("OML_LAB_MIRROR", "http://mirror"),
        ("RUSTUP_HOME", "/opt/rustup"),
        ("LD_PRELOAD", "/tmp/x.so"),
        ("SHELL", "/bin/zsh"),
    ]);
    assert_eq!(
        found,
        [
            "OML_XTASK_ANNOUNCED=1",
            "HOME=/home/anna",
            "OML_LAB_MIRROR=http://mirror",
            "RUSTUP_HOME=/opt/rustup"
        ]
    );
}

#[test]
fn the_folders_of_roots_programs_are_appended_to_the_users_path() {
    let found = passed_of(&[("PATH", "/home/anna/.cargo/bin:/usr/bin")]);
    assert_eq!(found[1], "PATH=/home/anna/.cargo/bin:/usr/bin:/usr/local/sbin:/usr/sbin:/sbin");
}

#[test]
fn only_folders_that_cargo_fills_change_their_owner() {
    let found: Vec<_> =
        cargo_folders("/src/target".into(), Some("/home/anna/.cargo".into())).collect();
    let expected = ["/src/target", "/home/anna/.cargo/registry", "/home/anna/.cargo/git"];
    assert_eq!(found, expected.map(PathBuf::from));
}
