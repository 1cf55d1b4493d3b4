//! Operations: calls that the gateway makes to a provider. A plugin says what to send and what an answer means; the host sends,
//! waits, repeats and limits.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Header;
use crate::abi::{AnswerView, CallView, has};
use crate::request::{headers, text_of};

/// One call of an operation.
pub struct Call<'a> {
    operation: &'a str,
    input: &'a str,
    settings: &'a str,
}

impl<'a> Call<'a> {
    pub(crate) fn new(view: &CallView<'a>) -> Self {
        Self { operation: view.operation.as_str(), input: view.input.as_str(), settings: view.settings.as_str() }
    }

    /// The operation's id.
    pub fn operation(&self) -> &'a str {
        self.operation
    }

    /// The caller's input as JSON text.
    pub fn input_text(&self) -> &'a str {
        self.input
    }

    /// The caller's input.
    pub fn input<T: Deserialize<'a>>(&self) -> Result<T, OperationError> {
        serde_json::from_str(self.input).map_err(|error| OperationError::new(format!("the input is wrong: {error}")))
    }

    /// The source's settings, by name.
    pub fn settings<T: Deserialize<'a>>(&self) -> Result<T, OperationError> {
        serde_json::from_str(self.settings)
            .map_err(|error| OperationError::new(format!("the settings are wrong: {error}")))
    }
}

/// One HTTP request to make.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestPlan {
    /// Upper case.
    pub method: String,
    /// Absolute.
    pub url: String,
    /// Names and values. In a value the host puts a secret of the source in place of `${secret:NAME}`.
    pub headers: Vec<(String, String)>,
    /// As it goes out.
    pub body: Vec<u8>,
    /// Seconds; the description's where absent.
    pub timeout_s: Option<u32>,
}

impl RequestPlan {
    /// A request without a body.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self { method: method.into(), url: url.into(), ..Self::default() }
    }

    /// A POST of JSON.
    pub fn post_json<T: Serialize + ?Sized>(url: impl Into<String>, body: &T) -> Result<Self, OperationError> {
        let body = serde_json::to_vec(body)
            .map_err(|error| OperationError::new(format!("the request cannot be written: {error}")))?;
        Ok(Self { body, ..Self::new("POST", url) }.header("content-type", "application/json"))
    }

    /// Adds a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Waits that long.
    pub fn timeout_s(mut self, seconds: u32) -> Self {
        self.timeout_s = Some(seconds);
        self
    }
}

/// What became of one plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<'a> {
    /// 0 where there was no answer.
    pub status: u16,
    /// As received; names are lower case.
    pub headers: Vec<Header<'a>>,
    /// As received.
    pub body: Cow<'a, [u8]>,
    /// Why there was no answer.
    pub error: Option<Cow<'a, str>>,
}

impl<'a> Answer<'a> {
    pub(crate) fn new(view: &'a AnswerView<'a>) -> Self {
        Self {
            status: u16::try_from(view.status).unwrap_or_default(),
            headers: headers(view.headers.as_slice()).collect(),
            body: Cow::Borrowed(view.body.as_slice()),
            error: (view.has & has::ERROR != 0).then(|| Cow::Borrowed(view.error.as_str())),
        }
    }

    /// The first header of that name whose value is text; case does not matter.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        text_of(self.headers.iter().copied(), name)
    }

    /// The body as JSON.
    pub fn json<'s, T: Deserialize<'s>>(&'s self) -> Result<T, OperationError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| OperationError::new(format!("the answer is not as documented: {error}")))
    }
}

/// What the answers mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpResult {
    /// Finished, with the output as JSON text.
    Done(String),
    /// More requests; the next parse sees all answers, in the order of the plans.
    More(Vec<RequestPlan>),
    /// The provider wants to be asked again after so many seconds.
    RetryAfter(u32),
    /// It failed, in the provider's own words.
    Fail(String),
}

impl OpResult {
    /// Finished, with anything that serde can write.
    pub fn done<T: Serialize + ?Sized>(output: &T) -> Result<Self, OperationError> {
        let json = serde_json::to_string(output);
        json.map(Self::Done).map_err(|error| OperationError::new(format!("the output cannot be written: {error}")))
    }
}

/// Why an operation cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationError {
    message: String,
}

impl OperationError {
    /// Says what is wrong, for the caller.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

impl fmt::Display for OperationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for OperationError {}

impl From<&str> for OperationError {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

impl From<String> for OperationError {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}
