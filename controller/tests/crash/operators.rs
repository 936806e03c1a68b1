//! Tests of the commands for operators, and of the exit codes for mistakes.

use oml_proto::v1;
use tonic::Code;

use crate::process::Controller;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_operators_bundle_is_refused_and_a_new_one_is_accepted() {
    let mut controller = Controller::installed(&[]).await;
    let ended = controller.run_to_end(&["operator", "remove", "maria"]);
    assert!(String::from_utf8_lossy(&ended.stderr).contains("the controller is running"));
    controller.kill();
    assert!(controller.run_to_end(&["operator", "remove", "maria"]).status.success());
    let unrecorded = controller.run_to_end(&["operator", "remove", "mario"]);
    let message = String::from_utf8_lossy(&unrecorded.stderr);
    assert!(message.contains("no operator mario on record"), "{message}");
    assert_eq!(unrecorded.status.code(), Some(2), "{message}");
    let again = controller.run_to_end(&["operator", "remove", "mario", "--unrecorded"]);
    assert!(again.status.success());
    controller.start(&[]).await;
    let refused = controller.change(1).await.unwrap_err();
    assert_ne!(refused.code(), Code::InvalidArgument, "{refused}");
    controller.kill();
    let bundle = controller.path("again.toml");
    let add = ["operator", "add", "maria", "--out", bundle.to_str().unwrap()];
    assert!(controller.run_to_end(&add).status.success());
    controller.use_bundle(&bundle);
    controller.start(&[]).await;
    controller.operator().await.who_am_i(v1::WhoAmIRequest {}).await.unwrap();
    assert_eq!(controller.change(1).await.unwrap().revision, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_command_leaves_no_file_and_can_be_repeated() {
    let mut controller = Controller::installed(&[]).await;
    let (bundle, backup) = (controller.path("berta.toml"), controller.path("now.backup"));
    let add = ["operator", "add", "berta", "--out", bundle.to_str().unwrap()];
    let save = ["backup", backup.to_str().unwrap()];
    for refused in [add.as_slice(), &save] {
        let ended = controller.run_to_end(refused);
        let message = String::from_utf8_lossy(&ended.stderr);
        assert!(message.contains("the controller is running"), "{message}");
    }
    let folder = bundle.parent().unwrap().read_dir().unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: Vec<String> =
        names.filter(|name| name.contains("berta") || name.contains("now.backup")).collect();
    assert!(left.is_empty(), "{left:?}");
    controller.kill();
    for repeated in [add.as_slice(), &save] {
        assert!(controller.run_to_end(repeated).status.success(), "{repeated:?}");
        let again = controller.run_to_end(repeated);
        let message = String::from_utf8_lossy(&again.stderr);
        assert!(message.contains("exists already, and nothing was changed"), "{message}");
        assert_eq!(again.status.code(), Some(2));
    }
    assert!(std::fs::read_to_string(&bundle).unwrap().contains("key_pem"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistakes_of_the_caller_exit_with_2() {
    let mut controller = Controller::installed(&[]).await;
    controller.kill();
    let bad = controller.path("bad.yaml");
    std::fs::write(&bad, "catalog: Not A Name\n").unwrap();
    let missing = controller.path("missing.yaml");
    let out = controller.path("x.toml");
    let (bad, missing, out) =
        (bad.to_str().unwrap(), missing.to_str().unwrap(), out.to_str().unwrap());
    for arguments in [
        ["catalog", "check", bad].as_slice(),
        &["catalog", "check", missing],
        &["init", "--name", "", "--out", out],
        &["init", "--name", "ok", "--address", "not one", "--out", out],
        &["operator", "remove", "Not A Name"],
        &["no-such-verb"],
    ] {
        let ended = controller.run_to_end(arguments);
        let message = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}: {message}");
    }
    let exists = controller.run_to_end(&["init", "--name", "ok", "--out", out]);
    assert_eq!(exists.status.code(), Some(1), "the arguments are valid, so this is not a mistake");
}
