// A ticket that somebody follows, by the code after the `#`, which is sent in bodies and nowhere else.
// It is live over the socket, and asked for every few seconds while there is no socket.

import { both, say } from "./dom.js";
import { shortTimeOf } from "./clock.js";
import { counterNames, waitRange } from "./words.js";

const PING_EVERY_MS = 15_000;
const SILENT_AFTER_MS = 35_000;
const POLL_EVERY_MS = 5_000;
const ANSWER_WITHIN_MS = 8_000;
const LONGEST_DELAY_MS = 20_000;

const LINKS = {
  connecting: ["正在连接", "Connecting"],
  live: ["实时更新", "Live"],
  polling: ["每 5 秒更新", "Updating every 5 s"],
  lost: ["连接已断开，正在重试", "Connection lost, trying again"],
};
const STATES = {
  waiting: ["等候中", "Waiting"],
  called: ["正在叫号", "Called now"],
  serving: ["正在办理", "Being served"],
  parked: ["暂缓办理，请稍候", "On hold for a moment"],
  finished: ["已办结", "Done"],
  missed: ["已过号，请到咨询台", "Missed: please go to the help desk"],
  cancelled: ["已取消", "Cancelled"],
};
const OPEN = new Set(["waiting", "called", "serving", "parked"]);
const DAY_ENDED = ["当日服务已结束", "The day has ended"];
const NEXT = ["即将叫号，请留意", "You are next"];
const CHECK_IN = ["请到大厅签到，次序保留", "Please check in at the hall; the place is kept"];
const LINE_STOPPED = ["本队列停止取号，已取号的继续办理", "This line gives out no more numbers; those who wait are still called"];
const UNKNOWN = ["没有找到这张号票", "No such ticket", "请核对链接，或重新扫描号票上的二维码。", "Check the link, or scan the code on the ticket again."];
const OVER = ["关注已结束", "Following is over", "号票当日有效；如需查看，请持票人重新分享。", "A ticket is good for its day; its holder can share it again."];
const NO_CODE = ["请扫描号票上的二维码", "Scan the code on a ticket", "此页面显示号票的实时进度。", "This page shows where a ticket stands."];

const byId = (id) => document.getElementById(id);
const page = byId("page");
let follower = null;

// --- what is shown --------------------------------------------------------------------------

function show({ ticket, ...names }) {
  const [zh, en] = standing(ticket);
  page.dataset.state = ticket.state;
  document.title = `${ticket.number} ${zh} · 一厅通`;
  say(byId("hall"), names.hall_name);
  say(byId("hall-en"), names.hall_name_en);
  say(byId("number"), ticket.number);
  say(byId("state"), zh);
  say(byId("state-en"), en);
  showCounter(ticket, names.counter_name);
  showWhy(ticket);
  byId("ahead-row").hidden = ticket.ahead === null;
  if (ticket.ahead !== null) byId("ahead").replaceChildren(...both([`${ticket.ahead} 人`, ""]));
  byId("wait-row").hidden = !ticket.wait;
  say(byId("wait"), waitRange(ticket.wait));
  say(byId("item"), names.item_name);
  say(byId("item-en"), names.item_name_en);
  say(byId("line"), `${ticket.line} ${names.line_name}`);
  say(byId("line-en"), names.line_name_en);
  say(byId("issued"), shortTimeOf(Date.parse(ticket.issued_at)));
  byId("slip").hidden = false;
  byId("words").hidden = true;
}

function standing(ticket) {
  if (ticket.reason === "day_ended") return DAY_ENDED;
  // Whoever has not checked in is passed over, also when nobody is ahead of her.
  if (ticket.check_in_required) return CHECK_IN;
  if (ticket.ahead === 0) return NEXT;
  return STATES[ticket.state] ?? [ticket.state, ticket.state];
}

function showCounter(ticket, name) {
  const there = ticket.counter !== null && OPEN.has(ticket.state) && ticket.state !== "parked";
  byId("where").hidden = !there;
  if (!there) return;
  const counter = counterNames(ticket.counter, name ?? ticket.counter);
  const go = ticket.state === "called";
  say(byId("counter"), go ? `请到 ${counter.short}` : counter.short);
  say(byId("counter-en"), go ? `Please go to ${counter.english}` : counter.english);
}

/** What staff did about her place, and why. */
function showWhy(ticket) {
  const told = OPEN.has(ticket.state) ? whyOf(ticket) : null;
  byId("why").hidden = told === null;
  if (told === null) return;
  const [zh, en] = [ticket.reason_text, ticket.reason_text_en ?? ticket.reason_text];
  say(byId("why-zh"), zh ? `${told[0]}：${zh}` : told[0]);
  say(byId("why-en"), en ? `${told[1]}: ${en}` : told[1]);
}

function whyOf({ reason, hall, sent_from: before }) {
  if (reason === "line_stopped") return LINE_STOPPED;
  if (reason !== "sent_on") return null;
  const [place, placeEn] = before.hall === hall ? ["", ""] : ["其他大厅", " of another hall"];
  return [`由${place} ${before.number} 号转来`, `Sent on from ${before.number}${placeEn}`];
}

function tell([zh, en, moreZh, moreEn]) {
  page.dataset.state = "over";
  page.dataset.link = "over";
  document.title = `${zh} · 一厅通`;
  byId("slip").hidden = true;
  byId("words").hidden = false;
  byId("words-title").replaceChildren(...both([zh, en]));
  byId("words-more").replaceChildren(...both([moreZh, moreEn]));
}

function showLink(link) {
  page.dataset.link = link;
  byId("link").replaceChildren(...both(LINKS[link]));
}

// --- keeping it live ------------------------------------------------------------------------

class Follower {
  #code;
  #shown = null;
  #socket = null;
  #heardAt = 0;
  #tries = 0;
  #timers = [];
  #stopped = false;

  constructor(code) {
    this.#code = code;
  }

  async start() {
    showLink("connecting");
    this.#timers.push(setInterval(() => this.#watchOver(), PING_EVERY_MS));
    if (await this.#ask()) this.#connect();
    else if (!this.#stopped) this.#later();
  }

  stop() {
    this.#stopped = true;
    this.#timers.forEach(clearInterval);
    this.#socket?.close();
  }

  wake() {
    if (this.#socket?.readyState !== WebSocket.OPEN) this.#ask();
  }

  #end(words) {
    this.stop();
    tell(words);
  }

  /** Ask once, with all names; whether it was answered. */
  async #ask() {
    let response;
    try {
      response = await fetch("/api/v1/follow", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ code: this.#code }),
        cache: "no-store",
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      });
    } catch {
      return this.#lost();
    }
    if (this.#stopped) return false;
    if (response.status === 404) return this.#end(UNKNOWN);
    if (response.status === 410) return this.#end(OVER);
    if (!response.ok) return this.#lost();
    this.#take(await response.json());
    if (this.#socket?.readyState !== WebSocket.OPEN) showLink("polling");
    return true;
  }

  #lost() {
    if (!this.#stopped) showLink("lost");
    return false;
  }

  #take(next) {
    if (this.#stopped || next.ticket.version < (this.#shown?.ticket.version ?? 0)) return;
    this.#shown = next;
    show(next);
  }

  #connect() {
    if (this.#stopped) return;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/api/v1/live`);
    this.#socket = socket;
    this.#heardAt = performance.now();
    socket.onopen = () => socket.send(JSON.stringify({ op: "follow", code: this.#code }));
    socket.onmessage = ({ data }) => {
      if (socket === this.#socket) this.#hear(JSON.parse(data));
    };
    socket.onclose = () => {
      if (socket === this.#socket) this.#drop();
    };
  }

  #hear(message) {
    this.#heardAt = performance.now();
    if (message.type === "state") {
      this.#tries = 0;
      showLink("live");
      this.#news(message.data);
    } else if (message.type === "unfollowed") {
      this.#end(OVER);
    } else if (message.type === "error" || message.type === "bye") {
      this.#socket.close();
    }
  }

  /** The socket tells codes, not names: of another hall, line or counter they are asked for. */
  #news(ticket) {
    const before = this.#shown.ticket;
    const same = ["hall", "line", "item", "counter"].every((name) => ticket[name] === before[name]);
    if (same) this.#take({ ...this.#shown, ticket });
    else this.#ask();
  }

  #watchOver() {
    const socket = this.#socket;
    if (socket?.readyState !== WebSocket.OPEN) return;
    if (performance.now() - this.#heardAt > SILENT_AFTER_MS) socket.close();
    else socket.send(JSON.stringify({ op: "ping" }));
  }

  #drop() {
    this.#socket = null;
    if (!this.#stopped) this.#later();
  }

  /** Ask again soon, and try the socket again later each time. */
  #later() {
    const delay = Math.min(LONGEST_DELAY_MS, POLL_EVERY_MS * 2 ** this.#tries);
    this.#tries += 1;
    const again = setInterval(() => this.#ask(), POLL_EVERY_MS);
    const jitter = delay * (0.5 + Math.random() / 2);
    this.#timers.push(again);
    setTimeout(async () => {
      clearInterval(again);
      if (this.#stopped) return;
      if (await this.#ask()) this.#connect();
      else if (!this.#stopped) this.#later();
    }, jitter);
  }
}

function begin() {
  follower?.stop();
  follower = null;
  const code = location.hash.slice(1);
  if (!code) {
    tell(NO_CODE);
    return;
  }
  follower = new Follower(code);
  follower.start();
}

addEventListener("hashchange", begin);
addEventListener("online", () => follower?.wake());
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) follower?.wake();
});
begin();
