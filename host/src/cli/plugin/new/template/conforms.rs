//! The conformance kit, as part of `cargo test`. The program is `hookport` of the PATH, or what HOOKPORT names.

use std::process::Command;

#[test]
fn the_plugin_conforms() {
    let here = env!("CARGO_MANIFEST_DIR");
    let built = Command::new(env!("CARGO")).args(["build", "--quiet"]).current_dir(here).status();
    assert!(built.expect("cargo runs").success(), "it cannot be built");
    let hookport = std::env::var_os("HOOKPORT").unwrap_or_else(|| "hookport".into());
    let checked = Command::new(hookport).args(["plugin", "check", here]).status();
    assert!(checked.expect("hookport is on the PATH, or HOOKPORT names it").success(), "see above");
}
