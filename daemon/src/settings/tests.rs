//! Sources, their order, and which of them is named when something is wrong.

use oml_common::text::error::chain;
use serde::Deserialize;

use super::*;

const SOURCES: Sources = Sources { file: "program.toml", prefix: "OMLTEST", lists: &["peers"] };

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fragment {
    peers: Option<Vec<String>>,
    log: Option<String>,
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("conf.d")).unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn read(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Result<Fragment, SettingsError> {
    let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    SOURCES.read_with(folder(files).path(), Some(variables.collect()))
}

#[test]
fn where_nothing_is_written_nothing_is_set() {
    let fragment: Fragment = SOURCES.read(Path::new("/nonexistent")).unwrap();
    assert_eq!(fragment, Fragment::default());
}

#[test]
fn drop_ins_win_over_the_file_and_the_environment_over_both() {
    let files = [
        ("program.toml", "log = \"1\"\npeers = [\"a\"]\n"),
        ("conf.d/20.toml", "log = \"3\"\n"),
        ("conf.d/10.toml", "log = \"2\"\npeers = [\"b\", \"c\"]\n"),
        ("conf.d/ignored.txt", "nonsense"),
    ];
    let fragment = read(&files, &[]).unwrap();
    assert_eq!(fragment.log.as_deref(), Some("3"));
    assert_eq!(fragment.peers.unwrap(), ["b", "c"]);
    let fragment = read(&files, &[("OMLTEST_LOG", "4"), ("OMLTEST_PEERS", "d,e")]).unwrap();
    assert_eq!(fragment.log.as_deref(), Some("4"));
    assert_eq!(fragment.peers.unwrap(), ["d", "e"]);
}

#[test]
fn a_mistake_is_reported_with_its_source() {
    let wrong = read(&[("conf.d/typo.toml", "logg = \"info\"\n")], &[]).unwrap_err();
    let reported = chain(&wrong);
    assert!(reported.contains("typo.toml") && reported.contains("logg"), "{reported}");
    let wrong = read(&[("program.toml", "log = \"info\"\n")], &[("OMLTEST_LOGG", "x")]);
    let reported = chain(&wrong.unwrap_err());
    assert!(
        reported.contains("the environment (OMLTEST_…)") && reported.contains("logg"),
        "{reported}"
    );
}

#[test]
fn a_folder_that_cannot_be_listed_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("conf.d"), "").unwrap();
    let wrong = SOURCES.read::<Fragment>(folder.path()).unwrap_err();
    assert!(wrong.to_string().ends_with("conf.d"), "{wrong}");
}
