use std::net::{TcpListener, UdpSocket};

use super::*;

/// Sockets that wait for peers at addresses of each kind, with what is bound where.
struct Bound {
    tcp: Vec<TcpListener>,
    udp: Vec<UdpSocket>,
}

impl Bound {
    /// A host without IPv6 has fewer.
    fn new() -> Self {
        let addresses = ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0", "[::ffff:127.0.0.1]:0"];
        let tcp = addresses.iter().filter_map(|address| TcpListener::bind(address).ok()).collect();
        let udp = addresses.iter().filter_map(|address| UdpSocket::bind(address).ok()).collect();
        Self { tcp, udp }
    }

    fn listeners(&self) -> BTreeSet<Listener> {
        let of = |protocol| {
            move |address: std::net::SocketAddr| {
                let port = Port { number: address.port(), protocol };
                Listener { port, address: address.ip().to_canonical() }
            }
        };
        let tcp = self.tcp.iter().map(|socket| socket.local_addr().unwrap());
        let udp = self.udp.iter().map(|socket| socket.local_addr().unwrap());
        tcp.map(of(Protocol::Tcp)).chain(udp.map(of(Protocol::Udp))).collect()
    }
}

#[test]
fn the_kernel_names_every_socket_that_waits_for_peers() {
    let bound = Bound::new();
    assert!(bound.tcp.len() >= 2 && bound.udp.len() >= 2, "a host without IPv4");
    let of = |protocol| diag::waiting(protocol, None).expect("sock_diag(7) is not allowed here");
    let all = [of(Protocol::Tcp), of(Protocol::Udp)].concat();
    let all: BTreeSet<Listener> = all.iter().map(|socket| socket.local).collect();
    let missing: Vec<_> = bound.listeners().difference(&all).copied().collect();
    assert_eq!(missing, []);
}

/// Other tests bind and close sockets meanwhile, so that each port of ours is compared alone.
#[test]
fn the_kernel_and_its_files_say_the_same_of_a_port() {
    let bound = Bound::new();
    for Listener { port, address } in bound.listeners() {
        let asked = diag::waiting(port.protocol, Some(port.number)).unwrap();
        let mut read = Vec::new();
        let all = tables::waiting(Path::new(PROC), port.protocol, |socket| read.push(socket));
        all.unwrap();
        read.retain(|socket| socket.local.port == port);
        let asked: BTreeSet<Socket> = asked.into_iter().collect();
        assert_eq!(asked, read.into_iter().collect(), "{port}");
        assert!(asked.iter().any(|socket| socket.local.address == address && socket.inode != 0));
        assert_eq!(waiting_at(Path::new(PROC), port).len(), asked.len());
    }
}

#[test]
fn a_connection_is_no_socket_that_waits_for_peers() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let connected = UdpSocket::bind("127.0.0.1:0").unwrap();
    connected.connect(listener.local_addr().unwrap()).unwrap();
    for (protocol, address) in [
        (Protocol::Tcp, client.local_addr().unwrap()),
        (Protocol::Udp, connected.local_addr().unwrap()),
    ] {
        assert_eq!(diag::waiting(protocol, Some(address.port())).unwrap(), [], "{protocol:?}");
    }
    drop(client);
}

#[test]
fn more_sockets_than_one_answer_holds_are_read_to_the_last() {
    let bound: Vec<UdpSocket> = (0..700).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    let ports: BTreeSet<u16> =
        diag::waiting(Protocol::Udp, None).unwrap().iter().map(|it| it.local.port.number).collect();
    for socket in bound {
        let port = socket.local_addr().unwrap().port();
        assert!(ports.contains(&port), "{port}");
    }
}

#[test]
fn a_protocol_that_the_kernel_cannot_list_is_an_error_and_no_empty_answer() {
    let mut found = Vec::new();
    let done = |code: i32| {
        let mut message = vec![20, 0, 0, 0, 3, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        message.extend(code.to_ne_bytes());
        message
    };
    let take = |bytes: &[u8], found: &mut Vec<Socket>| diag::take(bytes, Protocol::Udp, found);
    assert!(take(&done(0), &mut found).unwrap());
    // ENOENT: the kernel has no module for it.
    assert_eq!(take(&done(-2), &mut found).unwrap_err().raw_os_error(), Some(2));
    let mut changed = done(0);
    changed[6] = 2 | 16;
    assert!(take(&changed, &mut found).is_err(), "the table changed meanwhile");
}
