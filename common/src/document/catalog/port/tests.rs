use super::*;

fn read(text: &str) -> String {
    match parse(text) {
        Ok(PortText { host, container, address }) => {
            let container = container.map(|first| format!(" to {first}")).unwrap_or_default();
            let address = address.map(|address| format!(" at {address}")).unwrap_or_default();
            format!("{host}{container}{address}")
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn ports_are_read_with_ranges_addresses_and_both_sides() {
    for (text, expected) in [
        ("5060", "5060/tcp"),
        ("5060/udp", "5060/udp"),
        ("20000-20100/udp", "20000-20100/udp"),
        ("8080:80", "8080/tcp to 80"),
        ("20000-20100:30000-30100/udp", "20000-20100/udp to 30000"),
        ("127.0.0.1:8080:80/tcp", "8080/tcp to 80 at 127.0.0.1"),
        ("[::1]:8080:80/tcp", "8080/tcp to 80 at ::1"),
        ("5060/sctp", "\"sctp\" is neither tcp nor udp"),
        ("", "\"\" is not a port number from 1 to 65535"),
        ("0/udp", "\"0\" is not a port number from 1 to 65535"),
        ("1-70000/udp", "\"70000\" is not a port number from 1 to 65535"),
        ("20100-20000/udp", "20100-20000 ends before it begins"),
        ("host:80:80", "\"host:80:80\" is no IP address of the host"),
        (
            "20000-20100:30000-30010/udp",
            "20000-20100/udp are 101 ports of the host, and 30000-30010/udp are another number of \
             ports",
        ),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn ranges_overlap_if_they_have_a_port_of_one_protocol_in_common() {
    let ranges = |texts: &[&str]| -> Vec<PortRange> {
        texts.iter().map(|text| parse(text).unwrap().host).collect()
    };
    assert_eq!(overlap(&ranges(&["1-10/udp", "11/udp", "5/tcp"])), None);
    let found = overlap(&ranges(&["1-10/udp", "20/udp", "10-12/udp"])).unwrap();
    assert_eq!(format!("{} {}", found.0, found.1), "1-10/udp 10-12/udp");
}
