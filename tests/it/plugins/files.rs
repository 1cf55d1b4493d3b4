//! Files that are no plugin, or none for this machine: each refused in its own words, before any code runs.

use super::*;

#[test]
fn every_cut_of_a_plugin_is_an_error_and_never_a_signal() {
    let folder = folder();
    let whole = fs::read(plugin("odd")).expect("a built plugin");
    let lengths = (0..whole.len()).step_by(whole.len() / 97).chain([1, 3, 4, 63, 64, 65, 1000, whole.len() - 1]);
    for length in lengths {
        let file = written(&folder, "cut.so", &whole[..length]);
        let error = refusal(&file);
        assert!(
            matches!(error.fault, LoadFault::Truncated { .. } | LoadFault::Empty | LoadFault::NotElf),
            "cut at {length}: {error}"
        );
        assert!(inspect(&file).is_err());
    }
}

#[test]
fn bytes_turned_over_in_the_files_tables_never_panic_the_reader() {
    let whole = fs::read(plugin("plain")).expect("a built plugin");
    let folder = folder();
    let tables = (0..2000).chain(whole.len() - 3000..whole.len());
    for at in tables.step_by(7) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        let _ = inspect(&written(&folder, "turned.so", &bytes));
    }
}

#[test]
fn what_is_no_plugin_is_named_as_what_it_is() {
    let folder = folder();
    let words = |name: &str, bytes: &[u8]| refusal(&written(&folder, name, bytes)).to_string();
    assert!(words("empty.so", b"").contains("is empty"));
    assert!(words("text.so", b"#!/bin/sh\n").contains("is not a shared object"));
    assert!(refusal(&plugin("stranger")).to_string().contains("has no Hookport identity"));
    assert!(refusal(&folder.path().join("gone.so")).to_string().contains("cannot be read"));
    assert!(refusal(folder.path()).to_string().contains("cannot be read"));
    let program = fs::read(std::env::current_exe().expect("this program")).expect("its bytes");
    assert!(words("program.so", &program).contains("crate-type"));
    let mut other = fs::read(plugin("plain")).expect("a built plugin");
    other[18..20].copy_from_slice(&8_u16.to_le_bytes());
    assert!(words("mips.so", &other).contains("is built for machine number 8, and this machine is"));
}

#[test]
fn what_the_machine_lacks_is_named() {
    let folder = folder();
    let odd = plugin("odd");
    let library = patched(&folder, &odd, "library.so", &[(b"libgcc_s.so.1\0", b"libgone_.so.1\0")]);
    let error = refusal(&library).to_string();
    assert!(error.contains("needs the library libgone_.so.1, which is not installed"), "{error}");
    let symbol = patched(&folder, &odd, "symbol.so", &[(b"\0pthread_key_create\0", b"\0pthread_key_forget\0")]);
    let error = refusal(&symbol).to_string();
    assert!(error.contains("needs the symbol pthread_key_forget"), "{error}");
    let floor = inspect(&odd).expect("readable").code.expect("code").glibc.expect("a floor");
    let (old, new) = (format!("GLIBC_{floor}\0"), format!("GLIBC_9.{}\0", &floor[2..]));
    let glibc = patched(&folder, &odd, "glibc.so", &[(old.as_bytes(), new.as_bytes())]);
    let error = refusal(&glibc).to_string();
    assert!(error.contains("needs glibc 9.") && error.contains("build the plugin on an older system"), "{error}");
}

#[test]
fn a_pipe_in_a_plugin_folder_holds_nobody_up() {
    let folder = folder();
    let pipe = folder.path().join("pipe.so");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    assert!(refusal(&pipe).to_string().contains("not a regular file"));
}

#[test]
fn a_wrong_description_names_key_and_place() {
    let folder = folder();
    let file = patched(&folder, &plugin("plain"), "wrong.so", &[(b"[[verify]]\nalg", b"[[verify]]\nalq")]);
    let error = refusal(&file);
    assert!(matches!(error.fault, LoadFault::Description(_)));
    let words = error.to_string();
    assert!(words.contains("line 6: ") && words.contains("alq"), "{words}");
}

#[test]
fn an_operation_without_code_is_refused() {
    let folder = folder();
    let text = "[provider]\nid = \"x\"\n\n[[operations]]\nid = \"query\"\n";
    let file = written(&folder, "provider.toml", text.as_bytes());
    assert!(refusal(&file).to_string().contains("declares the operation \"query\" and nothing makes its request"));
    assert!(inspect(&file).expect("it is readable").refusal.is_some());
}
