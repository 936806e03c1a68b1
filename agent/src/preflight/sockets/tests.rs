use super::*;

const HEADER: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
";

fn row(local: &str, state: &str) -> String {
    format!("{HEADER}   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 0 0 1 1\n")
}

fn ports(table: &str, state: &str) -> Vec<u16> {
    in_the_way(table, state).collect()
}

#[test]
fn a_socket_on_every_address_or_on_localhost_is_in_the_way() {
    for address in IN_THE_WAY {
        assert_eq!(ports(&row(&format!("{address}:1F91"), LISTENING), LISTENING), [8081]);
    }
}

#[test]
fn a_socket_on_another_address_or_in_another_state_is_not() {
    assert_eq!(ports(&row("3500007F:1F91", LISTENING), LISTENING), [0; 0]);
    assert_eq!(ports(&row("00000000:1F91", "01"), LISTENING), [0; 0]);
    assert_eq!(ports(&row("00000000:1F91", LISTENING), UNCONNECTED), [0; 0]);
}

#[test]
fn a_table_that_makes_no_sense_has_no_ports() {
    for table in ["", HEADER, "0: 00000000", "0: 00000000:XYZ 0 0A", "0: 00000000:1F91"] {
        assert_eq!(ports(table, LISTENING), [0; 0], "{table:?}");
    }
}
