//! The settings in words, for `probe round-trip --help`.

use super::super::super::Setting;

pub(in super::super) const SETTINGS: &[Setting] = &[
    Setting::new(
        "mailbox",
        "name of a mailbox",
        None,
        "the mailbox in which the message must arrive; it sends it as well, unless from_mailbox does",
    ),
    Setting::new(
        "via",
        "address",
        Some("the mailbox's address"),
        "the recipient, whose mail must arrive in the mailbox: an alias, a forwarding address, a \
         plus-address, a distribution list",
    ),
    Setting::new("to", "address", Some("via"), "the older word for via"),
    Setting::new(
        "peer",
        "table",
        None,
        "the other agent that sees the message arrive; the collector writes it where a check has from and to",
    ),
    Setting::new(
        "from_mailbox",
        "name of a mailbox",
        Some("mailbox"),
        "another mailbox, through whose server and with whose address the message is sent; bounces and \
         replies are looked for there",
    ),
    Setting::new(
        "mx",
        "domain",
        Some("\"\""),
        "hand the message to this domain's mail exchanger on port 25, or to the one at this address, \
         without a sign-in; where it greylists, that is waited out (RFC 6647)",
    ),
    Setting::new(
        "greylist_retry",
        "duration",
        Some("60s"),
        "when a greylisting mail exchanger is asked again, unless its reply says when; timeout must \
         leave room for it",
    ),
    Setting::new(
        "expect",
        "\"inbox\" | \"junk\" | \"anywhere\" | \"rejected\" | \"bounced\"",
        Some("inbox"),
        "where the message must arrive; or that the server must refuse it for good at RCPT or DATA; or \
         that it must come back",
    ),
    Setting::new(
        "expect_code",
        "code",
        Some("any"),
        "with rejected and bounced: the code that the refusal must have, such as \"550\" or \"5.7.1\"",
    ),
    Setting::new(
        "folder",
        "text",
        Some("none"),
        "a folder into which a filter must file the message, such as \"Filtered/Lab\"; takes the place \
         of expect",
    ),
    Setting::new(
        "subject",
        "text",
        Some("names the check"),
        "the message's subject, for such a filter",
    ),
    Setting::new(
        "body",
        "\"plain\" | \"gtube\" | \"eicar\"",
        Some("plain"),
        "gtube is the test line that every spam filter takes for spam, eicar an attachment that every \
         malware scanner takes for malware; both are harmless",
    ),
    Setting::new("size", "size", Some("0B"), "the least size of the message's text, up to 50MiB"),
    Setting::new(
        "attachment",
        "size",
        Some("0B"),
        "an attachment of this size, up to 50MiB, whose content must arrive unchanged (SHA-256)",
    ),
    Setting::new(
        "attachment_name",
        "text",
        Some("mailsonde.bin, with eicar eicar.com"),
        "its file name, such as \"probe.exe\" to see that it is blocked",
    ),
    Setting::new(
        "attachment_type",
        "media type",
        Some("application/octet-stream"),
        "its media type, such as \"application/x-msdownload\"",
    ),
    Setting::new(
        "settle",
        "duration",
        Some("200ms"),
        "how long a second copy is waited for after the first has arrived",
    ),
    Setting::new(
        "auto_reply",
        "\"ignored\" | \"required\" | \"forbidden\"",
        Some("ignored"),
        "whether the message must be answered automatically, or must not; it is then sent without the \
         marks of automatic mail, to which nothing may reply (RFC 3834)",
    ),
    Setting::new(
        "auto_reply_within",
        "duration",
        Some("30s"),
        "how long the reply is waited for; shorter than timeout",
    ),
    Setting::new(
        "trust",
        "list of text",
        Some("none"),
        "the authserv-ids whose Authentication-Results count, such as \"mx.example.org\"; anybody can \
         write those of others (RFC 8601 section 7.1)",
    ),
    Setting::new(
        "verify",
        "true | false",
        Some("true"),
        "whether DKIM, SPF and DMARC of what arrived are verified here as well, after all that is timed",
    ),
];
