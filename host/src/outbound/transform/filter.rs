//! A jq filter, compiled and run: pure in program and document, and bounded by nothing. Who runs it bounds it.

use bytes::Bytes;
use jaq_core::data::JustLut;
use jaq_core::load::lex::Expect;
use jaq_core::load::{Arena, Error as Unreadable, File, Loader, span};
use jaq_core::{Compiler, Ctx, Vars};
use jaq_json::{Val, read, write};
use serde_json::value::RawValue;

/// A compiled filter.
pub(super) struct Filter {
    compiled: jaq_core::Filter<JustLut<Val>>,
    program: String,
}

/// Why a text is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct FilterError {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

/// What a filter made of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Made {
    /// One output, as JSON.
    Json(Bytes),
    /// No output.
    Nothing,
}

impl Filter {
    /// Compiles a program; it has jq's own definitions and no files, no variables and no environment.
    pub(super) fn compile(program: &str) -> Result<Self, FilterError> {
        let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
        let funs = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
        let arena = Arena::default();
        let file = File { code: program, path: () };
        let modules = Loader::new(defs).load(&arena, file).map_err(|errors| {
            let first = errors.into_iter().next().map(|(_, error)| unreadable(program, error));
            first.unwrap_or_else(|| at(program, program, "it is no filter".into()))
        })?;
        let compiled = Compiler::default().with_funs(funs).compile(modules).map_err(|errors| {
            let first = errors.into_iter().flat_map(|(_, errors)| errors).next();
            first.map_or_else(
                || at(program, program, "it is no filter".into()),
                |(found, what)| at(program, found, format!("there is no {} {found:?}", what.as_str())),
            )
        })?;
        Ok(Self { compiled, program: program.to_owned() })
    }

    /// Runs the filter. The error says why there is no payload, and holds no value of the document.
    pub(super) fn run(&self, document: &[u8]) -> Result<Made, String> {
        let input = read::parse_single(document).map_err(|_| "the event is not JSON that jq can read".to_owned())?;
        let context = Ctx::<JustLut<Val>>::new(&self.compiled.lut, Vars::new([]));
        let mut outputs = self.compiled.id.run((context, input));
        let first = match outputs.next() {
            None => return Ok(Made::Nothing),
            Some(Ok(first)) => first,
            Some(Err(exception)) => return Err(self.in_words(exception)),
        };
        match outputs.next() {
            None => json(&first).map(Made::Json),
            Some(Ok(_)) => Err("it gave more than one output; [ ... ] around it makes one of them".into()),
            Some(Err(exception)) => Err(self.in_words(exception)),
        }
    }

    /// A message of jq's repeats the values that it is about, so only its form is told. A text of the filter's own `error`
    /// is told where it stands in the filter as it is.
    fn in_words(&self, exception: jaq_core::Exn<'_, Val>) -> String {
        let Ok(error) = exception.get_err() else { return "it ended with `halt`".into() };
        let text = error.to_string();
        let own = text.trim_matches('"');
        if !own.is_empty() && self.program.contains(own) {
            return own.to_owned();
        }
        let as_what = text.rsplit_once(" as ").map(|(_, kind)| kind).filter(|kind| KINDS.contains(kind));
        match (text.split_once(' ').map(|(first, _)| first), as_what) {
            (Some("cannot"), Some(kind)) if text.starts_with("cannot use ") => {
                format!("it uses a value as {kind} that is none")
            }
            _ if text.starts_with("cannot index ") => {
                "it looks for a key or place in a value that has none such".into()
            }
            _ if text.starts_with("cannot calculate ") => "it calculates with values that do not go together".into(),
            _ => "it failed with a message that is not shown, because it may repeat data".into(),
        }
    }
}

/// What jq asks of values, in its own words.
const KINDS: [&str; 7] =
    ["integer", "number", "string", "array", "iterable (array or object)", "rangeable (array or string)", "object"];

/// As JSON, numbers as they came; jq's values are more than JSON's.
fn json(value: &Val) -> Result<Bytes, String> {
    let mut written = Vec::new();
    // A Vec takes everything.
    let _ = write::write(&mut written, &write::Pp::default(), 0, value);
    match serde_json::from_slice::<&RawValue>(&written) {
        Ok(_) => Ok(written.into()),
        Err(_) => Err("its output is not JSON: NaN, Infinity, bytes, or a key that is no text".into()),
    }
}

fn unreadable(program: &str, error: Unreadable<&str>) -> FilterError {
    let found = |text: &str| match text.chars().next() {
        Some(first) => format!("not {first:?}"),
        None => "but it ends here".into(),
    };
    let place = match error {
        Unreadable::Io(errors) => errors.first().map(|(path, _)| (*path, "files are not read by a transform".into())),
        Unreadable::Lex(errors) => errors.first().map(|(expected, text)| match expected {
            Expect::Delim(open) => (*open, format!("{open:?} is never closed")),
            expected => (*text, format!("expected {}, {}", expected.as_str(), found(text))),
        }),
        Unreadable::Parse(errors) => {
            errors.first().map(|(expected, text)| (*text, format!("expected {}, {}", expected.as_str(), found(text))))
        }
    };
    let (place, message) = place.unwrap_or((program, "it is no filter".into()));
    at(program, place, message)
}

/// The place of a part of the program; what is behind its end is its end.
fn at(program: &str, part: &str, message: String) -> FilterError {
    let inside = program.as_bytes().as_ptr_range();
    let start = match (inside.start..=inside.end).contains(&part.as_ptr()) {
        true => span(program, part).start,
        false => program.len(),
    };
    let before = &program[..start.min(program.len())];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    FilterError { line, column, message }
}

#[cfg(test)]
mod tests;
