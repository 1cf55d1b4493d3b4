//! One worker's supervisor: starts it, hands calls on, hears what it says, ends what does not answer or says what it may not,
//! and starts anew. The calls are `queue`'s, how soon a start follows an end `pace`'s.
//!
//! Whatever ends a worker ends it over the call that it is in. That call is tried once more in a fresh worker, unless it is for a
//! signed text; all others are handed on again.

use std::sync::Arc;
use std::time::Duration;

use hookport_plugin_api::log::Level;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::desk::Desk;
use super::frame::{Frame, Kind, Wrong};
use super::image::Image;
use super::job::{Job, Order};
use super::lane::{Load, Purpose};
use super::pace::Pace;
use super::process::Process;
use super::queue::Queue;
use super::sandbox;
use super::thread::AtWork;
use super::wire::{Held, Line};
use crate::plugin::lines::Speaker;
use crate::plugin::output::shortened;
use crate::plugin::{Fault, FaultKind};

/// A worker that is not ready after so long is not going to be.
const START: Duration = Duration::from_secs(10);

/// A supervisor and its worker.
pub(super) struct Supervisor {
    image: Arc<Image>,
    speaker: Arc<Speaker>,
    desk: Arc<Desk>,
    orders: mpsc::UnboundedReceiver<Order>,
    load: Arc<Load>,
    purpose: Purpose,
    process: Option<Process>,
    queue: Queue,
    /// Who waits for a start.
    starting: Vec<oneshot::Sender<Result<(), String>>>,
    pace: Pace,
    /// No start before, and why.
    rest: Option<(Instant, String)>,
    _at_work: AtWork,
}

impl Supervisor {
    pub(super) fn new(
        (image, speaker, desk): (Arc<Image>, Arc<Speaker>, Arc<Desk>),
        (orders, load): (mpsc::UnboundedReceiver<Order>, Arc<Load>),
        purpose: Purpose,
    ) -> Self {
        let queue = Queue::new(image.limits.deadline, Instant::now());
        let (pace, _at_work) = (Pace::new(purpose), AtWork::begin());
        let (process, starting, rest) = (None, Vec::new(), None);
        Self { image, speaker, desk, orders, load, purpose, process, queue, starting, pace, rest, _at_work }
    }

    /// Until nobody can ask any more, or it is told that nobody will.
    pub(super) async fn run(mut self) {
        loop {
            self.forward();
            let next = self.next_moment();
            tokio::select! {
                said = hear(&mut self.process) => self.heard(said).await,
                () = sleep_until(next) => self.overdue().await,
                order = self.orders.recv() => match order {
                    Some(Order::Call(job)) => self.call(job),
                    Some(Order::Start(when)) => self.wanted(when),
                    Some(Order::Quiesce) | None => return self.end().await,
                },
            }
        }
    }

    /// Does what can be done now: starts a worker, hands calls on.
    fn forward(&mut self) {
        let now = Instant::now();
        self.rest.take_if(|(until, _)| *until <= now);
        let wanted = self.rest.is_none() && self.is_worker_wanted();
        match &mut self.process {
            Some(process) if process.ready => self.queue.hand_on(now, |frame| process.send(frame)),
            None if wanted => match Process::start(&self.image, &self.speaker) {
                Ok(process) => self.process = Some(process),
                Err(error) => self.gone(false, format!("cannot be started: {error}")),
            },
            _ => {}
        }
    }

    /// One among several that rests has no calls that would start it again.
    fn is_worker_wanted(&self) -> bool {
        let comes_back = self.load.rests() && self.purpose == Purpose::Calls && self.image.limits.workers > 1;
        self.queue.is_waiting() || !self.starting.is_empty() || comes_back
    }

    /// The next time at which something is too late.
    fn next_moment(&self) -> Instant {
        let start = self.process.as_ref().filter(|process| !process.ready).map(|process| process.started + START);
        let rest = self.rest.as_ref().map(|(until, _)| *until);
        let next = [start, rest, self.queue.next_moment()].into_iter().flatten().min();
        next.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600))
    }

    fn call(&mut self, job: Job) {
        match &self.rest {
            Some((until, why)) => self.queue.push_at_rest(job, *until, why),
            None => self.queue.push(job),
        }
    }

    fn wanted(&mut self, when: oneshot::Sender<Result<(), String>>) {
        let known = match (&self.process, &self.rest) {
            (Some(process), _) if process.ready => Ok(()),
            (_, Some((_, why))) => Err(why.clone()),
            _ => return self.starting.push(when),
        };
        // Whoever went away needs no answer.
        let _ = when.send(known);
    }

    async fn heard(&mut self, said: Result<Option<Frame>, Wrong>) {
        let wrong = match said {
            Ok(Some(frame)) => self.understood(frame).err(),
            Ok(None) => return self.over(None).await,
            Err(wrong) => Some(wrong.to_string()),
        };
        if let Some(why) = wrong {
            self.over(Some(why)).await;
        }
    }

    /// What it says; the error is why it is ended.
    fn understood(&mut self, Frame { kind, call, body }: Frame) -> Result<(), String> {
        let Some(process) = &mut self.process else { return Ok(()) };
        match kind {
            Kind::Answer if process.ready && self.queue.answered(call, &body, Instant::now()) => self.pace.answered(),
            Kind::Answer => return Err("it answered what it was not asked".to_owned()),
            Kind::Line if process.asides.pass().is_some() => self.line(&body),
            Kind::Line => return Err("it sent more lines than any worker does".to_owned()),
            Kind::Refused if process.asides.pass().is_some() => self.refused(call),
            Kind::Refused => return Err("it was refused more than any worker tries".to_owned()),
            Kind::Ready if !process.ready => self.ready(&body)?,
            Kind::Unfit if !process.ready => return Err(postcard::from_bytes(&body).unwrap_or_default()),
            other => return Err(format!("it said what nobody asked ({other:?})")),
        }
        Ok(())
    }

    fn line(&self, body: &[u8]) {
        if let Ok(Line { level, module, line }) = postcard::from_bytes(body) {
            let short = |text: &str, most| shortened(text.as_bytes(), most);
            let level = Level::of_number(level);
            self.speaker.say(self.queue.current(), level, &short(module, 200), &short(line, 4096));
        }
    }

    fn refused(&mut self, number: u64) {
        let call = sandbox::named(number);
        self.desk.add_refused(&call);
        self.process.iter_mut().for_each(|process| process.refused = Some(call.clone()));
    }

    fn ready(&mut self, body: &[u8]) -> Result<(), String> {
        let held: Held = postcard::from_bytes(body).map_err(|_| "it did not say what holds it in".to_owned())?;
        self.desk.set_held(held);
        self.process.iter_mut().for_each(|process| process.ready = true);
        self.load.set_rests(false);
        self.answer_starts(&Ok(()));
        Ok(())
    }

    /// Something took too long.
    async fn overdue(&mut self) {
        let now = Instant::now();
        if self.process.as_ref().is_some_and(|process| !process.ready && process.started + START <= now) {
            self.over(Some(format!("it was not ready within {}", humantime::format_duration(START)))).await;
        } else if self.queue.is_overdue(now) {
            let deadline = humantime::format_duration(self.image.limits.deadline);
            self.over(Some(format!("it gave no answer within {deadline}"))).await;
        }
        self.queue.look(now);
    }

    /// The worker hung up, or is ended for this reason.
    async fn over(&mut self, why: Option<String>) {
        let Some(process) = self.process.take() else { return };
        let was_ready = process.ready;
        let how = match why {
            None => process.post_mortem().await,
            Some(why) => {
                process.kill().await;
                why
            }
        };
        self.gone(was_ready, if was_ready { how } else { format!("did not start: {how}") });
    }

    /// There is no worker any more, or none came.
    fn gone(&mut self, was_ready: bool, how: String) {
        let pause = self.pace.ended(was_ready);
        self.load.set_rests(!pause.is_zero());
        self.desk.lost(&how);
        match was_ready {
            true => self.broken(&how),
            false => self.queue.refuse(&self.desk.signed(&format!("its worker {how}"))),
        }
        if !pause.is_zero() {
            let until = Instant::now() + pause;
            self.queue.rest(until, &how);
            self.answer_starts(&Err(how.clone()));
            self.rest = Some((until, how));
        }
    }

    /// A worker that worked is gone: its call is tried again, behind those who did no harm.
    fn broken(&mut self, how: &str) {
        let Some(mut job) = self.queue.broken() else { return };
        let words = match (job.ended_one, self.purpose) {
            (false, Purpose::Calls) => return self.queue.push(Job { ended_one: true, ..job }),
            (false, Purpose::Texts) => format!("it ended its worker: {how}"),
            (true, _) => format!("it ended two workers, the last: {how}"),
        };
        job.settle(Err(Fault::new(FaultKind::Lost, self.desk.signed(&words))));
    }

    fn answer_starts(&mut self, answer: &Result<(), String>) {
        // Whoever went away needs no answer.
        self.starting.drain(..).for_each(|when| drop(when.send(answer.clone())));
    }

    /// What is under way is finished as far as it can be; nothing new is taken.
    async fn end(mut self) {
        self.orders.close();
        let limit = Instant::now() + self.image.limits.deadline;
        while self.queue.is_under_way()
            && let Ok(Ok(Some(frame))) = timeout_at(limit, hear(&mut self.process)).await
            && self.understood(frame).is_ok()
        {}
        if let Some(process) = self.process.take() {
            process.dismiss().await;
        }
    }
}

async fn hear(process: &mut Option<Process>) -> Result<Option<Frame>, Wrong> {
    match process {
        Some(process) => process.hear().await,
        None => std::future::pending().await,
    }
}
