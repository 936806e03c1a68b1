use super::*;

#[test]
fn only_mounts_below_the_folder_are_listed_newest_first() {
    let table = "\
1 0 0:1 / / rw - ext4 /dev/vda rw
2 1 0:2 / /var/lib/oml-lab/a/root rw - overlay overlay rw
3 2 0:3 / /var/lib/oml-lab/a/root/proc rw - proc proc rw
4 1 0:4 / /var/lib/oml-lab/ab rw - overlay overlay rw
";
    assert_eq!(
        points_below(table, Path::new("/var/lib/oml-lab/a")),
        [PathBuf::from("/var/lib/oml-lab/a/root/proc"), PathBuf::from("/var/lib/oml-lab/a/root")]
    );
}
