use std::fs;

use super::*;

const HEADER: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
";

fn row(local: &str, state: &str) -> String {
    format!("{HEADER}   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 0 0 1 1\n")
}

fn found(table: &str, text: &str) -> Vec<String> {
    let proc = tempfile::tempdir().unwrap();
    fs::create_dir(proc.path().join("net")).unwrap();
    fs::write(proc.path().join("net").join(table), text).unwrap();
    let listeners = listeners(proc.path());
    listeners.iter().map(|Listener { port, address }| format!("{port} {address}")).collect()
}

#[test]
fn the_address_of_a_listener_is_read_from_every_table() {
    for (table, local, expected) in [
        ("tcp", "00000000:1F91", "8081/tcp 0.0.0.0"),
        ("tcp", "0100007F:1F91", "8081/tcp 127.0.0.1"),
        ("tcp", "0501000A:1F91", "8081/tcp 10.0.1.5"),
        ("tcp6", "00000000000000000000000000000000:1F91", "8081/tcp ::"),
        ("tcp6", "00000000000000000000000001000000:1F91", "8081/tcp ::1"),
        ("tcp6", "0000000000000000FFFF00000501000A:1F91", "8081/tcp 10.0.1.5"),
        ("tcp6", "B80D0120000000000000000005000000:1F91", "8081/tcp 2001:db8::5"),
    ] {
        assert_eq!(found(table, &row(local, LISTENING)), [expected], "{table} {local}");
    }
    assert_eq!(found("udp", &row("0501000A:13C4", UNCONNECTED)), ["5060/udp 10.0.1.5"]);
}

#[test]
fn a_socket_in_another_state_waits_for_nobody() {
    for (table, state) in [("tcp", "01"), ("tcp", UNCONNECTED), ("udp", "01")] {
        assert_eq!(found(table, &row("00000000:1F91", state)), [""; 0], "{table} {state}");
    }
}

#[test]
fn a_table_that_makes_no_sense_has_no_listeners() {
    for text in [
        "",
        HEADER,
        "0: 00000000",
        "0: 00000000:XYZ 0 0A",
        "0: 00000000:1F91",
        "0: 0000:1F91 0 0A",
        "0: 0000000000000000:1F91 0 0A",
        "0: 00000000000000\u{e9}0:1F91 0 0A",
    ] {
        assert_eq!(found("tcp", text), [""; 0], "{text:?}");
    }
}
