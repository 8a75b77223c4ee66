//! Known words of servers. The first line of the table that holds a word of the text tells the reason;
//! what could mean two things is not in it (`mailbox unavailable`, `Unrouteable address`).

use std::sync::LazyLock;

use super::{Reason, names};

/// How much of a text is looked at, in characters.
const LONGEST: usize = 2_000;

/// The reason that a text tells.
pub(super) fn reason(text: &str) -> Option<Reason> {
    let text: String = text.chars().take(LONGEST).collect();
    let text = names::without(&text).to_lowercase().replace(['\u{2019}', '`'], "'");
    let text = NOT_MEANT.iter().fold(text, |text, words| text.replace(words, "\u{2026}"));
    let row = first_row(text.as_bytes()).map(|(reason, _)| *reason);
    row.or_else(|| beside(&text)).or_else(|| whole_words(&text))
}

/// Words that hold known ones and do not mean them.
const NOT_MEANT: [&str; 9] = [
    "privacy policy",
    "not spam",
    "not a spam",
    "not as spam",
    "not be spam",
    "not like spam",
    "isn't spam",
    "no spam",
    "не спам",
];

/// Words that tell only beside what they are said of: a recipient or a mailbox, not an attachment.
fn beside(text: &str) -> Option<Reason> {
    const NEAR: usize = 30;
    const RECIPIENTS: [&str; 9] = [
        "アドレス",
        "宛先",
        "あて先",
        "送信先",
        "受信者",
        "ユーザ",
        "メールボックス",
        "アカウント",
        "受取人",
    ];
    const TELLING: [(Reason, &str, &[&str]); 3] = [
        (Reason::MailboxFull, "переполнен", &["ящик"]),
        (Reason::UnknownUser, "見つかりません", &RECIPIENTS),
        (Reason::UnknownUser, "存在しません", &RECIPIENTS),
    ];
    let is_beside = |at: usize, words: &[&str]| {
        let before = text.get(..at).unwrap_or_default();
        let sentence = before.rsplit(['。', '.', '!', '\u{3001}']).next().unwrap_or_default();
        let skipped = sentence.chars().count().saturating_sub(NEAR);
        let near: String = sentence.chars().skip(skipped).collect();
        words.iter().any(|word| near.contains(word)) && !near.contains("ファイル")
    };
    let found = TELLING.iter().find(|(_, telling, words)| {
        text.match_indices(telling).take(20).any(|(at, _)| is_beside(at, words))
    });
    found.map(|(reason, ..)| *reason)
}

/// The first row of the table of which a word stands in the text. One pass for all words: a bounce may have
/// hundreds of lines and recipients, and the table has hundreds of words.
fn first_row(text: &[u8]) -> Option<&'static (Reason, &'static str)> {
    /// Row and word.
    type Words = Vec<(usize, &'static [u8])>;
    static BY_FIRST_BYTE: LazyLock<Vec<Words>> = LazyLock::new(|| {
        let mut by_first_byte = vec![Words::new(); 256];
        for (row, (_, words)) in TABLE.iter().enumerate() {
            for word in words.split('|').map(str::as_bytes) {
                let first = word.first().map_or(0, |byte| usize::from(*byte));
                if let Some(words) = by_first_byte.get_mut(first) {
                    words.push((row, word));
                }
            }
        }
        by_first_byte
    });
    let mut found = TABLE.len();
    let mut rest = text;
    while let Some(first) = rest.first() {
        for (row, word) in BY_FIRST_BYTE.get(usize::from(*first)).into_iter().flatten() {
            if *row < found && rest.starts_with(word) {
                found = *row;
            }
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    TABLE.get(found)
}

/// Words so short that they must stand alone.
fn whole_words(text: &str) -> Option<Reason> {
    let mut words = text.split(|char: char| !char.is_alphanumeric());
    words.find_map(|word| match word {
        "spf" | "dkim" | "dmarc" => Some(Reason::Authentication),
        "tls" | "starttls" => Some(Reason::Tls),
        "dns" | "nxdomain" => Some(Reason::Dns),
        "rbl" | "dnsbl" => Some(Reason::BlockedAddress),
        "spam" | "спам" => Some(Reason::Spam),
        "virus" | "вирус" => Some(Reason::ContentRejected),
        "policy" => Some(Reason::Policy),
        _ => None,
    })
}

/// In this order; all in lower case, with a bar between.
const TABLE: [(Reason, &str); 19] = [
    (Reason::Greylisted, "greylist|graylist|grey list|grey-list|postgrey"),
    (
        Reason::Loop,
        "mail loop|loops back to myself|too many hops|hop count exceeded|routing loop|\
         too many \"received\" headers|too many received|forwarding loop|loop detected|\
         mxloopback|best-preference mx|hop count",
    ),
    (
        Reason::MailboxFull,
        "mailbox full|mailbox is full|mailbox for user is full|inbox is full|over quota|\
         overquota|quota exceeded|exceeded quota|quota exceed|exceeds quota|quota is full|\
         quota full|over the quota|exceeding quota|disk quota|user quota|storage quota|\
         out of storage|no space left|mailbox size limit|mailbox has exceeded|\
         mailbox exceeded|mailbox would exceed|storage limit|not enough storage|\
         mailbox quota|too much mail data|exceeded the local limit|\
         exceeded storage allocation|メールボックスがいっぱい|メールボックスが一杯|メールボックスが満杯|メールボックスの容量|受信容量|\
         ящик переполнен|ящик получателя переполнен|превышена квота",
    ),
    (
        Reason::TooLarge,
        "message too large|message is too large|message too big|message is too big|\
         message size exceeds|exceeds size limit|size limit exceeded|\
         exceeds the maximum message size|exceeds maximum message size|exceeds fixed maximum|\
         message size limit|message exceeds|exceeded maximum size|\
         maximum size the user accepts|databytes limit|size exceeds the maximum|\
         message larger than|recipsizelimit|max message size exceeded|メールサイズ|サイズが大きすぎ|\
         слишком больш",
    ),
    (
        Reason::RelayDenied,
        "relay access denied|relaying denied|relay denied|unable to relay|\
         not permitted to relay|relay not permitted|relaying not allowed|\
         not allowed to relay|relaying is not allowed|do not relay|no relaying|\
         relaying prohibited|allowed rcpthosts|smtp relay error",
    ),
    (
        Reason::RateLimited,
        "rate limit|ratelimit|rate-limit|too many connections|too many messages|\
         too many recipients|sending limit|throttl|unusual rate|too fast|message rate|\
         connection limit|concurrent connections|concurrency limit|too many concurrent|\
         messages per hour|too many emails|reciplimit|receiving mail at a rate",
    ),
    (
        Reason::Suspended,
        "account disabled|account is disabled|account has been disabled|mailbox disabled|\
         mailbox is disabled|account suspended|account is suspended|\
         account has been suspended|user suspended|mailbox suspended|\
         account is temporarily limited|account deactivated|account has been deactivated|\
         account inactive|account is inactive|mailbox is inactive|user is inactive|\
         account closed|account is closed|account is locked|mailbox is locked|\
         administratively disabled|administratively locked|disabled or discontinued|利用停止|\
         停止されて|ящик заблокирован|пользователь заблокирован|аккаунт заблокирован",
    ),
    (
        Reason::Dns,
        "host not found|host unknown|unknown host|domain not found|name service error|\
         domain name not found|domain does not exist|domain doesn't exist|\
         domain doesnt exist|couldn't find any host|couldn't find a mail exchanger|\
         all host address lookups failed|point to non-existent hosts|could not contact dns|\
         nonexistentdomain|dns error|dns server returned|no mx record|bad destination host|\
         name or service not known|domain isn't found|domain wasn't found|ドメインが存在しません|\
         ドメインが見つかりません|ホストが見つかりません|домен не найден|домен не существует",
    ),
    (
        Reason::UnknownUser,
        "user unknown|unknown user|no such user|user not found|no such mailbox|\
         mailbox not found|no mailbox here by that name|unknown recipient|recipient unknown|\
         recipient not found|recipnotfound|recipientnotfound|invalid recipient|\
         unknown address|address unknown|address not found|not a valid mailbox|\
         invalid mailbox|invalid user|user does not exist|user doesn't exist|\
         mailbox does not exist|mailbox doesn't exist|account does not exist|\
         account that you tried to reach does not exist|address does not exist|\
         address doesn't exist|recipient does not exist|no such recipient|no such account|\
         no account by that name|unknown or illegal alias|unknown mailbox|\
         name is not recognized|user doesn't have a|addressee unknown|unknown local-part|\
         unknown account|no such address|recipient address rejected: access denied|\
         bad destination mailbox address|is not a known user|not our customer|宛先不明|\
         пользователь не найден|нет такого пользователя|такого пользователя нет|\
         адресат не найден|адрес не существует|пользователь не существует|ящик не существует",
    ),
    (
        Reason::NotAccepting,
        "does not accept mail|nullmx|null mx|indicated no smtp service|\
         not accepting messages|not accepting mail|does not accept email",
    ),
    (
        Reason::BlockedAddress,
        "blocked using|blacklist|black list|blocklist|block list|spamhaus|spamcop|\
         barracudacentral|poor reputation|bad reputation|low reputation|ip reputation|\
         banned sending ip|your ip|client host rejected|client host blocked|listed at |\
         listed in |listed by |sender ip|ip address is blocked|ip address blocked",
    ),
    (
        Reason::Spam,
        "spam message|as spam|is spam|be spam|like spam|spam detected|spam content|\
         spam score|spamassassin|gtube|unsolicited|junk mail|spam filter|迷惑メール|на спам|\
         как спам",
    ),
    (
        Reason::ContentRejected,
        "malware|infected|virus found|virus detected|contains a virus|attachment|banned file|\
         content rejected|message content|content is not acceptable|executable|eicar|\
         local scanning code",
    ),
    (
        Reason::Authentication,
        "sender policy framework|unauthenticated|authentication required|not authenticated|\
         authentication failed|authentication check|authrequired|must authenticate",
    ),
    (Reason::Tls, "encryption required|encryption needed|certificate|requires encryption"),
    (
        Reason::Expired,
        "retry timeout exceeded|in the queue too long|queue.expired|message expired|\
         delivery time expired|not delivered within|could not be delivered within|\
         time expired|cannot send message within|could not send message for past|\
         delivery timed out",
    ),
    (
        Reason::Network,
        "connection refused|connection timed out|no route to host|network is unreachable|\
         connection reset|did not accept our requests to connect|operation timed out|\
         wasn't able to establish an smtp connection|lost connection|connection dropped|\
         unable to connect|is not responding|connection was closed|unreachable",
    ),
    (
        Reason::Policy,
        "security polic|policy violation|access denied|not authorized|notauthorized|\
         administrative prohibition|administratively prohibited|prohibited by|policy reasons|\
         restricted|permission to send|sender rejected|not permitted to send",
    ),
    (
        Reason::System,
        "local configuration error|internal error|system error|configuration problem|\
         insufficient system storage|local delivery failed|internal server error",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_words() {
        for (text, expected) in [
            ("550 5.1.1 <a@b>... User unknown", "unknown_user"),
            ("Sorry, no mailbox here by that name. (#5.1.1)", "unknown_user"),
            ("550-5.1.1 The email account that you tried to reach does not exist.", "unknown_user"),
            ("552 5.2.2 Over quota", "mailbox_full"),
            ("retry timeout exceeded", "expired"),
            ("all relevant MX records point to non-existent hosts", "dns"),
            ("message size 5 exceeds size limit 4 of server", "too_large"),
            ("host mx said: 554 5.7.1 Message blocked due to SPF", "authentication"),
            ("Must issue a STARTTLS command first", "tls"),
            ("550 5.7.1 Unable to relay", "relay_denied"),
            ("421 4.7.0 too many connections from your host", "rate_limited"),
            ("The user(s) account is temporarily over quota.", "mailbox_full"),
            ("The user(s) account is disabled.", "suspended"),
            ("送信先メールアドレスが見つかりませんでした。", "unknown_user"),
            ("Ящик получателя переполнен", "mailbox_full"),
            ("550 spam message rejected. Please visit http://help.mail.ru", "spam"),
            ("connect to b[192.0.2.1]:25: Connection refused", "network"),
            ("Requested action not taken: mailbox unavailable", ""),
            ("Unrouteable address", ""),
            ("delivery temporarily suspended", ""),
            ("a spammer's holiday", ""),
            // Names are no words about the message.
            ("host mx.spam-filter.test[192.0.2.1] said: 550 mailbox unavailable", ""),
            ("host mx1.dns.test[192.0.2.1] said: 550 no", ""),
            ("550 <spam@b.test>: sorry", ""),
            ("550 no, see our privacy policy at https://a.test/policy", ""),
            ("host blacklist.test[192.0.2.1] said: 451 4.3.0 try later", ""),
            ("host certificate.test[192.0.2.1] said: 550 Nope", ""),
            ("host mail-attachment.test[192.0.2.1] said: 550 Nope", ""),
            ("<bob@unreachable.test>: host mx[192.0.2.1] said: 550 Nope", ""),
            ("554 This is not spam, but mailbox unavailable", ""),
            ("554 we do not accept spam", "spam"),
            ("550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found", "unknown_user"),
            // Some words tell only beside a mailbox.
            ("添付ファイルが見つかりません", ""),
            ("ページが存在しません", ""),
            ("宛先のユーザーは存在しません。", "unknown_user"),
            ("сервер переполнен", ""),
            ("Почтовый ящик <a@b.test> переполнен", "mailbox_full"),
        ] {
            let found = reason(text).map_or("", Reason::as_str);
            assert_eq!(found, expected, "{text}");
        }
    }

    /// Any text in which the words of two rows stand has the reason of the upper one.
    #[test]
    fn the_first_row_counts_wherever_its_word_stands() {
        let words: Vec<_> =
            TABLE.iter().map(|(_, words)| words.split('|').next().unwrap()).collect();
        for (upper, one) in words.iter().enumerate() {
            for two in &words[upper..] {
                for text in [format!("x {one} y {two}."), format!("{two}{one}")] {
                    let naive =
                        TABLE.iter().find(|(_, all)| all.split('|').any(|w| text.contains(w)));
                    let found = first_row(text.as_bytes());
                    assert_eq!(found.map(|row| row.1), naive.map(|row| row.1), "{text}");
                }
            }
        }
        assert!(first_row(b"nothing of it").is_none() && first_row(b"").is_none());
    }

    #[test]
    fn the_table_is_in_lower_case() {
        for (reason, words) in TABLE {
            for word in words.split('|') {
                assert!(!word.is_empty());
                assert_eq!(word.to_lowercase(), word, "{}", reason.as_str());
            }
        }
    }
}
