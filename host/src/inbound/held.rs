//! A body on its way in, with its share of the memory for bodies: charged is what is held, and not what has come so far.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::own;

/// What has come of a body.
pub(super) struct Held {
    memory: Arc<Semaphore>,
    budget: OwnedSemaphorePermit,
    /// Of the budget, what the body has.
    charged: usize,
    announced: Option<usize>,
    /// Most bodies come in one piece, a part of the connection's buffer.
    whole: Bytes,
    pieces: Vec<u8>,
}

/// Too much is in memory.
#[derive(Debug)]
pub(super) struct Full;

impl Held {
    /// Nothing yet, behind a head of so many bytes.
    pub(super) fn new(memory: &Arc<Semaphore>, head: usize, announced: Option<usize>) -> Result<Self, Full> {
        let budget = charge(memory, head)?;
        let (memory, whole) = (memory.clone(), Bytes::new());
        Ok(Self { memory, budget, charged: 0, announced, whole, pieces: Vec::new() })
    }

    pub(super) fn len(&self) -> usize {
        self.whole.len() + self.pieces.len()
    }

    /// The next piece.
    pub(super) fn add(&mut self, data: Bytes) -> Result<(), Full> {
        if self.len() == 0 && self.announced == Some(data.len()) {
            self.charge(data.len())?;
            self.whole = data;
            return Ok(());
        }
        let length = self.pieces.len() + data.len();
        if length > self.pieces.capacity() {
            let room = room(length, self.announced);
            self.charge(room)?;
            self.pieces.reserve_exact(room - self.pieces.len());
        }
        self.pieces.extend_from_slice(&data);
        Ok(())
    }

    /// All of it, and its share, which is to be held as long as it is.
    pub(super) fn take(mut self) -> (Bytes, OwnedSemaphorePermit) {
        self.pieces.shrink_to_fit();
        let bytes = if self.pieces.is_empty() { own::body(&self.whole) } else { self.pieces.into() };
        (bytes, self.budget)
    }

    fn charge(&mut self, all: usize) -> Result<(), Full> {
        self.budget.merge(charge(&self.memory, all.saturating_sub(self.charged))?);
        self.charged = self.charged.max(all);
        Ok(())
    }
}

fn charge(memory: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, Full> {
    let bytes = u32::try_from(bytes).map_err(|_| Full)?;
    memory.clone().try_acquire_many_owned(bytes).map_err(|_| Full)
}

/// Doubled, so that little is copied, but never more than was announced.
fn room(length: usize, announced: Option<usize>) -> usize {
    let doubled = length.checked_next_power_of_two().unwrap_or(length);
    announced.map_or(doubled, |announced| doubled.min(announced)).max(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMORY: usize = 1 << 20;

    /// What a body of such pieces costs while it comes, and what it holds.
    fn cost(announced: Option<usize>, pieces: usize, of: usize) -> (usize, usize) {
        let memory = Arc::new(Semaphore::new(MEMORY));
        let mut held = Held::new(&memory, 0, announced).unwrap();
        (0..pieces).for_each(|_| held.add(vec![b'x'; of].into()).unwrap());
        let cost = (MEMORY - memory.available_permits(), held.pieces.capacity());
        let (bytes, budget) = held.take();
        assert_eq!(bytes.len(), pieces * of);
        drop(budget);
        assert_eq!(memory.available_permits(), MEMORY);
        cost
    }

    #[test]
    fn what_is_held_is_charged_and_no_more_than_was_announced_is_held() {
        const KIB: usize = 1 << 10;
        assert_eq!(cost(Some(60 * KIB), 5, 8 * KIB), (60 * KIB, 60 * KIB), "half of it came");
        assert_eq!(cost(Some(60 * KIB), 3, 8 * KIB), (32 * KIB, 32 * KIB));
        assert_eq!(cost(None, 5, 8 * KIB), (64 * KIB, 64 * KIB), "nobody said how much will come");
        assert_eq!(cost(Some(512 * KIB), 1, 1), (1, 1), "an announcement alone costs nothing");
        assert_eq!(cost(Some(8 * KIB), 1, 8 * KIB), (8 * KIB, 0), "one piece is not copied");
    }

    #[test]
    fn what_there_is_no_room_for_is_refused_before_it_is_held() {
        let memory = Arc::new(Semaphore::new(100));
        assert!(Held::new(&memory, 101, None).is_err());
        let mut held = Held::new(&memory, 30, None).unwrap();
        held.add(vec![b'x'; 64].into()).unwrap();
        assert!(held.add(vec![b'x'; 1].into()).is_err(), "128 would be held");
        assert_eq!((memory.available_permits(), held.len()), (6, 64));
    }
}
