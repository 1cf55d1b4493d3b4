//! The process that runs a filter: documents in, outputs out, one after the other, until its input ends.
//!
//! A filter may run for ever, fill the memory or overflow the stack, on a document that somebody chose for that. Nothing
//! but a process of its own can be ended in all three cases; who ends it is `Transform`.

use std::io::{self, Read, Write};

use rustix::process::{Resource, Rlimit, Signal, setrlimit};

use super::filter::{Filter, Made};

/// Address space of a worker.
const MEMORY: u64 = 512 << 20;

pub(super) const JSON: u8 = 0;
pub(super) const NOTHING: u8 = 1;
pub(super) const FAILED: u8 = 2;

/// Bounds this process, then answers until the input ends. The first message is the filter.
pub fn work() -> io::Result<()> {
    let bound = |resource, most| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    bound(Resource::As, MEMORY)?;
    // What a filter had in its hands is nobody's to read.
    bound(Resource::Core, 0)?;
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    answer(&mut io::stdin().lock(), &mut io::stdout().lock())
}

fn answer(input: &mut impl Read, output: &mut impl Write) -> io::Result<()> {
    let Some(program) = message(input)? else { return Ok(()) };
    let program = String::from_utf8(program).map_err(io::Error::other)?;
    let filter = Filter::compile(&program).map_err(io::Error::other)?;
    while let Some(document) = message(input)? {
        match filter.run(&document) {
            Ok(Made::Json(json)) => say(output, JSON, &json)?,
            Ok(Made::Nothing) => say(output, NOTHING, &[])?,
            Err(words) => say(output, FAILED, words.as_bytes())?,
        }
    }
    Ok(())
}

fn say(output: &mut impl Write, kind: u8, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    output.write_all(&[kind])?;
    output.write_all(&length.to_be_bytes())?;
    output.write_all(bytes)?;
    output.flush()
}

/// The next message, length first.
fn message(input: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match input.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut bytes = Vec::new();
    let length = u64::from(u32::from_be_bytes(length));
    match input.take(length).read_to_end(&mut bytes)? {
        read if u64::try_from(read).is_ok_and(|read| read == length) => Ok(Some(bytes)),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_answers_each_document_and_ends_with_its_input() {
        let mut input = Vec::new();
        for text in [".a | select(. != 2)", r#"{"a":1}"#, r#"{"a":2}"#, "[]", r#"{"a":3.0}"#] {
            input.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
            input.extend(text.as_bytes());
        }
        let mut output = Vec::new();
        answer(&mut input.as_slice(), &mut output).unwrap();
        let expected: &[u8] = b"\0\0\0\0\x011\x01\0\0\0\0\x02";
        assert_eq!(&output[..expected.len()], expected);
        assert!(output.ends_with(b"\0\0\0\0\x033.0"));
        assert!(answer(&mut &input[..input.len() - 1], &mut Vec::new()).is_err());
    }
}
