//! The bytes of the login with which an image is pulled.

use super::*;
use crate::document::instance::{KeptSecret, RegistryLogin};

#[test]
fn a_login_is_pinned_outside_of_the_workload() {
    let mark = format!("{:032x}", 2).parse().unwrap();
    let password = KeptSecret { name: "hub".parse().unwrap(), version: 2, mark, file: None };
    let login = RegistryLogin { user: "puller".to_owned(), password };
    let instance = Instance { pull_login: Some(login), ..full() };
    let (with, without) = (write(&instance), write(&full()));
    let field = r#""pull_login":{"user":"puller","password":{"name":"hub","version":2,"mark":"00000000000000000000000000000002"}},"#;
    assert!(with.contains(field), "{with}");
    assert_eq!(with.replace(field, ""), without);
    assert_eq!(read::<Instance>(&with).unwrap(), instance);
    assert_eq!(instance.workload.hash(), full().workload.hash());
}
