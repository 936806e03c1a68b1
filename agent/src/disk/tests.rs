use super::*;

#[test]
fn a_disk_is_full_by_bytes_or_by_inodes_unless_nothing_is_asked_of_it() {
    let checked = |bytes, inodes, min| {
        is_enough("/d", Room { bytes, inodes }, min).map_err(|full| full.to_string())
    };
    assert_eq!(checked(600 << 20, Some(5_000), 512 << 20), Ok(()));
    assert_eq!(checked(600 << 20, None, 512 << 20), Ok(()));
    let bytes = "less than 200 MiB are free at /d (minimum 512 MiB)".to_owned();
    assert_eq!(checked(100 << 20, Some(5_000), 512 << 20), Err(bytes.clone()));
    // Little more or less is no news.
    assert_eq!(checked(199 << 20, Some(5_000), 512 << 20), Err(bytes));
    for (free, min) in [(511, 512), (7, 64)] {
        let bytes = format!("less than {min} MiB are free at /d (minimum {min} MiB)");
        assert_eq!(checked(free << 20, Some(5_000), min << 20), Err(bytes));
    }
    let inodes = "less than 1024 inodes are free at /d".to_owned();
    assert_eq!(checked(600 << 20, Some(9), 512 << 20), Err(inodes));
    assert_eq!(checked(0, Some(0), 0), Ok(()));
}

#[test]
fn what_an_image_still_needs_is_rounded() {
    let full = is_enough("/d", Room { bytes: 450 << 20, inodes: None }, 480 << 20).unwrap_err();
    let shown = full.rounded().to_string();
    assert_eq!(shown, "less than 500 MiB are free at /d (minimum 500 MiB)");
}

#[test]
fn a_disk_that_cannot_be_read_counts_as_free() {
    assert!(has_room(Path::new("/no/such/place"), u64::MAX).is_ok());
}
