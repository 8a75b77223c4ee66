use super::super::samples::{hostile, long, opened, over, shown, update};
use super::*;

#[test]
fn an_embed() {
    insta::assert_snapshot!(shown(&payload(&opened())), @"");
}

#[test]
fn what_follows() {
    insta::assert_snapshot!(shown(&payload(&update())), @"");
    insta::assert_snapshot!(shown(&payload(&over())), @"");
}

#[test]
fn nobody_is_called_and_nothing_is_markup() {
    insta::assert_snapshot!(shown(&payload(&hostile())), @"");
}

#[test]
fn all_fits() {
    let payload: Value = serde_json::from_slice(&payload(&long())).unwrap();
    let embed = &payload["embeds"][0];
    let units = |value: &Value| value.as_str().unwrap().encode_utf16().count();
    let fields = embed["fields"].as_array().unwrap();
    let fields: usize = fields.iter().map(|it| units(&it["name"]) + units(&it["value"])).sum();
    let all = units(&embed["title"])
        + units(&embed["description"])
        + units(&embed["footer"]["text"])
        + fields;
    assert!((4_000..=6_000).contains(&all), "{all}");
}
