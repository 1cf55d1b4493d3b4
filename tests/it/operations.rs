//! Operations as they are asked for: by a program, by the admin API and by polls, through the real plugin, over real sockets.

mod asking;
mod calls;
mod declared;
mod polling;
mod signed;

use std::path::Path;
use std::time::Duration;

use hookport::clock::Clock;
use hookport::gateway::{self, Plugins};
use hookport::operations::Operations;
use http_body_util::Full;
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use crate::cases::gateway::{Running, plugins, resolved};
use crate::cli::program::Folder;
use crate::server::Server;
use crate::shipped;
use crate::szzkc_mock::{Call, Szzkc};
use crate::wire::exchange;

const OPERATION: &str = "query_sim_card_batch";
const FIRST: &str =
    r#"{"ServiceNum":"460044352904839","IMEI":"352019040635785","ICCID":"89860423191970454839","Balance":8306.00}"#;
const LETTERED: &str = r#"{"ServiceNum":"460044300203314","IMEI":"352019041648936","ICCID":"898604231919c0083314"}"#;
/// Asks for the first item.
const ONE: &str = r#"{"numbers":["352019040635785"]}"#;

fn source(base_url: &str, allow_private: bool) -> String {
    format!(
        "[sources.fleet]\nprovider = \"szzkc\"\nallow_private = {allow_private}\nsettings.base_url = \"{base_url}\"\n"
    )
}

/// The operations of a configuration, without a gateway.
fn operations(plugins: &Plugins, configuration: &str) -> Operations {
    let config = resolved(Path::new(""), configuration, plugins).expect("a configuration");
    let sources = gateway::sources(&config, plugins).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    gateway::operations(&sources, plugins, &Clock::default())
}

async fn query(base_url: &str, input: &Value) -> Value {
    let operations = operations(plugins(), &source(base_url, true));
    let output = operations.call("fleet", OPERATION, &input.to_string()).await.expect("an output");
    serde_json::from_str(&output.json).expect("JSON")
}

/// The only error's message.
fn message(output: &Value) -> &str {
    assert_eq!(output["errors"].as_array().map(Vec::len), Some(1), "{output}");
    output["errors"][0]["message"].as_str().expect("a message")
}

/// A platform that always answers this.
async fn answering(status: u16, body: &'static str) -> Server {
    Server::start(move |_| async move {
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
        response
    })
    .await
}

fn url(server: &Server) -> String {
    format!("http://{}", server.address)
}

#[tokio::test]
async fn kinds_are_never_mixed_and_twenty_are_a_call() {
    let szzkc = Szzkc::start(&[FIRST, LETTERED], Duration::ZERO).await;
    let mut numbers: Vec<String> = (0..54).map(|number| format!("35201904{number:07}")).collect();
    numbers.insert(7, "898604231919c0083314".into());
    numbers.insert(30, "352019040635785".into());
    numbers.push("89860423191970454000".into());
    let output = query(&szzkc.base_url, &json!({ "numbers": numbers })).await;

    let calls = szzkc.calls();
    assert_eq!(calls.iter().map(|call| call.numbers.len()).collect::<Vec<_>>(), [20, 20, 15, 2]);
    for call in &calls {
        let imeis = call.numbers.iter().filter(|number| number.len() == 15).count();
        assert!(imeis == 0 || imeis == call.numbers.len(), "{call:?}");
    }
    assert_eq!(output["result"].as_array().map(Vec::len), Some(2));
    assert_eq!(output["missing"].as_array().map(Vec::len), Some(20), "19 beside the first item, and one ICCID");
    assert_eq!(output["errors"].as_array().map(Vec::len), Some(2), "two calls found nothing at all");
    assert_eq!(output["errors"][0]["message"], "未查询到任何数据");
}

#[tokio::test]
async fn an_instant_query_may_take_longer_than_an_ordinary_one() {
    // The operation's own time-out is ten seconds.
    let szzkc = Szzkc::start(&[FIRST], Duration::from_secs(11)).await;
    let output = query(&szzkc.base_url, &json!({ "numbers": ["352019040635785"], "update": true })).await;
    assert_eq!(output["result"][0]["IMEI"], "352019040635785");
    assert_eq!(szzkc.calls(), [Call { numbers: vec!["352019040635785".into()], update: true }]);
}

#[tokio::test]
async fn what_the_platform_cannot_do_is_an_error_for_its_numbers() {
    let input = serde_json::from_str(ONE).expect("JSON");
    let broken = answering(500, "<h1>Server Error</h1>").await;
    assert!(message(&query(&url(&broken), &input).await).starts_with("HTTP 500: "));
    let garbage = answering(200, "{\"state\":tru").await;
    assert!(message(&query(&url(&garbage), &input).await).starts_with("HTTP 200: the answer is not as documented"));
    let wordless = answering(200, r#"{"state":false,"result":null,"error":""}"#).await;
    assert_eq!(message(&query(&url(&wordless), &input).await), "state is false, without an error");
    let unreachable = query("http://127.0.0.1:1", &input).await;
    assert!(message(&unreachable).contains("refused"), "{unreachable}");
    assert_eq!(unreachable["errors"][0]["numbers"], json!(["352019040635785"]));
    assert_eq!(unreachable["missing"], json!([]));
}

#[tokio::test]
async fn a_private_address_is_refused_unless_the_source_allows_it() {
    let szzkc = Szzkc::start(&[FIRST], Duration::ZERO).await;
    let complaints = resolved(Path::new(""), &source(&szzkc.base_url, false), plugins()).expect_err("a refusal");
    assert!(
        complaints.contains("sources.fleet.settings.base_url") && complaints.contains("allow_private"),
        "{complaints}"
    );
    // A name may lead to a private address without looking so; the call itself must see it.
    let mut config = resolved(Path::new(""), &source(&szzkc.base_url, true), plugins()).expect("a configuration");
    config.sources.get_mut("fleet").expect("it is there").parts.allow_private = false;
    let sources = gateway::sources(&config, plugins()).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    let operations = gateway::operations(&sources, plugins(), &Clock::default());
    let output = operations.call("fleet", OPERATION, ONE).await.expect("an output");
    assert_eq!(output.errors().len(), 1);
    assert!(output.errors()[0].contains("allow_private"), "{}", output.json);
    assert_eq!(szzkc.calls(), []);
}

#[tokio::test]
async fn the_admin_api_calls_and_tells_what_is_wrong() {
    let (szzkc, folder) = (Szzkc::start(&[FIRST], Duration::ZERO).await, tempfile::tempdir().expect("a folder"));
    let configuration = format!("{}{}", gateway_at(folder.path()), source(&szzkc.base_url, true));
    let gateway = Running::start_by(Clock::default(), folder.path(), &configuration).await.expect("a gateway");
    let ask = |path: &'static str, body: &'static str| async move {
        let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        let reply = exchange(gateway.admin, request.as_bytes()).await.expect("an answer");
        (reply.status, String::from_utf8(reply.body).expect("text"))
    };
    let (status, output) = ask("/v1/sources/fleet/operations/query_sim_card_batch", ONE).await;
    assert_eq!((status, output), (200, format!(r#"{{"result":[{FIRST}],"missing":[],"errors":[]}}"#)));
    for (path, body, status, words) in [
        ("/v1/sources/flet/operations/query_sim_card_batch", ONE, 404, "did you mean \\\"fleet\\\"?"),
        ("/v1/sources/fleet/operations/query_sim_card", ONE, 404, "query_sim_card_batch"),
        ("/v1/sources/fleet/operations/query_sim_card_batch", "", 400, "not JSON"),
        ("/v1/sources/fleet/operations/query_sim_card_batch", r#"{"number":[]}"#, 400, "did you mean \\\"numbers\\\"?"),
        ("/v1/sources/fleet/operations/query_sim_card_batch", r#"{"numbers":[" "]}"#, 400, "numbers"),
    ] {
        let (found, said) = ask(path, body).await;
        assert!(found == status && said.contains(words), "{path} {body}: {found} {said}");
    }
    assert_eq!(szzkc.calls().len(), 1, "what is wrong is told before anything is sent");
    gateway.stop().await;
}

fn gateway_at(folder: &Path) -> String {
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[journal]\npath = \"{}\"\n",
        folder.join("data").display()
    )
}

/// A folder whose configuration names a platform, and the shipped plugins.
fn folder(base_url: &str) -> Folder {
    let folder = Folder::new();
    let plugins = format!("[plugins]\ndirs = [\"{}\"]\n", shipped::folder().display());
    let listen = "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\n";
    folder.write("hookport.toml", &format!("{listen}{plugins}{}", source(base_url, true)));
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_prints_the_answer_and_its_exit_code_tells_whether_it_is_whole() {
    let szzkc = Szzkc::start(&[FIRST], Duration::ZERO).await;
    let base_url = szzkc.base_url.clone();
    let run = move || {
        let folder = folder(&base_url);
        let whole = folder.run(&["call", "fleet", OPERATION, ONE]);
        assert_eq!((whole.code, whole.err.as_str()), (0, ""));
        assert_eq!(whole.out, format!("{{\"result\":[{FIRST}],\"missing\":[],\"errors\":[]}}\n"));
        folder.write("fleet.json", r#"{"numbers":["352019040635785","8986"]}"#);
        let partly = folder.run(&["call", "fleet", OPERATION, "@fleet.json"]);
        assert_eq!(partly.code, 1, "{}", partly.err);
        assert!(partly.err.contains("未查询到任何数据"), "{}", partly.err);
        let output: Value = serde_json::from_str(&partly.out).expect("JSON");
        assert_eq!(output["errors"][0]["numbers"], json!(["8986"]));
        assert!(!folder.path().join("data").exists(), "the journal is not touched");

        // Beside a running gateway, which has the journal locked.
        let serving = folder.serve();
        assert_eq!(folder.run(&["call", "fleet", OPERATION, ONE]).code, 0);
        assert_eq!(serving.stop(), Some(0));
    };
    tokio::task::spawn_blocking(run).await.expect("it holds");
    assert_eq!(szzkc.calls().len(), 4);
}

#[test]
fn the_program_refuses_input_that_cannot_be_used() {
    let folder = folder("http://127.0.0.1:1");
    for (arguments, words) in [
        (["flet", OPERATION, ONE], "did you mean \"fleet\"?"),
        (["fleet", "query_sim_cards_batch", ONE], "did you mean \"query_sim_card_batch\"?"),
        (["fleet", "reboot", ONE], "there are: query_sim_card_batch"),
        (["fleet", OPERATION, "{"], "not JSON"),
        (["fleet", OPERATION, "{}"], "lacks the key \"numbers\""),
        (["fleet", OPERATION, "@nowhere.json"], "nowhere.json"),
        (["fleet", OPERATION, "-"], "not JSON"),
    ] {
        let [source, operation, input] = arguments;
        let run = folder.run(&["call", source, operation, input]);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{arguments:?}: {}", run.err);
        assert!(run.err.contains(words), "{arguments:?}: {}", run.err);
    }
    let run = folder.run(&["call", "fleet", OPERATION, ONE]);
    assert_eq!(run.code, 1, "nobody is there: {}", run.err);
    assert!(run.out.contains("\"errors\":[{"), "{}", run.out);
}
