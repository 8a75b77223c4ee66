//! The client against servers of this process that answer as they are told.

use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use hickory_resolver::proto::op::{Edns, Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::opt::EdnsOption;
use hickory_resolver::proto::rr::rdata::{A, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use mailsonde_proto::FaultClass;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

use super::*;

/// Answers each question by a function of it; says how often it was asked.
struct Double {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

type Reaction = fn(&Message, bool) -> Vec<Message>;

impl Double {
    async fn start(react: Reaction) -> Self {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let udp = UdpSocket::bind(address).await.unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        let count = Arc::clone(&asked);
        tasks.spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
                count.fetch_add(1, Ordering::Relaxed);
                let question = Message::from_vec(&buffer[..length]).unwrap();
                for answer in react(&question, false) {
                    udp.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
                }
            }
        });
        tasks.spawn(async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                let length = usize::from(stream.read_u16().await.unwrap());
                let mut buffer = vec![0; length];
                stream.read_exact(&mut buffer).await.unwrap();
                let question = Message::from_vec(&buffer).unwrap();
                for answer in react(&question, true) {
                    let bytes = answer.to_vec().unwrap();
                    stream.write_u16(u16::try_from(bytes.len()).unwrap()).await.unwrap();
                    stream.write_all(&bytes).await.unwrap();
                }
            }
        });
        Self { address, asked, _tasks: tasks }
    }
}

fn response(question: &Message) -> Message {
    let mut answer = question.clone().into_response();
    answer.metadata.message_type = MessageType::Response;
    answer
}

fn address(question: &Message) -> Message {
    let mut answer = response(question);
    let name = question.queries[0].name.clone();
    answer.add_answer(Record::from_rdata(name, 60, RData::A(A::new(192, 0, 2, 1))));
    answer
}

fn code(question: &Message, code: ResponseCode) -> Message {
    let mut answer = response(question);
    answer.metadata.response_code = code;
    answer
}

fn client(resolvers: &[&Double], validation: Validation) -> Dns {
    let settings = DnsSettings {
        resolvers: resolvers.iter().map(|double| double.address).collect(),
        validation,
        patience: Duration::from_millis(2_500),
        ..DnsSettings::default()
    };
    let deadline = Clock::system().monotonic() + Duration::from_secs(30);
    Net::new().dns(&settings, Clock::system(), deadline).unwrap()
}

async fn ask(dns: &Dns, name: &str) -> Result<Answer, AskError> {
    dns.ask(&Name::from_str(name).unwrap(), RecordType::A).await
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_fetched_over_tcp() {
    let server = Double::start(|question, is_tcp| {
        let mut answer = address(question);
        answer.metadata.truncation = !is_tcp;
        if is_tcp {
            let long = RData::TXT(TXT::new(vec!["x".repeat(250); 200]));
            answer.add_additional(Record::from_rdata(Name::root(), 1, long));
        } else {
            answer.answers.clear();
        }
        vec![answer]
    })
    .await;
    let dns = client(&[&server], Validation::Off);
    let answer = ask(&dns, "big.test.").await.unwrap();
    assert_eq!(answer.data(RecordType::A).count(), 1);
    // To one server's own answer nothing is added.
    let question = Question::to_authority(Name::from_str("big.test.").unwrap(), RecordType::A);
    let reply = dns.ask_server(server.address, &question).await.unwrap();
    assert!(reply.is_truncated && reply.answers.is_empty());
}

#[tokio::test]
async fn what_is_not_the_answer_is_passed_over() {
    let server = Double::start(|question, _| {
        let mut forged = address(question);
        forged.metadata.id = forged.metadata.id.wrapping_add(1);
        forged.answers[0].data = RData::A(A::new(203, 0, 113, 66));
        let mut other = address(question);
        other.queries[0].name = Name::from_str("other.test.").unwrap();
        other.answers[0].data = RData::A(A::new(203, 0, 113, 67));
        vec![forged, other, address(question)]
    })
    .await;
    let dns = client(&[&server], Validation::Off);
    let answer = ask(&dns, "good.test.").await.unwrap();
    assert_eq!(answer.data(RecordType::A).next().unwrap().to_string(), "192.0.2.1");
}

#[tokio::test]
async fn the_next_resolver_is_asked_and_each_question_once() {
    let refusing = Double::start(|question, _| vec![code(question, ResponseCode::Refused)]).await;
    let silent = Double::start(|_, _| Vec::new()).await;
    let good = Double::start(|question, _| vec![address(question)]).await;
    let dns = client(&[&refusing, &silent, &good], Validation::Off);
    for name in ["good.test.", "GOOD.test."] {
        assert_eq!(ask(&dns, name).await.unwrap().data(RecordType::A).count(), 1);
    }
    let asked = [&refusing, &silent, &good].map(|double| double.asked.load(Ordering::Relaxed));
    assert_eq!(asked, [1, 1, 1]);
}

#[tokio::test]
async fn a_refusal_and_silence_have_their_own_words() {
    let refusing = Double::start(|question, _| vec![code(question, ResponseCode::Refused)]).await;
    let dns = client(&[&refusing], Validation::Own);
    let error = ask(&dns, "good.test.").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the DNS server answered REFUSED to the question for good.test. A"
    );
    let silent = Double::start(|_, _| Vec::new()).await;
    let dns = client(&[&silent], Validation::Own);
    let error = ask(&dns, "good.test.").await.unwrap_err();
    let address = silent.address;
    let words = format!(
        "no DNS server answers at all: {address} answered neither the question for good.test. A nor one \
         for the root's name servers (nothing came in time)"
    );
    assert_eq!((error.to_string(), error.class()), (words, FaultClass::Timeout));
    assert!(error.is_of_nobody() && matches!(error, AskError::Silent { are_ours: false, .. }));
    assert_eq!(silent.asked.load(Ordering::Relaxed), 4, "a datagram may be lost");
    // Once is enough.
    ask(&dns, "other.test.").await.unwrap_err();
    assert_eq!(silent.asked.load(Ordering::Relaxed), 6);
}

#[tokio::test]
async fn a_resolver_that_is_not_there_is_told_at_once() {
    let gone = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let settings = DnsSettings { resolvers: vec![gone], ..DnsSettings::default() };
    let began = Clock::system().monotonic();
    let dns = Net::new().dns(&settings, Clock::system(), began + Duration::from_secs(9)).unwrap();
    let error = ask(&dns, "good.test.").await.unwrap_err();
    assert_eq!(error.class(), FaultClass::Refused);
    assert!(matches!(error, AskError::Silent { is_refused: true, .. }), "{error:?}");
    assert!(Clock::system().monotonic().duration_since(began) < Duration::from_millis(900));
}

#[tokio::test]
async fn a_resolver_that_is_silent_about_one_name_is_not_silent() {
    let server = Double::start(|question, _| {
        let name = &question.queries[0].name;
        if name.is_root() { vec![code(question, ResponseCode::Refused)] } else { Vec::new() }
    })
    .await;
    let error = ask(&client(&[&server], Validation::Own), "good.test.").await.unwrap_err();
    assert_eq!(error, AskError::Timeout { name: "good.test. A".to_owned() });
}

#[tokio::test]
async fn a_resolver_may_fall_silent_and_speak_again() {
    static IS_SILENT: AtomicBool = AtomicBool::new(false);
    let server = Double::start(|question, _| {
        if IS_SILENT.load(Ordering::Relaxed) { Vec::new() } else { vec![address(question)] }
    })
    .await;
    let dns = client(&[&server], Validation::Off);
    ask(&dns, "one.test.").await.unwrap();
    IS_SILENT.store(true, Ordering::Relaxed);
    for name in ["two.test.", "three.test."] {
        let error = ask(&dns, name).await.unwrap_err();
        assert!(matches!(error, AskError::Silent { .. }), "{error:?}");
        assert!(dns.silence().is_some());
    }
    IS_SILENT.store(false, Ordering::Relaxed);
    ask(&dns, "four.test.").await.unwrap();
    assert_eq!(dns.silence(), None);
}

#[tokio::test]
async fn silence_is_known_before_the_run_is_over() {
    let silent = Double::start(|_, _| Vec::new()).await;
    let clock = Clock::system();
    let settings = DnsSettings { resolvers: vec![silent.address], ..DnsSettings::default() };
    let within = Duration::from_secs(2);
    let dns = Net::new().dns(&settings, clock, clock.monotonic() + within).unwrap();
    assert_eq!(dns.silence(), None);
    assert!(tokio::time::timeout(within, ask(&dns, "good.test.")).await.is_err());
    assert!(matches!(dns.silence(), Some(AskError::Silent { .. })), "{:?}", dns.silence());
}

#[tokio::test]
async fn what_had_no_time_to_answer_is_not_silent() {
    let silent = Double::start(|_, _| Vec::new()).await;
    let clock = Clock::system();
    for (within_ms, is_silent) in [(0, false), (400, false), (600, true)] {
        let settings = DnsSettings {
            resolvers: vec![silent.address],
            patience: Duration::from_secs(1),
            ..DnsSettings::default()
        };
        let within = Duration::from_millis(within_ms);
        let dns = Net::new().dns(&settings, clock, clock.monotonic() + within).unwrap();
        let error = ask(&dns, "good.test.").await.unwrap_err();
        assert_eq!(matches!(error, AskError::Silent { .. }), is_silent, "{within:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_know_edns_is_asked_without() {
    let old = Double::start(|question, _| {
        if question.edns.is_some() {
            let mut answer = code(question, ResponseCode::FormErr);
            answer.edns = None;
            return vec![answer];
        }
        vec![address(question)]
    })
    .await;
    let answer = ask(&client(&[&old], Validation::Off), "good.test.").await.unwrap();
    assert_eq!(answer.security, Security::Unchecked);
}

/// Says SERVFAIL with an extended error, unless it is told not to check.
fn validating(question: &Message, _: bool) -> Vec<Message> {
    if question.metadata.checking_disabled {
        return vec![address(question)];
    }
    let mut answer = code(question, ResponseCode::ServFail);
    let mut edns = Edns::new();
    edns.options_mut().insert(EdnsOption::Unknown(15, vec![0, 7]));
    answer.set_edns(edns);
    vec![answer]
}

#[tokio::test]
async fn what_the_resolver_proves_wrong_is_bogus_with_its_reason() {
    let server = Double::start(validating).await;
    for validation in [Validation::Own, Validation::Resolver] {
        let error = ask(&client(&[&server], validation), "expired.test.").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the answer for expired.test. A is bogus: DNSSEC proves it wrong \
             (EDE 7, signature expired)"
        );
    }
    let error = ask(&client(&[&server], Validation::Off), "expired.test.").await.unwrap_err();
    assert!(matches!(error, AskError::Failed { extended: Some(_), .. }), "{error}");
}

#[tokio::test]
async fn a_resolver_that_hands_on_no_signatures_leaves_all_unchecked() {
    let server = Double::start(|question, _| vec![address(question)]).await;
    let answer = ask(&client(&[&server], Validation::Own), "good.test.").await.unwrap();
    assert_eq!(answer.security, Security::Unchecked);
}
