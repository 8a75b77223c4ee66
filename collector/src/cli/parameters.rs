//! A question's path with its parameters.

use serde::Serialize;

use super::observations::escaped;

/// The path, and what is wanted as its parameters; what is not said is left out.
pub(super) fn with_parameters(path: &str, wanted: &impl Serialize) -> String {
    let parameters = serde_json::to_value(wanted).unwrap_or_default();
    let mut path = path.to_owned();
    let mut mark = '?';
    for (key, value) in parameters.as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        path.push_str(&format!("{mark}{key}={}", escaped(&value)));
        mark = '&';
    }
    path
}
