//! Keys that requests name by URL: fetched over the guarded client, and kept for a while.
//!
//! Which URLs a request may name, and what the keys prove, is `provider`'s. Here is one fetch at a time for each URL, few
//! at once for all, and no second one where the first just failed: whoever sends requests does not decide how often
//! somebody else's server is asked.

mod kept;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HeaderMap, USER_AGENT};
use hyper::{Request, StatusCode};
use tokio::sync::Semaphore;

use self::kept::{Entry, Kept, Shelf, shaped};
use crate::clock::Clock;
use crate::net::Client;
use crate::provider::remote::{Fetched, RemoteKey};

/// Bytes of an answer; a chain of certificates has ten thousand, a large key set as many.
const MAX_ANSWER: usize = 64 * 1024;
/// As long as most senders wait themselves.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Fetches under way at once.
const MAX_FETCHES: usize = 16;

/// Fetches keys and keeps them.
pub struct RemoteKeys {
    clock: Clock,
    /// For sources that may not reach private addresses, and for those that may.
    clients: [Client; 2],
    /// For the whole exchange.
    limit: Duration,
    shelf: Mutex<Shelf>,
    places: Semaphore,
}

impl RemoteKeys {
    /// Nothing kept yet; servers are trusted as browsers trust them.
    pub fn new(clock: Clock) -> Self {
        Self::with_clients(clock, Client::new(false), Client::new(true))
    }

    /// The same, with clients of one's own: one that keeps off private addresses, and one that may reach them.
    pub fn with_clients(clock: Clock, guarded: Client, unguarded: Client) -> Self {
        let shelf = Mutex::new(Shelf::default());
        let (clients, places) = ([guarded, unguarded], Semaphore::new(MAX_FETCHES));
        Self { clock, clients, limit: TIMEOUT, shelf, places }
    }

    /// The same, with another time limit than five seconds.
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// The same, with a text that counts as fetched for ever: for cases that no server answers.
    pub fn knowing(self, url: &str, text: Bytes) -> Self {
        for private in [false, true] {
            let entry = self.entry(url, private);
            // Nobody else has it yet.
            if let Ok(mut kept) = entry.try_lock() {
                *kept = Some(Kept::for_ever(text.clone()));
            }
        }
        self
    }

    /// What is wanted, from the shelf or from its server.
    pub async fn fetch(&self, wanted: Vec<RemoteKey>, allow_private: bool) -> Fetched {
        let mut fetched = Fetched::default();
        for key in wanted {
            let came = self.get(&key, allow_private).await;
            fetched = fetched.with(key.url, came);
        }
        fetched
    }

    /// Whoever comes while it is fetched waits for that, and is told what came.
    async fn get(&self, key: &RemoteKey, allow_private: bool) -> Result<Bytes, String> {
        let entry = self.entry(&key.url, allow_private);
        let mut kept = entry.lock().await;
        let now = self.clock.now();
        if let Some(kept) = kept.as_ref().filter(|kept| kept.serves(key, now)) {
            return kept.came.clone();
        }
        // That others are asked for too much says nothing of this one: it is not kept.
        let place = tokio::time::timeout(self.limit, self.places.acquire()).await;
        let _place = place.map_err(|_| "too many fetches are under way")?.map_err(|error| error.to_string())?;
        let came = self.ask(&key.url, allow_private).await;
        let (headers, came) =
            came.map_or_else(|why| (HeaderMap::new(), Err(why)), |(headers, text)| (headers, shaped(&key.kind, text)));
        if let Err(why) = &came {
            tracing::warn!(url = key.url, "a key cannot be fetched: {why}");
        }
        let next = Kept::new(key, &headers, came.clone(), now);
        *kept = Some(match kept.take() {
            Some(old) if came.is_err() => old.or_failed(next, now),
            _ => next,
        });
        came
    }

    async fn ask(&self, url: &str, allow_private: bool) -> Result<(HeaderMap, Bytes), String> {
        let request = Request::get(url).header(USER_AGENT, concat!("hookport/", env!("CARGO_PKG_VERSION")));
        let request = request.body(Full::default()).map_err(|error| error.to_string())?;
        let client = &self.clients[usize::from(allow_private)];
        let answer = client.send(request, MAX_ANSWER, self.limit).await.map_err(|error| error.to_string())?;
        match (answer.status, answer.whole) {
            (StatusCode::OK, true) => Ok((answer.headers, answer.body)),
            (StatusCode::OK, false) => Err(format!("the answer broke off or is longer than {MAX_ANSWER} bytes")),
            // Where a redirect leads nobody has pinned.
            (status, _) => Err(format!("the server answers {}", status.as_u16())),
        }
    }

    fn entry(&self, url: &str, private: bool) -> Arc<Entry> {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.entry(url, private, self.clock.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::remote::RemoteKind;

    #[tokio::test]
    async fn a_url_that_found_no_place_is_asked_for_when_there_is_one() {
        let keys = RemoteKeys::new(Clock::default()).within(Duration::from_millis(20));
        let all = keys.places.acquire_many(MAX_FETCHES as u32).await.unwrap();
        let wanted = RemoteKey { url: "https://127.0.0.1:9/".into(), kind: RemoteKind::Certificates };
        let busy = keys.get(&wanted, false).await.unwrap_err();
        drop(all);
        let asked = keys.get(&wanted, false).await.unwrap_err();
        assert!(busy.contains("too many") && !asked.contains("too many"), "{busy}; {asked}");
    }
}
