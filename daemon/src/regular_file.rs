//! Opens files for reading that people can replace. A pipe in the place of a file would be waited
//! for without end, and to open a device may do something.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Opens a file for reading, and waits for nothing.
///
/// # Errors
/// An error of the file system, or [`io::ErrorKind::InvalidData`] if it is a pipe, a socket or a
/// device.
pub fn open(path: &Path) -> io::Result<File> {
    check(&fs::metadata(path)?)?;
    let file = OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path)?;
    // It may have been replaced in between.
    check(&file.metadata()?)?;
    Ok(file)
}

/// Reads a text file of at most a megabyte.
///
/// # Errors
/// As [`open`], or what keeps it from being read.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    const BYTES_MAX: u64 = 1 << 20;
    let mut bytes = Vec::new();
    // A file of procfs or sysfs has no length, and others may grow while they are read.
    let length = open(path)?.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if length as u64 > BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "longer than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Refuses what is no file. The system itself refuses to read a folder.
fn check(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() || metadata.is_dir() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "it is a pipe, a socket or a device"))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use nix::sys::stat::Mode;

    use super::*;

    #[test]
    fn a_pipe_or_a_device_in_the_place_of_a_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        for path in [pipe, link, "/dev/zero".into()] {
            let (sender, result) = mpsc::channel();
            std::thread::spawn(move || sender.send(read_to_string(&path).unwrap_err().kind()));
            let kind = result.recv_timeout(Duration::from_secs(10)).expect("it waits for a writer");
            assert_eq!(kind, io::ErrorKind::InvalidData);
        }
    }

    #[test]
    fn a_file_is_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert_eq!(read_to_string(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::write(&path, "text").unwrap();
        assert_eq!(read_to_string(&path).unwrap(), "text");
        assert_eq!(read_to_string(folder.path()).unwrap_err().kind(), io::ErrorKind::IsADirectory);
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(read_to_string(&path).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        // The kernel states no length for it.
        assert!(!read_to_string(Path::new("/proc/self/status")).unwrap().is_empty());
    }
}
