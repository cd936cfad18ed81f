// The page's script: no library, no build step. Text from outside goes through textContent only.
"use strict";

const byId = (id) => document.getElementById(id);
const page = document.documentElement.dataset.page;

// Cookies belong to a host: who came by 127.0.0.1 must stay on it to be known on the other ports.
for (const link of document.querySelectorAll("a.to")) link.hostname = location.hostname;

function loginPage() {
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
  byId("refresh").addEventListener("click", (event) => busy(event.currentTarget, refresh));
  byId("visit").addEventListener("click", (event) => busy(event.currentTarget, visit));
  byId("revoke-others").addEventListener("click", (event) => busy(event.currentTarget, revokeOthers));
  byId("devices").addEventListener("click", (event) => {
    const button = event.target.closest("button[data-revoke]");
    if (button) busy(button, () => revoke(button.dataset.revoke));
  });
  countFrom(Number(byId("countdown").dataset.seconds));
  setInterval(tick, 250);
  setInterval(() => document.hidden || attempt(askStatus), 60_000);
  // Another tab or another framework may have changed everything since.
  document.addEventListener("visibilitychange", () => document.hidden || attempt(askEverything));
  // Back and forward show an old copy of the page.
  addEventListener("pageshow", (event) => event.persisted && attempt(askEverything));
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
  if (response.status === 401) backToLogin();
  throw new Refused(response.status, body?.code ?? "", body?.message ?? `The server answered ${response.status}.`);
}

/** The page at / is the login form now. Twice within three seconds would be a loop: then the message stays. */
function backToLogin() {
  const last = Number(sessionStorage.getItem("back-to-login"));
  if (Date.now() - last < 3000) return;
  sessionStorage.setItem("back-to-login", String(Date.now()));
  location.replace("/");
}

async function attempt(action) {
  try {
    await action();
    return true;
  } catch (error) {
    notice(error.message, true);
    return false;
  }
}

/** One press at a time; the button keeps its focus. */
async function busy(button, action) {
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  notice("");
  await attempt(action);
  button.removeAttribute("aria-disabled");
}

function notice(text, isError = false) {
  const line = byId("notice");
  line.textContent = text;
  line.hidden = text === "";
  line.classList.toggle("error", isError);
}

// ---- the session --------------------------------------------------------------------------------------------------

let endsAt = 0;
let spokenAt = Infinity;

async function askStatus() {
  showStatus(await ask("GET", "/session"));
}

async function askEverything() {
  await askStatus();
  await Promise.all([askDevices(), askEvents()]);
}

async function refresh() {
  const before = secondsLeft();
  showStatus(await ask("POST", "/session/refresh"));
  const gained = secondsLeft() - before;
  notice(gained > 0 ? `Refreshed: ${words(gained)} gained.` : "This session was refreshed only just now.");
  await Promise.all([askDevices(), askEvents()]);
}

async function visit() {
  const { visits } = await ask("POST", "/api/visits");
  byId("visits").textContent = visits;
  await askEvents();
}

function showStatus(status) {
  if (!status.isValid) return backToLogin();
  if (typeof status.user?.visits === "number") byId("visits").textContent = status.user.visits;
  countFrom(status.remainingTime);
  byId("due").textContent = status.refreshDue ? "left: refresh is due" : "left in this session";
  byId("ring").classList.toggle("due", status.refreshDue);
  if (typeof status.absoluteRemaining === "number") {
    byId("latest").textContent = absolute(Date.now() + status.absoluteRemaining * 1000);
  }
}

function countFrom(seconds) {
  endsAt = performance.now() + seconds * 1000;
  spokenAt = Infinity;
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
    speak(seconds);
    if (seconds === 0) attempt(askStatus);
  }
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

function showDevices(devices) {
  byId("devices").replaceChildren(...devices.map(device));
  byId("revoke-others").hidden = !devices.some(({ current }) => !current);
  byId("devices-note").textContent =
    devices.length === 1 ? "Log in with another browser or a private window, and it appears here." : "";
}

function device({ id, current, createdAt, lastAccessed, userAgent, ipAddress }) {
  const name = make("b", { title: userAgent ?? "" }, agentName(userAgent));
  const where = make("span", {}, ipAddress ?? "unknown address");
  const when = make("span", {}, ["Logged in ", moment(createdAt)]);
  if (!current) when.append(", seen ", moment(lastAccessed));
  const end = current
    ? make("span", { className: "badge" }, "this device")
    : make("button", { type: "button", className: "small", ariaLabel: `Log out ${agentName(userAgent)}` }, "Log out");
  if (!current) end.dataset.revoke = id;
  const item = make("li", {}, [icon(userAgent), make("div", {}, [name, where, when]), end]);
  item.dataset.id = id;
  if (current) item.dataset.current = "";
  return item;
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
}

function happened({ kind, at, ip, userAgent, framework }) {
  const where = [FRAMEWORKS[framework] && `on ${FRAMEWORKS[framework]}`, userAgent && agentName(userAgent), ip];
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

/** "4 minutes ago", with the date in the title. */
function moment(iso) {
  const seconds = Math.round((Date.now() - Date.parse(iso)) / 1000);
  const text = seconds < 5 ? "just now" : `${words(seconds)} ago`;
  return make("time", { dateTime: iso, title: absolute(iso) }, text);
}

function showTimes() {
  for (const time of document.querySelectorAll("time[datetime]")) time.textContent = absolute(time.dateTime);
}

// Last, when everything above is defined.
if (page === "login") loginPage();
if (page === "dashboard") dashboardPage();
