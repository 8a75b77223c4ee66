//! What a line of the table takes and answers, as its handler's own types say: a description cannot differ from what
//! it describes.
//!
//! A handler takes extractors and answers with [`Told`]; [`Described`] is implemented for every such function, and
//! the table asks for it. Absent on purpose: how the document is put together, which `openapi` does.

use std::marker::PhantomData;

use super::paged::{MAX_LIMIT, Paged};
use axum::Json;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

/// An answer of this form, or a refusal.
pub(super) struct Told<T, M = AsJson>(Response, PhantomData<fn() -> (T, M)>);

impl<T, M> From<Response> for Told<T, M> {
    fn from(response: Response) -> Self {
        Self(response, PhantomData)
    }
}

impl<T, M> IntoResponse for Told<T, M> {
    fn into_response(self) -> Response {
        self.0
    }
}

/// How an answer is written.
pub(super) trait Medium {
    /// Media types, with the schema of each.
    fn media(schema: Value) -> Vec<(&'static str, Value)>;
}

/// One JSON value.
pub(super) enum AsJson {}
/// A JSON value in each line.
pub(super) enum AsLines {}
/// A calendar (RFC 5545).
pub(super) enum AsCalendar {}
/// JSON, or a text for people.
pub(super) enum AsDocument {}
/// JSON, a text or a page for people, a sheet of figures, or PDF.
pub(super) enum AsReport {}
/// Server-sent events, the data of each a JSON value.
pub(super) enum AsEvents {}

impl Medium for AsJson {
    fn media(schema: Value) -> Vec<(&'static str, Value)> {
        vec![("application/json", schema)]
    }
}

impl Medium for AsLines {
    fn media(schema: Value) -> Vec<(&'static str, Value)> {
        // each line is one; no tool reads a stream of them as a whole
        vec![("application/x-ndjson", json!({ "x-line": schema }))]
    }
}

impl Medium for AsEvents {
    fn media(schema: Value) -> Vec<(&'static str, Value)> {
        vec![("text/event-stream", json!({ "x-data": schema }))]
    }
}

impl Medium for AsCalendar {
    fn media(_: Value) -> Vec<(&'static str, Value)> {
        vec![("text/calendar", json!({ "type": "string" }))]
    }
}

impl Medium for AsDocument {
    fn media(schema: Value) -> Vec<(&'static str, Value)> {
        let text = json!({ "type": "string" });
        vec![("application/json", schema), ("text/markdown", text.clone()), ("text/html", text)]
    }
}

impl Medium for AsReport {
    fn media(schema: Value) -> Vec<(&'static str, Value)> {
        let mut media = AsDocument::media(schema);
        media.push(("text/csv", json!({ "type": "string" })));
        // bytes have no schema
        media.push(("application/pdf", json!({})));
        media
    }
}

/// What a line takes and answers.
#[derive(Debug, Default)]
pub(super) struct Description {
    /// Words of the path, in order.
    pub(super) path: Vec<Schema>,
    /// Parameters after the question mark: an object.
    pub(super) query: Option<Schema>,
    /// The body.
    pub(super) body: Option<Schema>,
    /// Media types of the answer, with their schemas.
    pub(super) answer: Vec<(&'static str, Value)>,
}

/// Makes schemas: of what is asked each in its place, of what is told by reference.
pub(super) struct Schemas {
    asked: SchemaGenerator,
    pub(super) told: SchemaGenerator,
}

impl Schemas {
    pub(super) fn new() -> Self {
        let asked = SchemaSettings::draft2020_12().for_deserialize().with(|settings| {
            settings.inline_subschemas = true;
            settings.meta_schema = None;
        });
        let told = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Self { asked: asked.into_generator(), told: told.into_generator() }
    }

    fn asked<T: JsonSchema>(&mut self) -> Schema {
        self.asked.root_schema_for::<T>()
    }
}

/// One part of what a handler takes.
pub(super) trait Taken {
    /// Nothing of it is the peer's to choose.
    fn describe(_: &mut Schemas, _: &mut Description) {}
}

impl<S> Taken for State<S> {}
impl<C> Taken for ConnectInfo<C> {}
impl Taken for HeaderMap {}

impl<T: JsonSchema> Taken for Path<T> {
    fn describe(schemas: &mut Schemas, description: &mut Description) {
        description.path.push(schemas.asked::<T>());
    }
}

impl<T: JsonSchema> Taken for Query<T> {
    fn describe(schemas: &mut Schemas, description: &mut Description) {
        description.query = Some(schemas.asked::<T>());
    }
}

impl<W: JsonSchema> Taken for Paged<W> {
    fn describe(schemas: &mut Schemas, description: &mut Description) {
        let mut schema = schemas.asked::<W>().to_value();
        if let Some(object) = schema.as_object_mut() {
            let members = object.entry("properties").or_insert_with(|| json!({}));
            if let Some(members) = members.as_object_mut() {
                members.insert("limit".into(), json!({
                    "description": "So many at most.", "type": "integer", "minimum": 1, "maximum": MAX_LIMIT,
                }));
                members.insert("after".into(), json!({
                    "description": "Goes on after the item that `next` named.", "type": "string",
                }));
            }
        }
        description.query = Schema::try_from(schema).ok();
    }
}

impl<T: JsonSchema> Taken for Json<T> {
    fn describe(schemas: &mut Schemas, description: &mut Description) {
        description.body = Some(schemas.asked::<T>());
    }
}

/// A handler that says what it takes and answers. `A` is what axum calls the handler's type.
pub(super) trait Described<A> {
    /// Says it.
    fn describe(schemas: &mut Schemas) -> Description;
}

macro_rules! described {
    ($($taken:ident),*) => {
        impl<F, Told_, T, M, Via, $($taken),*> Described<(Via, $($taken,)*)> for F
        where
            F: FnOnce($($taken),*) -> Told_,
            Told_: Future<Output = Told<T, M>>,
            T: JsonSchema,
            M: Medium,
            $($taken: Taken,)*
        {
            fn describe(schemas: &mut Schemas) -> Description {
                let mut description = Description::default();
                $($taken::describe(schemas, &mut description);)*
                let schema = schemas.told.subschema_for::<T>();
                description.answer = M::media(schema.to_value());
                description
            }
        }
    };
}

described!(A);
described!(A, B);
described!(A, B, C);
described!(A, B, C, D);
