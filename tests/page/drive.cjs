// Drives one page of a headless Chromium for tests/it/page.rs. Reads one command a line from
// standard input, as JSON `{"do": NAME, ..}`, and answers each with one line: `{"ok": VALUE}` or
// `{"error": TEXT}`. The browser ends with standard input.
//
//   TRAITSINK_PAGE=DIR tests/page/drive.cjs      DIR: what tests/page/fetch made
"use strict";
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const readline = require("node:readline");

const CHROMIUM = "/usr/bin/chromium";
const modules = path.join(process.env.TRAITSINK_PAGE, "node_modules");
const { chromium } = require(path.join(modules, "playwright-core"));

// One font for all machines: pictures and widths do not depend on what is installed.
const FONTS = `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir>${path.join(modules, "@expo-google-fonts/inter")}</dir>
  ${["system-ui", "sans-serif"].map((family) => `<match target="pattern">
    <test name="family"><string>${family}</string></test>
    <edit name="family" mode="prepend" binding="strong"><string>Inter</string></edit>
  </match>`).join("")}</fontconfig>`;

let browser;
let page;
// What went wrong in the page: errors, what its policy forbade, requests to elsewhere.
let faults = [];
// What is answered in place of the worker: path -> { status, body }, or null for no answer.
let answers = {};
// Requests for /api/status so far.
let asked = 0;

async function launch() {
  if (!fs.existsSync(CHROMIUM)) throw new Error(`there is no ${CHROMIUM}; see tests/run`);
  const fonts = path.join(os.tmpdir(), `fonts-${process.pid}.conf`);
  fs.writeFileSync(fonts, FONTS);
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    env: { ...process.env, FONTCONFIG_FILE: fonts },
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

async function answer(route, origin) {
  const url = new URL(route.request().url());
  if (url.origin !== origin && url.protocol !== "data:") {
    faults.push(`requests ${url}`);
    return route.abort();
  }
  if (url.pathname === "/api/status") asked += 1;
  if (!(url.pathname in answers)) return route.continue();
  const given = answers[url.pathname];
  if (given === null) return route.abort("connectionrefused");
  return route.fulfill({ status: given.status, body: given.body,
    contentType: "application/json" });
}

// Messages of the browser itself about answers that are no success: tests ask for some.
const EXPECTED = /^Failed to load resource: (the server responded with a status of|net::ERR_)/;

const COMMANDS = {
  // Opens `url` in a window of `width` pixels, light or dark.
  async open({ url, width, dark }) {
    if (!browser) await launch();
    await page?.context().close();
    const context = await browser.newContext({
      viewport: { width, height: 900 }, colorScheme: dark ? "dark" : "light",
      reducedMotion: "reduce", locale: "en-GB", timezoneId: "UTC",
    });
    await context.addInitScript({ path: path.join(modules, "axe-core/axe.min.js") });
    await context.addInitScript(() => {
      globalThis.shifted = 0;
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) globalThis.shifted += entry.value;
      }).observe({ type: "layout-shift", buffered: true });
    });
    await context.route("**", (route) => answer(route, new URL(url).origin));
    page = await context.newPage();
    await page.clock.install();
    faults = [];
    page.on("console", (message) => {
      const text = message.text();
      if (["error", "warning"].includes(message.type()) && !EXPECTED.test(text)) faults.push(text);
    });
    page.on("pageerror", (error) => faults.push(String(error)));
    page.on("dialog", (dialog) => {
      faults.push(`a dialog says ${dialog.message()}`);
      return dialog.dismiss();
    });
    await page.goto(url);
  },
  // From now on `path` is answered with `status` and `body`; without them it is refused.
  answer({ path: name, status, body }) {
    answers[name] = status ? { status, body } : null;
  },
  // From now on the worker answers everything itself.
  release() {
    answers = {};
  },
  // The text that `selector` shows; "" while it is hidden.
  async text({ selector }) {
    const found = page.locator(selector);
    return await found.isVisible() ? found.innerText() : "";
  },
  count: ({ selector }) => page.locator(selector).count(),
  attribute: ({ selector, name }) => page.locator(selector).getAttribute(name),
  click: ({ selector }) => page.locator(selector).click(),
  press: ({ key }) => page.keyboard.press(key),
  type: ({ text }) => page.keyboard.type(text),
  // The id of the element with the focus, or the name of its kind.
  focused: () => page.evaluate(() => document.activeElement.id
    || document.activeElement.className || document.activeElement.localName),
  // How far the page is wider than the window, in pixels.
  overflow: () => page.evaluate(() => document.documentElement.scrollWidth
    - document.documentElement.clientWidth),
  // By how much the content has moved by itself since the last call.
  shifted: () => page.evaluate(() => {
    const shifted = globalThis.shifted;
    globalThis.shifted = 0;
    return shifted;
  }),
  faults: () => faults,
  asked: () => asked,
  // Stops the page's clock, so that only `pass` moves it.
  freeze: () => page.clock.pauseAt(Date.now() + 60_000),
  pass: ({ seconds }) => page.clock.runFor(1000 * seconds),
  // What axe finds: one text for each kind of fault, with the elements.
  axe: () => page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, help, nodes }) =>
      `${id}: ${help}: ${nodes.map(({ html }) => html).join("\n  ")}`);
  }),
  // The tab is hidden, or shown again, for all that the page can know.
  hide: ({ hidden }) => page.evaluate((value) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => value });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden),
  // A picture of the page from its top to the end of the card that has `last`.
  async picture({ path: file, last }) {
    const { width } = page.viewportSize();
    const card = await page.locator(".card").filter({ has: page.locator(last) }).boundingBox();
    const clip = { x: 0, y: 0, width, height: Math.round(card.y + card.height) + 16 };
    await page.screenshot({ path: file, fullPage: true, clip });
  },
};

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { do: name, ...given } = JSON.parse(line);
    let said;
    try {
      said = { ok: (await COMMANDS[name](given)) ?? null };
    } catch (error) {
      said = { error: `${name}: ${error.message ?? error}` };
    }
    console.log(JSON.stringify(said));
  }
  await browser?.close();
})();
