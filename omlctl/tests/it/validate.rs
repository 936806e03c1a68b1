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
    // What the document says wrongly by itself is shown together with what the catalog does not know.
    let both = good.replace("components", "setings: {}\nsettings: {infra_env: clowd}\ncomponents");
    std::fs::write(&path, both).unwrap();
    let ran = world.run(&by_catalog);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    for part in
        ["line 3: setings: unknown key (did you mean settings?)", "line 4: settings.infra_env: "]
    {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    let broken = folder.path().join("broken.yaml");
    std::fs::write(&broken, "catalog: omnileads-2-6\nregistri: x\n").unwrap();
    let ran = world.run(&["validate", "-f", file, "--catalog", broken.to_str().unwrap()]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    for part in ["broken.yaml is not a catalog", "registri: unknown key", "setings: unknown key"] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
}
