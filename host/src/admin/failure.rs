//! The one place where failures become answers: a status and `{"error": "..."}`.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::journal::JournalError;
use crate::provider::complaint::Complaint;

/// An answer that is no success.
#[derive(Debug)]
pub struct Failure {
    status: StatusCode,
    message: String,
    /// What is wrong with a configuration, one by one.
    complaints: Vec<Complaint>,
}

impl Failure {
    /// A status and what to do about it.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), complaints: Vec::new() }
    }

    /// A configuration that is not taken on, or would not be.
    pub(super) fn complaints(complaints: Vec<Complaint>, dry_run: bool) -> Self {
        let message = match dry_run {
            true => "the configuration would not be taken on",
            false => "the configuration is not taken on, and the one that runs stays",
        };
        Self { complaints, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, message) }
    }

    /// Plugins that cannot be what somebody asked for.
    pub(super) fn plugins(complaints: Vec<Complaint>) -> Self {
        let message = "the plugins stay as they are";
        Self { complaints, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, message) }
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no {what}; it may have been deleted with age"))
    }

    pub(super) fn unusable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = match self.complaints.as_slice() {
            [] => json!({ "error": self.message }),
            complaints => json!({ "error": self.message, "errors": complaints }),
        };
        (self.status, Json(body)).into_response()
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        let status = match error {
            JournalError::Busy | JournalError::Closed => StatusCode::SERVICE_UNAVAILABLE,
            JournalError::Failed { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

impl From<QueryRejection> for Failure {
    fn from(rejection: QueryRejection) -> Self {
        Self::unusable(rejection.body_text())
    }
}

impl From<JsonRejection> for Failure {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}
