//! The sockets of a host as its agent reads them in `/proc/net`: those of the containers that
//! run, by the ports in their documents, and those of programs that are not ours.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oml_common::document::instance::{Port, Protocol};
use oml_sim::{Container, HostModel};
use omlagent::paths::Paths;

use super::stage::document_of;

/// The sockets of one host.
pub(super) struct Sockets {
    /// The folder of the tables, as `/proc/net`.
    folder: PathBuf,
    host: HostModel,
    /// The ports on which programs listen that are not ours.
    foreign: Mutex<BTreeSet<Port>>,
}

impl Sockets {
    /// Makes the tables of a host, and keeps them true.
    pub(super) fn keep(paths: &Paths, host: &HostModel) -> Arc<Self> {
        let folder = paths.proc.join("net");
        fs::create_dir_all(&folder).expect("a folder of the test");
        let sockets = Arc::new(Self { folder, host: host.clone(), foreign: Mutex::default() });
        sockets.write();
        let (kept, mut changes) = (Arc::clone(&sockets), host.container_changes());
        tokio::task::spawn_local(async move {
            while changes.changed().await.is_ok() {
                kept.write();
            }
        });
        sockets
    }

    /// Makes a program that is not ours listen on a port, or end.
    pub(super) fn set_taken(&self, port: Port, is_taken: bool) {
        if is_taken {
            self.foreign().insert(port);
        } else {
            self.foreign().remove(&port);
        }
        self.write();
    }

    fn write(&self) {
        let containers = self.host.containers();
        let running = containers.iter().filter(|container| container.is_running());
        let documents: Vec<_> = running.filter_map(|c: &Container| document_of(c)).collect();
        let mut ports = self.foreign().clone();
        ports.extend(documents.iter().flat_map(|document| &document.ports));
        for (table, protocol, state) in [("tcp", Protocol::Tcp, "0A"), ("udp", Protocol::Udp, "07")]
        {
            let mut text = "  sl  local_address rem_address   st\n".to_owned();
            for (line, port) in ports.iter().filter(|port| port.protocol == protocol).enumerate() {
                text += &format!("{line:>4}: 00000000:{:04X} 00000000:0000 {state}\n", port.number);
            }
            fs::write(self.folder.join(table), text).expect("a file of the test");
        }
    }

    fn foreign(&self) -> MutexGuard<'_, BTreeSet<Port>> {
        self.foreign.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads `5060/udp`.
pub(super) fn parse_port(word: &str) -> Option<Port> {
    let (number, protocol) = word.split_once('/')?;
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => return None,
    };
    Some(Port { number: number.parse().ok()?, protocol })
}
