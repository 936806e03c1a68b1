use super::*;

#[test]
fn a_lock_that_is_released_while_waiting_is_taken() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut holder = Some(File::open(file.path()).unwrap());
    holder.as_ref().unwrap().lock().unwrap();
    let mut pauses = 0;
    let taken = take_with(file.as_file(), file.path(), || {
        pauses += 1;
        if pauses == 3 {
            holder = None;
        }
    });
    taken.unwrap();
    assert_eq!(pauses, 3, "it is taken as soon as it is free");
    assert!(File::open(file.path()).unwrap().try_lock().is_err(), "it is held");
}

#[test]
fn a_lock_that_stays_held_is_refused_after_a_bounded_number_of_attempts() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let holder = File::open(file.path()).unwrap();
    holder.lock().unwrap();
    let mut pauses = 0;
    let error = take_with(file.as_file(), file.path(), || pauses += 1).unwrap_err();
    assert_eq!(pauses, ATTEMPTS);
    let expected =
        format!("{} is in use by another process; stop that process first", file.path().display());
    assert_eq!(error.to_string(), expected);
}

#[test]
fn waiting_for_a_free_file_leaves_it_unlocked() {
    let file = tempfile::NamedTempFile::new().unwrap();
    wait_until_free(file.path()).unwrap();
    file.as_file().try_lock().unwrap();
}
