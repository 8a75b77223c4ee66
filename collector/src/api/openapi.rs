//! The API's own description: OpenAPI 3.1, put together from the table.
//!
//! Invariant: nothing stands here that the table and the types of its handlers do not say. Pages for people are not
//! in it.

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};

use super::problem::{PROBLEM, Problem};
use super::table::{self, Line};
use super::typed::{Description, Schemas, Told};
use super::{Shared, path};
use crate::control::Role;

/// Whole numbers in JSON are exact up to here (RFC 8259 section 6).
const EXACT: u64 = (1 << 53) - 1;

const ABOUT: &str = "What Mailsonde's collector can be asked. Times are RFC 3339 in UTC; units stand in \
    names. Over the folder's socket whoever may open it may do everything; over the network a token of a session \
    (`POST /api/v1/login`) or an API token is shown as a bearer token.";

pub(super) async fn document(State(_): State<Shared>) -> Told<Map<String, Value>> {
    Told::from(axum::response::IntoResponse::into_response(Json(of_the_table())))
}

/// The document.
pub(super) fn of_the_table() -> Value {
    let mut schemas = Schemas::new();
    let problem = schemas.told.subschema_for::<Problem>().to_value();
    let mut paths: Map<String, Value> = Map::new();
    for line in table::table() {
        let Some(describe) = line.describe else { continue };
        let operation = operation(&line, describe(&mut schemas));
        let at = paths.entry(line.endpoint.path).or_insert_with(|| json!({}));
        if let Some(at) = at.as_object_mut() {
            at.insert(line.endpoint.method.as_str().to_ascii_lowercase(), operation);
        }
    }
    let refused = json!({
        "description": "It was not done, and why.",
        "content": { PROBLEM: { "schema": problem } },
    });
    in_plain_words(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Mailsonde collector",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas.told.take_definitions(true),
            "responses": { "Refused": refused },
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } },
        },
    }))
}

/// Without the links of docstrings, which lead nowhere here.
fn in_plain_words(mut value: Value) -> Value {
    match &mut value {
        Value::Object(object) => {
            for (name, value) in object.iter_mut() {
                let plain = match (name.as_str(), &value) {
                    ("description", Value::String(text)) if text.contains("[`") => {
                        text.replace("[`", "`").replace("`]", "`").into()
                    }
                    _ => in_plain_words(value.take()),
                };
                *value = plain;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|it| *it = in_plain_words(it.take())),
        _ => {}
    }
    value
}

fn operation(line: &Line, description: Description) -> Value {
    let Description { path, query, body, answer } = description;
    let endpoint = &line.endpoint;
    let says = path::says(endpoint.path).unwrap_or_default();
    let mut operation = Map::new();
    operation.insert("operationId".into(), name(endpoint.method.as_str(), endpoint.path).into());
    operation.insert("summary".into(), says.into());
    operation.insert("tags".into(), json!([tag(endpoint.path)]));
    let least = endpoint.least.map_or("anybody", Role::as_str);
    operation.insert("description".into(), format!("The least role is: {least}.").into());
    operation.insert("x-least-role".into(), least.into());
    let security = if endpoint.least.is_some() { json!([{ "bearer": [] }]) } else { json!([]) };
    operation.insert("security".into(), security);
    let mut parameters = of_path(endpoint.path, path);
    parameters.extend(query.map(|query| of_query(query.to_value())).unwrap_or_default());
    if !parameters.is_empty() {
        operation.insert("parameters".into(), parameters.into());
    }
    if let Some(body) = body {
        let schema = exact(body.to_value());
        operation.insert(
            "requestBody".into(),
            json!({ "required": true, "content": { "application/json": { "schema": schema } } }),
        );
    }
    operation.insert("responses".into(), responses(line, answer));
    operation.into()
}

fn responses(line: &Line, answer: Vec<(&'static str, Value)>) -> Value {
    let has_json = answer.iter().any(|(media, _)| *media == "application/json");
    let content: Map<String, Value> = answer
        .into_iter()
        .map(|(media, schema)| (media.to_owned(), json!({ "schema": schema })))
        .collect();
    let mut responses = json!({
        "200": { "description": "The answer.", "content": content },
        "default": { "$ref": "#/components/responses/Refused" },
    });
    if line.endpoint.method == axum::http::Method::GET
        && has_json
        && let Some(responses) = responses.as_object_mut()
    {
        let same = json!({ "description": "What `If-None-Match` names is still so." });
        responses.insert("304".into(), same);
    }
    responses
}

/// Words of the path, by their names in it.
fn of_path(path: &str, schemas: Vec<schemars::Schema>) -> Vec<Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names
        .zip(schemas)
        .map(|(name, schema)| {
            let schema = exact(bare(schema.to_value()));
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        })
        .collect()
}

/// Each member of the object is a parameter.
fn of_query(object: Value) -> Vec<Value> {
    let required = object.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let members = object.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    members
        .into_iter()
        .map(|(name, mut schema)| {
            let says = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            let is_required = required.contains(&Value::from(name.as_str()));
            let mut parameter = json!({ "name": name, "in": "query", "required": is_required });
            if let Some(parameter) = parameter.as_object_mut() {
                parameter.extend(says.map(|says| ("description".to_owned(), says)));
                parameter.insert("schema".into(), exact(not_null(schema)));
            }
            parameter
        })
        .collect()
}

/// A parameter that is not there is left out: it cannot be `null`.
fn not_null(mut schema: Value) -> Value {
    let Some(object) = schema.as_object_mut() else { return schema };
    object.remove("default");
    for words in ["type", "anyOf", "enum"] {
        if let Some(Value::Array(choices)) = object.get_mut(words) {
            choices.retain(|it| {
                !it.is_null() && *it != "null" && it.get("type") != Some(&"null".into())
            });
        }
    }
    // a choice of one is none
    if let Some(Value::Array(kinds)) = object.get("type")
        && let [kind] = kinds.as_slice()
    {
        let kind = kind.clone();
        object.insert("type".into(), kind);
    }
    match object.get_mut("anyOf") {
        Some(Value::Array(choices)) if choices.len() == 1 => choices.remove(0),
        _ => schema,
    }
}

/// Without what only a document has.
fn bare(mut schema: Value) -> Value {
    if let Some(object) = schema.as_object_mut() {
        object.remove("title");
    }
    schema
}

/// A number without a bound gets the one up to which JSON's numbers are exact.
fn exact(mut schema: Value) -> Value {
    let is_wide = |object: &Map<String, Value>| {
        let format = object.get("format").and_then(Value::as_str);
        matches!(format, Some("uint64" | "uint" | "int64")) && !object.contains_key("maximum")
    };
    match &mut schema {
        Value::Object(object) => {
            if is_wide(object) {
                object.insert("maximum".into(), EXACT.into());
            }
            for value in object.values_mut() {
                *value = exact(value.take());
            }
        }
        Value::Array(values) => {
            for value in values {
                *value = exact(value.take());
            }
        }
        _ => {}
    }
    schema
}

/// Such as `get_incidents_id`.
fn name(method: &str, path: &str) -> String {
    let words = path.trim_start_matches("/api/v1/").replace(['/', '-', '.'], "_");
    format!("{}_{}", method.to_ascii_lowercase(), words.replace(['{', '}'], ""))
}

/// The first word of the path.
fn tag(path: &str) -> &str {
    path.trim_start_matches("/api/v1/").split(['/', '.']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_api_says_what_it_takes_and_answers() {
        let document = of_the_table();
        for line in table::table() {
            let (method, path) = (&line.endpoint.method, line.endpoint.path);
            if !path.starts_with("/api/") {
                continue;
            }
            let at = &document["paths"][path][method.as_str().to_ascii_lowercase()];
            assert!(at["responses"]["200"]["content"].is_object(), "{method} {path} has no types");
            assert!(path::says(path).is_some(), "{path} has no docstring in path.rs");
            let words = path.matches('{').count();
            let parameters = at["parameters"].as_array().cloned().unwrap_or_default();
            let told = parameters.iter().filter(|parameter| parameter["in"] == "path").count();
            assert_eq!(told, words, "{method} {path} does not take each word of its path");
        }
    }

    #[test]
    fn a_parameter_is_told_with_its_sentence_and_is_never_null() {
        let document = of_the_table();
        let parameters = document["paths"]["/api/v1/observations"]["get"]["parameters"].as_array();
        let told = parameters.unwrap().iter().map(|it| format!("{it}\n")).collect::<String>();
        insta::assert_snapshot!(told, @r#"
        {"description":"Goes on after the item that `next` named.","in":"query","name":"after","required":false,"schema":{"type":"string"}}
        {"description":"Of the agent of this name.","in":"query","name":"agent","required":false,"schema":{"type":"string"}}
        {"description":"Of this check.","in":"query","name":"check","required":false,"schema":{"type":"string"}}
        {"description":"So many at most.","in":"query","name":"limit","required":false,"schema":{"maximum":1000,"minimum":1,"type":"integer"}}
        {"description":"Received at this time or later.","in":"query","name":"since","required":false,"schema":{"format":"date-time","type":"string"}}
        {"description":"`pass`, `fail` or `void`.","in":"query","name":"verdict","required":false,"schema":{"description":"A verdict without what it says.","oneOf":[{"const":"pass","description":"It works.","type":"string"},{"const":"fail","description":"It does not.","type":"string"},{"const":"void","description":"It could not be judged.","type":"string"}]}}
        "#);
    }
}
