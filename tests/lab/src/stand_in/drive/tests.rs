use super::*;

const LAST_FS: &str = "RELEASE.2022-05-26T05-48-41Z";
const BETWEEN: &str = "RELEASE.2022-10-24T18-35-07Z";
const OF_2_6: &str = "RELEASE.2023-09-27T15-22-50Z";

fn refused(folder: &Path, tag: &str) -> String {
    let Refusal { code, words } = Drive::open(folder, tag).unwrap_err();
    assert_eq!(code, 1);
    words.replace(&folder.display().to_string(), "/data")
}

fn written(folder: &Path) -> serde_json::Value {
    let text = fs::read_to_string(folder.join(".minio.sys/format.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_new_drive_has_the_form_of_its_release_and_keeps_it_in_later_ones() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Drive::open(folder.path(), OF_2_6).unwrap(), Drive::XlSingle);
    let first = written(folder.path());
    assert_eq!(first["version"], "1");
    assert_eq!(first["format"], "xl-single");
    assert_eq!(first["xl"]["version"], "3");
    assert_eq!(first["xl"]["sets"][0][0], first["xl"]["this"]);
    assert_eq!(first["id"].as_str().unwrap().len(), 36);
    for tag in ["RELEASE.2025-04-22T22-12-26Z", "20260925-b0751c01", "latest", OF_2_6] {
        assert_eq!(Drive::open(folder.path(), tag).unwrap(), Drive::XlSingle, "{tag}");
    }
    assert_eq!(written(folder.path()), first, "it is never written again");
}

#[test]
fn a_release_that_only_knows_the_earlier_form_refuses_the_later_one_in_the_words_of_minio() {
    let folder = tempfile::tempdir().unwrap();
    Drive::open(folder.path(), OF_2_6).unwrap();
    let words = "ERROR Unable to initialize backend: format.json file: expected format-type: fs, \
                 found: xl-single";
    assert_eq!(refused(folder.path(), LAST_FS), words);
    assert_eq!(refused(folder.path(), "20220526"), words);
}

#[test]
fn a_drive_of_the_earlier_form_is_served_until_the_release_that_gave_it_up() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Drive::open(folder.path(), LAST_FS).unwrap(), Drive::Fs);
    assert_eq!(written(folder.path())["fs"]["version"], "2");
    assert_eq!(Drive::open(folder.path(), BETWEEN).unwrap(), Drive::Fs);
    let words = "ERROR Unable to use the drive /data: Drive /data: found backend type fs, expected xl or \
                 xl-single - to migrate to a supported backend visit \
                 https://min.io/docs/minio/linux/operations/install-deploy-manage/migrate-fs-gateway.html: \
                 Invalid arguments specified";
    assert_eq!(refused(folder.path(), OF_2_6), words);
}

#[test]
fn a_version_of_the_form_that_nobody_knows_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    Drive::open(folder.path(), OF_2_6).unwrap();
    let file = folder.path().join(".minio.sys/format.json");
    let text = fs::read_to_string(&file).unwrap();
    for (from, to, says) in [
        ("\"xl\":{\"version\":\"3\"", "\"xl\":{\"version\":\"4\"", "unknown format version 4"),
        ("{\"version\":\"1\"", "{\"version\":\"2\"", "format.Version expected: 1, got: 2"),
    ] {
        assert!(text.contains(from), "{text}");
        fs::write(&file, text.replace(from, to)).unwrap();
        let words = refused(folder.path(), OF_2_6);
        assert!(words.contains(says), "{words}");
    }
}
