// A hall as its manager sees it: what is now, what could be, and what was.

import { t, named } from "../app/language.js";
import { button, failed, loading, make, put, say } from "../app/parts.js";
import { time } from "../app/said.js";
import { api, everyHall, live } from "../staff/room.js";
import { accuracy, clerks, noShows, week } from "./figures.js";
import { alerts } from "./alerts.js";
import { counters, lines } from "./now.js";
import { ratings } from "./ratings.js";
import { today } from "./today.js";
import { whatIf } from "./what-if.js";

// Comments are for those who answer for the hall.
const RATED_BY = new Set(["hall_manager", "admin"]);
const LOOK_APART_MS = 2_000;
const AGAIN_MS = 60_000;

export async function show(root, { parts: [code], who, signal }) {
  const entry = (await everyHall()).find((one) => one.code === code);
  const title = entry ? named(entry) : code;
  if (who.role === "clerk") {
    put(root, make("h1", {}, title), failed({ detail: t("这个页面给大厅管理人员用；窗口人员请用窗口工作台。", "This page is for who manages the hall; clerks use the counter console.") }), make("a", { className: "button", href: "/counter" }, t("去窗口工作台", "To the counter console")));
    return title;
  }
  const asOf = make("p", { className: "quiet", role: "status" });
  const hall = { code, signal, board: null, counters: [], tickets: [] };
  root.classList.add("hall-page");
  put(root,
    make("div", { className: "head" }, make("h1", {}, title), asOf,
      make("div", { className: "choices" }, button(t("打印", "Print"), () => print(), { kind: "plain" }), make("a", { className: "button plain", href: `/board/${code}` }, t("叫号屏", "Board")))),
  );
  const panels = make("div", { className: "panels" });
  root.append(panels);
  const live_ = [alerts(hall), lines(hall), counters(hall)];
  const slow = [whatIf(hall), accuracy(hall), today(hall), week(hall), clerks(hall), noShows(hall), ...(RATED_BY.has(who.role) ? [ratings(hall)] : [])];
  panels.append(...[...live_, ...slow].map(({ box }) => box));
  const look = async () => {
    const [found, tickets] = await Promise.all([
      api.get(`/halls/${code}/counters`, {}, signal),
      api.get(`/halls/${code}/tickets`, { limit: 100 }, signal),
    ]);
    hall.counters = found.data;
    hall.tickets = tickets.data;
    for (const panel of live_) panel.draw();
  };
  let due = null;
  let lookedAt = -Infinity;
  const soon = () => {
    clearTimeout(due);
    due = setTimeout(() => {
      lookedAt = performance.now();
      look().catch(() => null);
    }, Math.max(0, lookedAt + LOOK_APART_MS - performance.now()));
  };
  live.watch(`hall:${code}`, (board) => {
    hall.board = board;
    say(asOf, t(`${time(board.as_of)} 的情况`, `As of ${time(board.as_of)}`));
    soon();
  }, signal);
  live.watch(`staff:${code}`, ({ alerts: open }) => {
    hall.alerts = open;
    live_[0].draw();
  }, signal);
  for (const panel of slow) fill(panel, signal);
  const timer = setInterval(() => document.hidden || slow.forEach((panel) => panel.again && fill(panel, signal)), AGAIN_MS);
  signal.addEventListener("abort", () => {
    clearInterval(timer);
    clearTimeout(due);
  });
  return title;
}

/** Let a panel get what it shows; where it cannot, it says so by itself and the others stand. */
async function fill(panel, signal) {
  if (!panel.body.hasChildNodes()) put(panel.body, loading());
  try {
    await panel.look();
  } catch (problem) {
    if (signal.aborted || problem.name === "AbortError") return;
    put(panel.body, failed(problem, () => fill(panel, signal)));
  }
}
