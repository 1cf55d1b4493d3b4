//! Who may read the page.

use crate::process::Folder;
use crate::wire::exchange;

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_has_a_token_of_its_own_that_opens_nothing_else() {
    let folder = Folder::new("admin.token = { value = \"all\" }\nadmin.metrics_token = { file = \"metrics.token\" }");
    folder.write("metrics.token", "numbers\n");
    let gateway = folder.serve();
    let status = async |path: &str, token: Option<&str>| {
        let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", gateway.admin);
        exchange(gateway.admin, format!("{head}{authorization}\r\n").as_bytes()).await.expect("an answer").status
    };
    for (path, token, expected) in [
        ("/metrics", Some("numbers"), 200),
        ("/metrics", Some("all"), 200),
        ("/metrics", Some("number"), 401),
        ("/metrics", None, 401),
        ("/v1/stats", Some("all"), 200),
        ("/v1/stats", Some("numbers"), 401),
        ("/healthz", None, 200),
    ] {
        assert_eq!(status(path, token).await, expected, "{path} {token:?}");
    }
    folder.write("metrics.token", "other");
    let reloaded = folder.run(&["reload", "--admin", &format!("http://{}", gateway.admin), "--token", "all"]);
    assert!(reloaded.code == Some(0) && reloaded.said.contains("admin.metrics_token"), "{reloaded:?}");
    assert!(!reloaded.said.contains("other") && !reloaded.said.contains("numbers"), "{reloaded:?}");
    assert_eq!((status("/metrics", Some("numbers")).await, status("/metrics", Some("other")).await), (401, 200));
    let ended = gateway.stop();
    assert!(ended.code == Some(0) && !ended.said.contains("numbers"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_the_metrics_alone_closes_them_and_is_not_the_other() {
    let folder = Folder::new("admin.metrics_token = { value = \"numbers\" }");
    let gateway = folder.serve();
    assert_eq!(gateway.get("/metrics").await.status, 401);
    assert_eq!(gateway.get("/v1/stats").await.status, 200, "loopback is served as before");
    gateway.kill();
    folder.reconfigure("admin.metrics_token", "admin.token = { value = \"numbers\" }\nadmin.metrics_token");
    let checked = folder.run(&["check"]);
    assert!(checked.code == Some(1) && checked.said.contains("is the same as admin.token"), "{checked:?}");
    assert!(!checked.said.contains("numbers"), "{checked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_in_browsers_do_not_read_it() {
    let folder = Folder::new("");
    let gateway = folder.serve();
    for (host, more, expected) in
        [("127.0.0.1", "", 200), ("metrics.example", "", 403), ("127.0.0.1", "origin: https://evil.example\r\n", 403)]
    {
        let request = format!("GET /metrics HTTP/1.1\r\nhost: {host}\r\n{more}connection: close\r\n\r\n");
        let reply = exchange(gateway.admin, request.as_bytes()).await.expect("an answer");
        assert_eq!(reply.status, expected, "{host} {more}");
    }
}
