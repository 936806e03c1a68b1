use super::*;

#[test]
fn a_disk_is_full_by_bytes_or_by_inodes_unless_nothing_is_asked_of_it() {
    let checked = |bytes, inodes, min| {
        is_enough("/d", Room { bytes, inodes }, min).map_err(|full| full.to_string())
    };
    assert_eq!(checked(600 << 20, Some(5_000), 512 << 20), Ok(()));
    assert_eq!(checked(600 << 20, None, 512 << 20), Ok(()));
    let bytes = "only 100 MiB are free at /d (minimum 512 MiB)".to_owned();
    assert_eq!(checked(100 << 20, Some(5_000), 512 << 20), Err(bytes));
    let inodes = "only 9 inodes are free at /d (minimum 1024)".to_owned();
    assert_eq!(checked(600 << 20, Some(9), 512 << 20), Err(inodes));
    assert_eq!(checked(0, Some(0), 0), Ok(()));
}

#[test]
fn a_disk_that_cannot_be_read_counts_as_free() {
    assert!(has_room(Path::new("/no/such/place"), u64::MAX).is_ok());
}
