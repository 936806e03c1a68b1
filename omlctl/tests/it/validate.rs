//! The check of a document without a controller.

use crate::fake::Script;
use crate::world::*;

#[test]
fn a_document_is_checked_without_a_controller() {
    let world = World::without_context(Script::default());
    let catalog = concat!(env!("CARGO_MANIFEST_DIR"), "/../catalog/omnileads-2.6.yaml");
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("acme.yaml");
    let file = path.to_str().unwrap();
    let good = "tenant: acme\ncatalog: omnileads-2-6\ncomponents: {redis: \"1.0.9\"}\n";
    std::fs::write(&path, good).unwrap();
    let ran = world.run(&["validate", "-f", file]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("no mistake by itself"), "{}", ran.stdout);
    let by_catalog = ["validate", "-f", file, "--catalog", catalog];
    let ran = world.run(&by_catalog);
    let said = (ran.code, ran.stdout.as_str(), ran.stderr.as_str());
    assert_eq!(said, (0, "acme: no mistake by catalog omnileads-2-6\n", ""));
    std::fs::write(&path, good.replace("components", "settings: {infra_env: clowd}\ncomponents"))
        .unwrap();
    let ran = world.run(&by_catalog);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(
        ran.stderr.contains("line 3: settings.infra_env: \"clowd\" is not one of"),
        "{}",
        ran.stderr
    );
}
