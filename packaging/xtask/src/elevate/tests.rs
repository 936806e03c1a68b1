//! What goes through sudo.

use super::*;

fn kept_of(variables: &[(&str, &str)]) -> Vec<String> {
    let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    kept(variables).iter().map(|word| word.to_string_lossy().into_owned()).collect()
}

#[test]
fn sudo_gets_what_the_lab_cargo_and_rustup_read_and_nothing_else() {
    let found = kept_of(&[
        ("HOME", "/home/anna"),
        ("OML_LAB_MIRROR", "http://mirror"),
        ("RUSTUP_HOME", "/opt/rustup"),
        ("LD_PRELOAD", "/tmp/x.so"),
        ("SHELL", "/bin/zsh"),
    ]);
    assert_eq!(
        found,
        [
            "OML_XTASK_TOLD=1",
            "HOME=/home/anna",
            "OML_LAB_MIRROR=http://mirror",
            "RUSTUP_HOME=/opt/rustup"
        ]
    );
}

#[test]
fn the_programs_of_root_are_found_behind_the_users_own() {
    let found = kept_of(&[("PATH", "/home/anna/.cargo/bin:/usr/bin")]);
    assert_eq!(found[1], "PATH=/home/anna/.cargo/bin:/usr/bin:/usr/local/sbin:/usr/sbin:/sbin");
}

#[test]
fn only_what_cargo_fills_is_given_back() {
    let found: Vec<_> =
        filled_by_cargo("/src/target".into(), Some("/home/anna/.cargo".into())).collect();
    let expected = ["/src/target", "/home/anna/.cargo/registry", "/home/anna/.cargo/git"];
    assert_eq!(found, expected.map(PathBuf::from));
}
