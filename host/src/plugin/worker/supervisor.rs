//! One worker's supervisor: hands calls on in their order, waits for answers, ends what does not answer, starts anew.
//!
//! A worker does one call after the other, so that the oldest unanswered call is the one that it is in: whatever ends the
//! worker ends it over that call. That call is tried once more in a fresh worker; all others are handed on again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use hookport_plugin_api::log::Level;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::frame::{Frame, Kind};
use super::image::Image;
use super::job::{Job, Order};
use super::process::Process;
use super::thread::AtWork;
use super::wire::{Held, Line};
use super::{Desk, Loss};
use crate::plugin::lines::Speaker;
use crate::plugin::output::shortened;
use crate::plugin::{Fault, FaultKind};

/// A worker that is not ready after so long is not going to be.
const START: Duration = Duration::from_secs(10);
/// So many ends in a row are answered with a new start at once.
const AT_ONCE: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A call waits for those before it no longer than this, or four deadlines.
const PATIENCE: Duration = Duration::from_secs(5);

/// A supervisor and its worker.
pub(super) struct Supervisor {
    image: Arc<Image>,
    speaker: Arc<Speaker>,
    desk: Arc<Desk>,
    orders: mpsc::Receiver<Order>,
    process: Option<Process>,
    /// Not handed on yet.
    waiting: VecDeque<Job>,
    /// Handed on, and not answered.
    under_way: VecDeque<Job>,
    /// Who waits for a start.
    starting: Vec<oneshot::Sender<Result<(), String>>>,
    /// Since when the worker is in its oldest call.
    since: Instant,
    /// Ends without an answer between.
    ends: u32,
    /// No start before, and why.
    pause: Option<(Instant, String)>,
    _at_work: AtWork,
}

impl Supervisor {
    pub(super) fn new(
        image: Arc<Image>,
        speaker: Arc<Speaker>,
        desk: Arc<Desk>,
        orders: mpsc::Receiver<Order>,
    ) -> Self {
        Self {
            image,
            speaker,
            desk,
            orders,
            process: None,
            waiting: VecDeque::new(),
            under_way: VecDeque::new(),
            starting: Vec::new(),
            since: Instant::now(),
            ends: 0,
            pause: None,
            _at_work: AtWork::begin(),
        }
    }

    /// Until nobody can ask any more, or it is told that nobody will.
    pub(super) async fn run(mut self) {
        loop {
            self.forward();
            let next = self.next_moment();
            tokio::select! {
                biased;
                said = hear(&mut self.process) => match said {
                    Some(frame) => self.heard(frame).await,
                    None => self.ended().await,
                },
                () = sleep_until(next) => self.overdue().await,
                order = self.orders.recv() => match order {
                    Some(Order::Call(job)) => self.waiting.push_back(job),
                    Some(Order::Start(when)) => self.starting.push(when),
                    Some(Order::Quiesce(last)) => return self.end(Some(last)).await,
                    None => return self.end(None).await,
                },
            }
        }
    }

    /// Does what can be done now: starts a worker, hands calls on, answers those that cannot be.
    fn forward(&mut self) {
        let now = Instant::now();
        if self.pause.as_ref().is_some_and(|(until, _)| *until <= now) {
            self.pause = None;
        }
        if let Some((until, why)) = &self.pause {
            let patience = self.patience();
            let (lost, waiting): (VecDeque<Job>, _) =
                self.waiting.drain(..).partition(|job| job.arrived + patience < *until);
            self.waiting = waiting;
            let words = format!("its worker was lost and is not started again yet: {why}");
            lost.into_iter().for_each(|job| job.settle(Err(Fault::new(FaultKind::Lost, words.clone()))));
            self.starting.drain(..).for_each(|when| drop(when.send(Err(why.clone()))));
            return;
        }
        match &self.process {
            None if !self.waiting.is_empty() || !self.starting.is_empty() => self.start(),
            Some(process) if process.ready => {
                if self.under_way.is_empty() {
                    self.since = now;
                }
                for job in self.waiting.drain(..).filter(Job::is_wanted) {
                    process.send(job.frame.clone());
                    self.under_way.push_back(job);
                }
            }
            _ => {}
        }
    }

    fn start(&mut self) {
        match Process::start(&self.image, &self.speaker) {
            Ok(process) => self.process = Some(process),
            Err(error) => self.unstartable(format!("cannot be started: {error}")),
        }
    }

    /// The next time at which something is too late.
    fn next_moment(&self) -> Instant {
        let start = self.process.as_ref().filter(|process| !process.ready).map(|process| process.started + START);
        let call = (!self.under_way.is_empty()).then(|| self.since + self.image.limits.deadline);
        let pause = self.pause.as_ref().map(|(until, _)| *until);
        let jobs = self.under_way.iter().chain(&self.waiting);
        let patience = jobs.filter(|job| job.is_wanted()).map(|job| job.arrived).min();
        let patience = patience.map(|arrived| arrived + self.patience());
        let next = [start, call, pause, patience].into_iter().flatten().min();
        next.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600))
    }

    fn patience(&self) -> Duration {
        PATIENCE.max(self.image.limits.deadline * 4)
    }

    async fn heard(&mut self, frame: Frame) {
        match frame.kind {
            Kind::Line => self.line(&frame.body),
            Kind::Ready => self.ready(&frame.body),
            Kind::Unfit => {
                self.end_process().await;
                self.unstartable(String::from_utf8_lossy(&frame.body).chars().take(500).collect());
            }
            Kind::Answer if self.under_way.front().is_some_and(|job| job.call == frame.call) => {
                self.ends = 0;
                self.since = Instant::now();
                if let Some(job) = self.under_way.pop_front() {
                    job.settle(Ok(frame.body));
                }
            }
            _ => {
                self.end_process().await;
                self.lost("it said what nobody asked".to_owned());
            }
        }
    }

    fn line(&self, body: &[u8]) {
        let call = self.under_way.front().map_or(0, |job| job.call);
        if let Ok(Line { level, module, line }) = postcard::from_bytes(body) {
            let short = |text: &str, most| shortened(text.as_bytes(), most);
            self.speaker.say(call, Level::of_number(level), &short(module, 200), &short(line, 4096));
        }
    }

    fn ready(&mut self, body: &[u8]) {
        let held = postcard::from_bytes(body).unwrap_or(Held { seccomp: false, landlock: false });
        self.desk.held(self.speaker.plugin(), held);
        if let Some(process) = &mut self.process {
            process.ready = true;
        }
        self.starting.drain(..).for_each(|when| drop(when.send(Ok(()))));
    }

    /// Something took too long.
    async fn overdue(&mut self) {
        let (now, patience, deadline) = (Instant::now(), self.patience(), self.image.limits.deadline);
        if self.process.as_ref().is_some_and(|process| !process.ready && process.started + START <= now) {
            self.end_process().await;
            return self.unstartable(format!("was not ready within {}", humantime::format_duration(START)));
        }
        if !self.under_way.is_empty() && self.since + deadline <= now {
            self.end_process().await;
            return self.lost(format!("it gave no answer within {}", humantime::format_duration(deadline)));
        }
        for job in self.under_way.iter_mut().chain(&mut self.waiting) {
            if job.arrived + patience <= now
                && let Some(answer) = job.answer.take()
            {
                let words =
                    format!("its worker was busy with other calls for {}", humantime::format_duration(patience));
                let _ = answer.send(Err(Fault::new(FaultKind::Busy, words)));
            }
        }
    }

    /// A worker that worked is gone: its call is tried again, if it was not before, and so are the others.
    fn lost(&mut self, how: String) {
        self.count(&how);
        let over = self.under_way.pop_front();
        for job in self.under_way.drain(..).rev().filter(Job::is_wanted) {
            self.waiting.push_front(job);
        }
        match over {
            None => {}
            Some(job) if job.ended.is_some() => {
                let words = format!("it ended two workers, the last: {how} (plugin sha256 {})", self.image.sha256);
                job.settle(Err(Fault::new(FaultKind::Lost, words)));
            }
            // Behind those who did no harm.
            Some(job) => self.waiting.push_back(Job { ended: Some(how.clone()), ..job }),
        }
        if self.ends > AT_ONCE {
            self.rest(how);
        }
    }

    /// No worker can be had: all that waits for one is answered.
    fn unstartable(&mut self, how: String) {
        self.process = None;
        self.count(&how);
        let words = format!("its worker {how} (plugin sha256 {})", self.image.sha256);
        let jobs = self.under_way.drain(..).chain(self.waiting.drain(..));
        jobs.for_each(|job| job.settle(Err(Fault::new(FaultKind::Lost, words.clone()))));
        self.starting.drain(..).for_each(|when| drop(when.send(Err(how.clone()))));
        self.rest(how);
    }

    fn count(&mut self, how: &str) {
        self.ends = self.ends.saturating_add(1);
        self.desk.counters.restart();
        self.desk.lost(self.speaker.plugin(), Loss { sha256: self.image.sha256.clone(), how: how.to_owned() });
    }

    fn rest(&mut self, why: String) {
        let doubled = FIRST_PAUSE.saturating_mul(1 << self.ends.saturating_sub(AT_ONCE).min(16));
        self.pause = Some((Instant::now() + doubled.min(LONGEST_PAUSE), why));
    }

    async fn end_process(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill().await;
        }
    }

    /// It hung up.
    async fn ended(&mut self) {
        let Some(process) = self.process.take() else { return };
        let was_ready = process.ready;
        let how = process.post_mortem().await;
        match was_ready {
            true => self.lost(how),
            false => self.unstartable(format!("did not start: {how}")),
        }
    }

    /// What is under way is finished as far as it can be; nothing new is taken.
    async fn end(mut self, last: Option<Vec<u8>>) {
        self.orders.close();
        let limit = Instant::now() + self.image.limits.deadline;
        while !self.under_way.is_empty()
            && let Ok(Some(frame)) = timeout_at(limit, hear(&mut self.process)).await
        {
            self.heard(frame).await;
        }
        let Some(process) = self.process.take() else { return };
        if let Some(last) = last {
            process.send(last);
        }
        process.dismiss().await;
    }
}

async fn hear(process: &mut Option<Process>) -> Option<Frame> {
    match process {
        Some(process) => process.hear().await,
        None => std::future::pending().await,
    }
}
