//! Tests that kill the controller's real process repeatedly: acknowledged changes
//! survive, and no change happens twice.

#![expect(clippy::unwrap_used, reason = "a test program: failures are panics")]

mod operators;
mod process;
mod refusals;
#[path = "../system/registry.rs"]
#[expect(dead_code, reason = "only the system tests let the registry misbehave")]
mod registry;

use std::net::{Ipv4Addr, TcpListener};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use oml_proto::v1;
use tokio::net::TcpSocket;

use crate::process::Controller;

/// The number of acknowledged changes of the long test.
const CHANGES: u64 = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_acknowledged_changes_survive_kills_at_random_moments() {
    let mut controller = Controller::installed(&[]).await;
    // A fixed seed makes a failure reproducible.
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut interrupted = 0;
    for number in 1..=CHANGES {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // Every fourth change is hit by a kill, between its arrival and some time after
        // its reply.
        let kill_after = (number % 4 == 0).then(|| Duration::from_micros(random % 12_000));
        let (revision, was_interrupted) =
            controller.change_until_acknowledged(number, kill_after).await;
        interrupted += u32::from(was_interrupted);
        assert_eq!(revision, number + 1, "each change is one revision");
    }
    controller.kill();
    controller.start(&[]).await;
    let history = controller.history().await;
    assert_eq!(history.len() as u64, CHANGES + 1);
    for (revision, number) in history.iter().skip(1).zip(1..) {
        assert_eq!(revision.number, number + 1);
        assert_eq!(revision.changes[0].to, format!("v{number}"), "a change was lost or made twice");
    }
    assert!(interrupted >= 5, "only {interrupted} changes were killed before their reply");
}

/// Ends the process at a failpoint of a change, starts it again, and requests the same
/// change with the same operation id.
#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_with_a_crash_at_any_step_is_made_once() {
    for (place, was_made) in
        [("C1", false), ("C2", false), ("C3", false), ("C4", true), ("C5", true), ("C8", true)]
    {
        let mut controller = Controller::installed(&[]).await;
        controller.kill();
        controller.start(&[("OML_FAILPOINT", place)]).await;
        // The failpoint may come after the reply; then the change is acknowledged and
        // must survive.
        let first = controller.change(1).await;
        controller.wait_for_exit().await;
        controller.start(&[]).await;
        let before = controller.history().await.len();
        assert_eq!(before == 2, was_made, "{place}: {before} revisions after the crash");
        assert!(was_made || first.is_err(), "{place}: acknowledged and lost");
        assert_eq!(controller.change(1).await.unwrap().revision, 2, "{place}");
        assert_eq!(controller.history().await.len(), 2, "{place}");
    }
}

#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_whose_use_crashes_is_used_up_and_has_made_one_node() {
    let mut controller = Controller::installed(&[]).await;
    controller.kill();
    controller.start(&[("OML_FAILPOINT", "C12")]).await;
    let token = controller.token("voice9").await;
    assert!(controller.join(&token, "voice9").await.is_err());
    controller.wait_for_exit().await;
    controller.start(&[]).await;
    let refused = controller.join(&token, "voice9").await.unwrap_err();
    assert!(refused.message().contains("already used"), "{refused}");
    let status = controller.status().await;
    assert_eq!(status.nodes.iter().filter(|node| node.node == "voice9").count(), 1);
    // The host can still join, with a new token that names the node.
    let token = controller.token("voice9").await;
    controller.join(&token, "voice9").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_has_the_port_meanwhile_does_not_keep_the_process_from_starting() {
    let mut controller = Controller::installed(&[]).await;
    controller.kill();
    let held = TcpSocket::new_v4().unwrap();
    held.bind((Ipv4Addr::LOCALHOST, controller.address.port()).into()).unwrap();
    let elsewhere = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let _connection = held.connect(elsewhere.local_addr().unwrap()).await.unwrap();
    controller.start(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_ends_at_its_start_is_noticed_with_what_it_said() {
    let mut controller = Controller::installed(&[]).await;
    controller.kill();
    std::fs::write(controller.path("controller.toml"), "listen = \n").unwrap();
    let panic = AssertUnwindSafe(controller.start(&[])).catch_unwind().await.unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    let expected = "it ended with exit status: 1: omlcontroller: cannot use the settings of ";
    assert!(message.starts_with(expected), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_on_the_same_store_is_refused_and_the_first_keeps_running() {
    let controller = Controller::installed(&[]).await;
    let second = controller.run_to_end(&["run"]);
    assert!(!second.status.success());
    let words = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(words.contains("in use"), "{words}");
    let request = v1::WhoAmIRequest {};
    assert!(controller.operator().await.who_am_i(request).await.is_ok());
    let init = controller.run_to_end(&["init", "--name", "x", "--out", "/dev/null/x"]);
    assert!(!init.status.success());
}
