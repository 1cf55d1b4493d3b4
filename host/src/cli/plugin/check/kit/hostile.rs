//! The decoder with what no provider sends. It may refuse; it may not panic, crash, hang or give what is no JSON.

use hyper::body::Bytes;
use rand::rngs::StdRng;
use rand::{Rng, RngExt};

use super::Verdict;
use super::stage::{Bench, Stage, document};
use crate::plugin::{Code, Fault, FaultKind};
use crate::provider::json::{Document, Edit, Kind};

/// Tries of a case.
const TRIES: usize = 400;
/// As deep as the host lets a document be.
const DEPTH: usize = 120;
/// A long text, and the number of items of a long list.
const LONG: usize = 8 << 20;
const MANY: usize = 100_000;

/// One thing to try: what the event is called, its body, and its document, where it is one.
type Try = (String, Vec<u8>, bool);

/// Runs every try; the first that does harm is told.
fn run(bench: &Bench, tries: impl Fn(&mut StdRng, &Seeds) -> Vec<Try>) -> Verdict {
    let Some(code) = bench.code().filter(|code| code.decodes()) else { return Verdict::left_out("it has no decoder") };
    let Some(stage) = bench.stages.first() else { return Verdict::left_out("no fixture is accepted") };
    let mut dice = bench.dice();
    let tries = tries(&mut dice, &Seeds::of(bench));
    let (count, mut refused) = (tries.len(), 0);
    for (number, (kind, body, is_document)) in tries.into_iter().enumerate() {
        match harm(stage, code, &kind, &body, is_document) {
            Ok(was_refused) => refused += usize::from(was_refused),
            Err(fault) => {
                let shown: String = String::from_utf8_lossy(&body).chars().take(160).collect();
                return Verdict::of(vec![format!("try {number}, type {kind:?}: {fault}; the body begins {shown:?}")]);
            }
        }
    }
    Verdict::noted(format!("{count} tries, {refused} refused"))
}

/// Whether it was refused.
fn harm(stage: &Stage, code: &Code, kind: &str, body: &[u8], is_document: bool) -> Result<bool, Fault> {
    let document = if is_document { std::str::from_utf8(body).unwrap_or_default() } else { "" };
    match stage.decode(code, kind, body, document) {
        Ok(_) => Ok(false),
        // The host takes no more than it takes: that is contained.
        Err(fault) if matches!(fault.kind, FaultKind::Refused | FaultKind::TooMuch) => Ok(true),
        Err(fault) => Err(fault),
    }
}

/// What tries are made of: the fixtures' types and documents.
struct Seeds {
    kinds: Vec<String>,
    documents: Vec<Bytes>,
}

impl Seeds {
    fn of(bench: &Bench) -> Self {
        let items: Vec<_> = bench.stages.iter().flat_map(|stage| stage.items(stage.now)).collect();
        let mut kinds: Vec<String> = items.iter().map(|item| item.declared.kind.clone()).collect();
        kinds.sort();
        kinds.dedup();
        let documents = items.iter().map(|item| Bytes::copy_from_slice(document(item).as_bytes()));
        Self { kinds, documents: documents.filter(|text| !text.is_empty()).collect() }
    }

    fn kind(&self, dice: &mut StdRng) -> String {
        match self.kinds.as_slice() {
            [] => "event".to_owned(),
            kinds => kinds[dice.random_range(0..kinds.len())].clone(),
        }
    }

    fn document(&self, dice: &mut StdRng) -> Bytes {
        match self.documents.as_slice() {
            [] => Bytes::from_static(b"{}"),
            documents => documents[dice.random_range(0..documents.len())].clone(),
        }
    }
}

pub(super) fn random(bench: &Bench) -> Verdict {
    run(bench, |dice, seeds| {
        let one = |_| {
            let mut body = vec![0; dice.random_range(0..4096)];
            dice.fill_bytes(&mut body);
            (seeds.kind(dice), body, false)
        };
        (0..TRIES).map(one).collect()
    })
}

pub(super) fn mutated(bench: &Bench) -> Verdict {
    run(bench, |dice, seeds| (0..TRIES).map(|_| (seeds.kind(dice), other(&seeds.document(dice), dice), true)).collect())
}

/// What stands where something else is expected.
const VALUES: [&str; 14] = [
    "null",
    "true",
    "0",
    "-1",
    "1e400",
    "123456789012345678901234567890",
    "0.1",
    "\"\"",
    "\"\\u0000\"",
    "\"\\ud83d\\ude00\"",
    "[]",
    "{}",
    "[[[]]]",
    "{\"a\":{\"b\":null}}",
];

/// The document with some of its values others; it stays JSON.
fn other(text: &[u8], dice: &mut StdRng) -> Vec<u8> {
    let Ok(document) = Document::parse(text) else { return b"null".to_vec() };
    let odds = dice.random_range(2..12);
    let mut out = Vec::new();
    document.root().write(&mut out, &mut |value| {
        let simple = !matches!(value.kind(), Kind::Object | Kind::Array);
        match dice.random_range(0..if simple { odds } else { odds * 4 }) {
            0 => Edit::Replace(VALUES[dice.random_range(0..VALUES.len())].as_bytes().to_vec()),
            1 if simple => Edit::Replace(format!("\"{}\"", "ü".repeat(dice.random_range(1..300))).into_bytes()),
            _ => Edit::Keep,
        }
    });
    out
}

pub(super) fn deep(bench: &Bench) -> Verdict {
    run(bench, |dice, seeds| {
        let nest = |open: &str, inner: &str, close: &str, depth| {
            format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
        };
        let (lists, objects) = (nest("[", "", "]", DEPTH), nest("{\"a\":", "1", "}", DEPTH));
        let mut tries: Vec<Try> = Vec::new();
        for whole in [&lists, &objects] {
            tries.push((seeds.kind(dice), whole.clone().into_bytes(), true));
            for document in &seeds.documents {
                let Some(rest) = std::str::from_utf8(document).ok().and_then(|text| text.strip_prefix('{')) else {
                    continue;
                };
                let comma = if rest == "}" { "" } else { "," };
                tries.push((seeds.kind(dice), format!("{{\"deep\":{whole}{comma}{rest}").into_bytes(), true));
            }
        }
        // Deeper than the host calls a document: it comes as a body alone.
        tries.push((seeds.kind(dice), nest("[", "", "]", 100_000).into_bytes(), false));
        tries.push((seeds.kind(dice), nest("{\"a\":", "1", "}", 100_000).into_bytes(), false));
        tries
    })
}

pub(super) fn huge(bench: &Bench) -> Verdict {
    run(bench, |dice, seeds| {
        let list = |item: &str| format!("[{}{item}]", format!("{item},").repeat(MANY));
        let keys: String = (0..MANY).map(|key| format!("\"k{key}\":{key},")).collect();
        let texts = [
            format!("{{\"text\":\"{}\"}}", "x".repeat(LONG)),
            format!("{{\"list\":{}}}", list("{\"a\":1}")),
            list("0"),
            format!("{{{keys}\"end\":0}}"),
            format!("{{\"n\":{}}}", "9".repeat(LONG >> 3)),
        ];
        let mut tries: Vec<Try> = texts.into_iter().map(|text| (seeds.kind(dice), text.into_bytes(), true)).collect();
        tries.push((seeds.kind(dice), vec![0; LONG], false));
        tries
    })
}

pub(super) fn not_utf8(bench: &Bench) -> Verdict {
    run(bench, |dice, seeds| {
        let one = |_| {
            let mut body = seeds.document(dice).to_vec();
            for _ in 0..dice.random_range(1..4) {
                let at = dice.random_range(0..=body.len());
                let wrong: &[u8] =
                    [&b"\xff"[..], b"\xc3\x28", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"][dice.random_range(0..4)];
                body.splice(at..at, wrong.iter().copied());
            }
            (seeds.kind(dice), body, false)
        };
        (0..TRIES).map(one).collect()
    })
}
