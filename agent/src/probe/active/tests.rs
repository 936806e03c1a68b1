use super::*;

#[test]
fn the_number_before_the_words_counts() {
    let output = "2 active channels\n12 active calls\n340 calls processed\n";
    assert_eq!(count(output, "active call"), Some(12));
    assert_eq!(count("1 active call\n", "active call"), Some(1));
    assert_eq!(count("dialogs: 7 up", " up"), Some(7));
}

#[test]
fn what_cannot_be_read_is_not_zero() {
    for output in ["", "no such command", "active calls", "many active calls", "-1 active calls"] {
        assert_eq!(count(output, "active call"), None, "{output:?}");
    }
    assert_eq!(count("99999999999999999999999 active calls", "active call"), None);
}
