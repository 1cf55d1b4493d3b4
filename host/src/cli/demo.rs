//! `hookport demo`: one command to see it work. A gateway, a receiver, and the shipped providers played by the simulator.

mod board;
mod expected;
mod platform;
mod receiver;
mod scenes;
mod server;
mod stage;

use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep, timeout_at};

use self::board::{Board, Row, Standing};
use self::expected::{Expectations, Settled};
use self::receiver::Arrived;
use self::scenes::{Performance, SCENES};
use self::stage::Stage;
use super::serve::Ends;
use super::{Failure, output};
use crate::journal::EventFilter;
use crate::net::Client;

/// Everything must have arrived by then.
const DEADLINE: Duration = Duration::from_secs(20);
/// Between two requests, for people who watch.
const PACE: Duration = Duration::from_millis(250);

/// See it work: a gateway, a receiver and the shipped providers with freshly signed requests, on free loopback ports
///
/// On a terminal it stays open until Ctrl-C, so that you can send requests of your own. Off a terminal, or with --once, it
/// ends by itself: exit 0 only if every event arrived, every provider got its own ack, and what was forged was refused.
/// Nothing is left behind.
#[derive(Args)]
#[command(after_help = "Examples:\n  hookport demo\n  hookport demo --once")]
pub(super) struct Demo {
    /// End when everything has been shown
    #[arg(long)]
    once: bool,
}

impl Demo {
    pub(super) fn run(self) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::refused)?;
        runtime.block_on(async {
            let mut ends = Ends::new().map_err(Failure::refused)?;
            let mut stage = Stage::set().await?;
            let played = tokio::select! {
                played = self.show(&mut stage) => played.map(Some),
                () = ends.wait() => Ok(None),
            };
            let shown = match played {
                Ok(Some((board, result))) => match self.once || !board.is_live() {
                    true => result,
                    false => {
                        let result = said(result);
                        stay(board, &mut stage, &mut ends).await.and(result)
                    }
                },
                Ok(None) => Err(Failure::refused("ended before everything was shown")),
                Err(failure) => Err(failure),
            };
            let struck = stage.strike().await;
            shown.and(struck)
        })
    }

    /// Plays everything, waits for what must arrive, and says what came of it.
    async fn show(&self, stage: &mut Stage) -> Result<(Board, Result<(), Failure>), Failure> {
        let (end, client, mut board) = (Instant::now() + DEADLINE, Client::new(true), Board::new());
        let mut performance = Performance::default();
        performance.polls(stage, &mut board)?;
        for scene in SCENES {
            let played = timeout_at(end, performance.play(scene, stage, &client, &mut board)).await;
            played.map_err(|_| Failure::refused(format!("no answer of the gateway within {DEADLINE:?}")))??;
            while let Ok(arrived) = stage.receiver.arrivals.try_recv() {
                settle(&mut board, performance.events.arrive(&arrived))?;
            }
            if board.is_live() && !self.once {
                sleep(PACE).await;
            }
        }
        while performance.events.open() {
            match timeout_at(end, stage.receiver.arrivals.recv()).await {
                Ok(Some(arrived)) => settle(&mut board, performance.events.arrive(&arrived))?,
                Ok(None) | Err(_) => break,
            }
        }
        settle(&mut board, performance.events.close())?;
        stored(&mut performance, stage).await;
        let result = summary(&performance);
        Ok((board, result))
    }
}

fn settle(board: &mut Board, settled: impl IntoIterator<Item = Settled>) -> Result<(), Failure> {
    settled.into_iter().try_for_each(|(row, standing, delivered)| board.settle(row, standing, &delivered))
}

/// A repeat or a forgery that was stored would be one event too many.
async fn stored(performance: &mut Performance, stage: &Stage) {
    let events = stage.gateway.journal.events(EventFilter { limit: 1000, ..EventFilter::default() }).await;
    let expected = performance.events.all.len();
    let wrong = match events {
        Ok(events) if events.len() == expected => return,
        Ok(events) => format!("{} events are stored instead of {expected}", events.len()),
        Err(error) => format!("the journal cannot be read: {error}"),
    };
    performance.events.wrong.push(wrong);
}

fn summary(performance: &Performance) -> Result<(), Failure> {
    let Performance { events: Expectations { all, wrong }, refused, again, .. } = performance;
    if !wrong.is_empty() {
        return Err(Failure::refused(wrong.join("\nhookport: ")));
    }
    output::line(format!(
        "\n{} events stored and delivered, each request acknowledged in its provider's own words; {again} repeat \
         acknowledged and not delivered again; {refused} forged requests refused.",
        all.len()
    ))
}

/// Who watches is told now, and not when it ends.
fn said(result: Result<(), Failure>) -> Result<(), Failure> {
    result.map_err(|failure| match failure {
        Failure::Refused(message) => {
            output::say(message);
            Failure::Said
        }
        other => other,
    })
}

/// Stays open for requests of the person who watches.
async fn stay(mut board: Board, stage: &mut Stage, ends: &mut Ends) -> Result<(), Failure> {
    let (gateway, admin) = (stage.gateway.address, stage.gateway.admin);
    let program = std::env::args().next().unwrap_or_else(|| "hookport".into());
    let path = stage.gateway.sources().named("wallet").and_then(|source| source.path.clone()).unwrap_or_default();
    output::line(format!(
        "\ngateway   http://{gateway}\nadmin     http://{admin}\nreceiver  http://{}\n\nTry, in another terminal:\n  \
         {program} events list --admin http://{admin}\n  {program} rejections list --admin http://{admin}\n  \
         curl -i http://{gateway}{path} -H 'content-type: application/json' \\\n    \
         -d '{{\"event\":\"card.status.freeze\",\"notify_id\":\"my-own-1\",\"customer_id\":1}}'\n\nCtrl-C ends it.",
        stage.receiver.address
    ))?;
    loop {
        let arrived = tokio::select! {
            arrived = stage.receiver.arrivals.recv() => arrived,
            () = ends.wait() => None,
        };
        let Some(Arrived { event, wrong, .. }) = arrived else { return Ok(()) };
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let time = stage.clock.now().strftime("%H:%M:%S").to_string();
        let cells = [time, text("provider"), text("type"), "-".into(), "-".into()];
        let standing = if wrong.is_none() { Standing::Good } else { Standing::Bad };
        board.add(Row { cells, delivered: wrong.unwrap_or("yes").to_owned(), standing })?;
    }
}
