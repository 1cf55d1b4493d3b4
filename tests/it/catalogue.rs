//! The catalogue: code-free providers, each a folder with its description and its cases. What holds for all of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hookport::case::Case as Sample;
use hookport::provider::remote::Fetched;
use hookport::provider::sign::{PrivateKey, PrivateKeys, Tamper, sign};
use hookport::provider::source::Source;
use hookport::provider::verify::verify_with;
use hookport::request::Incoming;
use hookport_plugin_api::description::Key;
use jiff::Timestamp;

use crate::cases::file::Case;
use crate::cases::gateway::{plugins, resolved};
use crate::cases::setup::{SOURCE, Setup};

/// Bytes of a request that are flipped, one at a time.
const FLIPS: usize = 400;

/// Every code-free provider of the catalogue: its id and its folder.
pub(crate) fn providers() -> Vec<(String, PathBuf)> {
    let folders = fs::read_dir(folder()).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<_> = folders.filter(|folder| folder.join("provider.toml").is_file()).collect();
    found.sort();
    let id = |folder: &PathBuf| folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    found.into_iter().map(|folder| (id(&folder), folder)).collect()
}

/// Where they lie.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/catalog")
}

/// A provider's sample with the source and the keys of its folder.
struct Stage {
    source: Source,
    sample: Incoming,
    keys: PrivateKeys,
    fetched: Fetched,
    now: Timestamp,
}

impl Stage {
    fn of(provider: &str, file: &Path) -> Result<Self, String> {
        let setup = Setup::of(&Case::read(file)?, provider)?;
        let configuration = setup.configuration(Path::new("data"), ([127, 0, 0, 1], 9).into());
        let config = resolved(Path::new("."), &configuration, plugins())?;
        let plugin = plugins().by_id.get(provider).ok_or("it is not among the plugins")?;
        let source = Source::build(SOURCE, plugin.provider.clone(), config.sources[SOURCE].parts.clone());
        let sample = Sample::parse(&fs::read(file).map_err(|error| error.to_string())?)?.request;
        let source = source.map_err(|wrong| wrong.join("; "))?;
        let known =
            |fetched: Fetched, (url, text): (&String, &String)| fetched.with(url.clone(), Ok(text.clone().into()));
        let fetched = setup.fetched.iter().fold(Fetched::default(), known);
        Ok(Self { source, sample, keys: keys(file)?, fetched, now: setup.at })
    }

    /// Whether the request proves itself, whatever else may be wrong with it.
    fn proves(&self, request: Incoming) -> bool {
        let verified = verify_with(&self.source, &Arc::new(request), &self.fetched, self.now);
        verified.is_ok_and(|verified| verified.stale.is_none())
    }

    /// Signed by the scheme run backwards, and changed in its signature.
    fn inverts(&self) -> Result<(), String> {
        let signed = sign(&self.source, &self.sample, &self.keys, self.now).map_err(|error| error.to_string())?;
        if !self.proves(signed.request.clone()) {
            return Err("what is signed is not accepted".into());
        }
        match signed.tampered(&self.source, Tamper::Signature, self.now) {
            Ok(other) if self.proves(other.clone()) => Err("another signature is accepted".into()),
            _ => Ok(()),
        }
    }
}

fn keys(file: &Path) -> Result<PrivateKeys, String> {
    let mut keys = PrivateKeys::new();
    for entry in fs::read_dir(file.with_file_name("keys")).into_iter().flatten().flatten() {
        let name = entry.path().file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(entry.path()).map_err(|error| error.to_string())?;
        keys.insert(name, PrivateKey::read(&text)?);
    }
    Ok(keys)
}

/// Copies with one bit of one byte changed, in the body and in the query; of many bytes as many as are tried.
fn flipped(request: &Incoming) -> Vec<Incoming> {
    let of = |bytes: &[u8]| -> Vec<Vec<u8>> {
        let step = (bytes.len() / FLIPS).max(1);
        let flip = |at: usize| {
            let mut copy = bytes.to_vec();
            copy[at] ^= 1;
            copy
        };
        (0..bytes.len()).step_by(step).map(flip).collect()
    };
    let bodies = of(&request.body).into_iter().map(|body| Incoming { body: body.into(), ..request.clone() });
    let target = |query: Vec<u8>| Some(format!("{}?{}", request.path(), String::from_utf8(query).ok()?));
    let targets = of(request.query().as_bytes()).into_iter().filter_map(target);
    bodies.chain(targets.map(|target| Incoming { target, ..request.clone() })).collect()
}

/// The cases of which events come.
fn accepted(folder: &Path) -> Vec<PathBuf> {
    let files =
        fs::read_dir(folder.join("fixtures")).expect("a provider has cases").flatten().map(|entry| entry.path());
    let cases = files.filter(|file| file.extension().is_some_and(|ending| ending == "http"));
    let told = |file: &PathBuf| {
        let expected = Case::read(file).and_then(|case| case.expected()).expect("a case can be read");
        !expected.events.is_empty() && expected.rejected.is_none() && !expected.undecoded
    };
    cases.filter(told).collect()
}

/// What is wrong with a provider's accepted cases: as they stand, changed, and its sample signed anew.
fn holds(provider: &str, folder: &Path) -> Result<(), String> {
    let (mut tried, mut passed) = (0, 0);
    for file in accepted(folder) {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let stage = Stage::of(provider, &file).map_err(|error| format!("{name}: {error}"))?;
        if !stage.proves(stage.sample.clone()) {
            return Err(format!("{name} does not prove itself"));
        }
        let copies = flipped(&stage.sample);
        tried += copies.len();
        passed += copies.into_iter().filter(|copy| stage.proves(copy.clone())).count();
        if name == "accepted.http" {
            stage.inverts()?;
        }
    }
    let covers = plugins().by_id[provider].provider.description.event.covers.as_deref().unwrap_or("body");
    match covers {
        "body" if passed > 0 => Err(format!("covers = \"body\", but {passed} of {tried} changed copies are accepted")),
        "fields" if tried > 0 && passed == tried => Err("covers = \"fields\", but no changed copy is refused".into()),
        "none" if tried > 0 && passed == 0 => Err("covers = \"none\", but no changed copy is accepted".into()),
        _ => Ok(()),
    }
}

#[test]
fn what_is_signed_is_accepted_and_of_what_it_covers_every_flipped_bit_is_refused() {
    let all = providers();
    assert!(all.len() >= 85, "only {} providers", all.len());
    let failed: Vec<_> =
        all.iter().filter_map(|(id, folder)| Some(format!("{id}: {}", holds(id, folder).err()?))).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn every_provider_says_what_stands_behind_it_and_has_an_accepted_and_a_refused_case() {
    let mut failed = Vec::new();
    for (id, folder) in providers() {
        let provider = &plugins().by_id.get(&id).expect("every description is among the plugins").provider;
        let identity = &provider.description.provider;
        if identity.id != id {
            failed.push(format!("{id}: its id is {:?}", identity.id));
        }
        if identity.docs.is_none() || identity.evidence.is_none() || identity.retries.is_none() {
            failed.push(format!("{id}: docs, evidence or retries are missing"));
        }
        // Whose certificate chains to the web's roots, nobody else can sign.
        let fetch = |key: &Key| key.fetch.as_ref().is_some_and(|fetch| fetch.chain.is_some());
        let sole = provider.description.verify.iter().any(|table| table.key.as_ref().is_some_and(fetch));
        if accepted(&folder).is_empty() && !sole {
            failed.push(format!("{id}: no accepted case"));
        }
        let files = fs::read_dir(folder.join("fixtures")).expect("a provider has cases").flatten();
        let refused = files.filter_map(|entry| Case::read(&entry.path()).ok()?.expected().ok()?.rejected).count();
        if refused == 0 && provider.unsigned().is_none() {
            failed.push(format!("{id}: no refused case"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
