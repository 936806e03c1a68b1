//! Addresses of this machine at which no other program listens.

use std::net::{Ipv4Addr, SocketAddr};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

/// The first port that is given out. The kernel gives connections their ports above these.
const FIRST_PORT: u16 = 20_000;

/// Returns an address for a server that starts later, or in another process, or again and again. Until then, nobody
/// takes it: every process has a loopback address of its own, and connections come from 127.0.0.1.
pub fn own_address() -> SocketAddr {
    static PORT: AtomicU16 = AtomicU16::new(FIRST_PORT);
    // A process id has 22 bits at most, so that 127.64.0.0/10 has room for all of them.
    let [_, high, middle, low] = process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, 64 | high, middle, low);
    SocketAddr::from((own, PORT.fetch_add(1, Ordering::Relaxed)))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_connection_takes_no_address_that_was_given_out() {
        let listener = TcpListener::bind(own_address()).unwrap();
        let later = own_address();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert_eq!(client.local_addr().unwrap().ip(), Ipv4Addr::LOCALHOST);
        let _held = TcpListener::bind((Ipv4Addr::LOCALHOST, later.port())).unwrap();
        assert_eq!(TcpListener::bind(later).unwrap().local_addr().unwrap(), later);
    }
}
