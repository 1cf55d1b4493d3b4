//! Answers that are on their way, and how an engine gives many of them without waking everybody itself.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;

use super::JournalError;

/// So many waiters are woken by one of them. Few, so that one that is slow to run delays few others.
const CHAIN: usize = 16;

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
    others: Vec<(Answer<T>, Result<T, JournalError>)>,
}

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
        self.0.send(Letter { answer, others: Vec::new() }).map_err(|letter| letter.answer)
    }

    /// Answers many at once. Waking a task of another thread costs a system call or two, so the engine wakes a few, and
    /// each of those wakes its neighbours from inside the runtime.
    pub fn send_all(mut answers: Vec<(Self, Result<T, JournalError>)>) {
        while let Some((first, answer)) = answers.pop() {
            let others = answers.split_off(answers.len().saturating_sub(CHAIN - 1));
            if let Err(letter) = first.0.send(Letter { answer, others }) {
                let _ = letter.pass_on();
            }
        }
    }
}

impl<T> Letter<T> {
    fn pass_on(self) -> Result<T, JournalError> {
        for (other, answer) in self.others {
            let _ = other.send(answer);
        }
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

    #[tokio::test]
    async fn everybody_gets_their_own_answer_whoever_goes_away() {
        for gone in 0..50 {
            let (answers, mut waiting): (Vec<_>, Vec<_>) = (0..50).map(|_| Pending::<usize>::new()).unzip();
            if gone % 2 == 0 {
                drop(waiting.remove(gone));
            }
            Answer::send_all(answers.into_iter().enumerate().map(|(n, answer)| (answer, Ok(n))).collect());
            if gone % 2 == 1 {
                drop(waiting.remove(gone));
            }
            let mut read = Vec::new();
            let tasks: Vec<_> = waiting.into_iter().map(|pending| tokio::spawn(pending)).collect();
            for task in tasks {
                read.push(task.await.unwrap().unwrap());
            }
            assert_eq!(read, (0..50).filter(|n| *n != gone).collect::<Vec<_>>());
        }
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
