//! Every case file of every provider, sent as its provider would send it. A new case is a new file in `plugins/*/fixtures`;
//! `UPDATE_CASES=1` writes down what comes instead of comparing it.

pub(crate) mod document;
pub(crate) mod file;
pub(crate) mod gateway;
mod run;
pub(crate) mod setup;
mod vectors;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::file::Case;
use crate::catalogue;
use crate::shipped::sources;

/// Gateways at once.
const GATEWAYS: usize = 8;

/// Runs every case of a provider and tells all that do not hold.
async fn hold(provider: &'static str, at_least: usize) {
    let files = files(&sources(provider));
    assert!(files.len() >= at_least, "{provider}: only {} cases", files.len());
    all_hold(files.into_iter().map(|file| (provider.to_owned(), file)).collect()).await;
}

async fn all_hold(files: Vec<(String, PathBuf)>) {
    let (update, places) = (env::var_os("UPDATE_CASES").is_some(), Arc::new(Semaphore::new(GATEWAYS)));
    let mut running = JoinSet::new();
    for (provider, file) in files {
        let places = places.clone();
        running.spawn(async move {
            let _place = places.acquire().await.expect("the semaphore is never closed");
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let case = Case::read(&file);
            let result = match &case {
                Ok(case) => run::run(case, &provider, update).await,
                Err(error) => Err(error.clone()),
            };
            result.map_err(|error| format!("{provider}/{name}:\n    {error}"))
        });
    }
    let mut failed: Vec<String> = running.join_all().await.into_iter().filter_map(Result::err).collect();
    failed.sort();
    assert!(failed.is_empty(), "{} cases do not hold:\n{}", failed.len(), failed.join("\n"));
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let folder = fs::read_dir(folder.join("fixtures")).expect("the provider has cases");
    let files = folder.map(|file| file.expect("the folder can be read").path());
    files.filter(|file| file.extension().is_some_and(|ending| ending == "http")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn eiotclub_is_as_its_cases_say() {
    hold("eiotclub", 37).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn evo_cloud_is_as_its_cases_say() {
    hold("evo-cloud", 63).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sgate_is_as_its_cases_say() {
    hold("sgate", 33).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wallet_openapi_is_as_its_cases_say() {
    hold("wallet-openapi", 22).await;
}

/// `CATALOG=stripe,slack` runs those alone.
#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_is_as_its_cases_say() {
    let wanted = env::var("CATALOG").ok();
    let wanted = |id: &str| wanted.as_ref().is_none_or(|wanted| wanted.split(',').any(|name| name == id));
    let mut cases = Vec::new();
    for (id, folder) in catalogue::providers() {
        if wanted(&id) {
            cases.extend(files(&folder).into_iter().map(|file| (id.clone(), file)));
        }
    }
    assert!(!cases.is_empty(), "the catalogue has cases");
    all_hold(cases).await;
}

#[tokio::test]
async fn a_refused_card_is_kept_without_its_number() {
    let (kept, _) = run::left_behind("wallet-openapi", "another_media_type_gets_a_code").await.expect("it holds");
    let kept = String::from_utf8(kept.expect("a rejection with its request").body.to_vec()).expect("text");
    assert!(kept.contains("cid_sxdwXPRxtXt6Ch4n"), "{kept}");
    assert!(!kept.contains("4111111111111111") && !kept.contains("345"), "{kept}");
}

#[tokio::test]
async fn what_was_encrypted_is_never_stored_open() {
    let (_, journal) = run::left_behind("sgate", "a_customer_status_change_is_accepted").await.expect("it holds");
    let holds = |text: &str| journal.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("updTest2"), "the event is in the journal's files");
    assert!(!holds("1098765432") && !holds("+966500000001"), "opened fields are not");
}
