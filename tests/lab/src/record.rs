//! The record of a lab is a file in its folder that is written before anything else is made. The bridge, machines,
//! cgroups, mounts and processes can be derived from it, so any process can take down a lab whose owner was killed.

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

/// The record of one lab.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) name: String,
    subnet: String,
    pub(crate) hosts: Vec<String>,
    /// The process that takes the lab down when it ends. It is `None` if the lab stays until `cargo xtask lab down`.
    owner: Option<Owner>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Owner {
    pid: u32,
    start_ticks: u64,
}

impl Record {
    /// Picks a subnet and writes the record, which reserves the subnet. It is refused if the name is in use.
    pub(crate) fn claim(name: &str, hosts: Vec<String>, is_owned: bool) -> Result<Self> {
        check_name("lab", name)?;
        let _lock = lock()?;
        if folder(name).join(FILE).exists() {
            return Err(LabError::Invalid(format!(
                "a lab named {name} is running already; run `cargo xtask lab down --name {name}` or choose another name"
            )));
        }
        let mut used = network::used_networks()?;
        for other in all_unlocked()? {
            used.extend(subnet::networks_in(&other.subnet));
        }
        let seed = u16::from_str_radix(&cache::stamp(&[name])[..4], 16).unwrap_or(0);
        let subnet = subnet::pick(seed, &used)
            .ok_or_else(|| LabError::CannotRun("no /24 subnet of 10.0.0.0/8 is free".into()))?;
        let record = Self {
            name: name.to_owned(),
            subnet: subnet.cidr(),
            hosts,
            owner: is_owned.then(Owner::this_process).flatten(),
        };
        record.save()?;
        Ok(record)
    }

    /// Reads the record of a lab, or returns `None` if there is no lab with this name.
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

    /// Removes the owner, so that the lab stays when this process ends.
    pub(crate) fn disown(&mut self) -> Result<()> {
        self.owner = None;
        self.save()
    }

    /// Returns true if the lab has an owner and that process no longer exists.
    pub(crate) fn is_orphan(&self) -> bool {
        self.owner
            .as_ref()
            .is_some_and(|owner| processes::start_ticks(owner.pid) != Some(owner.start_ticks))
    }

    /// Returns the process id of the owner if the owner is running.
    pub(crate) fn live_owner(&self) -> Option<u32> {
        self.owner.as_ref().filter(|_| !self.is_orphan()).map(|owner| owner.pid)
    }

    pub(crate) fn subnet(&self) -> Result<Subnet> {
        Subnet::parse(&self.subnet).ok_or_else(|| {
            LabError::Invalid(format!("the lab's record has no valid subnet: {}", self.subnet))
        })
    }

    pub(crate) fn folder(&self) -> PathBuf {
        folder(&self.name)
    }

    /// Returns the folder that holds all files of the hosts and the registry.
    pub(crate) fn disk(&self) -> PathBuf {
        self.folder().join("disk")
    }

    /// Removes the lab's folder, and the record as the last file in it. If another file cannot be removed, the record is
    /// still there and the lab can be taken down again.
    pub(crate) fn discard(&self) -> Result<()> {
        let folder = self.folder();
        mounts::unmount_below(&folder)?;
        for path in entries_besides_record(&folder)? {
            if path.is_dir() && !path.is_symlink() {
                cache::discard(&path)?;
            } else {
                cache::discard_file(&path)?;
            }
        }
        // The lock prevents another process from claiming the name while the folder is removed.
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

/// Returns the records of all labs on this machine.
pub(crate) fn all() -> Result<Vec<Record>> {
    let _lock = lock()?;
    all_unlocked()
}

/// Removes the folder that holds all labs, if there are none left.
pub(crate) fn remove_root_folder() -> Result<()> {
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

/// Checks that a name has only lower-case letters, digits and dashes, because names become folders, host names and parts
/// of commands.
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
        "{name:?} is not a valid name for a {what}; use 1 to {NAME_LENGTH_MAX} lower-case letters, digits and dashes, not starting with a dash"
    )))
}

/// Returns everything in a lab's folder except the record. A folder that does not exist has no entries.
fn entries_besides_record(folder: &Path) -> Result<Vec<PathBuf>> {
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

/// Takes the lock that is held while orphaned labs are taken down, so that two processes never do that at the same time.
pub(crate) fn sweep_lock() -> Result<File> {
    lock_file(".sweep")
}

fn lock() -> Result<File> {
    lock_file(".lock")
}

fn lock_file(name: &str) -> Result<File> {
    fs::create_dir_all(FOLDER).map_err(LabError::io("make the folder", FOLDER))?;
    let path = Path::new(FOLDER).join(name);
    let lock = File::create(&path).map_err(LabError::io("open", &path))?;
    lock.lock().map_err(LabError::io("lock", &path))?;
    Ok(lock)
}
