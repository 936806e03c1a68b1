//! Notes are read with a version and without.

use super::*;
use crate::document::write;

fn is_read<T: Note + Clone + PartialEq + std::fmt::Debug>(note: T, bare: &str) {
    assert_eq!(T::read(&write(&note)).unwrap(), note);
    assert_eq!(T::read(bare).unwrap(), note);
    assert_eq!(T::read(&format!("{bare}\n")).unwrap(), note);
    let later = write(&note).replacen("\"version\":1", "\"version\":2", 1);
    assert!(T::read(&later).unwrap_err().is_of_later_release());
    assert!(T::read("").is_err());
}

#[test]
fn a_note_without_a_version_is_read_too_and_one_of_a_later_version_is_refused() {
    let workload = ContentHash::of(b"workload");
    is_read(LastGoodNote { workload: workload.clone() }, workload.as_str());
    let machine = "0123456789abcdef0123456789abcdef";
    is_read(MachineNote { machine: machine.to_owned() }, machine);
    is_read(StopNote { at: 1_764_000_000_000_000 }, "1764000000000000");
    assert!(LastGoodNote::read("no hash").is_err());
    assert!(StopNote::read("yesterday").is_err());
}
