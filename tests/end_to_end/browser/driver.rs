//! A real Chromium, by WebDriver: what a person does with a page, as blocking words of a scenario.

use std::fmt::Debug;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use mailsonde_tests::network::Network;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::{PATIENCE, SERIOUS};
use crate::process::wait_until;

/// Between two looks at a page.
const GLANCE: Duration = Duration::from_millis(100);

/// The rules of accessibility, as tests/install put them there.
static AXE: LazyLock<String> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python/lib");
    let found = fs::read_dir(&folder)
        .unwrap()
        .filter_map(Result::ok)
        .map(|entry| entry.path().join("site-packages/axe_core_python/axe.min.js"));
    let file = found.into_iter().find(|file| file.exists());
    fs::read_to_string(file.expect("axe.min.js: run tests/install")).unwrap()
});

/// A port here that leads to an address in a network of the lab. Ends when it is dropped.
pub(super) struct Bridge {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Bridge {
    pub(super) fn start(network: Network, to: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            for here in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(here) = here else { continue };
                let Ok(there) = network.connect(to, PATIENCE) else { continue };
                carry(here.try_clone().unwrap(), there.try_clone().unwrap());
                carry(there, here);
            }
        });
        Self { address, stop, thread: Some(thread) }
    }

    pub(super) fn url(&self) -> String {
        format!("https://{}", self.address)
    }
}

/// Carries one way until either end closes; the thread ends with its sockets.
fn carry(mut from: TcpStream, mut to: TcpStream) {
    std::thread::spawn(move || {
        std::io::copy(&mut from, &mut to).ok();
        to.shutdown(std::net::Shutdown::Both).ok();
    });
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        TcpStream::connect(self.address).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// A browser's driver, killed with what it started when it is dropped.
pub(super) struct Browser {
    driver: Child,
    port: u16,
    runtime: Runtime,
    folder: PathBuf,
}

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    width: u32,
    height: u32,
    is_dark: bool,
}

impl Look {
    pub(super) const fn desk() -> Self {
        Self { width: 1_280, height: 900, is_dark: false }
    }

    pub(super) const fn phone_in_the_dark() -> Self {
        Self { width: 390, height: 844, is_dark: true }
    }
}

impl Browser {
    pub(super) fn start(folder: &Path) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver: run tests/install");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let browser = Self { driver, port, runtime: runtime.unwrap(), folder: folder.to_owned() };
        wait_until("the browser's driver answers", PATIENCE, || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
        });
        browser
    }

    /// A window of its own, with nothing in it.
    pub(super) fn look(&self, look: Look, base: &str) -> Page<'_> {
        let profile = tempfile::tempdir_in(&self.folder).unwrap().keep();
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ];
        let mut arguments: Vec<String> = arguments.map(str::to_owned).into();
        arguments.push(format!("--user-data-dir={}", profile.display()));
        arguments.push(format!("--window-size={},{}", look.width, look.height));
        let capabilities = json!({
            "acceptInsecureCerts": true,
            "goog:chromeOptions": {"binary": "/usr/bin/chromium", "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        });
        let Value::Object(capabilities) = capabilities else { unreachable!() };
        let url = format!("http://127.0.0.1:{}", self.port);
        let client = self.runtime.block_on(async {
            let mut builder =
                ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
            builder.capabilities(Capabilities::from(capabilities));
            builder.connect(&url).await.expect("a window of the browser")
        });
        let page = Page { browser: self, client, base: base.to_owned(), look };
        let metrics = json!({"width": look.width, "height": look.height, "deviceScaleFactor": 1, "mobile": look.width < 600});
        page.order("Emulation.setDeviceMetricsOverride", &metrics);
        let scheme = if look.is_dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        page.order("Emulation.setEmulatedMedia", &media);
        page
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.driver.kill().ok();
        self.driver.wait().ok();
    }
}

/// A command that WebDriver knows, or this driver alone.
#[derive(Debug)]
struct Raw {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Raw {
    fn endpoint(
        &self,
        base_url: &url::Url,
        session_id: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base_url.join(&format!("session/{}/{}", session_id.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}

/// A window.
pub(super) struct Page<'b> {
    browser: &'b Browser,
    client: Client,
    base: String,
    look: Look,
}

impl Page<'_> {
    fn block<T>(&self, work: impl Future<Output = T>) -> T {
        let all = async { tokio::time::timeout(PATIENCE, work).await };
        self.browser.runtime.block_on(all).expect("the browser does not answer")
    }

    fn raw(&self, path: &'static str, body: Value) -> Value {
        self.block(self.client.issue_cmd(Raw { path, body })).unwrap()
    }

    fn order(&self, command: &str, parameters: &Value) {
        self.raw("goog/cdp/execute", json!({"cmd": command, "params": parameters}));
    }

    pub(super) fn go(&self, path: &str) {
        self.block(self.client.goto(&format!("{}{path}", self.base))).unwrap();
    }

    pub(super) fn address(&self) -> String {
        self.block(self.client.current_url()).unwrap().to_string()
    }

    pub(super) fn run(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.block(self.client.execute(script, arguments)).unwrap()
    }

    fn text(&self) -> String {
        let text = self.block(self.client.execute("return document.body.innerText;", Vec::new()));
        // between two pages there is none
        text.ok().and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Waits until it says so.
    pub(super) fn shows(&self, words: &str) {
        let begun = crate::process::now();
        while !self.text().contains(words) {
            assert!(
                begun.elapsed() < PATIENCE,
                "{} does not show {words:?} but:\n{}",
                self.address(),
                self.text()
            );
            std::thread::sleep(GLANCE);
        }
    }

    /// Waits until there is such an element.
    pub(super) fn finds(&self, css: &str) {
        wait_until(css, PATIENCE, || self.block(self.client.find(Locator::Css(css))).is_ok());
    }

    pub(super) fn fill(&self, css: &str, text: &str) {
        self.finds(css);
        let field = self.block(self.client.find(Locator::Css(css))).unwrap();
        self.block(field.clear()).unwrap();
        self.block(field.send_keys(text)).unwrap();
    }

    /// Clicks; what is replaced in that moment is found again.
    pub(super) fn click(&self, css: &str) {
        wait_until(css, PATIENCE, || {
            let found = self.block(self.client.find(Locator::Css(css)));
            found.is_ok_and(|element| self.block(element.click()).is_ok())
        });
    }

    /// From here on it is seen whether the page was loaded anew.
    pub(super) fn mark(&self) {
        self.run("window.isMarked = true;", Vec::new());
    }

    /// It was not loaded anew since it was marked.
    pub(super) fn is_the_same(&self) {
        assert_eq!(self.run("return window.isMarked === true;", Vec::new()), json!(true));
    }

    /// In milliseconds since it was asked for.
    pub(super) fn first_paint_ms(&self) -> f64 {
        let script =
            "return performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0;";
        self.run(script, Vec::new()).as_f64().unwrap()
    }

    /// Nothing is wider than the screen.
    pub(super) fn fits(&self) {
        let script = "return [document.documentElement.scrollWidth, window.innerWidth];";
        let widths = self.run(script, Vec::new());
        let [page, screen] = [0, 1].map(|at| widths[at].as_u64().unwrap());
        assert!(page <= screen, "{} is {page} px wide on {screen}", self.address());
        assert_eq!(screen, u64::from(self.look.width));
    }

    /// By the key that goes on alone, what can be acted on is reached in order, and is seen to be.
    pub(super) fn tabs_through(&self, path: &str) {
        self.go(path);
        self.finds("main");
        let body = self.block(self.client.find(Locator::Css("body"))).unwrap();
        self.block(body.send_keys("\u{e004}")).unwrap();
        let reached = "return document.activeElement.textContent;";
        assert_eq!(self.run(reached, Vec::new()), json!("Skip to content"));
        let outline = "return getComputedStyle(document.activeElement).outlineStyle;";
        assert_ne!(self.run(outline, Vec::new()), json!("none"));
    }

    pub(super) fn forget_errors(&self) {
        self.errors();
    }

    fn errors(&self) -> Vec<String> {
        let log = self.raw("se/log", json!({"type": "browser"}));
        let entries = log.as_array().cloned().unwrap_or_default().into_iter();
        let severe = entries.filter(|entry| entry["level"] == json!("SEVERE"));
        severe.map(|entry| entry["message"].to_string()).collect()
    }

    /// No error, nothing that the policy of content forbids, no serious fault of accessibility; a picture of it.
    pub(super) fn checked(&self, name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots");
        fs::create_dir_all(&folder).unwrap();
        let picture = self.block(self.client.screenshot()).unwrap();
        fs::write(folder.join(format!("{name}.png")), picture).unwrap();
        let errors = self.errors();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
        self.run(&AXE, Vec::new());
        let found = self.block(self.client.execute_async(
            "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']})\
             .then(found => done(found.violations.map(it => \
             [it.impact, it.id, it.help, it.nodes.map(node => node.html.slice(0, 200)).slice(0, 3)])));",
            Vec::new(),
        ));
        let found = found.unwrap();
        let serious = found.as_array().unwrap().iter();
        let serious: Vec<&Value> = serious
            .filter(|it| it[0].as_str().is_some_and(|impact| SERIOUS.contains(&impact)))
            .collect();
        assert!(serious.is_empty(), "{name}: {serious:#?}");
    }
}

impl Drop for Page<'_> {
    fn drop(&mut self) {
        let close = async {
            tokio::time::timeout(Duration::from_secs(10), self.client.clone().close()).await.ok();
        };
        self.browser.runtime.block_on(close);
    }
}
