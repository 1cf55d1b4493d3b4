//! `hookport simulate` against a gateway that runs: every shipped provider is played, tampered with and repeated.

mod listener;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Process, within};
use crate::shipped;

const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:0"
public_url = "https://hooks.example.com/in"

[admin]
listen = "127.0.0.1:0"

[log]
format = "json"

[journal]
path = "FOLDER/data"

[sources.esim]
provider = "eiotclub"
path = "/own/esim"
secrets.main = [{ value = "new secret" }, { value = "old secret" }]

[sources.acquirer]
provider = "evo-cloud"
secrets.main = { value = "0123456789abcdef0123456789ABCDEF" }
secrets.sm2_public_key = { file = "PLUGINS/evo-cloud/fixtures/keys/sm2_public_key.pem" }

[sources.bank]
provider = "sgate"
secrets.api_key = { value = "own key" }
secrets.system_public_key = { file = "PLUGINS/sgate/fixtures/keys/system_public_key.pem" }
secrets.merchant_private_key = { file = "PLUGINS/sgate/fixtures/keys/merchant_private_key.pem" }

[sources.wallet]
provider = "wallet-openapi"

[sources.fleet]
provider = "szzkc"
"#;

/// A running gateway with the shipped providers.
struct Gateway {
    folder: TempDir,
    to: String,
    admin: String,
    _running: Process,
}

impl Gateway {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
        let config = CONFIG.replace("PLUGINS", &plugins.display().to_string());
        let config = config.replace("FOLDER", &folder.path().display().to_string());
        std::fs::write(folder.path().join("hookport.toml"), config).expect("it can be written");
        let mut serve = program(folder.path());
        serve.arg("serve");
        let running = Process::begin(serve);
        let (to, admin) = (format!("http://{}", running.address), format!("http://{}", running.admin));
        Self { folder, to, admin, _running: running }
    }

    fn simulate(&self, arguments: &[&str]) -> Output {
        let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
        let key = |name: &str, file: &str| format!("{name}={}", plugins.join(file).display());
        let mut command = program(self.folder.path());
        command.arg("simulate").args(arguments).args(["--to", &self.to, "--json"]);
        command.args(["--key", &key("system_public_key", "sgate/fixtures/keys/system_private_key.pem")]);
        command.args(["--key", &key("sm2_public_key", "evo-cloud/fixtures/keys/sm2_private_key.pem")]);
        command.output().expect("it runs")
    }

    /// Plays, and gives exit code and result.
    fn play(&self, arguments: &[&str]) -> (i32, Value) {
        let output = self.simulate(arguments);
        let result = serde_json::from_slice(&output.stdout);
        (output.status.code().expect("a code"), result.unwrap_or_else(|error| panic!("{error}: {output:?}")))
    }

    /// The events that are stored of a source.
    fn events(&self, source: &str) -> Vec<Value> {
        let list = ["events", "list", "--source", source, "--json", "--admin", &self.admin];
        let output = program(self.folder.path()).args(list).output().expect("it runs");
        let page: Value = serde_json::from_slice(&output.stdout).expect("a page");
        page["events"].as_array().expect("a list").iter().map(|line| line["event"].clone()).collect()
    }
}

fn program(folder: &Path) -> Command {
    within(Command::new(shipped::program()), folder)
}

#[test]
fn every_provider_is_played_and_acknowledged_in_its_own_words() {
    let gateway = Gateway::start();
    for (source, kind, ack) in [
        ("esim", "eiotclub.CardStopped", "{\"status\":\"SUCCESS\"}"),
        ("acquirer", "evo-cloud.TokenUpdate", "{}"),
        ("bank", "sgate.CUSTOM_STATUS_CHANGE", ""),
        ("wallet", "wallet-openapi.card.status.active", "{\"code\":0,\"message\":\"success\"}"),
    ] {
        let (code, result) = gateway.play(&[source]);
        assert_eq!((code, &result["verdict"]), (0, &Value::from("accepted")), "{result:#}");
        assert_eq!(result["answer"]["body"], ack, "{result:#}");
        assert_eq!(result["answer"]["status"], 200, "{result:#}");
        let events = gateway.events(source);
        assert_eq!(events.len(), 1, "{source}");
        assert_eq!(events[0]["type"], kind);
    }
    let shown = gateway.play(&["bank"]).1.to_string();
    assert!(!shown.contains("own key") && shown.contains("<secret:api_key>"), "{shown}");
}

#[test]
fn each_play_is_a_new_event_and_a_repeat_is_acknowledged_and_stored_once() {
    let gateway = Gateway::start();
    for source in ["esim", "acquirer", "bank", "wallet"] {
        for _ in 0..2 {
            assert_eq!(gateway.play(&[source]).0, 0, "{source}");
        }
        assert_eq!(gateway.events(source).len(), 2, "{source}");
        for _ in 0..2 {
            let (code, result) = gateway.play(&[source, "--repeat"]);
            assert_eq!((code, &result["verdict"]), (0, &Value::from("accepted")), "{result:#}");
        }
        assert_eq!(gateway.events(source).len(), 3, "{source}");
    }
}

#[test]
fn whatever_is_tampered_with_is_refused() {
    let gateway = Gateway::start();
    for source in ["esim", "acquirer", "bank"] {
        for tamper in ["body", "signature", "timestamp"] {
            let (code, result) = gateway.play(&[source, "--tamper", tamper]);
            assert_eq!((code, &result["verdict"]), (0, &Value::from("refused")), "{tamper}: {result:#}");
            assert_eq!(result["answer"]["status"], 401, "{tamper}: {result:#}");
        }
        assert!(gateway.events(source).is_empty(), "{source}");
    }
    let output = gateway.simulate(&["wallet", "--tamper", "body"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("signs nothing"), "{output:?}");
}

#[test]
fn a_case_is_taken_by_name_or_from_a_file() {
    let gateway = Gateway::start();
    let (code, result) = gateway.play(&["esim", "a_refund_is_accepted"]);
    assert_eq!((code, &result["case"]), (0, &Value::from("a_refund_is_accepted")), "{result:#}");
    assert_eq!(gateway.events("esim")[0]["type"], "eiotclub.CloudESimRefund");

    // An SM2 signature, and a target with a query.
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/evo-cloud/fixtures");
    for name in ["an_sm2_signature_raw_in_hex_is_accepted.http", "a_url_line_with_its_query_is_accepted.http"] {
        let file = plugins.join(name).display().to_string();
        assert_eq!(gateway.play(&["acquirer", &file]).0, 0, "{name}");
    }
    assert_eq!(gateway.events("acquirer").len(), 2);
}

#[test]
fn what_cannot_be_played_says_what_there_is() {
    let gateway = Gateway::start();
    for (arguments, code, words) in [
        (&["esim", "a_refnd_is_accepted"][..], 2, &["a_refund_is_accepted", "a_stopped_card_is_accepted"][..]),
        (&["esmi"], 2, &["acquirer, bank, esim, fleet, wallet", "did you mean"]),
        (&["fleet"], 2, &["only called"]),
        (&["esim", "no.http"], 2, &["no.http"]),
        (&["esim", "--key", "main=no.pem"], 2, &["no.pem"]),
    ] {
        let output = gateway.simulate(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(words.iter().all(|word| said.contains(word)), "{arguments:?}: {said}");
    }
    let bank =
        program(gateway.folder.path()).args(["simulate", "bank", "--to", &gateway.to]).output().expect("it runs");
    let said = String::from_utf8_lossy(&bank.stderr);
    assert_eq!(bank.status.code(), Some(2), "{said}");
    assert!(said.contains("private key that belongs to system_public_key"), "{said}");
}

#[test]
fn a_gateway_that_is_not_there_is_named() {
    let gateway = Gateway::start();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
    let to = format!("http://{closed}");
    let run =
        |to: &[&str]| program(gateway.folder.path()).args(["simulate", "esim"]).args(to).output().expect("it runs");
    let output = run(&["--to", &to]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&to) && said.contains("is the gateway running"), "{said}");
    let output = run(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--to"));
}
