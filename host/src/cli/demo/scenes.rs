//! What is played, in order: samples that came with the providers, a repeated request and forged ones.

use super::board::{Board, Row, Standing};
use super::expected::{Expectations, Expected};
use super::platform;
use super::stage::Stage;
use crate::case::Case;
use crate::cli::Failure;
use crate::cli::simulate::play::{self, Play, Verdict};
use crate::net::{Answer, Client};
use crate::provider::sign::Tamper;
use crate::provider::source::Source;
use crate::provider::verify::verify;
use crate::request::Incoming;

/// One request.
pub(super) struct Scene {
    source: &'static str,
    case: &'static str,
    /// What the sample says otherwise.
    header: Option<(&'static str, &'static str)>,
    act: Act,
}

/// What is done with it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    /// It is a new event.
    New,
    /// It is the request before it, byte for byte.
    Again,
    /// It is not what was signed.
    Forged(Tamper),
}

const fn new(source: &'static str, case: &'static str) -> Scene {
    Scene { source, case, header: None, act: Act::New }
}

/// Everything.
pub(super) const SCENES: &[Scene] = &[
    new("esim", "a_stopped_card_is_accepted"),
    new("esim", "a_flow_alert_is_accepted"),
    Scene { act: Act::Forged(Tamper::Body), ..new("esim", "a_stopped_card_is_accepted") },
    new("acquirer", "a_token_update_signed_sha256_is_accepted"),
    Scene { act: Act::Again, ..new("acquirer", "a_token_update_signed_sha256_is_accepted") },
    new("acquirer", "a_token_update_signed_hmac_sha512_is_accepted"),
    Scene { header: Some(("signtype", "SM2withSM3")), ..new("acquirer", "a_token_update_signed_sha256_is_accepted") },
    new("bank", "a_customer_status_change_is_accepted"),
    new("bank", "a_payment_order_is_accepted"),
    Scene { act: Act::Forged(Tamper::Signature), ..new("bank", "a_payment_order_is_accepted") },
    new("wallet", "an_active_card_is_accepted"),
    new("wallet", "an_unknown_event_is_passed_on"),
];

/// What came of all scenes.
#[derive(Default)]
pub(super) struct Performance {
    pub(super) events: Expectations,
    /// Requests that were refused as they must be.
    pub(super) refused: usize,
    /// Requests that were acknowledged again.
    pub(super) again: usize,
    /// The request before.
    before: Option<Incoming>,
}

impl Performance {
    /// Expects what the gateway asks for by itself.
    pub(super) fn polls(&mut self, stage: &Stage, board: &mut Board) -> Result<(), Failure> {
        let time = stage.clock.now().strftime("%H:%M:%S").to_string();
        for iccid in platform::iccids() {
            let cells = [&time, "szzkc", "szzkc.SimCardChanged", "asked by the gateway", "-"].map(str::to_owned);
            let row = board.add(Row { cells, delivered: "...".into(), standing: Standing::Open })?;
            let known_by = ("/subject", iccid.to_owned());
            self.events.all.push(Expected {
                source: "sim-fleet".into(),
                kind: "szzkc.SimCardChanged".into(),
                known_by,
                opened: Vec::new(),
                row,
                arrived: Vec::new(),
            });
        }
        Ok(())
    }

    /// Plays one scene.
    pub(super) async fn play(
        &mut self,
        scene: &Scene,
        stage: &Stage,
        client: &Client,
        board: &mut Board,
    ) -> Result<(), Failure> {
        let sources = stage.gateway.sources();
        let source = sources.named(scene.source).ok_or_else(|| missing(scene.source))?;
        let plugin = &stage.plugins.by_id[&*source.provider.id];
        let (_, mut case) = play::named(plugin, scene.case).map_err(Failure::refused)?;
        if let Some((name, value)) = scene.header {
            case.request.headers.insert(name, hyper::header::HeaderValue::from_static(value));
        }
        let now = stage.clock.now();
        let seed = format!("{}-{}", now.as_nanosecond(), board.rows.len());
        let play = Play { source, case: &case, keys: &stage.keys, seed: Some(&seed) };
        let signed = match (scene.act, self.before.take()) {
            (Act::Again, Some(before)) => before,
            _ => play.request(None, now).map_err(|error| Failure::refused(format!("{}: {error}", scene.source)))?,
        };
        let judged = verify(source, &std::sync::Arc::new(signed.clone()), now).map_err(|refused| {
            Failure::refused(format!("{}: what the simulator signed is refused: {}", scene.source, refused.detail))
        })?;
        let sent = match scene.act {
            Act::Forged(tamper) => play.request(Some(tamper), now).map_err(Failure::refused)?,
            _ => signed.clone(),
        };
        let base = format!("http://{}", stage.gateway.address);
        let answer =
            play::send(client, &base, &sent).await.map_err(|error| Failure::refused(format!("{base}: {error}")))?;
        let verdict = play::judge(source, &sent, &answer, now);

        let declared = &judged.items[0].declared;
        let event = format!("{}.{}", source.provider.id, declared.kind);
        let (verified, delivered, standing) = self.standing(scene, source, judged.by, &event, verdict);
        let time = now.strftime("%H:%M:%S").to_string();
        let cells = [time, source.provider.id.to_string(), event, verified, told(&answer)];
        let row = board.add(Row { cells, delivered, standing })?;
        if scene.act == Act::New {
            let known_by = ("/providereventid", declared.id.clone().unwrap_or_default());
            let (kind, opened) = (board.rows[row].cells[2].clone(), opened(source, &case));
            let expected = Expected { source: scene.source.into(), kind, known_by, opened, row, arrived: Vec::new() };
            self.events.all.push(expected);
            self.before = Some(signed);
        }
        Ok(())
    }

    /// What the row says of the proof and of the delivery.
    fn standing(
        &mut self,
        scene: &Scene,
        source: &Source,
        by: Option<usize>,
        event: &str,
        verdict: Verdict,
    ) -> (String, String, Standing) {
        let scheme = by.map_or("nothing: secret path", |by| source.provider.description.verify[by].alg.as_str());
        let wanted = if matches!(scene.act, Act::Forged(_)) { Verdict::Refused } else { Verdict::Accepted };
        if verdict != wanted {
            let word = verdict.word();
            self.events.wrong.push(format!("{event} of {:?} was to be {}, and is {word}", scene.source, wanted.word()));
            return (scheme.into(), "-".into(), Standing::Bad);
        }
        match scene.act {
            Act::New => (scheme.into(), "...".into(), Standing::Open),
            Act::Again => {
                self.again += 1;
                (scheme.into(), "once; this is a repeat".into(), Standing::Good)
            }
            Act::Forged(_) => {
                self.refused += 1;
                (format!("{scheme}: forged"), "no; refused".into(), Standing::Good)
            }
        }
    }
}

fn missing(source: &str) -> Failure {
    Failure::refused(format!("the demo's configuration has no source {source:?}"))
}

/// Status and body, in a cell's width.
fn told(answer: &Answer) -> String {
    format!("{} {}", answer.status.as_u16(), String::from_utf8_lossy(&answer.body)).trim().to_owned()
}

/// The declared encrypted fields that the sample has, with what it says they open to.
fn opened(source: &Source, case: &Case) -> Vec<(String, String)> {
    let read = |text: Option<&[u8]>| {
        text.and_then(|text| serde_json::from_slice::<serde_json::Value>(text).ok()).unwrap_or_default()
    };
    let (body, event) = (read(Some(&case.request.body)), read(case.section("event")));
    let fields = source.provider.description.open.iter().flat_map(|open| open.field.iter());
    let text =
        |value: &serde_json::Value, field: &str| value.pointer(field).and_then(|text| text.as_str().map(str::to_owned));
    let opened = fields.filter_map(|field| {
        let (sealed, plain) = (text(&body, field)?, text(&event["data"], field)?);
        (sealed != plain).then(|| (format!("/data{field}"), plain))
    });
    opened.collect()
}
