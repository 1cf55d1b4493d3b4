//! The private copy that is loaded in the file's place.

use super::*;

#[test]
fn the_private_copy_is_gone_after_loading() {
    let folder = folder();
    let output = in_a_child(&plugin("plain"), &[("HOOKPORT_PLUGIN_TMP", folder.path())]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

#[test]
fn a_folder_for_copies_that_cannot_be_used_is_named_with_the_variable() {
    let output = in_a_child(&plugin("plain"), &[("HOOKPORT_PLUGIN_TMP", Path::new("/proc/nowhere"))]);
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(words.contains("cannot be copied to /proc/nowhere"), "{output:?}");
    assert!(words.contains("HOOKPORT_PLUGIN_TMP"), "{words}");
}
