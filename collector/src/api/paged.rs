//! Long lists, a page at a time: `limit` and `after`, and where the next page is (RFC 8288).
//!
//! A page goes on after an item, not after a number of items: what is added at either end meanwhile neither repeats
//! nor hides anything. Lists whose length the configuration bounds are told whole where nobody asks for less.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, RequestPartsExt};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use super::typed::Told;
use super::{Operators, Refusal, Shared};
use crate::access::{ApiTokenAnswer, ApiTokensAnswer, SessionAnswer, SessionsAnswer};
use crate::access::{UserAnswer, UsersAnswer};
use crate::query::planned::{ExclusionAnswer, ExclusionsAnswer, SilenceAnswer, SilencesAnswer};
use crate::query::planned::{WindowAnswer, WindowsAnswer};
use crate::query::{
    ActionItemAnswer, ActionsAnswer, AgentAnswer, AgentsAnswer, ChangeAnswer, ChangesAnswer,
    CheckAnswer, ChecksAnswer, ReviewLine, ReviewsAnswer, TokenAnswer, TokensAnswer,
};

/// Items of a page at most.
pub(super) const MAX_LIMIT: usize = 1_000;

/// Nothing is chosen.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct All {}

/// What is wanted of a list, and which page of it.
pub(super) struct Paged<W> {
    pub(super) wanted: W,
    pub(super) page: Page,
}

/// A page.
#[derive(Clone, Debug, Default)]
pub(super) struct Page {
    /// So many at most.
    pub(super) limit: Option<usize>,
    /// What came last on the page before.
    pub(super) after: Option<String>,
    path: String,
    /// Everything else that was asked.
    rest: Vec<(String, String)>,
}

/// One page of a list.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Listed<T> {
    #[serde(flatten)]
    pub(super) answer: T,
    /// Where there is more: ask the same again with `after` set to this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

impl<S: Sync, W: DeserializeOwned> FromRequestParts<S> for Paged<W> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let wrong =
            |words: &str| Refusal(StatusCode::BAD_REQUEST, words.to_owned()).into_response();
        // what no pair can be read of is none
        let Query(pairs) = parts
            .extract::<Query<Vec<(String, String)>>>()
            .await
            .map_err(IntoResponse::into_response)?;
        let mut page = Page { path: parts.uri.path().to_owned(), ..Page::default() };
        for (name, value) in pairs {
            match name.as_str() {
                "after" => page.after = Some(value),
                "limit" => {
                    let limit = value.parse::<usize>().ok().filter(|limit| *limit > 0);
                    page.limit = Some(limit.ok_or_else(|| wrong("limit is a number from 1"))?);
                }
                _ => page.rest.push((name, value)),
            }
        }
        let uri: Uri = format!("/?{}", written(&page.rest))
            .parse()
            .map_err(|_unread| wrong("the question cannot be read"))?;
        let Query(wanted) = Query::<W>::try_from_uri(&uri).map_err(IntoResponse::into_response)?;
        Ok(Self { wanted, page })
    }
}

fn written(pairs: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

impl Page {
    /// A page as it is told.
    pub(super) fn told<T: Serialize>(&self, listed: Listed<T>) -> Response {
        let next = listed.next.clone();
        let mut response = Json(listed).into_response();
        let Some(next) = next else { return response };
        let mut pairs = self.rest.clone();
        pairs.extend(self.limit.map(|limit| ("limit".to_owned(), limit.to_string())));
        pairs.push(("after".to_owned(), next));
        let link = format!("<{}?{}>; rel=\"next\"", self.path, written(&pairs));
        if let Ok(link) = HeaderValue::try_from(link) {
            response.headers_mut().insert(header::LINK, link);
        }
        response
    }

    /// Cuts a page out of the whole list.
    pub(super) fn of<T: List>(&self, mut answer: T) -> Result<Listed<T>, Refusal> {
        let items = answer.items();
        if let Some(after) = &self.after {
            let place = items.iter().position(|item| T::key(item) == *after).ok_or_else(gone)?;
            items.drain(..=place);
        }
        let limit = match (self.limit, T::LIMIT) {
            (Some(limit), _) => limit.min(MAX_LIMIT),
            (None, Some(limit)) => limit,
            (None, None) => usize::MAX,
        };
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| has_more).map(T::key);
        Ok(Listed { answer, next })
    }
}

/// What is said where the item is gone after which the page was to begin.
pub(super) fn gone() -> Refusal {
    let words = "what `after` names is not there (any more): begin anew without it";
    Refusal(StatusCode::BAD_REQUEST, words.to_owned())
}

impl Shared {
    /// Works on a question whose answer is a list that is there as a whole.
    pub(super) async fn work_on_list<T, E>(
        &self,
        page: Page,
        work: impl FnOnce(&Operators) -> Result<T, E> + Send + 'static,
    ) -> Told<Listed<T>>
    where
        T: List + Serialize + Send + 'static,
        E: Into<Refusal> + Send + 'static,
    {
        let cut = page.clone();
        let paged = move |operators: &Operators| cut.of(work(operators).map_err(Into::into)?);
        self.work_for(paged, |listed| page.told(listed)).await.into()
    }
}

/// An answer that is a list.
pub(super) trait List {
    /// What it lists.
    type Item;
    /// Items of a page when nobody says how many; all where there is no such number.
    const LIMIT: Option<usize>;
    fn items(&mut self) -> &mut Vec<Self::Item>;
    /// What an item is known by, as long as there is one.
    fn key(item: &Self::Item) -> String;
}

macro_rules! lists {
    ($($answer:ident . $items:ident [$limit:expr]: $item:ident => |$it:ident| $key:expr;)*) => {
        $(impl List for $answer {
            type Item = $item;
            const LIMIT: Option<usize> = $limit;
            fn items(&mut self) -> &mut Vec<$item> {
                &mut self.$items
            }
            fn key($it: &$item) -> String {
                $key
            }
        })*
    };
}

lists! {
    AgentsAnswer.agents[None]: AgentAnswer => |it| it.agent_id.clone();
    ChecksAnswer.checks[None]: CheckAnswer => |it| format!("{}/{}", it.vantage_point, it.check);
    TokensAnswer.tokens[None]: TokenAnswer => |it| it.id.clone();
    UsersAnswer.users[None]: UserAnswer => |it| it.name.clone();
    ApiTokensAnswer.api_tokens[None]: ApiTokenAnswer => |it| it.name.clone();
    SessionsAnswer.sessions[None]: SessionAnswer => |it| it.id.clone();
    WindowsAnswer.windows[None]: WindowAnswer => |it| it.number.to_string();
    SilencesAnswer.silences[None]: SilenceAnswer => |it| it.number.to_string();
    ExclusionsAnswer.exclusions[None]: ExclusionAnswer => |it| it.number.to_string();
    ActionsAnswer.actions[None]: ActionItemAnswer => |it| it.number.to_string();
    ReviewsAnswer.reviews[None]: ReviewLine => |it| it.incident.to_string();
    ChangesAnswer.changes[Some(crate::query::changes::DEFAULT_LIMIT)]: ChangeAnswer => |it| {
        format!("{}/{}/{}/{}", it.first_seen, it.check, it.record, it.to_digest)
    };
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn users(names: &[&str]) -> UsersAnswer {
        let now = Timestamp::UNIX_EPOCH;
        let user = |name: &&str| {
            serde_json::from_value(serde_json::json!({
                "name": name, "role": "viewer", "added_at": now, "added_by": "", "has_password": true,
                "subject": null,
            }))
            .unwrap()
        };
        UsersAnswer { now, users: names.iter().map(user).collect() }
    }

    fn page(limit: Option<usize>, after: Option<&str>) -> Page {
        let rest = vec![("a".to_owned(), "b&c".to_owned())];
        Page { limit, after: after.map(str::to_owned), path: "/p".into(), rest }
    }

    fn cut(names: &[&str], page: &Page) -> Option<(Vec<String>, Option<String>)> {
        let listed = page.of(users(names)).ok()?;
        Some((listed.answer.users.into_iter().map(|user| user.name).collect(), listed.next))
    }

    #[test]
    fn pages_neither_repeat_nor_hide_anything_while_items_are_added() {
        let one = cut(&["a", "c", "e"], &page(Some(2), None)).unwrap();
        assert_eq!(one, (vec!["a".into(), "c".into()], Some("c".into())));
        let two = cut(&["0", "a", "c", "e", "f"], &page(Some(2), Some("c"))).unwrap();
        assert_eq!(two, (vec!["e".into(), "f".into()], None));
        assert_eq!(cut(&["a"], &page(None, None)).unwrap(), (vec!["a".into()], None));
        assert_eq!(cut(&["a"], &page(None, Some("x"))), None, "it is said when it is gone");
    }

    #[test]
    fn the_next_page_is_linked_with_everything_that_was_asked() {
        let page = page(Some(2), Some("a"));
        let response = page.told(page.of(users(&["a", "b", "c d", "e"])).ok().unwrap());
        assert_eq!(
            response.headers()[header::LINK],
            "</p?a=b%26c&limit=2&after=c+d>; rel=\"next\""
        );
    }
}
