//! The program as an operator meets it: exit codes, what goes to which output, and a gateway asked while it runs.

mod catalog;
mod erase;
mod plugin_check;
pub(crate) mod program;
mod sign;

use std::time::Duration;

use serde_json::{Value, json};

use self::program::{Folder, Serving};
use crate::plugins::built::plugin;

const GATEWAY: &str = r#"
[server]
listen = "127.0.0.1:0"

[admin]
listen = "ADMIN"

[log]
format = "json"

[plugins]
dirs = ["providers"]

[sources.door]
provider = "unsigned"

[destinations.log]
kind = "file"
path = "events.jsonl"

[destinations.crm]
kind = "http"
url = "http://127.0.0.1:9/hooks"
allow_private = true
retry = { attempts = 1 }

[[routes]]
types = ["unsigned.*"]
to = ["log", "crm"]
"#;

fn gateway(folder: &Folder) -> Serving {
    folder.write("hookport.toml", &GATEWAY.replace("ADMIN", "127.0.0.1:0"));
    folder.serve()
}

#[test]
fn a_missing_configuration_says_where_it_was_looked_for() {
    let folder = Folder::new();
    let run = folder.run(&["check"]);
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    for place in ["./hookport.toml", "config/hookport.toml", "--config", "HOOKPORT_CONFIG"] {
        assert!(run.err.contains(place), "{}", run.err);
    }
    assert_eq!(folder.run(&["check", "--config", "no.toml"]).code, 2);
}

#[test]
fn check_names_file_line_key_and_reason_and_fails() {
    let folder = Folder::new();
    folder.write(
        "hookport.toml",
        "[plugins]\ndirs = [\"providers\"]\n[sources.a]\nprovider = \"signd\"\n[[routes]]\nto = [\"crm\"]\n",
    );
    let run = folder.run(&["check"]);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("hookport.toml:4: sources.a.provider: ") && run.err.contains("\"signed\""), "{}", run.err);
    assert!(run.err.contains("hookport.toml:6: routes.1.to: "), "{}", run.err);
    assert!(run.out.lines().any(|line| line.contains("source") && line.contains("error")), "{}", run.out);

    let document: Value = serde_json::from_str(&folder.run(&["check", "--json"]).out).expect("one document");
    assert_eq!(document["ok"], false);
    assert_eq!(document["errors"][0]["line"], 4);
    assert_eq!(document["errors"][0]["key"], "sources.a.provider");
}

#[test]
fn routes_are_counted_from_1_and_called_by_their_names() {
    let folder = Folder::new();
    let routes = "[[routes]]\nto = [\"log\"]\n[[routes]]\nname = \"all\"\nto = [\"crm\"]\n[[routes]]\nto = []\n";
    folder.write("hookport.toml", &format!("[destinations.log]\nkind = \"stdout\"\n{routes}"));
    let run = folder.run(&["check"]);
    assert!(run.err.contains("hookport.toml:7: routes.2.to: there is no destination \"crm\""), "{}", run.err);
    assert!(run.err.contains("(route \"all\")") && run.err.contains(": routes.3.to: is empty"), "{}", run.err);
    let rows: Vec<Vec<&str>> = run.out.lines().map(|line| line.split_whitespace().take(3).collect()).collect();
    for row in [["route", "1", "ok"], ["route", "all", "error"], ["route", "3", "error"]] {
        assert!(rows.contains(&row.to_vec()), "{row:?} is not in {}", run.out);
    }
}

#[test]
fn a_refused_plugin_is_said_once_and_not_also_missed() {
    let folder = Folder::new();
    folder.write("providers/bad/provider.toml", "[provider]\nid = \"bad\"\nverfy = 1\n");
    folder.write("hookport.toml", "[plugins]\ndirs = [\"providers\"]\n[sources.a]\nprovider = \"bad\"\n");
    for command in ["check", "serve"] {
        let run = folder.run(&[command]);
        assert_eq!(run.code, 1);
        assert!(run.err.contains("providers/bad/provider.toml") && run.err.contains("\"verify\""), "{}", run.err);
        assert!(!run.err.contains("no plugin has the provider"), "{}", run.err);
    }
    let run = folder.run(&["check"]);
    assert!(run.err.contains("1 error: the gateway would not start"), "{}", run.err);
    assert!(run.out.lines().any(|line| line.contains("source") && line.contains("error")), "{}", run.out);
    folder.write("providers/bad/provider.toml", "[provider\n");
    let run = folder.run(&["check"]);
    assert!(run.err.contains("unclosed table"), "{}", run.err);
    assert!(!run.err.contains("no plugin has the provider"), "{}", run.err);
}

#[test]
fn a_secret_that_stands_in_the_file_is_warned_of_wherever_it_stands() {
    let folder = Folder::new();
    folder.write(
        "hookport.toml",
        "[plugins]\ndirs = [\"providers\"]\n[admin]\ntoken = { value = \"v\" }\n[sources.a]\nprovider = \"signed\"\n\
         secrets.main = [{ value = \"v\" }, { value = \"w\" }]\n[destinations.crm]\nkind = \"http\"\n\
         url = \"https://crm.example.com\"\nsigning_secret = { value = \"v\" }\nheaders = { X-Key = { value = \"v\" } }\n",
    );
    let run = folder.run(&["check"]);
    assert_eq!(run.code, 0, "{}", run.err);
    for key in ["admin.token", "sources.a.secrets.main", "crm.signing_secret", "crm.headers.X-Key"] {
        let said = run.err.matches(&format!("{key}: is a secret in this file")).count();
        assert_eq!(said, 1, "{key}: {}", run.err);
    }
    let variable = [("HOOKPORT__DESTINATIONS__CRM__SIGNING_SECRET__VALUE", "v")];
    let run = folder.run_with(&["check"], &variable);
    assert!(!run.err.contains("signing_secret"), "{}", run.err);
}

#[test]
fn check_prints_its_document_for_a_file_that_cannot_be_understood_too() {
    let folder = Folder::new();
    folder.write("hookport.toml", "[server\n");
    let run = folder.run(&["check", "--json"]);
    let document: Value = serde_json::from_str(&run.out).expect("one document");
    assert_eq!((run.code, &document["ok"], &document["errors"][0]["line"]), (1, &json!(false), &json!(1)));
    assert_eq!((&document["items"], &document["warnings"]), (&json!([]), &json!([])));
    let missing = folder.run(&["check", "--json", "--config", "no.toml"]);
    let document: Value = serde_json::from_str(&missing.out).expect("one document");
    assert_eq!(document["errors"][0]["file"], "no.toml", "{}", missing.err);
}

#[test]
fn a_warning_does_not_fail_check() {
    let folder = Folder::new();
    folder.write("hookport.toml", "[plugins]\ndirs = [\"providers\"]\n[sources.door]\nprovider = \"unsigned\"\n");
    let run = folder.run(&["check"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.err.contains("warning: ") && run.err.contains("does not sign"), "{}", run.err);
    assert!(run.out.lines().any(|line| line.contains("door") && line.contains("warning")), "{}", run.out);
}

#[test]
fn a_broken_plugin_fails_check_and_is_told_by_list() {
    let folder = Folder::new();
    folder.write("providers/bad/provider.toml", "[provider]\nid = \"bad\"\nverfy = 1\n");
    folder.write("hookport.toml", "[plugins]\ndirs = [\"providers\", \"nowhere\"]\n");
    let run = folder.run(&["check"]);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("error: providers/bad/provider.toml: has a description"), "{}", run.err);
    assert!(run.err.contains("verfy") && run.err.contains("\"verify\""), "{}", run.err);
    assert!(run.err.contains("hookport.toml:2: plugins.dirs: nowhere"), "{}", run.err);
    assert!(run.err.contains("would start, but without these plugins"), "{}", run.err);
    let list = folder.run(&["plugin", "list", "--json"]);
    let document: Value = serde_json::from_str(&list.out).expect("one document");
    assert_eq!(document["plugins"].as_array().map(Vec::len), Some(3));
    assert_eq!(document["refused"].as_array().map(Vec::len), Some(2), "the file and the folder that is not there");
    assert_eq!(folder.run(&["plugin", "inspect", "providers/signed/provider.toml"]).code, 0);
    assert_eq!(folder.run(&["plugin", "inspect", "hookport.toml"]).code, 1, "it says why this is refused");
    assert_eq!(folder.run(&["plugin", "inspect", "nowhere.so"]).code, 2);
    folder.write("text.so", "no library");
    assert_eq!(folder.run(&["plugin", "inspect", "text.so"]).code, 2, "it is no plugin at all");
}

#[test]
fn check_tells_of_a_library_that_is_no_plugin() {
    let folder = Folder::new();
    std::fs::copy(plugin("stranger"), folder.path().join("providers/libstranger.so")).expect("a copy");
    folder.write("hookport.toml", "[plugins]\ndirs = [\"providers\"]\n");
    let run = folder.run(&["check"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.err.contains("skipped: providers/libstranger.so has no Hookport identity"), "{}", run.err);
    let document: Value = serde_json::from_str(&folder.run(&["check", "--json"]).out).expect("one document");
    assert_eq!(document["skipped"][0]["file"], "providers/libstranger.so", "{document}");
}

#[test]
fn a_variable_goes_before_the_file_and_is_named_when_it_is_wrong() {
    let folder = Folder::new();
    folder.write("other.toml", "[server]\nlisten = \"127.0.0.1:1\"\n");
    let environment = [("HOOKPORT_CONFIG", "other.toml"), ("HOOKPORT__SERVER__LISTEN", "nowhere")];
    let run = folder.run_with(&["check"], &environment);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("environment variable HOOKPORT__SERVER__LISTEN: server.listen"), "{}", run.err);
}

#[test]
fn a_gateway_that_is_not_there_is_a_failure_and_wrong_words_are_unusable() {
    let folder = Folder::new();
    let run = folder.run(&["events", "list", "--admin", "http://127.0.0.1:9"]);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("hookport serve"), "{}", run.err);
    let run = folder.run(&["events", "list", "--state", "lost"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("unrouted"), "{}", run.err);
    assert_eq!(folder.run(&["deliveries", "retry"]).code, 2);
    assert_eq!(folder.run(&["deliveries", "cancel"]).code, 2, "nothing is cancelled by oversight");
    for list in ["events", "deliveries", "rejections"] {
        let run = folder.run(&[list, "list", "--limit", "0"]);
        assert!(run.code == 2 && run.err.contains("--limit"), "{list}: {}", run.err);
    }
}

#[test]
fn a_running_gateway_is_asked_by_commands() {
    let folder = Folder::new();
    let serving = gateway(&folder);
    assert_eq!(serving.post("/unsigned", r#"{"card":"8985","amount":10.00}"#), 200);
    assert_eq!(serving.post("/elsewhere", "{}"), 404);

    let ask = |arguments: &[&str]| folder.run(&[arguments, &["--admin", &serving.admin()]].concat());
    let list = ask(&["events", "list", "--since", "1h", "--type", "unsigned.*"]);
    assert_eq!(list.code, 0, "{}", list.err);
    assert!(list.out.contains("unsigned.event") && list.out.contains("door"), "{}", list.out);
    let document: Value = serde_json::from_str(&ask(&["events", "list", "--json"]).out).expect("one document");
    let id = document["events"][0]["event"]["id"].as_str().expect("an id").to_owned();
    let show = ask(&["events", "show", &id]);
    assert!(show.out.contains("\n\nPOST /unsigned\n") && show.out.contains("content-type: "), "{}", show.out);
    assert!(show.out.contains("\"amount\": 10.00") && show.out.contains("DESTINATION"), "{}", show.out);

    folder.until(|| ask(&["deliveries", "list", "--state", "exhausted"]).out.contains("crm"));
    let retry = ask(&["deliveries", "retry", "--destination", "crm", "--json"]);
    assert_eq!((retry.code, retry.out.as_str()), (0, "{\"retried\":1}\n"), "{}", retry.err);
    for (which, words) in [
        (&["--destination", "log"][..], "none of these has failed for good"),
        (&["--destination", "nix"][..], "there is no such delivery"),
        (&["999"][..], "there is no such delivery"),
    ] {
        let none = ask(&[&["deliveries", "retry"], which].concat());
        assert!(none.code == 1 && none.err.contains(words), "{which:?}: {}", none.err);
    }
    let cancel = ask(&["deliveries", "cancel", "--destination", "log"]);
    assert!(cancel.code == 1 && cancel.err.contains("nothing is cancelled"), "it has arrived: {}", cancel.err);

    folder.until(|| ask(&["rejections", "list", "--reason", "unknown_path"]).out.contains("/elsewhere"));
    let document: Value = serde_json::from_str(&ask(&["rejections", "list", "--json"]).out).expect("one document");
    let refused = ask(&["rejections", "show", &document["rejections"][0]["id"].to_string()]);
    assert!(refused.out.contains("\n\nPOST /elsewhere\n"), "{}", refused.out);
    assert_eq!(ask(&["events", "list", "--type", "other.*"]).out, "", "a message is no data");
    assert_eq!(serving.stop(), Some(0), "SIGTERM drains and ends well");
}

#[test]
fn tail_goes_on_after_a_restart() {
    let folder = Folder::new();
    let port = program::free_port();
    folder.write("hookport.toml", &GATEWAY.replace("ADMIN", &format!("127.0.0.1:{port}")));
    let serving = folder.serve();
    let mut tail = folder.start(&["events", "tail", "--json"]);
    // Where the tail begins is only settled when it has asked; an event at a time until one is seen.
    let first = folder.until_some(|| {
        serving.post("/unsigned", &json!({ "n": 1, "at": format!("{:?}", std::time::Instant::now()) }).to_string());
        tail.line(Duration::from_millis(500))
    });
    assert!(first.contains("\"n\":1"), "{first}");
    assert_eq!(serving.stop(), Some(0));

    let serving = folder.serve();
    assert_eq!(serving.post("/unsigned", r#"{"n":2}"#), 200);
    let second = folder.until_some(|| tail.line(Duration::from_secs(1)).filter(|line| line.contains("\"n\":2")));
    let event: Value = serde_json::from_str(&second).expect("a document a line");
    assert_eq!(event["event"]["data"], json!({ "n": 2 }));
}
