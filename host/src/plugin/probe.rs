//! The probe: a plugin is loaded, started and run over its own samples in a process of its own first. Whatever ends that
//! process would have ended the gateway, and is a refusal. What runs in workers is tried there: they are such processes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use hookport_plugin_api::description::Description;
use jiff::Timestamp;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process_group, setrlimit};
use serde_json::Value;

use super::candidate::Candidate;
use super::copy::{self, FOLDER_VARIABLE};
use super::policy::{Policy, Standing};
use super::{Code, DecodeRequest, Fault, LoadFault, Loaded, Sample, TextRequest};
use crate::case::Case;
use crate::request::Incoming;

/// The program's own argument that makes it a probe.
pub const PROBE: &str = "plugin-probe";

/// A plugin that takes longer is refused, unless a policy says otherwise.
pub(super) const LONGEST: Duration = Duration::from_secs(20);
/// Address space of a probe.
const MEMORY: u64 = 2 << 30;
/// Where a sample was sent to, for texts that are over it.
const PLACEHOLDER: &str = "https://hooks.example.com/";
/// Bytes of its words that are shown.
const WORDS: u64 = 2000;

/// Tries these bytes; the error says how that ended.
pub(super) fn probe(candidate: &Candidate, policy: &Policy) -> Result<(), String> {
    let tried = copy::with_private_copy(&candidate.file, &candidate.bytes, &candidate.sha256, |copy| {
        // A file has an end, also where something that the plugin started lives on and keeps it open.
        let mut output = tempfile::tempfile().map_err(LoadFault::Read)?;
        let mut child = output.try_clone().and_then(|output| start(policy, copy, output)).map_err(LoadFault::Read)?;
        let ended = ended(&mut child, policy.probe).map_err(LoadFault::Read)?;
        if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            // Mostly there is nothing left of it.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let mut words = String::new();
        output.rewind().map_err(LoadFault::Read)?;
        // Words that are no text say nothing.
        let _ = output.take(WORDS).read_to_string(&mut words);
        Ok((ended, words))
    });
    match tried.map_err(|fault| fault.to_string())? {
        (Some(status), _) if status.success() => Ok(()),
        (Some(status), words) => Err(match (status.code(), words.trim()) {
            (Some(1), words) if !words.is_empty() => words.lines().last().unwrap_or_default().to_owned(),
            _ => format!("it ended that process ({status})"),
        }),
        (None, _) => Err(format!("it was not ready after {}", humantime::format_duration(policy.probe))),
    }
}

/// Of this program's own file, which may have been replaced meanwhile.
fn start(policy: &Policy, copy: &Path, output: File) -> std::io::Result<Child> {
    let this = match &policy.program {
        Some(program) => program.clone(),
        None if cfg!(target_os = "linux") => "/proc/self/exe".into(),
        None => std::env::current_exe()?,
    };
    let mut command = Command::new(this);
    command.arg(PROBE).arg(copy).env_clear().current_dir("/");
    let kept = [FOLDER_VARIABLE, "TMPDIR"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    command.envs(kept).stdin(Stdio::null()).stdout(output).stderr(Stdio::null()).process_group(0).spawn()
}

/// How it ended; nothing where it had to be ended.
fn ended(child: &mut Child, longest: Duration) -> std::io::Result<Option<ExitStatus>> {
    let end = Instant::now() + longest;
    while Instant::now() < end {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

/// What the child does: bounds itself, loads the file and runs its samples.
pub fn work(file: &Path) -> Result<(), String> {
    let bound = |resource, most| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    let bounded = || -> rustix::io::Result<()> {
        bound(Resource::As, MEMORY)?;
        bound(Resource::Core, 0)?;
        bound(Resource::Cpu, LONGEST.as_secs())?;
        #[cfg(target_os = "linux")]
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        Ok(())
    };
    bounded().map_err(|error| error.to_string())?;
    let loaded = Candidate::read(file)
        .and_then(|candidate| candidate.load(&Policy::inline(), Standing::Unsigned))
        .map_err(|error| error.fault.to_string())?;
    run(&loaded)
}

/// A sample that the code does not want is no reason; one that it breaks over is.
fn run(loaded: &Loaded) -> Result<(), String> {
    let Some(native) = &loaded.native else { return Ok(()) };
    for sample in &loaded.samples {
        let Some(asked) = Asked::of(sample, &loaded.description) else { continue };
        for name in texts(&loaded.description) {
            broken(sample, native.canonicalize(&asked.text(name)))?;
        }
        if native.decodes() {
            broken(sample, native.decode(&asked.request()))?;
        }
    }
    Ok(())
}

/// The same where the code is in workers already; they may end as they like.
pub async fn rehearse(code: &Code, samples: &[Sample], description: &Description) -> Result<(), String> {
    for sample in samples {
        let Some(asked) = Asked::of(sample, description) else { continue };
        for name in texts(description) {
            broken(sample, code.canonicalize(&asked.text(name)).await)?;
        }
        if code.decodes() {
            broken(sample, code.decode(&asked.request()).await)?;
        }
    }
    Ok(())
}

/// The signed texts that code writes; none where an operator must say more than the description does.
fn texts(description: &Description) -> impl Iterator<Item = &str> {
    let is_known = description.settings.values().all(|setting| setting.default.is_some());
    description.code_texts().filter(move |_| is_known)
}

fn broken<T>(sample: &Sample, came: Result<T, Fault>) -> Result<(), String> {
    match came {
        Err(fault) if fault.is_break() => Err(format!("over its own sample {}: {fault}", sample.name)),
        _ => Ok(()),
    }
}

/// A sample as a decoder sees it.
struct Asked {
    request: Incoming,
    document: String,
    declared_type: String,
    settings: String,
}

impl Asked {
    fn of(sample: &Sample, description: &Description) -> Option<Self> {
        let Case { request, .. } = Case::parse(&sample.text).ok()?;
        let read: Option<Value> = serde_json::from_slice(&request.body).ok();
        let document = read.as_ref().and_then(|_| String::from_utf8(request.body.to_vec()).ok()).unwrap_or_default();
        // The event's type where it simply stands in the document.
        let places = description.event.kind.0.iter().filter_map(|place| place.strip_prefix("json:"));
        let declared = read.as_ref().and_then(|read| places.filter_map(|at| read.pointer(at)?.as_str()).next());
        let declared_type = declared.unwrap_or_default().to_owned();
        let settings =
            description.settings.iter().filter_map(|(name, setting)| Some((name, setting.default.as_ref()?)));
        let settings = serde_json::to_string(&settings.collect::<BTreeMap<_, _>>()).ok()?;
        Some(Self { request, document, declared_type, settings })
    }

    fn text<'a>(&'a self, name: &'a str) -> TextRequest<'a> {
        let Incoming { method, target, headers, body, .. } = &self.request;
        TextRequest { name, method, target, url: Some(PLACEHOLDER), headers, body, settings: &self.settings }
    }

    fn request(&self) -> DecodeRequest<'_> {
        DecodeRequest {
            method: &self.request.method,
            target: &self.request.target,
            headers: &self.request.headers,
            body: &self.request.body,
            received: Timestamp::UNIX_EPOCH,
            declared_type: &self.declared_type,
            declared_subject: None,
            document: &self.document,
        }
    }
}
