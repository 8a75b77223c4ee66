//! The report of a month, in every format.

use axum::extract::{Path, Query as Parameters, State};
use axum::http::header::{
    CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::typed::{AsReport, Told};
use super::{Operators, Refusal, Shared};
use crate::query::ReportWanted;
use crate::query::sla::Month;
use crate::report::{Format, ReportError, WrittenReport, file_name, written};
use crate::reporting::ReportingError;

/// How a report is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportAsked {
    /// JSON where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Of these services only, with commas between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// The page is ours, and what stands in it is other people's words: nothing in it may run or load anything.
const NOTHING_RUNS: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

pub(super) async fn report(
    State(shared): State<Shared>,
    Path(month): Path<String>,
    Parameters(asked): Parameters<ReportAsked>,
) -> Told<WrittenReport<'static>, AsReport> {
    let format = asked.format.unwrap_or(Format::Json);
    let answer = move |operators: &Operators| -> Result<_, Refusal> {
        let month: Month = month.parse().map_err(|error: crate::query::sla::NotAMonth| {
            Refusal(StatusCode::BAD_REQUEST, error.to_string())
        })?;
        let services = ReportWanted { service: asked.service }.services();
        let report = operators.reporting.report(month, &services)?;
        Ok((file_name(&report, format), written(&report, format)?))
    };
    shared.work_for(answer, move |(name, bytes)| shown(&name, bytes, format)).await.into()
}

fn shown(name: &str, bytes: Vec<u8>, format: Format) -> Response {
    let mut response = bytes.into_response();
    let mut set = |header: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(header, value);
        }
    };
    set(CONTENT_TYPE, format.media_type());
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(CONTENT_DISPOSITION, &format!("inline; filename=\"{name}\""));
    if format == Format::Html {
        set(CONTENT_SECURITY_POLICY, NOTHING_RUNS);
    }
    response
}

impl From<ReportingError> for Refusal {
    fn from(error: ReportingError) -> Self {
        match error {
            ReportingError::Query(error) => error.into(),
            ReportingError::NoService { .. } => Self(StatusCode::NOT_FOUND, error.to_string()),
            ReportingError::Folder(_) | ReportingError::Json(_) => {
                Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
            }
        }
    }
}

impl From<ReportError> for Refusal {
    fn from(error: ReportError) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}
