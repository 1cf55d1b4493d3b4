//! Where foreign code is entered and where it enters ours: everything unsafe on the host's side of the border.
//!
//! Loading a file that preflight has judged, the host's own services, and the sink for results.

// Loading foreign code and calling through pointers has no safe form.
#![allow(unsafe_code)]

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use abi_stable::StableAbi;
use abi_stable::abi_stability::abi_checking::{CheckingGlobals, check_layout_compatibility_with_globals};
use abi_stable::library::{AbiHeaderRef, LibHeader, ROOT_MODULE_LOADER_NAME_WITH_NUL};
use abi_stable::prefix_type::{PrefixRefTrait, WithMetadata};
use hookport_plugin_api::abi::{
    Bytes, Context, EventView, Host, HostRef, PlanView, PluginRef, Sink, SinkRef, code, has,
};
use hookport_plugin_api::identity::SYMBOL;
use hookport_plugin_api::log::Level;
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use super::Native;
use super::tables::{NEWER_HOST, NEWER_SINK, OLDER_SINK};
use crate::plugin::LoadFault;
use crate::plugin::lines::{self, Speaker};
use crate::plugin::output::{Output, RawEvent, RawPlan, shortened};
use crate::plugin::policy::Tables;
use crate::plugin::preflight::{Preflight, version_number};

// ---- loading ----

/// Loads the private copy of a file that preflight has judged, and starts it.
pub(in crate::plugin) fn open(
    copy: &Path,
    speaker: Arc<Speaker>,
    preflight: &Preflight<'_>,
    flags: u16,
) -> Result<Native, LoadFault> {
    open_with(Tables::Ours, copy, speaker, preflight, flags)
}

/// As [`open`], with the tables of another gateway.
pub(in crate::plugin) fn open_with(
    tables: Tables,
    copy: &Path,
    speaker: Arc<Speaker>,
    preflight: &Preflight<'_>,
    flags: u16,
) -> Result<Native, LoadFault> {
    if !cfg!(all(target_os = "linux", target_env = "gnu")) {
        return Err(LoadFault::Platform);
    }
    // SAFETY: loading runs the file's start-up code, which nothing can vouch for; the operator chose to trust the file. It
    // is whole, for this machine, and a private copy that nobody writes to.
    let library = unsafe { Library::open(Some(copy), RTLD_NOW | RTLD_LOCAL) };
    // Never closed: thread-local destructors and the layout checker keep pointers into it.
    let library = ManuallyDrop::new(library.map_err(|error| open_fault(copy, &error))?);
    same_identity(&library, preflight)?;
    let table = table(&library)?;
    let number = log_number(speaker.clone());
    let (host, sink) = given(tables);
    match table.init()(host, number) {
        code::OK => Ok(Native { table, sink, speaker, flags, ended: AtomicBool::new(false) }),
        answer => Err(LoadFault::Init(answer)),
    }
}

/// The loader knows libraries by name and inode; that it gave us this file and a fresh one is checked and not believed.
fn same_identity(library: &Library, preflight: &Preflight<'_>) -> Result<(), LoadFault> {
    static KNOWN: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());
    // SAFETY: the symbol is data; only its address is taken.
    let symbol = unsafe { library.get::<*const u8>(SYMBOL) }.map_err(|error| LoadFault::NoTable(words(&error)))?;
    let address: *const u8 = symbol.as_raw_ptr().cast_const().cast();
    // SAFETY: preflight found the symbol's size and that it lies in a mapped segment; the library stays loaded.
    let note = unsafe { std::slice::from_raw_parts(address, preflight.note_len) };
    let fresh = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).insert(address.addr());
    if fresh && note.ends_with(preflight.block) { Ok(()) } else { Err(LoadFault::OtherLibrary) }
}

/// The table of functions, after both sides' types were compared.
fn table(library: &Library) -> Result<PluginRef, LoadFault> {
    let no_table = |error: &dyn std::error::Error| LoadFault::NoTable(words(error));
    // SAFETY: `AbiHeaderRef` is a reference to what lies at the symbol, which begins with abi_stable's frozen header;
    // `upgrade` checks it before anything else is read.
    let header: AbiHeaderRef =
        unsafe { *library.get::<AbiHeaderRef>(ROOT_MODULE_LOADER_NAME_WITH_NUL).map_err(|error| no_table(&error))? };
    let header = header.upgrade().map_err(|error| {
        tracing::debug!(%error, "the plugin's header");
        LoadFault::NoTable("its abi_stable is another than ours".into())
    })?;
    compatible(header)?;
    // SAFETY: `compatible` compared the layouts; one table is the beginning of the other, and the accessors of what may be
    // missing ask the table itself.
    let table: PluginRef = unsafe { header.unchecked_layout() }.map_err(|error| {
        tracing::debug!(%error, "the plugin's root");
        LoadFault::NoTable("its constructor failed".into())
    })?;
    let fields = table.to_prefix_ref().field_accessibility();
    // `init` and `decode` are in every table; a table without them is no older version of ours.
    if (0..2).all(|field| fields.at(field).is_accessible()) {
        Ok(table)
    } else {
        Err(LoadFault::Layout("its table is too short".into()))
    }
}

/// abi_stable takes a longer table for a shorter one and not the other way round, so that its own check refuses every older
/// plugin after the first growth. Tables only grow at their end, hence either order proves that one begins the other.
fn compatible(header: &'static LibHeader) -> Result<(), LoadFault> {
    let ours = <PluginRef as StableAbi>::LAYOUT;
    let theirs = header.layout().ok_or_else(|| LoadFault::NoTable("it carries no layout".into()))?;
    // The check's usual memory is the process's; with one of its own no plugin can spoil it for the next.
    let check = |interface, code| check_layout_compatibility_with_globals(interface, code, &CheckingGlobals::new());
    let Err(mismatch) = check(ours, theirs) else { return Ok(()) };
    if check(theirs, ours).is_ok() {
        return Ok(());
    }
    let dump = mismatch.to_string();
    tracing::debug!(%dump, "the plugin's layout");
    Err(LoadFault::Layout(summary(&dump)))
}

/// The first complaint of a page of them: what is wrong, and the names or numbers that differ.
fn summary(dump: &str) -> String {
    let first = &dump[dump.find("Error:").unwrap_or_default()..];
    let after = |label: &str| {
        let rest = first.split_once(label)?.1;
        let line = rest.lines().map(str::trim).find(|line| !line.is_empty())?;
        Some(line.strip_prefix("field_name:").unwrap_or(line))
    };
    let what = after("Error:").unwrap_or("another layout");
    let (expected, found) = (after("Expected:").unwrap_or("ours"), after("Found:").unwrap_or("another"));
    let short = |text: &str| shortened(text.as_bytes(), 60);
    format!("{}, {} where {} is expected", short(what), short(found), short(expected))
}

fn open_fault(copy: &Path, error: &libloading::Error) -> LoadFault {
    let text = words(error);
    let text = text.rsplit_once(&format!("{}: ", copy.display())).map_or(text.as_str(), |(_, rest)| rest);
    if let Some(symbol) = text.strip_prefix("undefined symbol: ") {
        return LoadFault::UndefinedSymbol(symbol.into());
    }
    if let Some((library, _)) = text.split_once(": cannot open shared object file") {
        return LoadFault::MissingLibrary(library.rsplit(": ").next().unwrap_or(library).into());
    }
    let folder = copy.parent().and_then(Path::parent).unwrap_or(copy);
    if noexec(folder) {
        return LoadFault::Noexec { folder: folder.into() };
    }
    LoadFault::Open(text.into())
}

/// An error with its causes; libloading's own words are only "dlopen failed".
fn words(error: &dyn std::error::Error) -> String {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.by_ref().last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(not(target_os = "linux"))]
fn noexec(_: &Path) -> bool {
    false
}

#[cfg(target_os = "linux")]
fn noexec(folder: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let Ok(path) = std::ffi::CString::new(folder.as_os_str().as_bytes()) else { return false };
    let mut about = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: the path ends with NUL and the structure is large enough; it is read only where the call has filled it.
    unsafe {
        libc::statvfs(path.as_ptr(), about.as_mut_ptr()) == 0 && about.assume_init().f_flag & libc::ST_NOEXEC != 0
    }
}

/// The version of this machine's C library, where that is glibc.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(in crate::plugin) fn glibc() -> Option<(u32, u32)> {
    None
}

/// The version of this machine's C library.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(in crate::plugin) fn glibc() -> Option<(u32, u32)> {
    // SAFETY: it returns static text that ends with NUL.
    let version = unsafe { CStr::from_ptr(libc::gnu_get_libc_version()) };
    version_number(version.to_str().ok()?)
}

// ---- what the host offers ----

const HOST_TABLE: &WithMetadata<Host> = &WithMetadata::new(Host { log_enabled, log });
const HOST: HostRef = HostRef(HOST_TABLE.static_as_prefix());

/// The plugins by the number under which they log.
static LOGGERS: RwLock<Vec<Arc<Speaker>>> = RwLock::new(Vec::new());

fn log_number(speaker: Arc<Speaker>) -> usize {
    let mut loggers = LOGGERS.write().unwrap_or_else(PoisonError::into_inner);
    loggers.push(speaker);
    loggers.len() - 1
}

pub(super) extern "C" fn log_enabled(_: usize, level: u32) -> u32 {
    let enabled = catch_unwind(|| lines::enabled(Level::of_number(level)));
    u32::from(enabled.unwrap_or(false))
}

pub(super) extern "C" fn log(number: usize, level: u32, target: Bytes<'_>, message: Bytes<'_>) {
    // A panic of the subscriber, as of a closed terminal, may not unwind into the plugin; the line is lost then.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let speaker = LOGGERS.read().ok().and_then(|loggers| loggers.get(number).cloned());
        let (module, line) = (shortened(target.as_slice(), 200), shortened(message.as_slice(), 4096));
        if let Some(speaker) = speaker {
            speaker.say(lines::current(), Level::of_number(level), &module, &line);
        }
    }));
}

// ---- where results go ----

const SINK_TABLE: &WithMetadata<Sink> = &WithMetadata::new(Sink { event, warn, plan, outcome, error, text });
const SINK: SinkRef = SinkRef(SINK_TABLE.static_as_prefix());

/// What a plugin is given. Between 1.0 and 1.1 the host's services stayed as they were.
fn given(tables: Tables) -> (HostRef, SinkRef) {
    // SAFETY: of each pair of tables one is the beginning of the other, and the accessors of what may be missing ask the
    // table itself.
    let (older, newer) = unsafe {
        (
            OLDER_SINK.static_as_prefix().cast(),
            (NEWER_HOST.static_as_prefix().cast(), NEWER_SINK.static_as_prefix().cast()),
        )
    };
    match tables {
        Tables::Ours => (HOST, SINK),
        Tables::Older => (HOST, SinkRef(older)),
        Tables::Newer => (HostRef(newer.0), SinkRef(newer.1)),
    }
}

/// Runs `take` on the output of the call that `context` belongs to; a panic of ours may not unwind into the plugin.
fn with_output(context: Context, take: impl FnOnce(&mut Output) -> u32) -> u32 {
    // SAFETY: `Native::call` made the context from a mutex that outlives the call, and plugins must not keep it longer.
    let output = unsafe { &*context.cast_const().cast::<Mutex<Output>>() };
    catch_unwind(AssertUnwindSafe(|| take(&mut output.lock().unwrap_or_else(PoisonError::into_inner))))
        .unwrap_or(code::FULL)
}

pub(super) extern "C" fn event(context: Context, view: &EventView<'_>) -> u32 {
    let raw = RawEvent {
        kind: part(view, has::KIND, &view.kind),
        subject: part(view, has::SUBJECT, &view.subject),
        data: part(view, has::DATA, &view.data),
        warnings: view.warnings.iter().map(|warning| warning.as_slice()).collect(),
    };
    with_output(context, |output| output.event(&raw))
}

fn part<'a>(view: &EventView<'_>, bit: u32, bytes: &'a Bytes<'_>) -> Option<&'a [u8]> {
    (view.has & bit != 0).then(|| bytes.as_slice())
}

pub(super) extern "C" fn warn(context: Context, text: Bytes<'_>) -> u32 {
    with_output(context, |output| {
        output.warn(text.as_slice());
        code::OK
    })
}

pub(super) extern "C" fn plan(context: Context, view: &PlanView<'_>) -> u32 {
    let raw = RawPlan {
        method: view.method.as_slice(),
        url: view.url.as_slice(),
        headers: view.headers.iter().map(|header| (header.name.as_slice(), header.value.as_slice())).collect(),
        body: view.body.as_slice(),
        timeout_s: (view.has & has::TIMEOUT != 0).then_some(view.timeout_s),
    };
    with_output(context, |output| output.plan(&raw))
}

pub(super) extern "C" fn outcome(context: Context, outcome: u32, text: Bytes<'_>, number: u64) -> u32 {
    with_output(context, |output| output.outcome(outcome, text.as_slice(), number))
}

pub(super) extern "C" fn error(context: Context, message: Bytes<'_>, place: Bytes<'_>) -> u32 {
    with_output(context, |output| {
        output.error(message.as_slice(), place.as_slice());
        code::OK
    })
}

pub(super) extern "C" fn text(context: Context, text: Bytes<'_>) -> u32 {
    with_output(context, |output| output.text(text.as_slice()))
}
