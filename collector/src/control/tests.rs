//! The journal as a whole: order, names, tokens, the chain.

use std::time::Duration;

use mailsonde_proto::convert::ReceivingMailbox;
use mailsonde_proto::{Check, SenderKey, SettingsDigest};

use super::*;

const NOW: WallTime = WallTime::from_s(1_800_000_000);
const TTL: Duration = Duration::from_secs(900);

fn enrolled(id: u8, name: &str) -> Enrolled {
    Enrolled {
        agent: AgentId([id; 16]),
        name: name.into(),
        labels: [("site".into(), "Durban".into())].into(),
        key_digest: [id; 32],
        token: None,
    }
}

fn check() -> Check {
    Check {
        name: "mail".into(),
        kind: "round-trip".into(),
        cadence: Duration::from_secs(60),
        timeout: Duration::from_secs(30),
        slot_offset: Duration::from_secs(7),
        settings_digest: SettingsDigest([3; 16]),
    }
}

fn root() -> Author {
    Author { who: "uid 0 (root)".into(), from: "operators.sock".into() }
}

fn token(first: u8) -> TokenMade {
    let mut digest = [9; 32];
    digest[0] = first;
    let (name, labels) = (None, [].into());
    TokenMade { digest, expires_at: NOW.plus(TTL), name, labels, agent: None }
}

fn user(name: &str, role: Role) -> User {
    let password = Some(PasswordHash::from_phc("$argon2id$x".into()));
    User { name: name.into(), role, password, subject: Some(format!("{name}@example.org")) }
}

fn api_token(name: &str) -> ApiToken {
    ApiToken { name: name.into(), role: Role::Viewer, digest: [4; 32], expires_at: NOW.plus(TTL) }
}

fn write(journal: &ControlJournal, control: Control) {
    journal.decide(NOW, root(), |_| Ok((control, ()))).unwrap();
}

fn applied(pair: Option<(&str, &str)>) -> AppliedCheck {
    let pair = pair.map(|(to, mailbox)| Pair { to: to.into(), mailbox: mailbox.into() });
    let (name, on, settings, file) =
        ("a".into(), "*".into(), "kind = 'tcp'".into(), "a.toml".into());
    AppliedCheck { name, on, pair, settings, file, line: 3 }
}

#[test]
fn every_record_reads_back_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let agent = AgentId([1; 16]);
    let written = [
        Control::Enrolled(enrolled(1, "hq")),
        Control::Defined { agent, checks: vec![check()], signing_key: None, mailboxes: vec![] },
        Control::Defined {
            agent,
            checks: vec![],
            signing_key: Some(SenderKey([5; 32])),
            mailboxes: vec![ReceivingMailbox { name: "main".into(), address: "a@b.test".into() }],
        },
        Control::Applied { checks: vec![applied(None), applied(Some(("site=cape", "main")))] },
        Control::Tick,
        Control::Operator(OperatorAction { action: "acknowledge".into(), body: vec![1, 2] }),
        Control::TokenMade(TokenMade { agent: Some(agent), name: Some("a".into()), ..token(1) }),
        Control::TokenWithdrawn { token: token(1).id() },
        Control::Rejoined { agent },
        Control::CloneNoticed { agent, addresses: ["a".into(), "b".into()] },
        Control::Revoked { agent },
        Control::Access(AccessRecord::UserSet(user("ann", Role::Operator))),
        Control::Access(AccessRecord::UserRemoved { name: "ann".into() }),
        Control::Access(AccessRecord::ApiTokenMade(api_token("wall"))),
        Control::Access(AccessRecord::ApiTokenRevoked { name: "wall".into() }),
        Control::Access(AccessRecord::SignedIn { session: TokenId([1, 2, 3, 4]) }),
        Control::Access(AccessRecord::SignInRefused { user: None, failures: 3, unwritten: 9 }),
        Control::Access(AccessRecord::SessionEnded {
            session: TokenId([1, 2, 3, 4]),
            user: "ann".into(),
        }),
    ];
    {
        let (journal, damage) = ControlJournal::open(folder.path()).unwrap();
        assert_eq!(damage, []);
        for control in &written {
            write(&journal, control.clone());
        }
    }
    let (journal, _) = ControlJournal::open(folder.path()).unwrap();
    let mut reader = journal.follow(1);
    let mut link = Link::default();
    for (sequence, control) in (1..).zip(written) {
        let record = ControlRecord { received_at: NOW, before: 0, control, author: Some(root()) };
        let (read, next) = reader.read_with_link(&link).unwrap();
        assert_eq!(read, ControlNext::Record { sequence, record });
        let (next, follows) = next.unwrap();
        assert!(follows, "{sequence}");
        link = next;
    }
    assert_eq!(reader.read().unwrap(), ControlNext::CaughtUp);
    assert_eq!(journal.agents(), []);
    assert_eq!(journal.look(|roll| roll.revoked_at(agent)), Some(NOW));
}

#[test]
fn the_chain_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    for id in 1..4 {
        let (journal, _) = ControlJournal::open(folder.path()).unwrap();
        journal.append(NOW, Control::Tick).unwrap();
        write(&journal, Control::Enrolled(enrolled(id, &format!("a{id}"))));
    }
    let (journal, _) = ControlJournal::open(folder.path()).unwrap();
    let (mut reader, mut link, mut links) = (journal.follow(1), Link::default(), 0);
    while let (ControlNext::Record { .. }, read) = reader.read_with_link(&link).unwrap() {
        if let Some((read, follows)) = read {
            assert!(follows);
            (link, links) = (read, links + 1);
        }
    }
    assert_eq!(links, 3);
}

#[test]
fn a_token_lets_one_key_in_once_and_again_when_its_answer_was_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = ControlJournal::open(folder.path()).unwrap();
    write(&journal, Control::TokenMade(token(1)));
    write(&journal, Control::TokenMade(token(2)));
    let usable = |first: u8, key: u8, now: WallTime| {
        journal.look(|roll| {
            let found = roll.usable_token(&token(first).digest, &[key; 32], now);
            found.map(|token| token.made.id()).map_err(|error| error.to_string())
        })
    };
    let late = NOW.plus(TTL);
    assert_eq!(usable(1, 5, NOW), Ok(token(1).id()));
    assert!(usable(1, 5, late).unwrap_err().starts_with("this token expired at"));
    assert!(usable(3, 5, NOW).unwrap_err().starts_with("there is no such token"));
    let by_token = Enrolled { token: Some(token(1).id()), ..enrolled(5, "hq") };
    write(&journal, Control::Enrolled(by_token));
    assert_eq!(usable(1, 5, late), Ok(token(1).id()), "the same key asks again");
    assert!(usable(1, 6, NOW).unwrap_err().starts_with("this token was used already"));
    write(&journal, Control::TokenWithdrawn { token: token(2).id() });
    assert!(usable(2, 7, NOW).unwrap_err().starts_with("there is no such token"));
    write(&journal, Control::Revoked { agent: AgentId([5; 16]) });
    assert!(usable(1, 5, NOW).is_err(), "a revoked agent does not come back by its token");
    assert!(journal.look(|roll| roll.is_revoked_key(&[5; 32])));
}

#[test]
fn names_are_free_again_after_a_revocation_and_numbered_until_then() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = ControlJournal::open(folder.path()).unwrap();
    write(&journal, Control::Enrolled(enrolled(1, "hq")));
    write(&journal, Control::Enrolled(enrolled(2, "HQ-2")));
    assert_eq!(journal.look(|roll| roll.free_name("hq")), "hq-3");
    let long = "x".repeat(64);
    write(&journal, Control::Enrolled(enrolled(3, &long)));
    assert_eq!(journal.look(|roll| roll.free_name(&long)).len(), 64);
    write(&journal, Control::Revoked { agent: AgentId([1; 16]) });
    assert_eq!(journal.look(|roll| roll.free_name("hq")), "hq");
    let renamed = Enrolled { name: "hq".into(), ..enrolled(2, "") };
    write(&journal, Control::Enrolled(renamed.clone()));
    assert_eq!(journal.agents(), [renamed, enrolled(3, &long)]);
}

#[test]
fn users_and_api_tokens_are_as_their_records_left_them() {
    let folder = tempfile::tempdir().unwrap();
    {
        let (journal, _) = ControlJournal::open(folder.path()).unwrap();
        for record in [
            AccessRecord::UserSet(user("Ann", Role::Viewer)),
            AccessRecord::UserSet(user("ann", Role::Admin)),
            AccessRecord::UserSet(user("bob", Role::Viewer)),
            AccessRecord::UserRemoved { name: "BOB".into() },
            AccessRecord::ApiTokenMade(api_token("wall")),
            AccessRecord::ApiTokenMade(ApiToken { digest: [5; 32], ..api_token("old") }),
            AccessRecord::ApiTokenRevoked { name: "Old".into() },
        ] {
            write(&journal, Control::Access(record));
        }
    }
    let (journal, _) = ControlJournal::open(folder.path()).unwrap();
    journal.look(|roll| {
        let people = roll.people();
        let users: Vec<_> =
            people.users().map(|known| (known.it.role, known.by.as_str())).collect();
        assert_eq!(users, [(Role::Admin, "uid 0 (root)")]);
        assert_eq!(people.api_token_with(&[4; 32]), Some(&api_token("wall")));
        assert_eq!(people.api_token_with(&[5; 32]), None);
        assert_eq!(
            (people.free_for_user("bob", None), people.free_for_api_token("old")),
            (Ok(()), Ok(()))
        );
        assert!(people.free_for_user("ANN", None).is_err() && people.known_user("bob").is_err());
        assert!(people.free_for_api_token("WALL").is_err());
        let vouched = people.user_vouched_for("ann@example.org").map(|user| user.role);
        assert_eq!(
            (vouched, people.user_vouched_for("bob@example.org")),
            (Some(Role::Admin), None)
        );
        assert!(people.free_for_user("bob", Some("ann@example.org")).is_err());
    });
}
