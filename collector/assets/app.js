// What a page does beside being read: it follows what happens, and says in which time zone its reader is.
// Pages are whole without it. Everything that it puts into a page was made by the collector.

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const said = document.documentElement.dataset.zone;
const kept = () => document.cookie.split("; ").find((it) => it.startsWith("zone="));
if (zone && said !== undefined && said !== zone) {
  const wanted = `zone=${encodeURIComponent(zone)}`;
  if (kept() !== wanted) {
    document.cookie = `${wanted}; path=/; max-age=31536000; samesite=lax`;
    // once: where cookies are refused the organisation's zone stays
    if (kept() === wanted) location.reload();
  }
}

for (const form of document.querySelectorAll("form[data-ask]")) {
  form.addEventListener("submit", (event) => {
    if (!window.confirm(form.dataset.ask)) event.preventDefault();
  });
}
for (const select of document.querySelectorAll("form.filter select")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}

const main = document.querySelector("main[data-live]");
const status = document.getElementById("live");

function tell(words) {
  if (status && status.textContent !== words) status.textContent = words;
}

// What is not followed any more is old news, and must not look like any other.
const old = document.getElementById("old");
let since = null;

function isFollowed(is) {
  if (is) since = null;
  else since ??= new Date();
  if (!old || !main) return;
  main.classList.toggle("old", !is);
  old.hidden = is;
  old.textContent = is ? "" : `The collector does not answer: this is how it was at ${since.toLocaleTimeString("en-GB")}. Trying again.`;
}

// A session that is over leads to where one signs in; then there is nothing to follow.
async function ask() {
  try {
    const answer = await fetch(location.href, { method: "HEAD", redirect: "manual" });
    if (answer.type === "opaqueredirect") location.reload();
    return answer.ok;
  } catch {
    return false;
  }
}

// What is wider than the screen begins at its newest end where it goes along with time, and stays where it was scrolled to.
const wide = (part) => [...part.querySelectorAll(".wide")];
const newest = (part) => {
  for (const it of part.querySelectorAll(".wide.newest")) it.scrollLeft = it.scrollWidth;
};
newest(document);

// Replaces one part; what was focused, unfolded or scrolled to in it stays so.
function replace({ id, hash, html }) {
  const part = document.getElementById(id);
  if (!part || part.dataset.hash === hash) return;
  if (part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select")) return;
  const focused = part.contains(document.activeElement) ? place(document.activeElement) : null;
  const open = new Set([...part.querySelectorAll("details[open]")].map((it) => it.dataset.key));
  const scrolled = wide(part).map((it) => [it.scrollLeft, it.scrollLeft + it.clientWidth >= it.scrollWidth - 2]);
  part.innerHTML = html;
  part.dataset.hash = hash;
  for (const details of part.querySelectorAll("details")) {
    if (open.has(details.dataset.key)) details.open = true;
  }
  wide(part).forEach((it, at) => {
    const [left, wasAtEnd] = scrolled[at] ?? [0, true];
    it.scrollLeft = wasAtEnd && it.classList.contains("newest") ? it.scrollWidth : left;
  });
  if (focused) {
    const again = part.querySelector(focused);
    if (again) again.focus({ preventScroll: true });
  }
}

// A form is not made anew, because somebody may be writing in it: it shows what can be done by now.
function offer() {
  const can = main?.querySelector("[data-can]")?.dataset.can.split(" ");
  const buttons = can ? [...main.querySelectorAll("form button[name=do]")] : [];
  for (const button of buttons) {
    button.hidden = !can.includes(button.value);
    // the enter key presses the first button that is not disabled, seen or not
    button.disabled = button.hidden;
    button.form.hidden = buttons.every((it) => it.hidden);
  }
}

function place(element) {
  const href = element.getAttribute("href");
  if (href) return `a[href=${JSON.stringify(href)}]`;
  const key = element.closest("[data-key]")?.dataset.key;
  return key ? `[data-key="${CSS.escape(key)}"] > ${element.localName}` : null;
}

function hashes() {
  const parts = [...document.querySelectorAll("[data-hash]")];
  return parts.map((part) => `${part.id}:${part.dataset.hash}`).join(",");
}

let source = null;
let wait_ms = 1000;

function follow() {
  const address = location.pathname + location.search;
  source = new EventSource(`/live?of=${encodeURIComponent(address)}&have=${encodeURIComponent(hashes())}`);
  source.addEventListener("part", (event) => {
    replace(JSON.parse(event.data));
    offer();
    isFollowed(true);
    tell("live");
  });
  source.addEventListener("fine", () => {
    wait_ms = 1000;
    isFollowed(true);
    tell("live");
  });
  source.addEventListener("gone", () => location.reload());
  source.onerror = () => {
    // made anew by hand, so that it says what this page has by now
    source.close();
    tell("not live: trying again");
    // a stream that has lived its time is begun anew, which is no trouble
    ask().then((answers) => answers || isFollowed(false));
    const spread_ms = wait_ms * (0.5 + Math.random());
    wait_ms = Math.min(wait_ms * 2, 15000);
    setTimeout(() => (document.hidden ? null : follow()), spread_ms);
  };
}

if (main) {
  follow();
  // a page that nobody sees costs nobody anything
  document.addEventListener("visibilitychange", () => {
    source?.close();
    if (!document.hidden) follow();
  });
}
