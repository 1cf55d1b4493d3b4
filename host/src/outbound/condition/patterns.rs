//! `matches`, CEL's regular expressions: compiled once for each thread, since a pattern is asked for every event.

use std::cell::RefCell;
use std::collections::HashMap;

use cel::common::types::{CelBool, CelString, STRING_TYPE};
use cel::common::value::CowVal;
use cel::{Env, ExecutionError};
use regex::Regex;

/// A configuration has few patterns; only ones that are made of an event's data could be more.
const REMEMBERED: usize = 64;

/// Makes `text.matches(pattern)` and `matches(text, pattern)` known.
pub(super) fn declare(environment: &mut Env) {
    environment
        .add_member_overload("matches", "matches_string", STRING_TYPE, vec![STRING_TYPE], matches)
        .expect("CEL has it only on demand");
    environment
        .add_overload("matches", "matches", vec![STRING_TYPE, STRING_TYPE], matches)
        .expect("CEL has it only on demand");
}

/// What is wrong with a pattern, in one line.
pub(super) fn check(pattern: &str) -> Result<(), String> {
    Regex::new(pattern).map(drop).map_err(|error| {
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
        format!("{pattern:?} is not a regular expression: {reason}")
    })
}

fn matches<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [text, pattern] = [0, 1].map(|place| args.get(place).and_then(|arg| arg.downcast_ref::<CelString<'_>>()));
    let (Some(text), Some(pattern)) = (text, pattern) else {
        return Err(ExecutionError::invalid_argument_count(2, args.len()));
    };
    let found =
        search(pattern.inner(), text.inner()).map_err(|error| ExecutionError::function_error("matches", error))?;
    Ok(CowVal::owned(CelBool::from(found)))
}

fn search(pattern: &str, text: &str) -> Result<bool, &'static str> {
    thread_local!(static COMPILED: RefCell<HashMap<String, Regex>> = RefCell::default());
    COMPILED.with_borrow_mut(|compiled| {
        if let Some(regex) = compiled.get(pattern) {
            return Ok(regex.is_match(text));
        }
        // The pattern itself may come from the event, so the words do not show it.
        let regex = Regex::new(pattern).map_err(|_| "the pattern is not a regular expression")?;
        let found = regex.is_match(text);
        if compiled.len() >= REMEMBERED {
            compiled.clear();
        }
        compiled.insert(pattern.to_owned(), regex);
        Ok(found)
    })
}
