//! Our own verification of a message (DKIM, SPF, DMARC, ARC), with nobody to answer a look-up.
#![no_main]

use std::cell::OnceCell;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use mailsonde_agent::mail::verify::{Arrived, CheckResult, verify};
use mailsonde_agent::net::{Net, TokioResolver};
use mailsonde_proto::Clock;
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static RUNTIME: OnceCell<Runtime> = const { OnceCell::new() };
    static RESOLVER: OnceCell<TokioResolver> = const { OnceCell::new() };
}

fuzz_target!(|message: &[u8]| {
    let made = || Builder::new_current_thread().enable_all().build().expect("a runtime");
    let receivers = ["good.test".to_owned()];
    let arrived = Arrived { message, is_whole: true, receivers: &receivers };
    let deadline = Clock::system().monotonic() + Duration::from_secs(1);
    let resolver = || Net::resolver_without_servers().expect("a resolver");
    // One for all: making it takes longer than any message.
    let resolver = RESOLVER.with(|made| made.get_or_init(resolver).clone());
    let net = Net::new();
    let asked = verify((&net, resolver), arrived, deadline);
    let verified = RUNTIME.with(|runtime| runtime.get_or_init(made).block_on(asked));
    let checks = verified.dkim.iter().chain([&verified.spf, &verified.dmarc]).chain(&verified.arc);
    for check in checks {
        assert_ne!(check.result, CheckResult::Pass, "without having asked anybody");
    }
});
