//! `[peer]`: the message goes to another agent's mailbox. The collector writes it, where a check has `from` and `to`.

use mailsonde_proto::AgentId;

use super::super::super::Section;
use crate::peers::Peer;

/// Settings that need a mailbox of this agent's own, or more than the other agent tells.
const NOT_ACROSS: &[&str] = &[
    "folder",
    "auto_reply",
    "expect_code",
    "attachment",
    "attachment_name",
    "attachment_type",
    "verify",
];
/// What may be expected of another agent's mailbox.
const EXPECTED: &[&str] = &["inbox", "junk", "anywhere"];

/// Reads it, where it is there; what does not go with it is reported.
pub(super) fn read(section: &mut Section<'_>) -> Option<Peer> {
    let mut table = section.table("peer")?;
    let (name, mailbox, us) =
        (table.required_name("name"), table.required_name("at"), table.required_name("us"));
    let agent = table.required_text("agent").and_then(|text| match text.parse::<AgentId>() {
        Ok(agent) => Some(agent),
        Err(_) => {
            table.mistake("agent", "agent must be an agent's identity".to_owned());
            None
        }
    });
    table.finish();
    for key in NOT_ACROSS.iter().filter(|key| section.has(key)).collect::<Vec<_>>() {
        let words = format!("{key} has no place in a check between two agents");
        section.mistake(key, words);
    }
    let expect = section.text("expect");
    let body = section.text("body");
    let is_known = expect.is_none_or(|expect| EXPECTED.contains(&expect.as_str()));
    if !is_known {
        let words = "between two agents expect is \"inbox\", \"junk\" or \"anywhere\"";
        section.mistake("expect", words.to_owned());
    }
    if body.as_deref() == Some("eicar") {
        let words = "body = \"eicar\" is an attachment, which another agent does not look into";
        section.mistake("body", words.to_owned());
    }
    if !section.has("via") {
        section.mistake("peer", "via must say to whom the message goes".to_owned());
    }
    Some(Peer { name: name?, agent: agent?, mailbox: mailbox?, us: us? })
}
