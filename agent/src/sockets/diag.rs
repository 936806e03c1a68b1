//! Asks the kernel who waits for peers (sock_diag(7)). Of TCP it goes through the sockets that
//! listen alone, however many connections there are.

use std::io;

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use netlink_sys::{Socket as Netlink, SocketAddr};
use oml_common::document::instance::{Port, Protocol};

use super::{Listener, Socket};

/// The kernel fills no longer datagram (`NLMSG_GOODSIZE` and `netlink_dump` of `af_netlink.c`).
const DATAGRAM_BYTES_MAX: usize = 32 << 10;
/// The sockets of a family that are read at most, so that the memory is bounded.
const SOCKETS_MAX: usize = 1 << 18;

/// Asks for the sockets of a protocol that wait for peers, of all ports or of one. It fails where
/// netlink is not allowed, or the kernel was built without this interface.
pub(super) fn waiting(protocol: Protocol, port: Option<u16>) -> io::Result<Vec<Socket>> {
    let mut found = Vec::new();
    for family in [AF_INET, AF_INET6] {
        // One for each: an answer that was not read to its end would mix with the next.
        let mut netlink = Netlink::new(NETLINK_SOCK_DIAG)?;
        netlink.bind_auto()?;
        netlink.connect(&SocketAddr::new(0, 0))?;
        // The kernel has its answer ready at every call, so that there is nothing to wait for.
        netlink.set_non_blocking(true)?;
        netlink.send(&request(family, protocol, port), 0)?;
        read(&netlink, protocol, &mut found)?;
    }
    Ok(found)
}

fn request(family: u8, protocol: Protocol, port: Option<u16>) -> Vec<u8> {
    let any = if family == AF_INET { SocketId::new_v4() } else { SocketId::new_v6() };
    // A socket of UDP that is bound to no peer is in the state of a closed one (`tcp_states.h`).
    let (number, states) = match protocol {
        Protocol::Tcp => (IPPROTO_TCP, StateFlags::LISTEN),
        Protocol::Udp => (IPPROTO_UDP, StateFlags::CLOSE),
    };
    let request = InetRequest {
        family,
        protocol: number,
        extensions: ExtensionFlags::empty(),
        states,
        socket_id: SocketId { source_port: port.unwrap_or(0), ..any },
    };
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let payload = SockDiagMessage::InetRequest(request).into();
    let mut message = NetlinkMessage::new(header, payload);
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// Reads an answer to its end.
fn read(netlink: &Netlink, protocol: Protocol, found: &mut Vec<Socket>) -> io::Result<()> {
    let mut datagram = Vec::with_capacity(DATAGRAM_BYTES_MAX);
    loop {
        datagram.clear();
        netlink.recv(&mut datagram, 0)?;
        if take(&datagram, protocol, found)? {
            return Ok(());
        }
        if found.len() > SOCKETS_MAX {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "more sockets than are read"));
        }
    }
}

/// Takes the sockets from a datagram, which holds one message after the other. Returns whether it
/// was the last one.
pub(super) fn take(
    datagram: &[u8],
    protocol: Protocol,
    found: &mut Vec<Socket>,
) -> io::Result<bool> {
    let mut rest = datagram;
    while !rest.is_empty() {
        let message = NetlinkMessage::<SockDiagMessage>::deserialize(rest);
        let message = message.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if let NetlinkPayload::Error(error) = &message.payload {
            return Err(error.to_io());
        }
        if let NetlinkPayload::Overrun(_) = &message.payload {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "sockets are missing"));
        }
        if message.header.flags & NLM_F_DUMP_INTR != 0 {
            // The table changed meanwhile.
            return Err(io::ErrorKind::Interrupted.into());
        }
        if let NetlinkPayload::Done(done) = &message.payload {
            return ended(done.code).map(|()| true);
        }
        found.extend(socket_in(&message.payload, protocol));
        // Each begins at a multiple of four bytes (netlink(7)).
        let length = (message.header.length as usize).next_multiple_of(4).max(4);
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(false)
}

/// Reads the code with which an answer ends. The kernel reports there what it cannot do, such as a
/// protocol that it has no module for (`netlink_dump` of `af_netlink.c`).
fn ended(code: i32) -> io::Result<()> {
    if code < 0 { Err(io::Error::from_raw_os_error(code.saturating_neg())) } else { Ok(()) }
}

/// Returns the socket that a message describes. The kernel sends no other messages here, except
/// those that carry nothing.
fn socket_in(payload: &NetlinkPayload<SockDiagMessage>, protocol: Protocol) -> Option<Socket> {
    let NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) = payload else {
        return None;
    };
    let SocketId { source_port, source_address, .. } = &response.header.socket_id;
    let port = Port { number: *source_port, protocol };
    let local = Listener { port, address: source_address.to_canonical() };
    Some(Socket { local, inode: response.header.inode.into() })
}
