//! Which signals are followed.

use zbus::message::Type;
use zbus::{MatchRule, Message};

const SYSTEMD: &str = "org.freedesktop.systemd1";
pub(super) const UNITS: &str = "/org/freedesktop/systemd1/unit";
const BUS: &str = "org.freedesktop.DBus";
const OWNER_CHANGED: &str = "NameOwnerChanged";

/// Returns the rules of all signals that are followed.
pub(super) fn all() -> zbus::Result<[MatchRule<'static>; 3]> {
    Ok([manager_signals()?, unit_changes()?, owner_changes()?])
}

fn manager_signals() -> zbus::Result<MatchRule<'static>> {
    MatchRule::builder()
        .msg_type(Type::Signal)
        .sender(SYSTEMD)
        .interface("org.freedesktop.systemd1.Manager")
        .path("/org/freedesktop/systemd1")
        .build()
}

/// The signals that say that systemd comes to the bus or goes, as when it executes itself again.
fn owner_changes() -> zbus::Result<MatchRule<'static>> {
    MatchRule::builder()
        .msg_type(Type::Signal)
        .sender(BUS)
        .interface(BUS)
        .member(OWNER_CHANGED)
        .arg(0, SYSTEMD)
        .build()
}

/// Returns true for the signal that a systemd has come to the bus. It may know no subscribers.
pub(super) fn is_new_systemd(message: &Message) -> bool {
    let header = message.header();
    let member = header.member().map(|member| member.as_str());
    let body = message.body();
    let names: zbus::Result<(&str, &str, &str)> = body.deserialize();
    let is_come = names.is_ok_and(|(name, _, new)| name == SYSTEMD && !new.is_empty());
    member == Some(OWNER_CHANGED) && is_come
}

fn unit_changes() -> zbus::Result<MatchRule<'static>> {
    MatchRule::builder()
        .msg_type(Type::Signal)
        .sender(SYSTEMD)
        .interface("org.freedesktop.DBus.Properties")
        .member("PropertiesChanged")
        .path_namespace(UNITS)
        .build()
}
