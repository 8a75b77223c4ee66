//! Every channel to a double of its service, and every way in which a service answers.
//!
//! No lab: the doubles listen on loopback. What a double gets is judged by the service's published limits and schema;
//! what comes of each answer stands in the table below.

mod email;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use futures_util::future::join_all;
use mailsonde_collector::folder::Folder;
use mailsonde_collector::judge::incident::Severity;
use mailsonde_collector::judge::message::{Field, Link, Message, Occasion};
use mailsonde_collector::notifier::{Channels, Handle, Named, Outcome, Post};
use mailsonde_tests::certificates::{Authority, Validity};
use mailsonde_tests::doubles::{
    Answering, Double, PATH_SECRET, SIGNING_SECRET, Service, TOKEN, all,
};

/// So long is an answer waited for.
const LIMIT: Duration = Duration::from_millis(700);

/// A channel to a double.
struct Line {
    double: Double,
    channels: Channels,
    _folder: tempfile::TempDir,
}

impl Line {
    async fn to(service: Service) -> Self {
        let double = Double::start(service).unwrap();
        let (settings, url) = service.settings();
        let base = double.url("");
        let url = url.replace("BASE", &base);
        let settings = settings.replace("BASE", &base);
        let folder = folder(
            &settings,
            &[("secret.url", &url), ("token", TOKEN), ("signing", SIGNING_SECRET)],
        );
        let channels = read(&folder);
        Self { double, channels, _folder: folder }
    }

    fn channel(&self) -> &Named {
        self.channels.get("it").unwrap()
    }

    async fn send(&self, message: &Message, earlier: Option<&Handle>) -> Outcome {
        self.channel().channel.send(Post { message, earlier }).await
    }
}

/// A collector's folder with one channel called `it`, and the files it names.
fn folder(settings: &str, files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("channels.d")).unwrap();
    let text = format!("[[channel]]\nname = \"it\"\n{settings}\n");
    fs::write(folder.path().join("channels.d/it.toml"), text).unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    folder
}

fn read(folder: &tempfile::TempDir) -> Channels {
    let read = Channels::read_within(&Folder::at(folder.path()), &|_host| None, LIMIT);
    read.unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

fn message(occasion: Occasion) -> Message {
    Message {
        id: format!("incident-17-{}", occasion.as_str()),
        conversation: "incident-17".into(),
        occasion,
        severity: Severity::Major,
        at: "2026-11-29T10:00:00Z".parse().unwrap(),
        title: "Mail in Durban is down".into(),
        text: "Test mail is refused at sign-in.\nConfirmed from durban-1 & durban-2 <both>.".into(),
        fields: vec![Field {
            name: "Server".into(),
            value: "535 5.7.8 <mx@mail.test> failed".into(),
        }],
        links: vec![Link {
            label: "Show".into(),
            url: "https://c.example:7444/incidents/17".into(),
        }],
    }
}

/// More of everything than any service takes, full of markup.
fn monstrous() -> Message {
    let field = |at: usize| Field {
        name: format!("<!here> @channel *n*{at} ").repeat(30),
        value: "<@U1> & <at>x</at> \"välue\"\n \u{7}\u{202e}".repeat(200),
    };
    let link = |at: usize| Link {
        label: "👩🏽\u{200d}🚒 <label> ".repeat(30),
        url: format!("https://a.example/{at}?q=<x>|(y)&z={}", "z".repeat(300)),
    };
    Message {
        title: "👩🏽\u{200d}🚒 <!channel> @everyone </b> ".repeat(100),
        text: "<users/all> & *bold* [x](https://evil.example) @here 😀\n".repeat(2_000),
        fields: (0..60).map(field).collect(),
        links: (0..20).map(link).collect(),
        ..message(Occasion::Opened)
    }
}

/// In a word: `there` was confirmed, `sent` was accepted; `later` for certain not arrived, `perhaps` it may have.
fn told(outcome: &Outcome) -> String {
    let wait = |after: &Option<Duration>| {
        after.map(|after| format!(" in {} s", after.as_secs())).unwrap_or_default()
    };
    match outcome {
        Outcome::Sent { confirmed: true, .. } => "there".to_owned(),
        Outcome::Sent { .. } => "sent".to_owned(),
        Outcome::Later { after, may_have_arrived: false, .. } => format!("later{}", wait(after)),
        Outcome::Later { after, .. } => format!("perhaps{}", wait(after)),
        Outcome::Refused { .. } => "refused".to_owned(),
    }
}

/// What comes of an answer. A status says the same for every service; what it says beside it, each has its own words for.
fn expected(service: Service, answering: Answering) -> &'static str {
    use Service::{
        Discord, GoogleChat, Mattermost, Ntfy, Opsgenie, PagerDuty, Slack, SlackBot, Teams,
        Telegram, Webhook, Zoom,
    };
    match (answering, service) {
        (
            Answering::Well,
            Slack | SlackBot | Mattermost | Discord | GoogleChat | Telegram | Ntfy,
        ) => "there",
        (Answering::Well, Teams | Zoom | PagerDuty | Opsgenie | Webhook) => "sent",
        // only these take a message without a word
        (Answering::Accepted, Teams | Zoom | Webhook) => "sent",
        (Answering::Accepted, _) => "perhaps",
        // a receiver of one's own may answer as it likes
        (Answering::Page, Webhook) => "sent",
        (Answering::Page, _) => "perhaps",
        (Answering::No, Telegram) => "later in 5 s",
        (Answering::No | Answering::BadRequest | Answering::NotFound | Answering::Redirect, _) => {
            "refused"
        }
        (Answering::TooMany, _) => "later in 7 s",
        (Answering::Broken | Answering::Hang | Answering::CutShort, _) => "perhaps",
    }
}

#[tokio::test]
async fn every_answer_of_every_service_means_what_it_says() {
    let lines = all().map(|service| async move {
        let mut wrong = Vec::new();
        for answering in Answering::ALL {
            // each has a channel of its own, so that no connection is one that another answer broke
            let line = Line::to(service).await;
            line.double.answer(answering);
            let outcome = line.send(&message(Occasion::Opened), None).await;
            let (came, expected) = (told(&outcome), expected(service, answering));
            let name = service.name();
            if came != expected {
                wrong.push(format!("{name} {answering:?}: {came}, not {expected}: {outcome:?}"));
            }
            let words = format!("{outcome:?} {:?}", line.channel());
            for secret in [TOKEN, PATH_SECRET, "path-secret-0123456789", "whsec"] {
                if words.contains(secret) {
                    wrong.push(format!("{name} {answering:?}: tells a secret: {words}"));
                }
            }
            wrong.extend(line.double.complaints());
            if line.double.take_received().is_empty() {
                wrong.push(format!("{name} {answering:?}: nothing came"));
            }
        }
        wrong
    });
    let wrong: Vec<_> = join_all(lines).await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn nothing_has_arrived_where_nobody_listens() {
    for service in all() {
        let Line { double, channels, _folder } = Line::to(service).await;
        drop(double);
        let message = message(Occasion::Opened);
        let post = Post { message: &message, earlier: None };
        let outcome = channels.get("it").unwrap().channel.send(post).await;
        assert_eq!(told(&outcome), "later", "{}: {outcome:?}", service.name());
    }
}

#[tokio::test]
async fn a_service_is_believed_by_the_authority_that_the_channel_names() {
    let authority = Authority::new().unwrap();
    let config = authority.issue(&["127.0.0.1"], Validity::Current).unwrap().server_config();
    let double = Double::start_tls(Service::Ntfy, config.unwrap()).unwrap();
    let (settings, _) = Service::Ntfy.settings();
    let settings = settings.replace("BASE", &double.url(""));
    let other = Authority::new().unwrap();
    for (pem, expected) in [(authority.pem(), "there"), (other.pem(), "later")] {
        let settings = format!("{settings}\nauthority = \"ca.pem\"");
        let channels = read(&folder(&settings, &[("token", TOKEN), ("ca.pem", &pem)]));
        let message = message(Occasion::Test);
        let post = Post { message: &message, earlier: None };
        let outcome = channels.get("it").unwrap().channel.send(post).await;
        assert_eq!(told(&outcome), expected, "{outcome:?}");
    }
    assert_eq!(double.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn every_occasion_and_the_worst_of_texts_are_taken() {
    const OCCASIONS: [Occasion; 10] = [
        Occasion::Opened,
        Occasion::Worse,
        Occasion::Escalated,
        Occasion::Acknowledged,
        Occasion::Update,
        Occasion::Over,
        Occasion::Digest,
        Occasion::Trouble,
        Occasion::Test,
        Occasion::Canary,
    ];
    for service in all() {
        let line = Line::to(service).await;
        let bare = Message {
            text: String::new(),
            fields: vec![],
            links: vec![],
            ..message(Occasion::Opened)
        };
        let monstrous = OCCASIONS.map(|occasion| Message { occasion, ..monstrous() });
        let usual = OCCASIONS.map(message);
        let mut first = None;
        for message in usual.iter().chain(&monstrous).chain([&bare]) {
            let outcome = line.send(message, first.as_ref()).await;
            let name = service.name();
            let Outcome::Sent { handle, .. } = outcome else {
                panic!(
                    "{name} {:?}: {outcome:?} {:#?}",
                    message.occasion,
                    line.double.complaints()
                );
            };
            first = first.or(handle);
        }
        assert_eq!(line.double.complaints(), Vec::<String>::new());
    }
}

/// What came for a conversation of three: as method and path, or as what stands at a pointer in the payload.
async fn came(service: Service, pointers: &[&str]) -> String {
    let line = Line::to(service).await;
    let mut first = None;
    for occasion in [Occasion::Opened, Occasion::Acknowledged, Occasion::Over] {
        match line.send(&message(occasion), first.as_ref()).await {
            Outcome::Sent { handle, .. } => first = first.or(handle),
            outcome => panic!("{outcome:?} {:?}", line.double.complaints()),
        }
    }
    let received = line.double.take_received();
    let shown = received.iter().map(|received| {
        let payload = received.json();
        let values = pointers.iter().filter_map(|pointer| {
            payload
                .pointer(pointer)
                .map(|value| format!(" {}={value}", pointer.trim_start_matches('/')))
        });
        format!("{} {}{}", received.method, received.path(), values.collect::<String>())
    });
    shown.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_conversation_stays_together() {
    let ts = r#"thread_ts="1503435956.000247""#;
    assert_eq!(
        came(Service::SlackBot, &["/channel", "/thread_ts", "/reply_broadcast", "/ts"]).await,
        format!(
            "POST /api/chat.postMessage channel=\"#mail\"\n\
             POST /api/chat.postMessage channel=\"C0123456789\" {ts} reply_broadcast=false\n\
             POST /api/chat.postMessage channel=\"C0123456789\" {ts} reply_broadcast=true\n\
             POST /api/chat.update channel=\"C0123456789\" ts=\"1503435956.000247\""
        )
    );
    let discord = "/api/webhooks/1/path-secret-0123456789";
    assert_eq!(
        came(Service::Discord, &[]).await,
        format!("POST {discord}\nPOST {discord}\nPOST {discord}\nPATCH {discord}/messages/1234")
    );
    let chat = "POST /v1/spaces/AAA/messages thread/threadKey=\"incident-17\"";
    assert_eq!(came(Service::GoogleChat, &["/thread/threadKey"]).await, [chat; 3].join("\n"));
    let telegram = format!("POST /bot{TOKEN}/sendMessage");
    assert_eq!(
        came(Service::Telegram, &["/reply_parameters/message_id"]).await,
        format!(
            "{telegram}\n{telegram} reply_parameters/message_id=42\n\
             {telegram} reply_parameters/message_id=42"
        )
    );
    let pagerduty = "POST /v2/enqueue dedup_key=\"incident-17\" event_action=";
    assert_eq!(
        came(Service::PagerDuty, &["/dedup_key", "/event_action"]).await,
        format!("{pagerduty}\"trigger\"\n{pagerduty}\"acknowledge\"\n{pagerduty}\"resolve\"")
    );
    assert_eq!(
        came(Service::Opsgenie, &["/alias"]).await,
        "POST /v2/alerts alias=\"incident-17\"\n\
         POST /v2/alerts/incident-17/acknowledge\n\
         POST /v2/alerts/incident-17/close"
    );
    let ntfy = "POST / sequence_id=\"incident-17\"";
    assert_eq!(came(Service::Ntfy, &["/sequence_id"]).await, [ntfy; 3].join("\n"));
}

/// The doubles must be able to complain, or all of the above says nothing.
#[tokio::test]
async fn a_double_refuses_what_its_service_would() {
    for service in all() {
        let double = Double::start(service).unwrap();
        let status = posted(&double.url("/anything"), "{\"text\": 1}").await;
        assert!(status.starts_with("HTTP/1.1 400"), "{}: {status}", service.name());
        let complaints = double.complaints().join("\n");
        assert!(complaints.contains("user agent"), "{complaints}");
        let by_schema = ["required", "is not valid under any of the schemas"];
        assert!(by_schema.iter().any(|words| complaints.contains(words)), "{complaints}");
    }
}

async fn posted(url: &str, body: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (address, path) = url.trim_start_matches("http://").split_once('/').unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!("POST /{path} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
