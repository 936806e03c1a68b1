//! What a lab made, kept in its folder before it is made: everything else (bridge, machines, cgroups, mounts, processes) follows
//! from it, so a lab whose owner was killed can be taken down by anyone.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cache;
use crate::debian::write;
use crate::error::{LabError, Result};
use crate::mounts;
use crate::network;
use crate::processes;
use crate::subnet::{self, Subnet};

const FOLDER: &str = "/var/lib/oml-lab";
const FILE: &str = "lab.json";
const NAME_LENGTH_MAX: usize = 24;

/// What is recorded about one lab.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) name: String,
    subnet: String,
    pub(crate) hosts: Vec<String>,
    /// The process that takes the lab down when it ends; none for a lab that stays until `lab down`.
    owner: Option<Owner>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Owner {
    pid: u32,
    start_ticks: u64,
}

impl Record {
    /// Chooses a subnet and writes the record, so that nobody else takes the same. Refused when the name is in use.
    pub(crate) fn claim(name: &str, hosts: Vec<String>, is_owned: bool) -> Result<Self> {
        check_name("lab", name)?;
        let _lock = lock()?;
        if folder(name).join(FILE).exists() {
            return Err(LabError::Invalid(format!(
                "a lab named {name} is up already; take it down first or choose another name"
            )));
        }
        let mut taken = network::taken()?;
        for other in all_unlocked()? {
            taken.extend(subnet::networks_in(&other.subnet));
        }
        let seed = u16::from_str_radix(&cache::stamp(&[name])[..4], 16).unwrap_or(0);
        let subnet = subnet::pick(seed, &taken)
            .ok_or_else(|| LabError::CannotRun("no /24 of 10.0.0.0/8 is free".into()))?;
        let record = Self {
            name: name.to_owned(),
            subnet: subnet.cidr(),
            hosts,
            owner: is_owned.then(Owner::this_process).flatten(),
        };
        record.save()?;
        Ok(record)
    }

    /// Reads a lab's record; none when no such lab is up.
    pub(crate) fn load(name: &str) -> Result<Option<Self>> {
        check_name("lab", name)?;
        let path = folder(name).join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read(&path).map_err(LabError::io("read", &path))?;
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| LabError::Invalid(format!("{}: {error}", path.display())))
    }

    /// Lets the lab stay when this process ends.
    pub(crate) fn disown(&mut self) -> Result<()> {
        self.owner = None;
        self.save()
    }

    /// True when the process that should have taken it down is gone.
    pub(crate) fn is_orphan(&self) -> bool {
        self.owner
            .as_ref()
            .is_some_and(|owner| processes::start_ticks(owner.pid) != Some(owner.start_ticks))
    }

    /// The process that uses it and takes it down itself.
    pub(crate) fn living_owner(&self) -> Option<u32> {
        self.owner.as_ref().filter(|_| !self.is_orphan()).map(|owner| owner.pid)
    }

    pub(crate) fn subnet(&self) -> Result<Subnet> {
        Subnet::parse(&self.subnet)
            .ok_or_else(|| LabError::Invalid(format!("{} is not a subnet of the lab", self.subnet)))
    }

    pub(crate) fn folder(&self) -> PathBuf {
        folder(&self.name)
    }

    /// Where everything of the hosts and the registry lies.
    pub(crate) fn disk(&self) -> PathBuf {
        self.folder().join("disk")
    }

    /// Removes the lab's folder, what this record was read from last: whatever cannot be removed is
    /// still a lab's that can be taken down.
    pub(crate) fn discard(&self) -> Result<()> {
        let folder = self.folder();
        mounts::unmount_below(&folder)?;
        for path in others_in(&folder)? {
            if path.is_dir() && !path.is_symlink() {
                cache::discard(&path)?;
            } else {
                cache::discard_file(&path)?;
            }
        }
        // Nobody may claim the name in between.
        let _lock = lock()?;
        cache::discard(&folder)
    }

    fn save(&self) -> Result<()> {
        let path = self.folder().join(FILE);
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| LabError::Invalid(format!("{}: {error}", path.display())))?;
        let temporary = path.with_extension("tmp");
        write(&temporary, &text, 0o600)?;
        fs::rename(&temporary, &path).map_err(LabError::io("rename", &temporary))
    }
}

impl Owner {
    fn this_process() -> Option<Self> {
        let pid = std::process::id();
        processes::start_ticks(pid).map(|start_ticks| Self { pid, start_ticks })
    }
}

/// Every lab on this machine.
pub(crate) fn all() -> Result<Vec<Record>> {
    let _lock = lock()?;
    all_unlocked()
}

/// Removes the folder of all labs, once there are none.
pub(crate) fn forget_all() -> Result<()> {
    let _lock = lock()?;
    if all_unlocked()?.is_empty() { cache::discard(Path::new(FOLDER)) } else { Ok(()) }
}

fn all_unlocked() -> Result<Vec<Record>> {
    let entries = fs::read_dir(FOLDER).map_err(LabError::io("list", FOLDER))?;
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| check_name("lab", name).is_ok())
        .filter_map(|name| Record::load(&name).transpose())
        .collect()
}

/// Names become folders, host names and parts of commands: letters, digits and dashes only.
pub(crate) fn check_name(what: &str, name: &str) -> Result<()> {
    let is_good = !name.is_empty()
        && name.len() <= NAME_LENGTH_MAX
        && !name.starts_with('-')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if is_good {
        return Ok(());
    }
    Err(LabError::Invalid(format!(
        "{name:?} is no name for a {what}: 1 to {NAME_LENGTH_MAX} lower-case letters, digits and dashes"
    )))
}

/// All in a lab's folder but its record; a folder that is gone has nothing.
fn others_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(LabError::io("list", folder))?,
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    Ok(paths.filter(|path| path.file_name() != Some(FILE.as_ref())).collect())
}

fn folder(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

/// Held while labs left behind are taken down: a second one who looks finds nothing left to do.
pub(crate) fn sweep_lock() -> Result<File> {
    locked(".sweep")
}

fn lock() -> Result<File> {
    locked(".lock")
}

fn locked(name: &str) -> Result<File> {
    fs::create_dir_all(FOLDER).map_err(LabError::io("make the folder", FOLDER))?;
    let path = Path::new(FOLDER).join(name);
    let lock = File::create(&path).map_err(LabError::io("open", &path))?;
    lock.lock().map_err(LabError::io("lock", &path))?;
    Ok(lock)
}
