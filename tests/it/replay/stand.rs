//! A gateway with one source and one destination, and an operator with commands.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode};
use serde_json::Value;

use crate::process::{Ended, Folder, PATIENCE, Process};
use crate::server::Server;
use crate::tally::{body, request_with};

/// `webhook-id` and body.
type Got = (String, Vec<u8>);

/// Everything together.
pub(super) struct Stand {
    pub(super) folder: Folder,
    pub(super) gateway: Process,
    status: Arc<AtomicU16>,
    got: Arc<Mutex<Vec<Got>>>,
    _crm: Server,
}

impl Stand {
    /// With these lines for the destination.
    pub(super) async fn new(destination: &str) -> Self {
        let (status, got) = (Arc::new(AtomicU16::new(200)), Arc::<Mutex<Vec<_>>>::default());
        let (answer, keep) = (status.clone(), got.clone());
        let crm = Server::start(move |request| {
            let id = request.headers().get("webhook-id").map(|id| id.to_str().expect("an id").to_owned());
            keep.lock().expect("whole").push((id.unwrap_or_default(), request.body().to_vec()));
            let mut response = Response::new(Full::new(Bytes::new()));
            *response.status_mut() = StatusCode::from_u16(answer.load(Ordering::SeqCst)).expect("a status");
            async move { response }
        });
        let crm = crm.await;
        let folder = Folder::new(&format!(
            "[destinations.crm]\nkind = \"http\"\nurl = \"http://{}/\"\nallow_private = true\n{destination}\n\
             [[routes]]\nto = [\"crm\"]",
            crm.address
        ));
        let gateway = folder.serve();
        Self { folder, gateway, status, got, _crm: crm }
    }

    /// What the destination answers from now on.
    pub(super) fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// What the destination got.
    pub(super) fn got(&self) -> Vec<Got> {
        self.got.lock().expect("whole").clone()
    }

    /// Sends one as its provider does; gives the status of the answer.
    pub(super) async fn send(&self, id: &str) -> u16 {
        self.gateway.ask(request_with("connection: close\r\n", &body(id))).await.status
    }

    /// The gateway ends and comes back with another configuration.
    pub(super) async fn reconfigured(self, old: &str, new: &str) -> Self {
        let Self { folder, gateway, status, got, _crm } = self;
        assert_eq!(gateway.stop().code, Some(0));
        folder.reconfigure(old, new);
        let gateway = folder.serve();
        Self { folder, gateway, status, got, _crm }
    }

    /// The gateway ends and comes back with another description of the provider.
    pub(super) async fn redescribed(self, changes: &[(&str, &str)]) -> Self {
        let file = "plugins/tally/provider.toml";
        let mut text = std::fs::read_to_string(self.folder.path(file)).expect("a description");
        for (old, new) in changes {
            assert!(text.contains(old), "{old} is not in it");
            text = text.replacen(old, new, 1);
        }
        self.folder.write(file, &text);
        self.reconfigured("", "").await
    }

    /// Runs a command against the gateway.
    pub(super) fn run(&self, arguments: &[&str]) -> Ran {
        let admin = format!("http://{}", self.gateway.admin);
        let Ended { code, said } = self.folder.run(&[arguments, &["--admin", &admin]].concat());
        Ran { code, said }
    }

    /// What a list shows.
    pub(super) fn list(&self, what: &str, arguments: &[&str]) -> Vec<Value> {
        let document = self.run(&[&[what, "list", "--json"], arguments].concat()).document();
        document[what].as_array().expect("a list").clone()
    }

    pub(super) async fn until(&self, holds: impl Fn() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds() {
            assert!(Instant::now() < end, "it did not come about");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
}

/// How a command ended.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) code: Option<i32>,
    pub(super) said: String,
}

impl Ran {
    pub(super) fn document(&self) -> Value {
        serde_json::from_str(self.said.lines().next().unwrap_or_default())
            .unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
