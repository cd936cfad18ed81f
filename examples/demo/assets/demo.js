// The page's script: no library, no build step. Text from outside goes through textContent only.
"use strict";

const byId = (id) => document.getElementById(id);
const page = document.documentElement.dataset.page;

// Cookies belong to a host: who came by 127.0.0.1 must stay on it to be known on the other ports.
for (const link of document.querySelectorAll("a.to")) link.hostname = location.hostname;

function loginPage() {
  const why = sessionStorage.getItem("why");
  if (why) byId("reason").textContent = WHY[why];
  sessionStorage.removeItem("why");
  for (const button of document.querySelectorAll("button[data-username]")) {
    button.addEventListener("click", () => {
      byId("username").value = button.dataset.username;
      byId("password").value = button.dataset.password;
      document.querySelector("#login-form button").focus();
    });
  }
}

function dashboardPage() {
  showTimes();
  sessionStorage.removeItem("why");
  leftHere(false);
  byId("logout-form").addEventListener("submit", () => {
    sessionStorage.setItem("why", "here");
    leftHere(true);
  });
  byId("stay").addEventListener("click", (event) => busy(event.currentTarget, refresh));
  byId("refresh").addEventListener("click", (event) => busy(event.currentTarget, refresh));
  byId("visit").addEventListener("click", (event) => busy(event.currentTarget, visit));
  byId("revoke-others").addEventListener("click", (event) => busy(event.currentTarget, revokeOthers));
  byId("devices").addEventListener("click", (event) => {
    const button = event.target.closest("button[data-revoke]");
    if (button) busy(button, () => revoke(button.dataset.revoke));
  });
  countFrom(Number(byId("countdown").dataset.seconds));
  setInterval(tick, 250);
  // Looking at the session is no use of it: a page that nobody touches is logged out in time.
  setInterval(() => document.hidden || attempt(askStatus), 60_000);
  setInterval(showAges, 60_000);
  addEventListener("online", () => attempt(askStatus));
  // Another tab or another framework may have changed everything since.
  document.addEventListener("visibilitychange", () => document.hidden || attempt(askEverything));
  // Back and forward show an old copy of the page.
  addEventListener("pageshow", (event) => event.persisted && attempt(askEverything));
  addEventListener("keydown", (event) => event.key === "Escape" && clearToasts());
  attempt(askEverything);
}

// ---- asking -------------------------------------------------------------------------------------------------------

/** An answer that is no success, with the server's code and sentence. */
class Refused extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

async function ask(method, path) {
  const options = { method, headers: { accept: "application/json" }, cache: "no-store", credentials: "same-origin" };
  const response = await fetch(path, options).catch(() => {
    throw new Refused(0, "OFFLINE", "The server does not answer. Is the demo still running?");
  });
  const body = response.headers.get("content-type")?.startsWith("application/json") ? await response.json() : null;
  if (response.ok) return body;
  if (response.status === 401 && leave(body?.code)) return new Promise(() => {});
  throw new Refused(response.status, body?.code ?? "", body?.message ?? `The server answered ${response.status}.`);
}

async function attempt(action) {
  try {
    await action();
    return true;
  } catch (error) {
    alarm(error.message);
    return false;
  }
}

/** One press at a time; the button keeps its focus. */
async function busy(button, action) {
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  clearToasts();
  await attempt(action);
  button.removeAttribute("aria-disabled");
}

// ---- toasts -------------------------------------------------------------------------------------------------------

let vanishing = 0;

/** Goes by itself after a quarter of a minute, unless somebody is at it. */
function notice(text) {
  const shown = toast(text, "");
  byId("notice").replaceChildren(shown);
  clearInterval(vanishing);
  vanishing = setInterval(() => shown.matches(":hover, :focus-within") || shown.remove(), 15_000);
}

/** Stays until it is closed, or the next thing is done. */
function alarm(text) {
  byId("alert").replaceChildren(toast(text, "error"));
}

function toast(text, kind) {
  const close = make("button", { type: "button", className: "close", ariaLabel: "Close this message" }, "×");
  const shown = make("div", { className: `toast ${kind}` }, [make("p", {}, text), close]);
  close.addEventListener("click", () => shown.remove());
  return shown;
}

function clearToasts() {
  byId("notice").replaceChildren();
  byId("alert").replaceChildren();
}

// ---- being logged out ---------------------------------------------------------------------------------------------

// What the page knows by itself. The server tells an old cookie no more than a code: who ended a session, and from
// where, is for its owner, who finds it among the events after the next login.
const WHY = {
  here: "You are logged out, on all three frameworks.",
  "another tab": "You logged out in another tab of this browser.",
  expired: "Your session has expired. Log in again to go on.",
  elsewhere: "You were logged out from elsewhere: on another device, or by the server. Log in to see which.",
  unusable: "Your session can no longer be used here. Log in again to go on.",
};

/** Whether somebody logged out in this browser since its last dashboard. Tabs of other ports share cookies only. */
function leftHere(set) {
  const name = "session-demo-left=1";
  if (set !== undefined) document.cookie = `${name}; path=/; samesite=strict${set ? "" : "; max-age=0"}`;
  return document.cookie.includes(name);
}

function whyEnded(code) {
  if (leftHere()) return "another tab";
  if (code === "SESSION_EXPIRED" || secondsLeft() === 0) return "expired";
  return code === "SESSION_NOT_FOUND" ? "elsewhere" : "unusable";
}

let leaving = false;

/** The page at / is the login form now. Twice within three seconds would be a loop: then `false`. */
function leave(code) {
  if (leaving) return true;
  if (Date.now() - Number(sessionStorage.getItem("left-at")) < 3000) return false;
  leaving = true;
  const why = whyEnded(code);
  sessionStorage.setItem("left-at", String(Date.now()));
  sessionStorage.setItem("why", why);
  if (why === "elsewhere" && ownId) sessionStorage.setItem("ended", ownId);
  location.replace("/");
  return true;
}

/** After the next login the owner sees what ended the session: another account's events do not have it. */
function showWhatEnded(events) {
  const ended = sessionStorage.getItem("ended");
  sessionStorage.removeItem("ended");
  const event = events.find(({ session, kind }) => session === ended && kind !== "updated" && kind !== "refreshed");
  if (!ended || !event || event.kind === "created") return;
  const by = [event.userAgent && `by ${agentName(event.userAgent)}`, event.ip && `from ${event.ip}`];
  const what = [KINDS[event.kind] ?? event.kind, ...by].filter(Boolean).join(" ");
  notice(`Your last session here ended: ${what[0].toLowerCase()}${what.slice(1)}, ${ago(event.at)}.`);
}

// ---- the session --------------------------------------------------------------------------------------------------

/** From here on the page says that the end is near, in seconds. */
const WARN_AT = 300;

let endsAt = 0;
let latestAt = Infinity;
let spokenAt = Infinity;

async function askStatus() {
  showStatus(await ask("GET", "/session"));
}

async function askEverything() {
  // These use the session and so may extend it: the status comes last.
  const others = await Promise.allSettled([askDevices(), askEvents()]);
  await askStatus();
  for (const { reason } of others) if (reason) throw reason;
}

async function refresh() {
  const before = secondsLeft();
  const status = await ask("POST", "/session/refresh");
  showStatus(status);
  const until = byId("until").textContent;
  notice(status.extended ? `You stay logged in until ${until}.` : `There is no time to gain yet: you stay logged in until ${until}.`);
  await Promise.all([askDevices(), askEvents()]);
}

async function visit() {
  const { visits } = await ask("POST", "/api/visits");
  byId("visits").textContent = visits;
  await askEvents();
}

function showStatus(status) {
  if (!status.isValid) {
    if (!leave(status.reason)) alarm("You are logged out, and the login form does not come. Load the page again.");
    return;
  }
  // Somebody else has logged in in this browser.
  if (status.user?.username && status.user.username !== byId("who").textContent) return location.replace("/");
  showRole(status.user?.role);
  if (typeof status.user?.visits === "number") byId("visits").textContent = status.user.visits;
  const inTime = (seconds) => Date.now() + seconds * 1000;
  byId("until").textContent = absolute(inTime(status.remainingTime));
  if (typeof status.absoluteRemaining === "number") {
    byId("latest").textContent = absolute(inTime(status.absoluteRemaining));
    latestAt = performance.now() + status.absoluteRemaining * 1000;
  }
  countFrom(status.remainingTime);
  byId("stays").dataset.final = !canStay();
}

/** An administrator may have changed it since the page was made. */
function showRole(role) {
  const badge = byId("role");
  if (!role || role === badge.dataset.role) return;
  badge.textContent = badge.dataset.role = role;
  byId("accounts")?.toggleAttribute("hidden", role !== "admin");
  notice(`Your role is ${role} now.`);
}

function countFrom(seconds) {
  endsAt = performance.now() + seconds * 1000;
  tick();
}

function secondsLeft() {
  return Math.max(0, Math.ceil((endsAt - performance.now()) / 1000));
}

function tick() {
  const seconds = secondsLeft();
  const countdown = byId("countdown");
  if (countdown.textContent !== clock(seconds)) {
    countdown.textContent = clock(seconds);
    countdown.dataset.seconds = seconds;
    const percent = Math.min(100, (100 * seconds) / Number(countdown.dataset.maxAge));
    byId("ring").setAttribute("stroke-dasharray", `${percent} 100`);
    byId("ring").classList.toggle("due", seconds <= WARN_AT);
    warn(seconds);
    speak(seconds);
    if (seconds === 0) attempt(askStatus);
  }
}

/** Whether a use can put the end off: near the end of the absolute lifetime none can. */
function canStay() {
  return latestAt - endsAt > 1000;
}

/** Before the end there is time to put it off, where that can be done (WCAG 2.2.1). */
function warn(seconds) {
  const left = seconds > 60 ? `${Math.ceil(seconds / 60)} minutes` : words(seconds);
  const isNear = seconds > 0 && seconds <= WARN_AT;
  if (!isNear && document.activeElement === byId("stay")) byId("title").focus();
  byId("warning").hidden = !isNear;
  byId("warning-text").textContent = canStay() ? `Ends in ${left}:` : `Ends in ${left}. Then log in again.`;
  byId("stay").hidden = !canStay();
}

/** Screen readers hear of the end at ten, five and one minutes, not every second. */
function speak(seconds) {
  const mark = [60, 300, 600].find((mark) => seconds <= mark) ?? Infinity;
  if (mark < spokenAt && seconds > 0) byId("spoken").textContent = `This session ends in ${words(seconds)}.`;
  if (mark === Infinity) byId("spoken").textContent = "";
  spokenAt = mark;
}

// ---- devices ------------------------------------------------------------------------------------------------------

async function askDevices() {
  try {
    showDevices(await ask("GET", "/session/list"));
  } catch (error) {
    if (error.code !== "STORE_REQUIRED") throw error;
    showDevices([]);
    byId("devices-note").replaceChildren(
      "This demo runs stateless: your session is in your cookie and nowhere else, so there is no list to show. Start it with ",
      make("code", {}, "--store embedded"),
      " to see your devices and to log them out.",
    );
  }
}

/** The session of this browser, by its handle: useless as a credential. */
let ownId = null;

/** Whoever looks as somebody else ends nothing of theirs. */
const isActing = byId("banner") !== null;

function showDevices(devices) {
  ownId = devices.find(({ current }) => current)?.id ?? null;
  byId("devices").replaceChildren(...devices.map(device));
  tellTwinsApart();
  byId("revoke-others").hidden = isActing || !devices.some(({ current }) => !current);
  byId("devices-note").textContent =
    devices.length === 1 && !isActing ? "Log in with another browser or a private window, and it appears here." : "";
}

function device({ id, current, createdAt, lastAccessed, userAgent, ipAddress, actor }) {
  const login = `logged in ${toTheSecond(createdAt)}`;
  const title = actor ? "An administrator, looking as you" : agentName(userAgent);
  const name = make("b", { title: userAgent ?? "" }, title);
  const where = make("span", {}, `${ipAddress ?? "Unknown address"}, ${login}`);
  const seen = make("span", {}, ["Last seen ", moment(lastAccessed)]);
  const end = current ? make("span", { className: "badge" }, "this device") : ways(id, `${title}, ${login}`);
  const item = make("li", {}, [icon(userAgent), make("div", {}, [name, where, seen]), end]);
  item.dataset.id = id;
  if (current) item.dataset.current = "";
  return item;
}

/** To end another device: this one, or as one that a stranger logged in, with all others. */
function ways(id, label) {
  if (isActing) return "";
  const end = make("button", { type: "button", className: "small", ariaLabel: `Log out ${label}` }, "Log out");
  end.dataset.revoke = id;
  const stranger = make("button", { className: "small", ariaLabel: `This wasn't me: ${label}` }, "This wasn't me");
  const field = make("input", { type: "hidden", name: "id", value: id });
  const form = make("form", { className: "not-me", method: "post", action: "/not-me" }, [field, stranger]);
  return make("div", { className: "ways" }, [end, form]);
}

/** Equal devices that logged in within one second get numbers. */
function tellTwinsApart() {
  const counts = new Map();
  for (const button of document.querySelectorAll("button[data-revoke]")) {
    const count = (counts.get(button.ariaLabel) ?? 0) + 1;
    counts.set(button.ariaLabel, count);
    if (count === 1) continue;
    for (const way of button.closest("li").querySelectorAll("button")) way.ariaLabel += `, number ${count}`;
    button.closest("li").querySelector("b").append(` (${count})`);
  }
}

async function revoke(id) {
  await ask("DELETE", `/session/list/${encodeURIComponent(id)}`);
  await Promise.all([askDevices(), askEvents()]);
  notice("That device is logged out, on all three frameworks.");
  byId("devices-title").focus();
}

async function revokeOthers() {
  const { revoked } = await ask("POST", "/session/revoke-others");
  await Promise.all([askDevices(), askEvents()]);
  notice(revoked === 1 ? "One other session ended." : `${revoked} other sessions ended.`);
  byId("devices-title").focus();
}

// ---- events -------------------------------------------------------------------------------------------------------

const KINDS = {
  created: "Logged in",
  refreshed: "Session refreshed",
  updated: "Session changed",
  destroyed: "Logged out",
  revoked: "Logged out from elsewhere",
  expired: "Session expired",
  rejected: "A session was refused",
  replay_detected: "A copied cookie was used: session ended",
  store_failed: "The store did not answer",
  ended_list_full: "Logged out, but a copy of the cookie stays good",
};
const FRAMEWORKS = { axum: "axum", "actix-web": "actix-web", rocket: "Rocket" };

async function askEvents() {
  const events = await ask("GET", "/api/events");
  byId("events").replaceChildren(...events.slice(0, 12).map(happened));
  byId("events-note").textContent = events.length === 0 ? "Nothing has happened yet." : "";
  showWhatEnded(events);
}

function happened({ kind, at, ip, userAgent, framework, actor }) {
  const where = [actor && "an administrator, looking as you", FRAMEWORKS[framework] && `on ${FRAMEWORKS[framework]}`, userAgent && agentName(userAgent), ip];
  const item = make("li", {}, [
    make("b", {}, KINDS[kind] ?? kind),
    moment(at),
    make("span", { title: userAgent ?? "" }, where.filter(Boolean).join(" · ")),
  ]);
  item.dataset.kind = kind;
  if (framework) item.dataset.framework = framework;
  return item;
}

// ---- words --------------------------------------------------------------------------------------------------------

function make(name, properties, content) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...[content].flat());
  return element;
}

/** A telephone or a screen. */
function icon(userAgent) {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  const path = document.createElementNS(ns, "path");
  const isPhone = /Mobile|Android|iPhone/.test(userAgent ?? "");
  path.setAttribute("d", isPhone ? "M8 3h8v18H8zM11 18h2" : "M3 5h18v11H3zM8 20h8M12 16v4");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.append(path);
  return svg;
}

/** A guess for people; the whole text is in the title. */
function agentName(userAgent) {
  if (!userAgent) return "Unknown device";
  const find = (pairs) => pairs.find(([pattern]) => pattern.test(userAgent))?.[1];
  const browser = find([
    [/Edg\//, "Edge"], [/OPR\//, "Opera"], [/Firefox\//, "Firefox"], [/(Chrome|Chromium)\//, "Chrome"],
    [/Safari\//, "Safari"], [/^curl\//, "curl"],
  ]);
  const system = find([
    [/Android/, "Android"], [/iPhone|iPad/, "iOS"], [/Windows/, "Windows"], [/Mac OS X/, "macOS"], [/Linux/, "Linux"],
  ]);
  if (browser && system) return `${browser} on ${system}`;
  return browser ?? system ?? userAgent.slice(0, 40);
}

function clock(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

function words(seconds) {
  const [size, unit] = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]].find(([size]) => seconds >= size) ?? [1, "second"];
  const count = Math.round(seconds / size);
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

function absolute(time) {
  return new Date(time).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

function toTheSecond(time) {
  return new Date(time).toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });
}

function ago(iso) {
  const seconds = Math.round((Date.now() - Date.parse(iso)) / 1000);
  return seconds < 5 ? "just now" : `${words(seconds)} ago`;
}

/** "4 minutes ago", with the date in the title. */
function moment(iso) {
  return make("time", { className: "ago", dateTime: iso, title: absolute(iso) }, ago(iso));
}

function showAges() {
  for (const time of document.querySelectorAll("time.ago")) time.textContent = ago(time.dateTime);
}

function showTimes() {
  for (const time of document.querySelectorAll("time[datetime]")) time.textContent = absolute(time.dateTime);
}

// Last, when everything above is defined.
if (page === "login") loginPage();
if (page === "dashboard") dashboardPage();
