use std::time::{Duration, SystemTime};

use super::*;
use crate::debian::write;

fn image() -> ImageConfig<'static> {
    ImageConfig {
        title: "small",
        version: "v1",
        entrypoint: &["/oml/entry"],
        env: &["PATH=/bin"],
        volumes: &["/data"],
        ..ImageConfig::default()
    }
}

#[test]
fn the_same_files_give_the_same_layer_in_any_order_and_at_any_time() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (tree_one, tree_two) = (one.path().join("tree"), two.path().join("tree"));
    write(&tree_one.join("a"), "1", 0o755).unwrap();
    write(&tree_one.join("b/c"), "2", 0o600).unwrap();
    write(&tree_two.join("b/c"), "2", 0o600).unwrap();
    write(&tree_two.join("a"), "1", 0o755).unwrap();
    let early = SystemTime::now() - Duration::from_secs(100_000);
    fs::File::open(tree_two.join("a")).unwrap().set_modified(early).unwrap();
    let first = pack(&tree_one, one.path()).unwrap();
    let second = pack(&tree_two, two.path()).unwrap();
    assert_eq!(first.digest, second.digest);
    assert_eq!(packed(one.path()).unwrap(), first);
    write(&tree_two.join("a"), "1", 0o700).unwrap();
    assert_ne!(pack(&tree_two, two.path()).unwrap().digest, first.digest);
}

#[test]
fn leftovers_of_package_tools_are_not_packed() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    write(&tree.join("var/log/dpkg.log"), "today", 0o644).unwrap();
    let layer = pack(&tree, folder.path()).unwrap();
    let names = Run::new("tar").args(["--list", "--file"]).args([&layer.path]).ok().unwrap();
    assert_eq!(names.stdout, "./\n./var/\n./var/log/\n");
}

#[test]
fn the_manifest_is_reproducible_and_changes_with_the_version() {
    let layers = [Layer { digest: "sha256:00".into(), size_bytes: 1, path: PathBuf::from("x") }];
    let of = |image: &ImageConfig<'_>| manifest(&config(image, &layers), &layers).digest;
    assert_eq!(of(&image()), of(&image()));
    let next = ImageConfig { version: "v2", ..image() };
    assert_ne!(of(&image()), of(&next));
}

#[test]
fn the_configuration_says_how_a_container_is_started_and_stopped() {
    let of = |image: &ImageConfig<'_>| -> Value {
        serde_json::from_slice(&config(image, &[]).bytes).unwrap()
    };
    let plain = &of(&image())["config"];
    assert_eq!(plain["StopSignal"], "SIGTERM");
    assert!(plain.get("Cmd").is_none() && plain.get("WorkingDir").is_none(), "{plain}");
    let full = ImageConfig {
        command: &["php-fpm"],
        working_dir: "/var/www/html",
        stop_signal: Some("SIGQUIT"),
        ..image()
    };
    let full = &of(&full)["config"];
    assert_eq!(full["Cmd"], json!(["php-fpm"]));
    assert_eq!(
        (&full["WorkingDir"], &full["StopSignal"]),
        (&json!("/var/www/html"), &json!("SIGQUIT"))
    );
}
