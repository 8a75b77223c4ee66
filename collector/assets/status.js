// What the page for users does beside being read: it looks again by itself, and says times of who reads beside those of the
// organisation, whose zone the words of messages are in too. The page is whole without it.

const EVERY_MS = 30000;
const here = Intl.DateTimeFormat().resolvedOptions().timeZone;

function own() {
  const theirs = document.body.dataset.zone;
  if (!theirs || !here) return;
  const at = (when, zone) => when.toLocaleString("en-GB", { timeZone: zone, dateStyle: "short", timeStyle: "short" });
  for (const time of document.querySelectorAll("time[datetime]")) {
    const when = new Date(time.dateTime);
    if (Number.isNaN(when.getTime()) || time.title || at(when, here) === at(when, theirs)) continue;
    time.title = `${at(when, here)} where you are`;
    time.textContent += ` (${when.toLocaleTimeString("en-GB", { timeStyle: "short" })} where you are)`;
  }
}

async function look() {
  if (document.hidden || document.activeElement?.closest("form")) return;
  const news = document.getElementById("news");
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!answer.ok) throw new Error(answer.statusText);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const before = document.getElementById("overall")?.textContent;
    const after = fresh.getElementById("overall")?.textContent;
    const open = new Map([...document.querySelectorAll("details[data-key]")].map((it) => [it.dataset.key, it.open]));
    const link = document.activeElement?.getAttribute("href");
    for (const part of ["main", ".asof time"]) {
      const [old, next] = [document.querySelector(part), fresh.querySelector(part)];
      if (old && next) old.replaceChildren(...next.childNodes);
      if (old && next && next.dateTime) [old.dateTime, old.title] = [next.dateTime, ""];
    }
    for (const details of document.querySelectorAll("details[data-key]")) {
      if (open.has(details.dataset.key)) details.open = open.get(details.dataset.key);
    }
    if (link) document.querySelector(`main a[href=${JSON.stringify(link)}]`)?.focus({ preventScroll: true });
    own();
    document.getElementById("main")?.classList.remove("old");
    // said to who listens only when it is news
    if (news && (before !== after || news.textContent)) news.textContent = before === after ? "" : after;
  } catch {
    document.getElementById("main")?.classList.add("old");
    const words = "This page cannot be made anew at the moment: what it says may be old.";
    if (news) news.textContent = words;
    let told = document.getElementById("stale");
    if (!told) {
      told = document.createElement("p");
      told.id = "stale";
      told.className = "notice bad";
      document.getElementById("main")?.prepend(told);
    }
    told.textContent = words;
  }
}

own();
setInterval(look, EVERY_MS);
document.addEventListener("visibilitychange", look);
