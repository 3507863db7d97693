// The wall board: shows each state of the hall as it comes, and never shows old news as new.

import { inWords, isEnglish, mainWord, part, sayAloud } from "./board-wishes.js";
import { BusinessClock, dateOf, momentOf, shortTimeOf, timeOf } from "./clock.js";
import { both, make, say, showList } from "./dom.js";
import { BoardFeed } from "./live.js";
import { ago, counterNames, lineNote } from "./words.js";

const FRESH_MS = 12_000;
// One large, the others beside each other; those being served as far as there is room.
const CALLS_SHOWN = 13;
const SERVING_SHOWN = 8;
const SERVING_SHOWN_BESIDE_MANY = 4;
const MANY_CALLS = 5;
const ASK_EVERY_MS = 60_000;
const TURN_MS = 8_000;
// The state is renewed every 15 s even when nothing happens; much older means something is stuck.
const STALE_AFTER_S = 60;

const LINKS = {
  connecting: ["正在连接", "Connecting"],
  live: ["实时更新", "Live"],
  polling: ["每 3 秒更新", "Updating every 3 s"],
  lost: ["连接已断开", "Connection lost"],
};
const COUNTER_STATES = {
  open: ["待叫号", "Ready"],
  paused: ["暂停", "Paused"],
  closed: ["未开放", "Closed"],
};

const byId = (id) => document.getElementById(id);
const hall = decodeURIComponent(location.pathname.split("/").filter(Boolean).at(-1));
const clock = new BusinessClock();
let board = null;
let link = "connecting";
let hours = null;
// The calls seen so far; null until the first state, whose calls are not news.
let seen = null;
// Announcements that have had their turn, and whose turn it is until when.
const told = new Set();
let turn = { id: null, ends: 0 };

// --- the state ------------------------------------------------------------------------------

function show(whole) {
  const next = part(whole);
  board = next;
  clock.guess(next.as_of);
  document.title = `${next.name} · 叫号屏`;
  say(byId("hall-name"), next.name);
  say(byId("hall-name-en"), next.name_en);
  showCalls();
  showCounters();
  showLines();
  showHours();
  tick();
}

/** One at a time, in turns, the new one at once, and none whose time is over. */
function showAnnouncements() {
  const now = clock.now();
  const standing = (board.announcements ?? []).filter(
    ({ until }) => !now || Date.parse(until) > now.getTime(),
  );
  const place = byId("announcement");
  place.hidden = standing.length === 0;
  if (place.hidden) return told.clear();
  const news = standing.findLast(({ id }) => !told.has(id));
  const at = standing.findIndex(({ id }) => id === turn.id);
  if (news || at < 0 || performance.now() > turn.ends) {
    turn = { id: (news ?? standing[(at + 1) % standing.length]).id, ends: performance.now() + TURN_MS };
  }
  
  told.add(turn.id);
  const shown = standing.findIndex(({ id }) => id === turn.id);
  const { text, text_en, zone } = standing[shown];
  place.dataset.length = lengthOf(text, text_en);
  say(place.querySelector(".zone"), zone ?? "");
  say(place.querySelector(".zh"), text);
  say(place.querySelector(".en"), text_en ?? "");
  say(place.querySelector(".turn"), standing.length > 1 ? `${shown + 1}/${standing.length}` : "");
}

/** How small a text must be written to stand there whole. */
function lengthOf(text, textEn) {
  if (text.length > 90 || (textEn?.length ?? 0) > 220) return "long";
  return text.length > 42 || (textEn?.length ?? 0) > 110 ? "medium" : "short";
}

const keyOfCall = (call) => `${call.number} ${call.counter} ${call.at}`;

function showCalls() {
  const names = new Map((board.everyCounter ?? board.counters).map((counter) => [counter.code, counter.name]));
  const calls = board.called.filter(({ state }) => state !== "serving");
  const news = seen ? calls.filter((call) => !seen.has(keyOfCall(call))) : [];
  seen = new Set(board.called.map(keyOfCall));
  byId("calls").dataset.columns = calls.length > 7 ? "3" : calls.length > MANY_CALLS ? "2" : "1";
  showList(byId("calls"), calls.slice(0, CALLS_SHOWN), keyOfCall, newCall, (element, call, isNew) => {
    fillCall(element, call, names);
    if (isNew && news.includes(call)) highlight(element);
  });
  if (news.length > 0) speak(news, names);
  byId("no-calls").hidden = calls.length > 0;
  const most = calls.length > MANY_CALLS ? SERVING_SHOWN_BESIDE_MANY : SERVING_SHOWN;
  const served = board.called.filter(({ state }) => state === "serving").slice(0, most);
  byId("served").hidden = served.length === 0;
  showList(byId("serving"), served, keyOfCall, newServed, (element, call) => {
    fillCall(element, call, names);
  });
}

function fillCall(element, call, names) {
  const counter = counterNames(call.counter, names.get(call.counter) ?? call.counter);
  // Longer ones are written smaller, so that each stands there whole.
  element.style.setProperty("--letters", Math.max(4, call.number.length));
  element.style.setProperty("--words", Math.max(4, counter.short.length));
  say(element.querySelector(".number"), call.number);
  say(element.querySelector(".to .zh"), counter.short);
  say(element.querySelector(".to .en"), counter.english);
}

function newCall() {
  return make(
    "li",
    {},
    make(
      "div",
      { className: "card" },
      make("span", { className: "number" }),
      make("img", { className: "arrow", src: "/assets/arrow.svg", alt: "请到 to" }),
      newPlace(),
    ),
  );
}

function newServed() {
  return make("li", {}, make("span", { className: "number" }), newPlace());
}

function newPlace() {
  return make(
    "span",
    { className: "to" },
    make("span", { className: "zh" }),
    make("span", { className: "en", lang: "en" }),
  );
}

function highlight(element) {
  element.classList.add("fresh");
  element.freshUntil = performance.now() + FRESH_MS;
}

function speak(news, names) {
  const calls = news.map(({ number, counter }) => {
    const { short, english } = counterNames(counter, names.get(counter) ?? counter);
    return { number, place: short, english };
  });
  say(byId("spoken"), calls.map(({ number, place }) => `请 ${number} 号到 ${place}。`).join(""));
  // The newest is shown first, and said last: what is heard is in the order of the calls.
  sayAloud(calls.reverse());
}

function showCounters() {
  const list = byId("counters");
  const many = board.counters.length;
  list.dataset.columns = many > 24 ? "4" : many > 8 ? "3" : "2";
  const served = new Set(board.called.filter(({ state }) => state === "serving").map((call) => call.counter));
  showList(list, board.counters, (counter) => counter.code, newCounter, (element, counter) => {
    const names = counterNames(counter.code, counter.name);
    const state = COUNTER_STATES[counter.state] ?? [counter.state, counter.state];
    const here = counter.number !== null;
    element.dataset.state = counter.state;
    element.classList.toggle("busy", here);
    element.classList.toggle("serves-now", here && served.has(counter.code));
    say(element.querySelector(".name .zh"), names.short);
    say(element.querySelector(".name .en"), names.english);
    say(element.querySelector(".serves"), names.serves);
    say(element.querySelector(".now"), here ? counter.number : mainWord(state));
    say(element.querySelector(".state"), stateBeneath(counter, state, served));
  });
}

/** What stands beneath a counter's number, or beneath its state. */
function stateBeneath(counter, state, served) {
  const why = whyPaused(counter);
  if (counter.number === null) return why || state[1];
  // Somebody may still be served at a counter that is paused.
  if (counter.state === "paused") return why ? `${mainWord(state)} · ${why}` : inWords(state);
  // One that has closed still serves her.
  return inWords(served.has(counter.code) ? ["办理中", "Serving"] : ["请前往", "Called"]);
}

/** Why a counter pauses, and until when: once that is over nobody knows any more. */
function whyPaused({ reason, paused_until: until }) {
  const now = clock.now();
  const back = until ? Date.parse(until) : null;
  return [reason, back && now && back > now ? `至 ${shortTimeOf(back)}` : null].filter(Boolean).join(" ");
}

function newCounter() {
  const name = make(
    "div",
    { className: "name" },
    make("span", { className: "zh" }),
    make("span", { className: "en", lang: "en" }),
    make("span", { className: "serves" }),
  );
  const what = make(
    "div",
    { className: "what" },
    make("span", { className: "now" }),
    make("span", { className: "state" }),
  );
  return make("li", {}, make("div", { className: "card" }, name, what));
}

function showLines() {
  byId("lines").dataset.rows = board.lines.length > 5 ? "2" : "1";
  showList(byId("lines"), board.lines, (line) => line.code, newLine, (element, line) => {
    element.dataset.state = line.state;
    element.classList.toggle("empty", line.waiting === 0);
    say(element.querySelector(".code"), line.code);
    say(element.querySelector(".name .zh"), line.name);
    say(element.querySelector(".name .en"), line.name_en);
    say(element.querySelector(".count"), `${line.waiting}`);
    const [note, noteEn] = lineNote(line);
    say(element.querySelector(".note .zh"), noteEn || !isEnglish ? note : note.replace(/^约 ?/, "about ").replace(" 分钟", ""));
    say(element.querySelector(".note .en"), noteEn);
  });
}

function newLine() {
  return make(
    "li",
    {},
    make("span", { className: "code" }),
    make(
      "div",
      { className: "name" },
      make("span", { className: "zh" }),
      make("span", { className: "en", lang: "en" }),
    ),
    make(
      "div",
      { className: "waiting" },
      make("span", { className: "count" }),
      make("span", { className: "unit" }, "人"),
    ),
    make(
      "div",
      { className: "note" },
      make("span", { className: "zh" }),
      make("span", { className: "en", lang: "en" }),
    ),
  );
}

// --- time and the connection ----------------------------------------------------------------

function tick() {
  const now = clock.now();
  if (now) {
    const [date, dateEn] = dateOf(now);
    say(byId("time"), timeOf(now));
    byId("time").dateTime = now.toISOString();
    say(byId("date"), date);
    say(byId("date-en"), dateEn);
  }
  for (const one of document.querySelectorAll(".fresh")) one.classList.toggle("fresh", performance.now() < one.freshUntil);
  if (board) showAnnouncements();
  if (board) say(byId("as-of"), `${inWords(["信息时间", "As of"])} ${timeOf(Date.parse(board.as_of))}`);
  const trouble = troubleNow();
  byId("alarm").hidden = trouble === null;
  document.body.classList.toggle("old", trouble !== null);
  if (trouble) {
    say(byId("alarm-zh"), trouble[0]);
    say(byId("alarm-en"), trouble[1]);
  }
}

/** What is wrong with what we show, in Chinese and English, or null. */
function troubleNow() {
  if (link !== "lost" && !board) return null;
  if (!board) return ["无法连接服务器，正在重试…", "Cannot reach the server; trying again…"];
  const age = clock.secondsSince(board.as_of) ?? 0;
  const [before, beforeEn] = ago(age);
  const at = timeOf(Date.parse(board.as_of));
  if (link === "lost") {
    return [
      `连接已断开，正在重连。以下是 ${at} 的信息（${before}）`,
      `Connection lost, reconnecting. This is as of ${at} (${beforeEn}).`,
    ];
  }
  if (age < STALE_AFTER_S) return null;
  return [
    `信息更新延迟。以下是 ${at} 的信息（${before}）`,
    `Updates are delayed. This is as of ${at} (${beforeEn}).`,
  ];
}

function showLink(next) {
  const back = link === "lost";
  link = next;
  document.body.dataset.link = next;
  byId("link").replaceChildren(...both(LINKS[next]));
  tick();
  if (back) askAround();
}

function showHours() {
  const now = clock.now();
  if (!hours || !now) return;
  const until = hours.open ? hours.closes_at : hours.opens_at;
  const when = until ? momentOf(Date.parse(until), now) : null;
  const open = when ? [`服务中 · 至 ${when[0]}`, `Open until ${when[1]}`] : ["服务中", "Open"];
  const closed = when ? [`休息 · ${when[0]} 开放`, `Closed · opens ${when[1]}`] : ["休息", "Closed"];
  const shut = board?.state === "break" ? breakUntil(board.resumes_at) : closed;
  byId("hours").replaceChildren(...both(hours.open ? open : shut));
  byId("hours").dataset.open = hours.open;
  const [zh, en] = hours.open ? ["暂无叫号", "No calls now"] : shut;
  say(byId("no-calls-zh"), zh);
  say(byId("no-calls-en"), en);
}

function breakUntil(resumesAt) {
  const time = shortTimeOf(Date.parse(resumesAt));
  return [`午休 · ${time} 继续服务`, `Break · resumes at ${time}`];
}

async function ask(path) {
  const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(5_000) });
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response.json();
}

/** The time and the opening hours; the board itself comes by its feed. */
async function askAround() {
  try {
    const about = await ask("/about.json");
    clock.set(about.now, about.clock_speed);
    hours = await ask(`/api/v1/halls/${encodeURIComponent(hall)}`);
    showHours();
    tick();
  } catch {
    // The feed says when the connection is lost; what is known stays until the next time.
  }
}

new BoardFeed(hall, { onBoard: show, onLink: showLink }).start();
askAround();
setInterval(askAround, ASK_EVERY_MS);
setInterval(tick, 250);
