//! A lab is a bridge, a registry and some hosts that are made together and taken down together.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;

use crate::cache;
use crate::disk;
use crate::error::{LabError, Result};
use crate::host::Host;
use crate::host_files::{HostFiles, daemon_json, docker_settings};
use crate::machine::Machine;
use crate::network;
use crate::prepare::{Prepared, prepare};
use crate::progress::log;
use crate::proxy::FaultyRegistry;
use crate::record::{self, Record, check_name};
use crate::registries::{FurtherRegistry, RegistrySpec};
use crate::registry::{self, Registry};
use crate::release::Debian;

/// The last number of the first host's address; the other hosts get the numbers that follow.
const FIRST_HOST: u8 = 11;
const HOSTS_MAX: usize = 32;
const REQUIRED: &str = "OML_LAB_REQUIRED";

/// The description of a lab that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabSpec {
    /// The lab's name, which must be unique among the labs on this machine.
    pub name: String,
    /// The lab's hosts, in the order of their addresses.
    pub hosts: Vec<HostSpec>,
}

/// The description of one host of a lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSpec {
    pub name: String,
    /// The release of Debian that the host runs.
    pub debian: Debian,
}

impl LabSpec {
    /// Describes a lab with these hosts, which run the usual release of Debian.
    pub fn new(name: &str, hosts: &[&str]) -> Self {
        let host = |host: &&str| HostSpec { name: (*host).to_owned(), debian: Debian::default() };
        Self { name: name.to_owned(), hosts: hosts.iter().map(host).collect() }
    }

    /// Gives every host this release of Debian.
    pub fn on(mut self, debian: Debian) -> Self {
        self.hosts.iter_mut().for_each(|host| host.debian = debian);
        self
    }

    /// Gives the host with this name this release of Debian, or returns an error if the lab has none.
    pub fn with_host_on(mut self, name: &str, debian: Debian) -> Result<Self> {
        let host = self.hosts.iter_mut().find(|host| host.name == name);
        host.ok_or_else(|| LabError::Invalid(format!("the lab has no host named {name}")))?
            .debian = debian;
        Ok(self)
    }

    /// Returns the releases of its hosts, each once.
    fn releases(&self) -> Vec<Debian> {
        let used = |release: &Debian| self.hosts.iter().any(|host| host.debian == *release);
        Debian::ALL.into_iter().filter(used).collect()
    }

    fn check(&self) -> Result<()> {
        check_name("lab", &self.name)?;
        if self.hosts.is_empty() || self.hosts.len() > HOSTS_MAX {
            return Err(LabError::Invalid(format!(
                "the lab has {} hosts; it must have 1 to {HOSTS_MAX}",
                self.hosts.len()
            )));
        }
        for (index, host) in self.hosts.iter().enumerate() {
            check_name("host", &host.name)?;
            if self.hosts.iter().take(index).any(|other| other.name == host.name) {
                let why = format!("two hosts have the name {}; give each its own", host.name);
                return Err(LabError::Invalid(why));
            }
        }
        Ok(())
    }
}

/// A running lab. Dropping the value takes the lab down, unless `keep` was called.
#[derive(Debug)]
pub struct Lab {
    record: Record,
    hosts: Vec<Host>,
    is_owned: bool,
}

impl Lab {
    /// Prepares the machine if needed, then makes the lab and boots its hosts.
    pub fn up(spec: &LabSpec) -> Result<Self> {
        spec.check()?;
        let prepared = prepare(&spec.releases())?;
        sweep()?;
        let names = spec.hosts.iter().map(|host| host.name.clone()).collect();
        let record = Record::claim(&spec.name, names, true)?;
        let lab = Self::from_record(record, true)?;
        // From here on, an early return drops `lab` and so takes down what was made.
        lab.make(spec, &prepared)?;
        Ok(lab)
    }

    /// Does the same as `up`, but on a machine that cannot run a lab it prints `skipped: <reason>` and returns `None`.
    /// If the variable OML_LAB_REQUIRED is set, as in continuous integration, that case is an error instead.
    pub fn up_or_skip(spec: &LabSpec) -> Result<Option<Self>> {
        match Self::up(spec) {
            Err(LabError::CannotRun(reason)) if std::env::var_os(REQUIRED).is_none() => {
                log(&format!("skipped: {reason}"));
                Ok(None)
            }
            other => other.map(Some),
        }
    }

    /// Opens a lab that is running already, for instance one from `cargo xtask lab up`.
    pub fn attach(name: &str) -> Result<Self> {
        let record = Record::load(name)?.ok_or_else(|| {
            LabError::Invalid(format!(
                "no lab named {name} is running; run `cargo xtask lab up --name {name}`"
            ))
        })?;
        Self::from_record(record, false)
    }

    /// Takes down the lab with this name, even if another process made it or it is incomplete. It does nothing if there
    /// is no such lab.
    pub fn down_by_name(name: &str) -> Result<()> {
        match Record::load(name)? {
            Some(record) => destroy(&record),
            None => Ok(()),
        }
    }

    /// Returns the host with this name, or an error if the lab has none.
    pub fn host(&self, name: &str) -> Result<&Host> {
        self.hosts
            .iter()
            .find(|host| host.name() == name)
            .ok_or_else(|| LabError::Invalid(format!("the lab has no host named {name}")))
    }

    /// Returns all hosts of the lab.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Returns the lab's name.
    pub fn name(&self) -> &str {
        &self.record.name
    }

    /// Returns the bridge's address, which is the address of this machine as the hosts see it.
    pub fn gateway(&self) -> Result<Ipv4Addr> {
        Ok(self.record.subnet()?.gateway())
    }

    /// Returns the lab's registry.
    pub fn registry(&self) -> Result<Registry> {
        Registry::open(&registry_folder(&self.record), self.gateway()?)
    }

    /// Starts the faulty proxy in front of the registry. Hosts reach it as `registry.lab:5001`.
    pub fn faulty_registry(&self) -> Result<FaultyRegistry> {
        let gateway = self.gateway()?;
        FaultyRegistry::start(
            (gateway, registry::FAULTY_PORT).into(),
            (gateway, registry::PORT).into(),
        )
    }

    /// Starts a further registry on the bridge's address. Hosts have to know its name.
    pub fn further_registry(&self, spec: &RegistrySpec<'_>) -> Result<FurtherRegistry> {
        let folder = registry_folder(&self.record).join(spec.name);
        FurtherRegistry::start(spec, &folder, self.gateway()?, &prepare(&[])?)
    }

    /// Rewrites Docker's settings on a host, so that it speaks TLS with every registry but these. They take effect when
    /// Docker is reloaded.
    pub fn set_insecure_registries(&self, host: &Host, registries: &[&str]) -> Result<()> {
        let text = docker_settings(registries, true);
        host.push("/etc/docker/daemon.json", text.as_bytes(), 0o644)
    }

    /// Returns the lab's folder on this machine, which is removed when the lab is taken down.
    pub fn folder(&self) -> PathBuf {
        self.record.folder()
    }

    /// Rewrites Docker's settings on a host. They take effect when Docker is next started.
    pub fn set_live_restore(&self, host: &Host, live_restore: bool) -> Result<()> {
        let text = daemon_json(self.record.subnet()?, live_restore);
        host.push("/etc/docker/daemon.json", text.as_bytes(), 0o644)
    }

    /// Gives root on a host the login to the registry, for the registry's name and for the faulty proxy's.
    pub fn log_in(&self, host: &Host) -> Result<()> {
        let file = self.registry()?.login_file();
        host.copy_in(&file, "/root/.docker/config.json", 0o600)
    }

    /// Keeps the lab running when this process ends.
    pub fn keep(mut self) -> Result<()> {
        self.record.disown()?;
        self.is_owned = false;
        Ok(())
    }

    /// Takes the lab down and returns the first error, if any.
    pub fn down(mut self) -> Result<()> {
        self.is_owned = false;
        destroy(&self.record)
    }

    fn from_record(record: Record, is_owned: bool) -> Result<Self> {
        let hosts = hosts_of(&record)?;
        Ok(Self { record, hosts, is_owned })
    }

    fn make(&self, spec: &LabSpec, prepared: &Prepared) -> Result<()> {
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
        let files = HostFiles { lab: &self.record.name, subnet, hosts: &names };
        let boot = |host: &Host| {
            let described = spec.hosts.iter().find(|described| described.name == host.name());
            let debian = described.map(|described| described.debian).unwrap_or_default();
            host.machine().mount(prepared.layers(debian)?)?;
            files.write(&host.machine().root(), host.name(), host.address())?;
            host.boot()
        };
        on_all_hosts(&self.hosts, boot)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if !self.is_owned {
            return;
        }
        if let Err(error) = destroy(&self.record) {
            log(&format!(
                "the lab {} could not be taken down completely: {error}; run `cargo xtask lab down --name {}`",
                self.record.name, self.record.name
            ));
        }
    }
}

/// Takes down every lab whose owner process was killed before it could do so itself.
pub fn sweep() -> Result<()> {
    let _turn = record::sweep_lock()?;
    for record in record::all()?.iter().filter(|record| record.is_orphan()) {
        log(&format!("taking down the lab {}, because its owner process is gone", record.name));
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

/// Takes down every lab and removes everything that labs keep: base systems, images and folders. Debian packages stay
/// installed. It is refused while a running process owns a lab.
pub fn purge() -> Result<()> {
    for record in record::all()? {
        if let Some(pid) = record.live_owner() {
            return Err(LabError::Invalid(format!(
                "the lab {} is in use by process {pid}; wait until the process ends, or stop it",
                record.name
            )));
        }
    }
    down_all()?;
    // Nobody builds anything as long as all locks are held.
    let locked = Debian::ALL.into_iter().map(Debian::open_cache).collect::<Result<Vec<_>>>()?;
    cache::purge(&locked)?;
    record::remove_root_folder()
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

/// Removes everything that belongs to the record. Every step succeeds if there is nothing to remove, so all of it can be
/// run again.
fn destroy(record: &Record) -> Result<()> {
    let hosts = hosts_of(record)?;
    on_all_hosts(&hosts, |host| host.machine().kill())?;
    registry::stop(&record.folder())?;
    network::destroy(record.subnet()?)?;
    record.discard()
}

/// Runs one step on every host in parallel, waits for all of them and returns the first error.
fn on_all_hosts(hosts: &[Host], step: impl Fn(&Host) -> Result<()> + Sync) -> Result<()> {
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
