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
    let listeners = crate::sockets::listeners(proc.path());
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

/// A table with a row for each socket.
fn table(rows: &[(&str, &str)]) -> String {
    let row = |(local, state): &(&str, &str)| format!("0: {local} 00000000:0000 {state} 0:0\n");
    HEADER.to_owned() + &rows.iter().map(row).collect::<String>()
}

#[test]
fn the_connections_of_a_busy_host_are_not_read() {
    let listening = [("00000000:1F91", LISTENING), ("00000000:1F92", LISTENING)];
    let connected = [("0100007F:C350", "01"), ("00000000:1F93", LISTENING)];
    let rows = [listening, connected].concat();
    assert_eq!(found("tcp", &table(&rows)), ["8081/tcp 0.0.0.0", "8082/tcp 0.0.0.0"]);
    // Those of UDP are in no order.
    let rows = [("00000000:1F91", "01"), ("00000000:1F92", UNCONNECTED)];
    assert_eq!(found("udp", &table(&rows)), ["8082/udp 0.0.0.0"]);
}

#[test]
fn a_table_of_many_sockets_is_read_to_its_end() {
    let mut rows = vec![("00000000:1F91", UNCONNECTED); 40_000];
    rows.push(("00000000:1F92", UNCONNECTED));
    let text = table(&rows);
    assert!(text.len() > 1 << 20, "longer than any other file that is read");
    assert_eq!(found("udp", &text), ["8081/udp 0.0.0.0", "8082/udp 0.0.0.0"]);
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
