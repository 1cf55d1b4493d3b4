//! A worker from within: walls first, then the plugin, then one call after the other until the gateway hangs up.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use hookport_plugin_api::identity::Identity;
use hookport_plugin_api::log::Level;
use rustix::io::dup;
use rustix::stdio::{dup2_stdout, stderr, stdin, stdout};

use super::came::Came;
use super::frame::{Kind, read, write};
use super::wire::{Ask, Line, Start, received};
use super::{descriptors, sandbox};
use crate::plugin::lines::{Speaker, divert};
use crate::plugin::output::shortened;
use crate::plugin::preflight::preflight;
use crate::plugin::{Answer, DecodeRequest, Fault, FaultKind, LoadFault, Native, abi};

/// Works until the gateway hangs up. Standard input is the socket, standard output the plugin's file, standard error goes
/// to the gateway's log.
pub fn work() -> io::Result<()> {
    descriptors::close_inherited()?;
    let (mut socket, image) = (File::from(dup(stdin())?), File::from(dup(stdout())?));
    // Whatever prints goes where it is read.
    dup2_stdout(stderr())?;
    let Some(start) = read(&mut socket)?.filter(|frame| frame.kind == Kind::Start) else { return Ok(()) };
    let start: Start = postcard::from_bytes(&start.body).map_err(io::Error::other)?;
    let native = match prepare(&start, &image, &socket) {
        Ok(native) => native,
        Err(words) => return write(&mut socket, Kind::Unfit, 0, &shortened(words.as_bytes(), 500)),
    };
    drop(image);
    while let Some(frame) = read(&mut socket)? {
        match frame.kind {
            Kind::Call => answer(&native, &mut socket, frame.call, &frame.body)?,
            Kind::Quiesce => native.quiesce(),
            _ => return Ok(()),
        }
    }
    Ok(())
}

/// The plugin behind its walls; the error is for the operator.
fn prepare(start: &Start, image: &File, mut socket: &File) -> Result<Native, String> {
    let io = |error: io::Error| format!("a worker cannot be set up: {error}");
    sandbox::bound(start.memory).map_err(io)?;
    let lines = socket.try_clone().map_err(io)?;
    divert(Level::of_number(start.finest), Box::new(move |level, module, line| say(&lines, level, module, line)));
    let mut bytes = vec![0; usize::try_from(image.metadata().map_err(io)?.len()).unwrap_or_default()];
    image.read_exact_at(&mut bytes, 0).map_err(io)?;
    let mut held = sandbox::before_loading();
    let native = open(&bytes, image).map_err(|fault| fault.to_string())?;
    sandbox::when_ready(&mut held);
    write(&mut socket, Kind::Ready, 0, &held).map_err(io)?;
    Ok(native)
}

/// The gateway judged these bytes before; here they are only read once more for what the loader is checked against.
fn open(bytes: &[u8], image: &File) -> Result<Native, LoadFault> {
    use std::os::fd::AsRawFd;
    let preflight = preflight(bytes)?;
    let identity = Identity::read(preflight.block)?;
    // The loader takes the same name for the same library; here it meets a single one.
    let path = format!("/proc/self/fd/{}", image.as_raw_fd());
    abi::open(Path::new(&path), Arc::new(Speaker::new("", "")), &preflight, identity.flags)
}

fn say(mut socket: &File, level: Level, module: &str, line: &str) {
    let short = |text: &str, most| shortened(text.as_bytes(), most);
    let line = Line { level: level.number(), module: &short(module, 200), line: &short(line, 4096) };
    // A gateway that is gone reads no lines.
    let _ = write(&mut socket, Kind::Line, 0, &line);
}

fn answer(native: &Native, socket: &mut impl Write, call: u64, ask: &[u8]) -> io::Result<()> {
    let came = match postcard::from_bytes(ask) {
        Ok(ask) => perform(native, &ask),
        Err(error) => Fault::new(FaultKind::BadOutput, format!("the call cannot be read: {error}")).into(),
    };
    match write(socket, Kind::Answer, call, &came) {
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            let much = Came::from(Fault::new(FaultKind::TooMuch, "more than fits into one answer of its worker"));
            write(socket, Kind::Answer, call, &much)
        }
        written => written,
    }
}

fn perform(native: &Native, ask: &Ask<'_>) -> Came {
    match ask {
        Ask::Decode { method, target, headers, body, received_ms, declared_type, declared_subject, document } => {
            let Some((headers, received)) = received(headers, *received_ms) else {
                return Fault::new(FaultKind::BadOutput, "the call's headers or time cannot be read").into();
            };
            let request = DecodeRequest {
                method,
                target,
                headers: &headers,
                body,
                received,
                declared_type,
                declared_subject: *declared_subject,
                document,
            };
            native.decode(&request).into()
        }
        Ask::Text(ask) => ask.perform(native),
        Ask::Build { operation, input, settings } => native.op_build(operation, input, settings).into(),
        Ask::Parse { operation, input, settings, answers } => {
            let answers: Vec<Answer<'_>> = answers.iter().map(|reply| reply.answer()).collect();
            native.op_parse(operation, input, settings, &answers).into()
        }
    }
}
