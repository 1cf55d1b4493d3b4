//! `hookport demo`: one command to see it work. A gateway, a receiver, and the shipped providers played by the simulator.

mod board;
mod receiver;
mod scenes;
mod stage;

use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep, timeout_at};

use self::board::{Board, Row, Standing};
use self::receiver::Arrived;
use self::scenes::{Expected, Performance, SCENES};
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
                    false => stay(board, &mut stage, &mut ends).await.and(result),
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
        for scene in SCENES {
            let played = timeout_at(end, performance.play(scene, stage, &client, &mut board)).await;
            played.map_err(|_| Failure::refused(format!("no answer of the gateway within {DEADLINE:?}")))??;
            while let Ok(arrived) = stage.receiver.arrivals.try_recv() {
                arrive(&mut performance, &mut board, &arrived)?;
            }
            if board.is_live() && !self.once {
                sleep(PACE).await;
            }
        }
        while performance.expected.iter().any(|expected| expected.arrived.is_empty()) {
            match timeout_at(end, stage.receiver.arrivals.recv()).await {
                Ok(Some(arrived)) => arrive(&mut performance, &mut board, &arrived)?,
                Ok(None) | Err(_) => break,
            }
        }
        missing(&mut performance, &mut board)?;
        stored(&mut performance, stage).await;
        let result = summary(&performance);
        Ok((board, result))
    }
}

/// Finds the row of a delivery and settles it.
fn arrive(performance: &mut Performance, board: &mut Board, arrived: &Arrived) -> Result<(), Failure> {
    let (event, id) = (&arrived.event, &arrived.id);
    let is = |expected: &&mut Expected| {
        let (place, value) = &expected.known_by;
        let known = event.pointer(place).and_then(|text| text.as_str());
        known == Some(value) && event["source"] == format!("/sources/{}", expected.source)
    };
    let Some(expected) = performance.expected.iter_mut().find(is) else {
        performance.wrong.push(format!("{} arrived, and nobody sent it", event["type"]));
        return Ok(());
    };
    let row = expected.row;
    let closed = expected.opened.iter().filter(|(field, plain)| event.pointer(field).is_none_or(|text| text != plain));
    let closed: Vec<&str> = closed.map(|(field, _)| field.as_str()).collect();
    let wrong = match arrived.wrong {
        Some(wrong) => Some(format!("with {wrong}")),
        None if !closed.is_empty() => Some(format!("with {} still encrypted", closed.join(", "))),
        None => None,
    };
    if let Some(wrong) = wrong {
        performance.wrong.push(format!("{} arrived {wrong}", event["type"]));
        return board.settle(row, Standing::Bad, &wrong);
    }
    // At least once is the promise: a second delivery under the same id is none of a second event.
    if !expected.arrived.contains(id) {
        expected.arrived.push(id.clone());
    }
    let fields = expected.opened.len();
    board.settle(row, Standing::Good, &if fields > 0 { format!("yes, {fields} fields opened") } else { "yes".into() })
}

/// What did not arrive, and what arrived as two events.
fn missing(performance: &mut Performance, board: &mut Board) -> Result<(), Failure> {
    for expected in &performance.expected {
        let wrong = match expected.arrived.len() {
            0 => "did not arrive",
            1 => continue,
            _ => "arrived as two events",
        };
        if board.rows[expected.row].standing != Standing::Bad {
            board.settle(expected.row, Standing::Bad, wrong)?;
        }
        performance.wrong.push(format!("{} of {:?} {wrong}", board.rows[expected.row].cells[2], expected.source));
    }
    Ok(())
}

/// A repeat or a forgery that was stored would be one event too many.
async fn stored(performance: &mut Performance, stage: &Stage) {
    let events = stage.gateway.journal.events(EventFilter { limit: 1000, ..EventFilter::default() }).await;
    let expected = performance.expected.len();
    match events {
        Ok(events) if events.len() == expected => {}
        Ok(events) => performance.wrong.push(format!("{} events are stored instead of {expected}", events.len())),
        Err(error) => performance.wrong.push(format!("the journal cannot be read: {error}")),
    }
}

fn summary(performance: &Performance) -> Result<(), Failure> {
    let Performance { expected, refused, again, wrong, .. } = performance;
    if !wrong.is_empty() {
        return Err(Failure::refused(wrong.join("\nhookport: ")));
    }
    output::line(format!(
        "\n{} events verified, stored, acknowledged in the providers' own words and delivered; {again} repeat acknowledged \
         again and delivered once; {refused} forged requests refused.",
        expected.len()
    ))
}

/// Stays open for requests of the person who watches.
async fn stay(mut board: Board, stage: &mut Stage, ends: &mut Ends) -> Result<(), Failure> {
    board.freeze();
    let (gateway, admin) = (stage.gateway.address, stage.gateway.admin);
    let path = stage.gateway.sources.named("wallet").and_then(|source| source.path.clone()).unwrap_or_default();
    output::line(format!(
        "\ngateway   http://{gateway}\nadmin     http://{admin}\nreceiver  http://{}\n\nTry, in another terminal:\n  \
         hookport events list --admin http://{admin}\n  hookport rejections list --admin http://{admin}\n  \
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
