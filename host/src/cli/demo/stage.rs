//! What the demo plays on: a real gateway with fresh keys, a receiver, and a journal in a folder that goes at the end.

use std::collections::BTreeMap;
use std::path::Path;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use super::receiver::Receiver;
use crate::cli::Failure;
use crate::clock::Clock;
use crate::config::{self, Config, Environment, Rules};
use crate::gateway::{Gateway, Plugins};
use crate::outbound::Condition;
use crate::provider::sign::{PrivateKey, PrivateKeys};

/// The configuration, embedded.
const CONFIG: &str = include_str!("../../../../config/demo.toml");

/// Everything that runs.
pub(super) struct Stage {
    pub(super) gateway: Gateway,
    pub(super) plugins: Plugins,
    /// What the providers sign with, by the public key's name.
    pub(super) keys: PrivateKeys,
    pub(super) receiver: Receiver,
    pub(super) clock: Clock,
    folder: TempDir,
}

impl Stage {
    /// Starts everything on free loopback ports.
    pub(super) async fn set() -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("hookport-demo-").tempdir();
        let folder = folder.map_err(|error| Failure::refused(format!("no folder for the journal: {error}")))?;
        let clock = Clock::default();
        let secret: [u8; 32] = rand::random();
        let receiver = Receiver::start(secret, clock.clone()).await.map_err(Failure::refused)?;
        let (mut variables, keys) = keys().map_err(Failure::refused)?;
        variables.extend(
            [
                ("RECEIVER_SECRET", format!("whsec_{}", STANDARD.encode(secret))),
                ("HOOKPORT__DESTINATIONS__RECEIVER__URL", format!("http://{}/events", receiver.address)),
                ("HOOKPORT__JOURNAL__PATH", folder.path().display().to_string()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        let plugins = Plugins::discover(&Plugins::folders(&[]));
        let config = config(&plugins, variables)?;
        let gateway = Gateway::start(config, &plugins, clock.clone()).await.map_err(Failure::refused)?;
        Ok(Self { gateway, plugins, keys, receiver, clock, folder })
    }

    /// Ends everything; nothing is left behind.
    pub(super) async fn strike(self) -> Result<(), Failure> {
        self.gateway.stop().await;
        let place = self.folder.path().display().to_string();
        self.folder.close().map_err(|error| Failure::refused(format!("{place} cannot be removed: {error}")))
    }
}

fn config(plugins: &Plugins, variables: BTreeMap<String, String>) -> Result<Config, Failure> {
    let environment: Environment = variables.into_iter().collect();
    let draft = config::load_text(Path::new("config/demo.toml"), CONFIG.to_owned(), &environment);
    let draft = draft.map_err(|wrong| Failure::complaints(&wrong))?;
    let wanted = draft.written.sources.values().map(|source| source.provider.as_str());
    let missing: Vec<&str> = wanted.filter(|provider| !plugins.by_id.contains_key(*provider)).collect();
    if !missing.is_empty() {
        let folder = std::env::current_exe().ok().and_then(|file| Some(file.parent()?.display().to_string()));
        let folder = folder.unwrap_or_else(|| "the program".into());
        let broken = plugins.refused.iter().map(|(file, error)| format!("\n{}: {error}", file.display()));
        let message = format!("the demo needs the providers' plugins beside the program, and {folder} has none for ");
        let mend = ": build them with `cargo build --workspace` (with --release for a release build)";
        return Err(Failure::refused(format!("{message}{}{mend}{}", missing.join(", "), broken.collect::<String>())));
    }
    let compile = |text: &str| Condition::compile(text).map(drop).map_err(|error| error.to_string());
    config::resolve(&draft, Rules { providers: &plugins.descriptions(), compile })
        .map_err(|wrong| Failure::complaints(&wrong))
}

/// Fresh keys: the gateway's side as variables, the providers' side to sign with.
fn keys() -> Result<(BTreeMap<String, String>, PrivateKeys), String> {
    let (system_private, system_public) = rsa()?;
    let (merchant_private, _) = rsa()?;
    let (sm2_private, sm2_public) = sm2()?;
    let hex = |bytes: [u8; 16]| hex::encode(bytes);
    let variables = [
        ("EIOTCLUB_SECRET", hex(rand::random())),
        ("EVO_SIGN_KEY", hex(rand::random())),
        ("EVO_SM2_PUBLIC_KEY", sm2_public),
        ("SGATE_API_KEY", hex(rand::random())),
        ("SGATE_SYSTEM_PUBLIC_KEY", system_public),
        ("SGATE_MERCHANT_PRIVATE_KEY", merchant_private),
    ];
    let keys = [("system_public_key", system_private), ("sm2_public_key", sm2_private)];
    let keys = keys.into_iter().map(|(name, text)| Ok((name.to_owned(), PrivateKey::read(&text)?)));
    Ok((variables.map(|(name, value)| (name.to_owned(), value)).into(), keys.collect::<Result<_, String>>()?))
}

/// Private and public key, as PEM.
fn rsa() -> Result<(String, String), String> {
    let wrong = |_| "an RSA key cannot be made".to_owned();
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(wrong)?;
    let private: Pkcs8V1Der<'_> = pair.as_der().map_err(wrong)?;
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(wrong)?;
    Ok((pem("PRIVATE KEY", private.as_ref()), pem("PUBLIC KEY", public.as_ref())))
}

/// Private key and public point, in hexadecimal digits.
fn sm2() -> Result<(String, String), String> {
    // All but one of 2^32 numbers are keys; a second try is more than enough.
    let mut tries = std::iter::repeat_with(|| sm2::SecretKey::from_slice(&rand::random::<[u8; 32]>()).ok()).take(8);
    let key = tries.find_map(|key| key).ok_or("an SM2 key cannot be made")?;
    Ok((hex::encode(key.to_bytes()), hex::encode(key.public_key().to_sec1_bytes())))
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = (0..text.len()).step_by(64).map(|start| &text[start..text.len().min(start + 64)]).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
