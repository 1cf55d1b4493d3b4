//! A bare append-only log, to compare with: nothing durable can cost less.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

use bytes::Bytes;

use crate::Arguments;
use crate::events::body;
use crate::gauge::{measure, runtime};

/// The least that durability costs: one file, one write and one fdatasync for whoever waits.
pub(crate) fn log(producers: usize, arguments: &Arguments) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let (sender, receiver) = channel();
    let file = folder.path().join("log");
    let appender = std::thread::spawn(move || append(&file, &receiver));
    let runtime = runtime();
    let measured = measure(
        &format!("append-only log, {producers} producers"),
        producers,
        arguments.seconds,
        &runtime,
        move |number| {
            let (done, synced) = tokio::sync::oneshot::channel();
            sender.send((body(number), done)).expect("a log");
            async move { synced.await.expect("synced") }
        },
    );
    appender.join().expect("appended");
    measured.rate
}

type Waiting = (Bytes, tokio::sync::oneshot::Sender<()>);

fn append(path: &Path, waiting: &Receiver<Waiting>) {
    let mut file: File = OpenOptions::new().create(true).append(true).open(path).expect("a log");
    while let Ok(first) = waiting.recv() {
        let mut group = vec![first];
        group.extend(waiting.try_iter().take(4_095));
        let bytes: Vec<u8> = group.iter().flat_map(|(body, _)| body.iter().copied()).collect();
        file.write_all(&bytes).expect("written");
        file.sync_data().expect("synced");
        for (_, done) in group {
            let _ = done.send(());
        }
    }
}
