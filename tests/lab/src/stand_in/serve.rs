//! Listens where a command does, with a thread for each place and for each connection.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::path::PathBuf;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::contract::{Context, Listen, Speaks};

use super::drive::Drive;
use super::rules::{Refusal, Rules};
use super::site::Site;
use super::{FAILED, failed, http, protocols, s3, sip};

/// The longest time that a connection may be silent.
const SILENCE: Duration = Duration::from_secs(30);
/// The number of connections that one place has at the same time; a further one is closed at once.
const CONNECTIONS_MAX: usize = 128;
const PACKET_BYTES_MAX: usize = 65_535;

/// Begins to listen at every place, and returns their addresses.
pub(super) fn start(
    listens: &[Listen],
    context: Context<'_>,
    rules: &Rules,
) -> Result<Vec<SocketAddr>, Refusal> {
    let refuse = |words: String| Refusal { code: FAILED, words: format!("ERROR: {words}") };
    let mut places = BTreeSet::new();
    let mut addresses = Vec::new();
    for listen in listens {
        let place = context.address(&listen.at).map_err(refuse)?;
        let fill = |text: &Option<String>| {
            text.as_ref().map(|text| context.fill(text)).transpose().map_err(refuse)
        };
        let folder = PathBuf::from(fill(&listen.folder)?.unwrap_or_default());
        let is_store = listen.speaks == Speaks::S3;
        let drive = if is_store { Drive::open(&folder, &rules.tag)? } else { Drive::default() };
        let site = Site {
            image: rules.image.clone(),
            tag: rules.tag.clone(),
            listen: listen.clone(),
            hosts: fill(&listen.hosts)?.map(|names| names.split(',').map(str::to_owned).collect()),
            folder,
            drive,
        };
        if listen.speaks.needs_the_real_program() {
            return Err(refuse(format!("{}: only the real program speaks this", listen.at)));
        }
        // Two variables of one host may have the same address.
        if places.insert((listen.speaks.is_udp(), place.clone())) {
            let listening = listen_at((place.0.as_str(), place.1), site);
            addresses
                .push(listening.map_err(failed(&format!("listen at {}:{}", place.0, place.1)))?);
        }
    }
    Ok(addresses)
}

fn listen_at(place: impl ToSocketAddrs, site: Site) -> io::Result<SocketAddr> {
    if site.listen.speaks.is_udp() {
        let socket = UdpSocket::bind(place)?;
        let address = socket.local_addr()?;
        thread::spawn(move || answer_packets(&socket, &site));
        return Ok(address);
    }
    let listener = TcpListener::bind(place)?;
    let address = listener.local_addr()?;
    thread::spawn(move || accept(&listener, &Arc::new(site)));
    Ok(address)
}

fn accept(listener: &TcpListener, site: &Arc<Site>) {
    let open = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
            Err(error) => end(site, &error),
        };
        if open.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS_MAX {
            open.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (site, open) = (Arc::clone(site), Arc::clone(&open));
        thread::spawn(move || {
            if let Err(error) = serve_connection(&stream, &site) {
                eprintln!("a connection to {} ended: {error}", site.listen.at);
            }
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// Ends the program, because it can no longer be reached.
fn end(site: &Site, error: &io::Error) -> ! {
    eprintln!("ERROR: nothing can be received at {}: {error}", site.listen.at);
    process::exit(FAILED.into())
}

fn serve_connection(stream: &TcpStream, site: &Site) -> io::Result<()> {
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_write_timeout(Some(SILENCE))?;
    match site.listen.speaks {
        Speaks::Http => http::serve_connection(stream, site),
        Speaks::S3 => s3::serve_connection(stream, site),
        Speaks::SipTcp => sip::serve_connection(stream, site),
        Speaks::Gearman => protocols::gearman(stream, &site.tag),
        Speaks::Amqp => protocols::amqp(stream),
        Speaks::Tcp
        | Speaks::Udp
        | Speaks::SipUdp
        | Speaks::Https
        | Speaks::Redis
        | Speaks::Postgres
        | Speaks::Rtpengine => be_silent(stream),
    }
}

/// Keeps a connection open until the other side ends it or is silent for too long.
fn be_silent(mut stream: &TcpStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(_ignored) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

fn answer_packets(socket: &UdpSocket, site: &Site) {
    let mut buffer = vec![0; PACKET_BYTES_MAX];
    loop {
        let (length, from) = match socket.recv_from(&mut buffer) {
            Ok(received) => received,
            Err(error) => end(site, &error),
        };
        if site.listen.speaks != Speaks::SipUdp {
            continue;
        }
        let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
        let Some(answer) = sip::answer(&text, site) else { continue };
        if let Err(error) = socket.send_to(answer.as_bytes(), from) {
            eprintln!("an answer to {from} could not be sent: {error}");
        }
    }
}
