// Asks for the report every two seconds, and says how the worker is.

const EVERY = 2000;
const PATIENCE = 5000;

let paused = false;
let timer = null;
let asking = false;
// When the last report came, by the clock here.
let answered = null;

// Shows the state. A screen reader says it when it is another one than before.
function showState(state, headline, explained, waiting = []) {
  setAttribute(byId("state"), "data-state", state);
  setText(byId("headline"), headline);
  setText(byId("explained"), explained);
  fill(byId("waiting"), "li", waiting.map(({ part, reason }) => ({
    key: `${part} ${reason}`,
    fill: (item) => item.append(make("b", "", part), ` ${reason}`),
  })));
  show(byId("waiting"), waiting.length > 0);
  const parts = waiting.map(({ part }) => part).join(", ");
  setText(byId("announced"), parts ? `${headline}: ${parts}` : headline);
  const host = byId("host").textContent;
  const title = [headline, host, "traitsink"].filter(Boolean).join(" · ");
  if (document.title !== title) document.title = title;
}

function showReadiness({ ready, waiting_for: waiting }) {
  if (ready) showState("ready", "Ready", "Every source takes events, and Redis takes the writes.");
  else showState("waiting", "Not ready", "The worker waits for:", waiting);
}

function showSilence(why) {
  if (answered === null) {
    showState("silent", "No answer yet", `${why} The page goes on trying.`);
    return;
  }
  const length = lasting((Date.now() - answered) / 1000);
  showState("silent", `No answer since ${clock(answered)}`,
    `${why} The figures below are ${length} old. The page goes on trying.`);
}

// The report, or `null` when there is none; then the page says why.
async function ask() {
  try {
    const signal = AbortSignal.timeout(PATIENCE);
    const answer = await fetch("api/status", { cache: "no-store", signal });
    if (answer.ok) return await answer.json();
    showSilence(`The worker answered ${answer.status}.`);
  } catch {
    showSilence("The worker cannot be reached.");
  }
  return null;
}

async function showLatest() {
  const report = await ask();
  if (report === null) return;
  answered = Date.now();
  showReport(report);
  showReadiness(report);
}

async function refresh() {
  if (asking) return;
  asking = true;
  clearTimeout(timer);
  try {
    await showLatest();
  } finally {
    asking = false;
    showPace();
    if (!paused && !document.hidden) timer = setTimeout(refresh, EVERY);
  }
}

function showPace() {
  const at = answered === null ? "" : clock(answered);
  setText(byId("updated"), paused ? `Paused at ${at}` : at ? `Updated ${at}` : "Loading");
  setText(byId("pause"), paused ? "Continue" : "Pause");
}

byId("pause").addEventListener("click", () => {
  paused = !paused;
  clearTimeout(timer);
  showPace();
  if (!paused) refresh();
});

document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  if (!document.hidden && !paused) refresh();
});

watchScrolling();
refresh();
