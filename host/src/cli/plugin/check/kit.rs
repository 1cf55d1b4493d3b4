//! The conformance kit: what every provider must hold, whatever its fixtures say. Each case is made of the fixtures and a
//! seed, so that the same comes every time; of a plugin with code each runs in a process of its own.

mod decoding;
mod description;
mod hostile;
mod load;
mod operations;
mod process;
mod purity;
mod signature;
mod stage;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(super) use self::process::{Limits, apart};
use self::stage::Bench;

/// What is checked, and how its cases are made.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) file: PathBuf,
    pub(super) fixtures: PathBuf,
    pub(super) seed: u64,
    /// How long a case may take in a process of its own.
    pub(super) timeout: Duration,
    /// Whether the provider's code is in the file, where it has some.
    pub(super) whole: bool,
}

/// Of one case; the rest is counted.
const TOLD: usize = 5;

/// How a case ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ending {
    /// It holds.
    Passed,
    /// It does not.
    Failed,
    /// There is nothing that it could be asked of.
    LeftOut,
    /// Its process ended without a word.
    Crashed,
    /// Its process did not end.
    TimedOut,
}

/// How a case ended, and why.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Verdict {
    pub(super) result: Ending,
    pub(super) details: Vec<String>,
}

/// A case of the kit.
struct Case {
    name: &'static str,
    /// What holds where it passes.
    claim: &'static str,
    /// Asked of code only.
    native: bool,
    run: fn(&Bench) -> Verdict,
}

const fn described(name: &'static str, claim: &'static str, run: fn(&Bench) -> Verdict) -> Case {
    Case { name, claim, native: false, run }
}

const fn native(name: &'static str, claim: &'static str, run: fn(&Bench) -> Verdict) -> Case {
    Case { name, claim, native: true, run }
}

const CASES: [Case; 31] = [
    native("load/opens", "it loads, starts, decodes what came with it, and ends", load::opens),
    native("load/two_copies", "two copies in one process do not disturb each other", load::two_copies),
    native("load/older_host", "with the shorter tables of an older gateway it does the same", load::older_host),
    native("load/newer_host", "with the longer tables of a newer gateway it does the same", load::newer_host),
    native("load/functions", "its code has what its description declares", load::functions),
    described("description/event_types", "fixtures show the events that come, by name", description::event_types),
    described("description/acks", "every outcome is answered, and a refusal is never an acceptance", description::acks),
    described("signature/flipped_bytes", "a changed byte of what is covered is refused", signature::flipped_bytes),
    described("signature/forged", "another signature is refused", signature::forged),
    described("signature/missing_header", "without its signature or its time it is refused", signature::missing_header),
    described("signature/doubled_header", "a second signature opens nothing", signature::doubled_header),
    described("signature/recased_header", "the case of header names does not matter", signature::recased_header),
    described("signature/other_encoding", "a signature in another encoding is refused", signature::other_encoding),
    described("signature/stale_time", "what is too old is refused", signature::stale_time),
    described("signature/future_time", "what is too far ahead is refused", signature::future_time),
    described("signature/truncated_body", "a body that was cut short is refused", signature::truncated_body),
    described("signature/empty_body", "an empty body is refused", signature::empty_body),
    described("signature/replay", "a repeat is known by its key", signature::replay),
    native("decoding/deterministic", "the same request gives the same events", decoding::deterministic),
    native("decoding/parallel", "eight threads get the same events", decoding::parallel),
    native("decoding/wall_clock", "the events do not depend on the clock of the machine", decoding::wall_clock),
    native(
        "decoding/borrowed_memory",
        "nothing of a request is kept when a call has returned",
        decoding::borrowed_memory,
    ),
    native("decoding/unknown_type", "an event that nobody knows is passed on", decoding::unknown_type),
    native("decoding/large", "a large document passes, within the caps on output", decoding::large),
    native("hostile/random", "random bytes do no harm", hostile::random),
    native("hostile/mutated", "documents of other types and shapes do no harm", hostile::mutated),
    native("hostile/deep", "deep documents do no harm", hostile::deep),
    native("hostile/huge", "huge documents do no harm", hostile::huge),
    native("hostile/not_utf8", "what is not UTF-8 does no harm", hostile::not_utf8),
    native("purity/walls", "it does the same where it can only compute", purity::walls),
    described("operations/exchanges", "no answer of a provider does harm or passes for another", operations::exchanges),
];

/// A case and how it ended.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    pub(super) case: &'static str,
    claim: &'static str,
    pub(super) result: Ending,
    details: Vec<String>,
}

impl Subject {
    /// The names of the cases that are asked of it, with what each claims.
    pub(super) fn cases(&self, native: bool) -> Vec<(&'static str, &'static str)> {
        let asked = CASES.iter().filter(|case| native || !case.native);
        asked.map(|case| (case.name, case.claim)).collect()
    }

    /// Runs a case in this process, be it of the kit or a fixture's.
    pub(super) fn run(&self, name: &str) -> Result<Verdict, String> {
        if let Some(fixture) = name.strip_prefix("fixture/") {
            return super::cases::verdict(self, fixture);
        }
        let known = || format!("there is no case {name:?}; there are: {}, fixture/NAME", names().join(", "));
        let case = CASES.iter().find(|case| case.name == name).ok_or_else(known)?;
        let bench = Bench::set(self)?;
        Ok((case.run)(&bench))
    }
}

impl Told {
    pub(super) fn of((case, claim): (&'static str, &'static str), verdict: Verdict) -> Self {
        Self { case, claim, result: verdict.result, details: verdict.details }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, claim, result, details } = self;
        write!(f, "{case}: {result}: {claim}")?;
        if details.is_empty() { Ok(()) } else { write!(f, ": {}", details.join("; ")) }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::LeftOut => "left out",
            Self::Crashed => "crashed",
            Self::TimedOut => "timed out",
        })
    }
}

impl Ending {
    pub(super) fn is_good(self) -> bool {
        matches!(self, Self::Passed | Self::LeftOut)
    }
}

impl Verdict {
    pub(super) fn noted(note: impl Into<String>) -> Self {
        Self { result: Ending::Passed, details: vec![note.into()] }
    }

    pub(super) fn left_out(why: impl Into<String>) -> Self {
        Self { result: Ending::LeftOut, details: vec![why.into()] }
    }

    /// Passed where nothing is wrong.
    pub(super) fn of(mut wrong: Vec<String>) -> Self {
        if wrong.len() > TOLD {
            let more = wrong.len() - TOLD;
            wrong.truncate(TOLD);
            wrong.push(format!("and {more} more"));
        }
        let result = if wrong.is_empty() { Ending::Passed } else { Ending::Failed };
        Self { result, details: wrong }
    }

    pub(super) fn is_good(&self) -> bool {
        self.result.is_good()
    }
}

fn names() -> Vec<&'static str> {
    CASES.iter().map(|case| case.name).collect()
}
