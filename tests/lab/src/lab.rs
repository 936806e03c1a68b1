//! A lab: a bridge, a registry and some hosts, made together and taken down together.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;

use crate::cache;
use crate::disk;
use crate::error::{LabError, Result};
use crate::furnish::{Surroundings, daemon_json};
use crate::host::Host;
use crate::machine::Machine;
use crate::network;
use crate::prepare::{Prepared, prepare};
use crate::proxy::FaultyRegistry;
use crate::record::{self, Record, check_name};
use crate::registry::{self, Registry};
use crate::say::say;

/// Hosts get the addresses from here on.
const FIRST_HOST: u8 = 11;
const HOSTS_MAX: usize = 32;
const REQUIRED: &str = "OML_LAB_REQUIRED";

/// What a lab shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabSpec {
    /// Unique among the labs that are up.
    pub name: String,
    /// The hosts, in the order of their addresses.
    pub hosts: Vec<HostSpec>,
}

/// One host of a lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSpec {
    pub name: String,
}

impl LabSpec {
    /// A lab with these hosts.
    pub fn new(name: &str, hosts: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            hosts: hosts.iter().map(|host| HostSpec { name: (*host).to_owned() }).collect(),
        }
    }

    fn check(&self) -> Result<()> {
        check_name("lab", &self.name)?;
        if self.hosts.is_empty() || self.hosts.len() > HOSTS_MAX {
            return Err(LabError::Invalid(format!(
                "a lab has 1 to {HOSTS_MAX} hosts, not {}",
                self.hosts.len()
            )));
        }
        for (index, host) in self.hosts.iter().enumerate() {
            check_name("host", &host.name)?;
            if self.hosts.iter().take(index).any(|other| other == host) {
                return Err(LabError::Invalid(format!("two hosts named {}", host.name)));
            }
        }
        Ok(())
    }
}

/// A lab that is up. It goes down when the value does, unless `keep` was called.
#[derive(Debug)]
pub struct Lab {
    record: Record,
    hosts: Vec<Host>,
    is_owned: bool,
}

impl Lab {
    /// Prepares the machine where needed, then makes the lab and boots its hosts.
    pub fn up(spec: &LabSpec) -> Result<Self> {
        spec.check()?;
        let prepared = prepare()?;
        sweep()?;
        let names = spec.hosts.iter().map(|host| host.name.clone()).collect();
        let record = Record::claim(&spec.name, names, true)?;
        let lab = Self::from_record(record, true)?;
        // From here on an early return takes down what was made.
        lab.make(&prepared)?;
        Ok(lab)
    }

    /// As `up`; on a machine that cannot carry a lab it says `skipped: <reason>` and gives none. Where OML_LAB_REQUIRED is
    /// set, as in continuous integration, that is an error instead.
    pub fn up_or_skip(spec: &LabSpec) -> Result<Option<Self>> {
        match Self::up(spec) {
            Err(LabError::CannotRun(reason)) if std::env::var_os(REQUIRED).is_none() => {
                say(&format!("skipped: {reason}"));
                Ok(None)
            }
            other => other.map(Some),
        }
    }

    /// A lab that is up already, for instance from `cargo xtask lab up`.
    pub fn attach(name: &str) -> Result<Self> {
        let record = Record::load(name)?
            .ok_or_else(|| LabError::Invalid(format!("no lab named {name} is up")))?;
        Self::from_record(record, false)
    }

    /// Takes down a lab by name, whoever made it and in whatever state it is. Not there is fine.
    pub fn down_by_name(name: &str) -> Result<()> {
        match Record::load(name)? {
            Some(record) => destroy(&record),
            None => Ok(()),
        }
    }

    /// The host of this name.
    pub fn host(&self, name: &str) -> Result<&Host> {
        self.hosts
            .iter()
            .find(|host| host.name() == name)
            .ok_or_else(|| LabError::Invalid(format!("the lab has no host named {name}")))
    }

    /// The hosts of this lab.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The lab's name.
    pub fn name(&self) -> &str {
        &self.record.name
    }

    /// The bridge's address: this machine, as the hosts see it.
    pub fn gateway(&self) -> Result<Ipv4Addr> {
        Ok(self.record.subnet()?.gateway())
    }

    /// The lab's registry.
    pub fn registry(&self) -> Result<Registry> {
        Registry::open(&registry_folder(&self.record), self.gateway()?)
    }

    /// Opens the faulty way to the registry, on the port that hosts call `registry.lab:5001`.
    pub fn faulty_registry(&self) -> Result<FaultyRegistry> {
        let gateway = self.gateway()?;
        FaultyRegistry::start(
            (gateway, registry::FAULTY_PORT).into(),
            (gateway, registry::PORT).into(),
        )
    }

    /// A folder of the lab on this machine; it goes away with it.
    pub fn folder(&self) -> PathBuf {
        self.record.folder()
    }

    /// Rewrites Docker's settings on a host; they count from Docker's next start.
    pub fn set_live_restore(&self, host: &Host, live_restore: bool) -> Result<()> {
        let text = daemon_json(self.record.subnet()?, live_restore);
        host.push("/etc/docker/daemon.json", text.as_bytes(), 0o644)
    }

    /// Logs a host's Docker, as root uses it, in to the registry, by either of its names.
    pub fn log_in(&self, host: &Host) -> Result<()> {
        let file = self.registry()?.login_file();
        host.copy_in(&file, "/root/.docker/config.json", 0o600)
    }

    /// Lets the lab stay up when this process ends.
    pub fn keep(mut self) -> Result<()> {
        self.record.disown()?;
        self.is_owned = false;
        Ok(())
    }

    /// Takes it down and tells what could not be.
    pub fn down(mut self) -> Result<()> {
        self.is_owned = false;
        destroy(&self.record)
    }

    fn from_record(record: Record, is_owned: bool) -> Result<Self> {
        let hosts = hosts_of(&record)?;
        Ok(Self { record, hosts, is_owned })
    }

    fn make(&self, prepared: &Prepared) -> Result<()> {
        let subnet = self.record.subnet()?;
        network::create(subnet)?;
        disk::create(&self.record.folder())?;
        Registry::start(
            &registry_folder(&self.record),
            subnet.gateway(),
            &prepared.registry_program,
            &prepared.store,
        )?;
        let names: Vec<_> =
            self.hosts.iter().map(|host| (host.name().to_owned(), host.address())).collect();
        let surroundings = Surroundings { lab: &self.record.name, subnet, hosts: &names };
        let boot = |host: &Host| {
            host.machine().mount(&prepared.host)?;
            surroundings.furnish(&host.machine().root(), host.name(), host.address())?;
            host.boot()
        };
        all_at_once(&self.hosts, boot)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if !self.is_owned {
            return;
        }
        if let Err(error) = destroy(&self.record) {
            say(&format!(
                "the lab {} could not be taken down whole: {error}; try `cargo xtask lab down --name {}`",
                self.record.name, self.record.name
            ));
        }
    }
}

/// Takes down every lab whose owner was killed before it could.
pub fn sweep() -> Result<()> {
    let _turn = record::sweep_lock()?;
    for record in record::all()?.iter().filter(|record| record.is_orphan()) {
        say(&format!("take down the lab {}, left behind", record.name));
        destroy(record)?;
    }
    Ok(())
}

/// Takes down every lab on this machine.
pub fn down_all() -> Result<()> {
    for record in record::all()? {
        destroy(&record)?;
    }
    Ok(())
}

/// Takes down every lab and removes all that was ever kept: base systems, images, folders. Packages stay installed.
/// Refused while a process uses a lab of its own.
pub fn purge() -> Result<()> {
    for record in record::all()? {
        if let Some(pid) = record.living_owner() {
            return Err(LabError::Invalid(format!(
                "the lab {} is in use by process {pid}: wait for its end, or end it first",
                record.name
            )));
        }
    }
    down_all()?;
    cache::purge()?;
    record::forget_all()
}

fn registry_folder(record: &Record) -> PathBuf {
    record.disk().join("registry")
}

fn hosts_of(record: &Record) -> Result<Vec<Host>> {
    let subnet = record.subnet()?;
    let host = |(name, number): (&String, u8)| {
        let machine = Machine {
            id: format!("{}-{}", subnet.id(), number),
            hostname: name.clone(),
            bridge: subnet.id(),
            folder: record.disk().join("hosts").join(name),
            seen: Mutex::default(),
        };
        Host::new(name, subnet.address(FIRST_HOST + number), machine)
    };
    Ok(record.hosts.iter().zip(0_u8..).map(host).collect())
}

/// Ends everything the record stands for; each step takes "not there" for done, so it can be run again.
fn destroy(record: &Record) -> Result<()> {
    let hosts = hosts_of(record)?;
    all_at_once(&hosts, |host| host.machine().kill())?;
    registry::stop(&record.folder())?;
    network::destroy(record.subnet()?)?;
    record.discard()
}

/// Does the same to every host at once; the first error counts, after all are done.
fn all_at_once(hosts: &[Host], step: impl Fn(&Host) -> Result<()> + Sync) -> Result<()> {
    thread::scope(|scope| {
        let running: Vec<_> = hosts.iter().map(|host| scope.spawn(|| step(host))).collect();
        running
            .into_iter()
            .map(|thread| {
                thread.join().unwrap_or_else(|_| {
                    Err(LabError::Invalid("a thread of the lab panicked".into()))
                })
            })
            .fold(Ok(()), Result::and)
    })
}
