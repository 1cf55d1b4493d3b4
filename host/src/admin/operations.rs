//! `/v1/sources/{source}/operations/{operation}`: a provider is called, and its answer is the answer.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::{Failure, Shared};
use crate::operations::CallError;

/// The body is the input; a part that failed is in the output's `errors`.
pub(super) async fn call(
    State(shared): State<Shared>,
    Path((source, operation)): Path<(String, String)>,
    body: Bytes,
) -> Result<impl IntoResponse, Failure> {
    let input = std::str::from_utf8(&body).map_err(|_| Failure::unusable("the input is not UTF-8"))?;
    let output = shared.state.operations.call(&source, &operation, input).await?;
    Ok(([(CONTENT_TYPE, "application/json")], output.json))
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let status = match error {
            CallError::Unknown(_) => StatusCode::NOT_FOUND,
            CallError::Input(_) => StatusCode::BAD_REQUEST,
            CallError::Refused(_) | CallError::Endless(_) => StatusCode::BAD_GATEWAY,
            CallError::Later(_) => StatusCode::SERVICE_UNAVAILABLE,
            CallError::Unmade(_) | CallError::Plan(_) | CallError::Fault(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}
