//! What a worker may not do, in a call and while it is loaded, and what of it reaches the log.

use std::io::Write;
use std::sync::Mutex;

use super::*;

/// EPERM and EACCES: seccomp's answer and Landlock's.
fn is_refused(data: &str) -> bool {
    let said: serde_json::Value = serde_json::from_str(data).expect("JSON");
    said["succeeded"] == false && (said["refused"] == 1 || said["refused"] == 13)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_system_is_to_be_had_from_a_call() {
    let code = code("hostile", &policy(patient()));
    let tries = [
        "reads a file",
        "reads its environment",
        "writes a file",
        "connects",
        "binds",
        "starts a thread",
        "starts a process",
    ];
    for what in tries {
        let data = data(&code, what).await;
        assert!(is_refused(&data), "{what}: {data}");
    }
    assert_eq!(code.state().counted.restarts, 0, "what is refused ends nothing");
    let refused = code.state().refused;
    for call in ["openat", "socket"] {
        assert!(refused.iter().any(|known| known == call), "{call} is not named: {refused:?}");
    }
    let held = code.state().held_by.expect("it was started");
    assert!(held.starts_with("seccomp"), "{held}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_system_is_to_be_had_while_a_plugin_is_loaded() {
    let early = code("early", &policy(patient()));
    let mut succeeded: Vec<String> = serde_json::from_str(&data(&early, "x").await).expect("JSON");
    if !early.state().held_by.expect("it was started").contains("Landlock") {
        // Without Landlock the loader's right to read files is the start-up code's, too.
        succeeded.retain(|what| what != "reads a file");
    }
    assert!(succeeded.is_empty(), "{succeeded:?}");
    let refused = early.state().refused;
    assert!(refused.iter().any(|call| call == "socket"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_was_refused_is_told_with_its_end() {
    let code = code("hostile", &policy(patient()));
    let fault = decode(&code, "connects and aborts").await.expect_err("it ended");
    assert!(fault.message.contains("signal 6 (SIGABRT); it was refused the system call socket before"), "{fault}");
}

/// Lines of the log of everything that runs below.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("lines").write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_inline_flood_of_lines_is_cut_and_counted() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let code = code("hostile", &Policy::inline());
    tracing::subscriber::with_default(subscriber, || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(decode(&code, "chatters")).expect("an event");
    });
    let text = String::from_utf8(lines.0.lock().expect("lines").clone()).expect("text");
    assert!(text.contains("plugin=hostile version=1.2.3 request=1"), "{text}");
    assert!(text.lines().count() < 10_000, "{}", text.lines().count());
}
