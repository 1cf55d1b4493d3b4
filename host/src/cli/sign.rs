//! `hookport sign`: a sample signed as its provider would, by the declared scheme run backwards.

use std::path::PathBuf;

use clap::Args;

use super::offline::{Offline, Stage, fixture};
use super::{Failure, output, pair};
use crate::provider::sign::sign;

/// Sign a sample as its provider would and write the request; the counterpart of `verify`
///
/// The signed time becomes that of --at, ids stay, and sections behind the request stay. In a provider's fixtures,
/// source.toml, the case's `given` and keys/NAME.pem are the defaults. Exit 2 if it cannot be signed.
#[derive(Args)]
#[command(after_help = "Examples:
  hookport sign --provider plugins/eiotclub/provider.toml --request notice.http --secret main=a1b1c1d1 > signed.http
  hookport sign --provider provider.toml --request fixtures/a_payment.http --out fixtures/a_payment.http
  hookport sign --provider bank/provider.toml --request notice.http --secret system_public_key=@public.pem \\
      --secret api_key=env:KEY --key system_public_key=private.pem --url https://hooks.example.com/sgate")]
pub(super) struct Sign {
    #[command(flatten)]
    offline: Offline,
    /// For an asymmetric scheme: the private key that belongs to the source's public key NAME
    #[arg(long = "key", value_name = "NAME=FILE")]
    keys: Vec<String>,
    /// Where the request is written; may be the request file itself [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Sign {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut keys = fixture::keys(&self.offline.request);
        for written in &self.keys {
            keys.extend([pair::key(written)?]);
        }
        let Stage { case, source, now, .. } = self.offline.stage()?;
        let signed = sign(&source, &case.request, &keys, now).map_err(Failure::unusable)?;
        match signed.by.map(|by| (by, &source.provider.description.verify[by].alg)) {
            Some((by, alg)) => output::say(format_args!("signed by verify.{by}, {alg}, at {now}")),
            None => output::say("the provider signs nothing: written as it is"),
        }
        let text = case.with(&signed.request);
        match &self.out {
            None => output::bytes(&text),
            Some(file) => {
                std::fs::write(file, text).map_err(|error| Failure::unusable(format!("{}: {error}", file.display())))
            }
        }
    }
}
