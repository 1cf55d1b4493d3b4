//! Requests that go out: `[[operations]]` and `[[sign]]`, compiled, and run for one input at one moment.
//!
//! Pure: what is made here is sent elsewhere. The bytes that are signed are the bytes that are sent, and what is signed goes
//! through the templates that verify.

mod answer;
mod check;
mod draft;
mod fresh;
mod recorded;
mod request;
mod reverse;
mod signer;
mod work;

#[cfg(test)]
mod tests;

use hookport_plugin_api::operation::RequestPlan;

use self::answer::Answering;
pub use self::answer::Judged;
pub use self::draft::Draft;
pub use self::fresh::Moment;
use self::fresh::Own;
pub use self::recorded::{in_order, recorded};
use self::request::{Request, Sight};
pub(super) use self::signer::ReadySigner;
use self::signer::Signer;
use self::work::Work;
use super::json::Document;
use super::place::Place;
use super::source::Source;
use super::template::Unfit;
use super::view::{Parsed, Reads, View};
use crate::request::Incoming;

/// In place of a secret, where a request is shown.
const HIDDEN: &[u8] = b"***";

/// The compiled operations of a provider.
#[derive(Default)]
pub struct Calls {
    calls: Vec<Call>,
    /// Those of the description, and behind them those of single operations.
    signers: Vec<Signer>,
    /// Every place that they read, with its key.
    places: Vec<(String, Place)>,
}

/// One operation.
pub struct Call {
    id: String,
    request: Option<Request>,
    /// Which of the signers may sign it; the first that applies does.
    signers: Vec<usize>,
    answering: Answering,
}

/// What a request is made of.
#[derive(Debug, Clone)]
pub enum Plan {
    /// The input of an operation, JSON, for the description's own templates.
    Input(String),
    /// What a plugin's code planned.
    Built(RequestPlan),
}

/// A request that is made, and what it was made with.
struct Made {
    draft: Draft,
    own: Own,
    signed: Option<Signed>,
}

struct Signed {
    index: usize,
    own: Own,
    mac: Vec<u8>,
}

/// Why a request could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unmade {
    /// The input lacks what the request needs.
    #[error("{0}")]
    Input(String),
    /// The source, the description or the plugin's plan does not allow it.
    #[error("{0}")]
    Other(String),
}

impl From<String> for Unmade {
    fn from(why: String) -> Self {
        Self::Other(why)
    }
}

impl From<Unfit> for Unmade {
    fn from(unfit: Unfit) -> Self {
        match &unfit {
            Unfit::Missing(Place::Input { steps, .. }) => Self::Input(format!("the input lacks /{}", steps.join("/"))),
            Unfit::Missing(Place::Config(name)) => Self::Other(format!("settings.{name} is not set")),
            Unfit::Missing(Place::Secret(name)) => Self::Other(format!("secrets.{name} is not set")),
            _ => Self::Other(unfit.to_string()),
        }
    }
}

impl Calls {
    /// The operation of that id.
    pub fn named(&self, id: &str) -> Option<&Call> {
        self.calls.iter().find(|call| call.id == id)
    }

    /// Every place that they read, with its key.
    pub(super) fn places(&self) -> impl Iterator<Item = (String, &Place)> {
        self.places.iter().map(|(key, place)| (key.clone(), place))
    }
}

impl Call {
    /// Whether the description says what its request is.
    pub fn declared(&self) -> bool {
        self.request.is_some()
    }
}

impl Source {
    /// Every signer made ready, in the order of the provider's; none where its key is not configured.
    pub(super) fn signers(&self) -> (Vec<Option<ReadySigner>>, Vec<String>) {
        let (mut ready, mut wrong) = (Vec::new(), Vec::new());
        for signer in &self.provider.calls.signers {
            ready.push(signer.ready(self).map_err(|error| wrong.push(error)).ok().flatten());
        }
        (ready, wrong)
    }

    /// Whether signing may take longer than an async thread should be held.
    pub fn signs_costly(&self, call: &Call) -> bool {
        call.signers.iter().any(|index| self.provider.calls.signers[*index].algorithm.costly)
    }

    /// The request of a call as it is sent: made, stamped and signed.
    pub fn make(&self, call: &Call, plan: &Plan, moment: &Moment) -> Result<Draft, Unmade> {
        self.made(call, plan, moment).map(|made| made.draft)
    }

    /// The same for people: with `***` in place of every secret. The signature is that of the real one.
    pub fn show(&self, call: &Call, plan: &Plan, moment: &Moment) -> Result<Draft, Unmade> {
        let made = self.made(call, plan, moment)?;
        let hidden: Vec<_> = self.first_secrets().into_iter().map(|(name, _)| (name, HIDDEN)).collect();
        let mut draft = self.draft(call, plan, &made.own, &hidden)?;
        if let Some(signed) = &made.signed {
            let work = Work { source: self, index: signed.index, secrets: &hidden, own: &signed.own };
            work.stamp(&mut draft)?;
            // A token is no signature: it is the secret.
            work.write(&mut draft, if work.signer().algorithm.name == "static" { HIDDEN } else { &signed.mac })?;
        }
        Ok(draft)
    }

    fn made(&self, call: &Call, plan: &Plan, moment: &Moment) -> Result<Made, Unmade> {
        let secrets = self.first_secrets();
        let own = call.request.as_ref().map(|request| request.fresh.draw(moment)).unwrap_or_default();
        let mut draft = self.draft(call, plan, &own, &secrets)?;
        let Some(index) = self.signer(call, &draft)? else { return Ok(Made { draft, own, signed: None }) };
        let fresh = self.provider.calls.signers[index].fresh.draw(moment);
        let work = Work { source: self, index, secrets: &secrets, own: &fresh };
        work.stamp(&mut draft)?;
        let mac = work.mac(&draft)?;
        work.write(&mut draft, &mac)?;
        Ok(Made { draft, own, signed: Some(Signed { index, own: fresh, mac }) })
    }

    /// The request before it is signed.
    fn draft(&self, call: &Call, plan: &Plan, own: &Own, secrets: &[(&str, &[u8])]) -> Result<Draft, Unmade> {
        let input = match plan {
            Plan::Built(plan) => return Ok(Draft::of_plan(plan, secrets)?),
            Plan::Input(input) => {
                Document::parse(input.as_bytes()).map_err(|error| Unmade::Input(format!("the input is {error}")))?
            }
        };
        let request = call.request.as_ref().ok_or_else(|| format!("{} has no [operations.request]", call.id))?;
        let own: Vec<_> = own.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
        let nothing = Incoming::nothing();
        let parsed = Parsed::new(&nothing, Reads::default());
        let view = View { secrets, own: &own, url: None, ..self.view(&parsed) };
        request.render(&Sight { view: &view, input: Some(&input) })
    }

    /// Which signer signs it; none where the call is not signed.
    fn signer(&self, call: &Call, draft: &Draft) -> Result<Option<usize>, Unmade> {
        if call.signers.is_empty() {
            return Ok(None);
        }
        let applies = |index: &&usize| {
            let signer = &self.provider.calls.signers[**index];
            let parsed = Parsed::new(&draft.request, signer.reads);
            let view = View { url: Some(&draft.origin), ..self.view(&parsed) };
            signer.when.as_ref().is_none_or(|when| when.holds(&view).is_ok())
        };
        let found = call.signers.iter().find(applies);
        found
            .copied()
            .map(Some)
            .ok_or_else(|| "no table of [[sign]] applies to it; see `when` of each".to_owned().into())
    }
}
