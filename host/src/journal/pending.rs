//! Answers that are on their way, and how an engine gives many of them without waking everybody itself.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;

use super::JournalError;

/// So many waiters are woken by one of them. Few, so that one that is slow to run delays few others.
const CHAIN: usize = 16;

/// Answers that the first of their readers passes on, or else the engine.
type Others<T> = Arc<Mutex<Vec<(Answer<T>, Result<T, JournalError>)>>>;

/// An answer of the journal that is on its way.
#[must_use = "the effect is only certain when the answer is there"]
pub struct Pending<T> {
    letter: oneshot::Receiver<Letter<T>>,
    unread: Option<Unread<T>>,
}

/// The engine's half; dropping it is [`JournalError::Closed`].
pub struct Answer<T>(oneshot::Sender<Letter<T>>);

/// An answer, and those that whoever reads it passes on.
struct Letter<T> {
    answer: Result<T, JournalError>,
    others: Option<Others<T>>,
}

/// What [`Answer::send_all`] left to the readers. The engine delivers what they did not soon: a reader may wait for others
/// before it looks at its own answer.
pub struct Undelivered<T>(Vec<Others<T>>);

/// What becomes of an answer that nobody read.
type Unread<T> = Box<dyn FnOnce(T) + Send>;

impl<T> Pending<T> {
    /// Both halves.
    pub fn new() -> (Answer<T>, Self) {
        let (sender, letter) = oneshot::channel();
        (Answer(sender), Self { letter, unread: None })
    }

    /// An answer that is already there.
    pub fn ready(answer: Result<T, JournalError>) -> Self {
        let (sender, pending) = Self::new();
        let _ = sender.send(answer);
        pending
    }

    /// What the engine does with an answer that arrived but is dropped unread.
    pub fn if_unread(mut self, unread: impl FnOnce(T) + Send + 'static) -> Self {
        self.unread = Some(Box::new(unread));
        self
    }
}

impl<T> Answer<T> {
    /// Answers; gives the answer back where nobody waits for it.
    pub fn send(self, answer: Result<T, JournalError>) -> Result<(), Result<T, JournalError>> {
        self.0.send(Letter { answer, others: None }).map_err(|letter| letter.answer)
    }

    /// Answers many at once. Waking a task of another thread costs a system call or two, so the engine wakes a few, and
    /// each of those wakes its neighbours from inside the runtime. What is returned must be delivered soon.
    pub fn send_all(answers: Vec<(Self, Result<T, JournalError>)>) -> Undelivered<T> {
        let mut undelivered = Undelivered(Vec::with_capacity(answers.len().div_ceil(CHAIN)));
        let mut answers = answers.into_iter();
        while let Some((first, answer)) = answers.next() {
            let others: Vec<_> = answers.by_ref().take(CHAIN - 1).collect();
            let others = (!others.is_empty()).then(|| Arc::new(Mutex::new(others)));
            undelivered.0.extend(others.clone());
            if let Err(letter) = first.0.send(Letter { answer, others }) {
                let _ = letter.pass_on();
            }
        }
        undelivered
    }
}

impl<T> Undelivered<T> {
    /// Nothing was sent.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// Whether there was anything to leave; the readers may have passed it on since.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Delivers what no reader did.
    pub fn deliver(self) {
        self.0.iter().for_each(pass_on);
    }
}

fn pass_on<T>(others: &Others<T>) {
    let others = std::mem::take(&mut *others.lock().unwrap_or_else(PoisonError::into_inner));
    for (other, answer) in others {
        let _ = other.send(answer);
    }
}

impl<T> Letter<T> {
    fn pass_on(self) -> Result<T, JournalError> {
        self.others.iter().for_each(pass_on);
        self.answer
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T, JournalError>;
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let letter = ready!(Pin::new(&mut self.letter).poll(context));
        self.unread = None;
        Poll::Ready(letter.map_or(Err(JournalError::Closed), Letter::pass_on))
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        // Closed first, so that an answer is either here, or known to its sender as not delivered.
        self.letter.close();
        let Ok(letter) = self.letter.try_recv() else { return };
        if let (Ok(answer), Some(unread)) = (letter.pass_on(), self.unread.take()) {
            unread(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Halves = (Vec<(Answer<usize>, Result<usize, JournalError>)>, Vec<Pending<usize>>);

    fn fifty() -> Halves {
        let (answers, waiting): (Vec<_>, Vec<_>) = (0..50).map(|_| Pending::new()).unzip();
        (answers.into_iter().enumerate().map(|(n, answer)| (answer, Ok(n))).collect(), waiting)
    }

    #[tokio::test]
    async fn everybody_gets_their_own_answer_from_the_readers_whoever_goes_away() {
        for gone in 0..50 {
            let (answers, mut waiting) = fifty();
            if gone % 2 == 0 {
                drop(waiting.remove(gone));
            }
            let undelivered = Answer::send_all(answers);
            if gone % 2 == 1 {
                drop(waiting.remove(gone));
            }
            let tasks: Vec<_> = waiting.into_iter().map(tokio::spawn).collect();
            let mut read = Vec::new();
            for task in tasks {
                read.push(task.await.unwrap().unwrap());
            }
            assert_eq!(read, (0..50).filter(|n| *n != gone).collect::<Vec<_>>());
            undelivered.deliver();
        }
    }

    #[tokio::test]
    async fn the_engine_delivers_what_no_reader_passes_on() {
        let (answers, mut waiting) = fifty();
        let undelivered = Answer::send_all(answers);
        let last = waiting.pop().unwrap();
        let reader = tokio::spawn(last);
        tokio::task::yield_now().await;
        assert!(!reader.is_finished(), "the one that would wake it waits for it");
        undelivered.deliver();
        assert_eq!(reader.await.unwrap().unwrap(), 49);
    }

    #[tokio::test]
    async fn an_engine_that_goes_away_is_closed() {
        let (answer, pending) = Pending::<()>::new();
        drop(answer);
        assert!(matches!(pending.await, Err(JournalError::Closed)));
    }

    #[test]
    fn an_answer_that_is_dropped_unread_comes_back() {
        let (sender, receiver) = std::sync::mpsc::channel();
        drop(Pending::ready(Ok(7)).if_unread(move |answer| sender.send(answer).unwrap()));
        assert_eq!(receiver.recv(), Ok(7));
    }
}
