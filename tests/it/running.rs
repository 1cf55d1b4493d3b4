//! What operators are given beside the program is right: the dashboard, the alerts, the list of metrics, the unit, the
//! container file.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::cli::program::program;
use crate::metrics::{Page, scrape};
use crate::plugins::built::plugin;
use crate::process::Folder;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace").to_path_buf()
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A page on which everything is that can be.
async fn whole_page() -> Page {
    let folder = Folder::new(
        "sources.hostile.provider = \"hostile\"\n[destinations.log]\nkind = \"file\"\npath = \"log\"\n[[routes]]\nto = [\"log\"]",
    );
    fs::copy(plugin("hostile"), folder.path("plugins/libhostile.so")).expect("a copy");
    let gateway = folder.serve();
    let page = scrape(&gateway).await;
    assert_eq!(gateway.stop().code, Some(0));
    page
}

/// The metrics that a text names.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("hookport_") || word.starts_with("process_")).collect()
}

/// The expressions of the dashboard, as Grafana would ask them.
fn asked() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&text("config/grafana/hookport.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().cloned().unwrap_or_default());
    let expression = |target: Value| target["expr"].as_str().expect("an expression").to_owned();
    targets.map(|target| expression(target).replace("$__rate_interval", "5m").replace("$instance", ".*")).collect()
}

/// The alerts with their expressions.
fn alerts() -> Vec<(String, String)> {
    let rules: Value = serde_saphyr::from_str(&text("config/prometheus/alerts.yml")).expect("YAML");
    let rules = rules["groups"].as_array().expect("groups").iter().flat_map(|group| group["rules"].as_array());
    let of = |rule: &Value| {
        let summary = rule["annotations"]["summary"].as_str().unwrap_or_default();
        let severity = rule["labels"]["severity"].as_str().unwrap_or_default();
        assert!(!summary.is_empty() && ["critical", "warning"].contains(&severity), "{rule}");
        let name = rule["alert"].as_str().expect("a name").to_owned();
        (name, rule["expr"].as_str().expect("an expression").to_owned())
    };
    rules.flatten().map(of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_asked_for_is_measured_and_whatever_is_measured_is_explained() {
    let page = whole_page().await;
    let (names, asked, alerts) = (page.names(), asked(), alerts());
    assert!(asked.len() > 30 && alerts.len() >= 6, "{} {}", asked.len(), alerts.len());
    for expression in asked.iter().chain(alerts.iter().map(|(_, expression)| expression)) {
        promql_parser::parser::parse(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
        let strange: Vec<_> = named(expression).into_iter().filter(|name| !names.contains(name)).collect();
        assert!(strange.is_empty(), "{strange:?} is not measured: {expression}");
    }
    let document = text("config/running.md");
    let explained: BTreeSet<&str> = document.lines().filter(|line| line.starts_with("| `")).flat_map(named).collect();
    let shown = |(name, kind): (&String, &String)| match kind.as_str() {
        "counter" => format!("{name}_total"),
        _ => name.clone(),
    };
    let measured: Vec<String> = page.families.iter().map(shown).collect();
    assert_eq!(measured.iter().map(String::as_str).collect::<BTreeSet<_>>(), explained, "config/running.md lists them");
    let on_the_dashboard: BTreeSet<&str> = asked.iter().flat_map(|expression| named(expression)).collect();
    let family = |name: &str| on_the_dashboard.iter().any(|asked| asked.starts_with(name));
    let missing: Vec<_> =
        page.families.keys().filter(|name| !family(name) && *name != "process_start_time_seconds").collect();
    assert!(missing.is_empty(), "{missing:?} is on no panel");
}

#[test]
fn the_unit_is_one_and_names_commands_that_there_are() {
    let unit = text("config/systemd/hookport.service");
    let commands: Vec<&str> = unit.lines().filter(|line| line.starts_with("Exec")).collect();
    assert_eq!(commands.len(), 3, "{commands:?}");
    for command in commands {
        let (_, command) = command.split_once("/usr/lib/hookport/hookport ").expect("it runs the program");
        let verb = command.split(' ').next().expect("a verb");
        let helped = Command::new(program()).args([verb, "--help"]).output().expect("it runs");
        assert!(helped.status.success() && String::from_utf8_lossy(&helped.stdout).contains("--config"), "{verb}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hookport.service");
    let program = program().display().to_string();
    fs::write(&file, unit.replace("/usr/lib/hookport/hookport", &program)).expect("written");
    let verified = Command::new("systemd-analyze").arg("verify").arg(&file).output();
    let verified = verified.expect("systemd-analyze runs: apt-get install systemd");
    let said = String::from_utf8_lossy(&[verified.stdout, verified.stderr].concat()).into_owned();
    assert!(verified.status.success() && !said.contains("hookport.service"), "{said}");
}

#[test]
fn the_container_is_built_as_the_readme_says_of_what_is_there() {
    let file = text("config/container/Containerfile");
    let copied: Vec<&str> = file
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "))
        .filter(|line| !line.starts_with("--from"))
        .flat_map(|line| line.split(' ').rev().skip(1))
        .collect();
    assert!(copied.len() > 5, "{copied:?}");
    copied.iter().for_each(|path| assert!(root().join(path).exists(), "{path} is copied and not there"));
    let manifest: toml::Table = toml::from_str(&text("Cargo.toml")).expect("TOML");
    let members = manifest["workspace"]["members"].as_array().expect("a list").iter();
    for member in members.filter_map(|member| member.as_str()) {
        assert!(copied.iter().any(|path| member.starts_with(path)), "{member} is not copied, and cargo needs it");
    }
    let build = file.lines().find_map(|line| line.strip_prefix("RUN cargo ")).expect("it is built");
    let in_readme = text("README.md").contains("cargo build --workspace");
    assert!(in_readme && build == "build --workspace --release --locked", "{build}");
    let last = file.rsplit("\nFROM ").next().expect("a stage");
    assert!(last.contains("\nUSER 10001\n") && last.contains("\nENTRYPOINT [\"/usr/lib/hookport/hookport\"]\n"));
    let minor =
        |version: &str| version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok()).expect("a version");
    let toolchain = file.split("rust:").nth(1).and_then(|rest| rest.split('-').next()).expect("a toolchain");
    let needed = manifest["workspace"]["package"]["rust-version"].as_str().expect("a version");
    assert!(minor(toolchain) >= minor(needed), "{toolchain} is older than {needed}");
}
