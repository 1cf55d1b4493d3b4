//! The functions behind the table: each makes an author's argument of a view, runs the author's code behind the panic guard and
//! hands over what came of it.

use std::panic::catch_unwind;

use super::host;
use super::table::{HostRef, Outlet};
use super::view::{AnswerViews, CallView, RequestView};
use super::{code, outcome};
use crate::guard::{guard, install_panic_hook};
use crate::operation::{Answer, Call, OpResult, OperationError, RequestPlan};
use crate::unverified::{TextError, Unverified};
use crate::{DecodeError, Events, Request};

/// Remembers the host and takes over the panic hook of this plugin's own standard library.
pub extern "C" fn init(host: HostRef, number: usize) -> u32 {
    let first = host::remember(host, number);
    if first && catch_unwind(install_panic_hook).is_err() { code::PANIC } else { code::OK }
}

/// Nothing to end yet: plugins hold no resources.
pub extern "C" fn quiesce() -> u32 {
    code::OK
}

/// Runs a decoder.
pub fn decode(
    view: &RequestView<'_>,
    outlet: &Outlet<'_>,
    decode: for<'r, 'q, 'e, 'o> fn(&'q Request<'r>, &'e mut Events<'o>) -> Result<(), DecodeError>,
) -> u32 {
    guard(outlet, || {
        let request = Request::new(view);
        decode(&request, &mut Events::new(outlet, &request)).map_err(|error| error.to_string())
    })
}

/// Runs the builder of an operation.
pub fn op_build(
    view: &CallView<'_>,
    outlet: &Outlet<'_>,
    build: for<'c, 'q> fn(&'q Call<'c>) -> Result<Vec<RequestPlan>, OperationError>,
) -> u32 {
    guard(outlet, || {
        let plans = build(&Call::new(view)).map_err(|error| error.to_string())?;
        plans.iter().try_for_each(|plan| outlet.plan(plan))
    })
}

/// Runs the parser of an operation.
pub fn op_parse(
    view: &CallView<'_>,
    answers: &AnswerViews<'_>,
    outlet: &Outlet<'_>,
    parse: for<'c, 'q, 'a> fn(&'q Call<'c>, &'q [Answer<'a>]) -> Result<OpResult, OperationError>,
) -> u32 {
    guard(outlet, || {
        let answers: Vec<Answer<'_>> = answers.as_slice().iter().map(Answer::new).collect();
        match parse(&Call::new(view), &answers).map_err(|error| error.to_string())? {
            OpResult::Done(json) => outlet.outcome(outcome::DONE, &json, 0),
            OpResult::More(plans) => {
                plans.iter().try_for_each(|plan| outlet.plan(plan))?;
                outlet.outcome(outcome::MORE, "", 0)
            }
            OpResult::RetryAfter(seconds) => outlet.outcome(outcome::RETRY_AFTER, "", u64::from(seconds)),
            OpResult::Fail(message) => outlet.outcome(outcome::FAIL, &message, 0),
        }
    })
}

/// Writes a signed text.
pub fn canonicalize(
    view: &RequestView<'_>,
    outlet: &Outlet<'_>,
    text: for<'r, 'q> fn(&'q Unverified<'r>) -> Result<Vec<u8>, TextError>,
) -> u32 {
    guard(outlet, || outlet.text(&text(&Unverified::new(view)).map_err(|error| error.to_string())?))
}

/// There is no decoder.
pub extern "C" fn no_decode(_: &RequestView<'_>, _: &Outlet<'_>) -> u32 {
    code::ABSENT
}

/// There is no builder.
pub extern "C" fn no_op_build(_: &CallView<'_>, _: &Outlet<'_>) -> u32 {
    code::ABSENT
}

/// There is no parser.
pub extern "C" fn no_op_parse(_: &CallView<'_>, _: &AnswerViews<'_>, _: &Outlet<'_>) -> u32 {
    code::ABSENT
}

/// There is nothing that writes signed texts.
pub extern "C" fn no_canonicalize(_: &RequestView<'_>, _: &Outlet<'_>) -> u32 {
    code::ABSENT
}
