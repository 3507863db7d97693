// Her live ticket: where she stands, for how long, why in this order, and what she may do.

import { t, named } from "../app/language.js";
import { button, card, facts, go, make, put, say, sure, toast } from "../app/parts.js";
import { about, between, lasting, moment, money, people, time } from "../app/said.js";
import { api, clock, hall as hallOf, itemNamed, lines, live, locate } from "./rooms.js";
import { nameOf } from "./family.js";
import { kept, keep } from "./offline.js";
import { ratingOf } from "./rating.js";

const STATES = {
  waiting: () => t("等候中", "Waiting"),
  called: () => t("叫到您了", "It is your turn"),
  serving: () => t("正在办理", "Being served"),
  parked: () => t("暂缓办理，请稍候", "On hold for a moment"),
  finished: () => t("已办结", "Done"),
  missed: () => t("已过号", "Missed"),
  cancelled: () => t("已取消", "Given up"),
};
const REASONS = {
  earlier: () => t("取号比您早", "took a number before you"),
  appointment: () => t("预约了这个时段", "booked this time"),
  priority: () => t("依法优先", "has priority by law"),
  returned: () => t("过号后回来", "came back after a miss"),
};
const OPEN = new Set(["waiting", "called", "serving", "parked"]);

export async function show(root, { parts: [id], signal }) {
  let ticket = null;
  const box = make("article", { className: "ticket", "aria-live": "polite" });
  const asOf = make("p", { className: "quiet" });
  const actions = make("div", { className: "choices" });
  const more = make("div", {});
  const take = async (next, { isOld = false } = {}) => {
    if (!next || (ticket && next.version < ticket.version)) return;
    ticket = next;
    const before = kept(`ticket ${id}`);
    const names = isOld ? before.value.names : await namesOf(next);
    if (signal.aborted || ticket !== next) return;
    if (!isOld) keep(`ticket ${id}`, { ticket: next, names }, clock.now());
    draw(box, next, names);
    say(asOf, isOld ? t(`没有网络；这是 ${time(before.at)} 的情况。`, `No network; this is as of ${time(before.at)}.`) : "");
    actions.replaceChildren(...(isOld ? [] : offered(next, names, refresh, more)));
    if (next.state === "finished" && !isOld && more.dataset.asks !== "rating") {
      more.dataset.asks = "rating";
      await ratingOf(next, signal).then((box) => more.replaceChildren(box)).catch(() => delete more.dataset.asks);
    }
  };
  const refresh = async () => take(await api.get(`/tickets/${encodeURIComponent(id)}`, {}, signal));

  try {
    await refresh();
  } catch (problem) {
    const before = kept(`ticket ${id}`);
    if (problem.code !== "offline" || !before) throw problem;
    await take(before.value.ticket, { isOld: true });
  }
  put(root, make("h1", { className: "sr" }, t(`号票 ${ticket.number}`, `Ticket ${ticket.number}`)), box, asOf, actions, more);
  live.watch(`ticket:${id}`, (next) => take(next), signal);
  const again = setInterval(() => document.hidden || refresh().catch(() => null), 30_000);
  addEventListener("online", () => refresh().catch(() => null), { signal });
  document.addEventListener("visibilitychange", () => document.hidden || refresh().catch(() => null), { signal });
  signal.addEventListener("abort", () => clearInterval(again));
  return `${ticket.number} ${STATES[ticket.state]()}`;
}

/** The names of its codes; where they cannot be had, the codes stand. */
async function namesOf(ticket) {
  const [hall, item, found] = await Promise.all([
    hallOf(ticket.hall).catch(() => null),
    itemNamed(ticket.item).catch(() => null),
    lines(ticket.hall).catch(() => ({ data: [] })),
  ]);
  const line = found.data.find((one) => one.code === ticket.line);
  return { hall: hall ? named(hall) : ticket.hall, item: item ? named(item) : ticket.item, line: line ? named(line) : "", fee: item?.fee_fen ?? 0 };
}

function draw(box, ticket, names) {
  box.dataset.state = ticket.state;
  const next = ticket.state === "waiting" && ticket.ahead === 0;
  const counter = ticket.counter && ["called", "serving"].includes(ticket.state);
  box.replaceChildren(...[
    make("p", { className: "hall" }, names.hall),
    make("p", { className: "number" }, ticket.number),
    make("p", { className: "state" }, ticket.reason === "day_ended" ? t("当日服务已结束", "The day has ended") : next ? t("下一位就是您", "You are next") : STATES[ticket.state]()),
    counter ? make("p", { className: "counter" }, t(`请到 ${Number(ticket.counter) || ticket.counter} 号窗口`, `Please go to counter ${Number(ticket.counter) || ticket.counter}`)) : null,
    ticket.for ? make("p", { className: "note" }, t(`替 ${nameOf(ticket.for)} 办理`, `For ${nameOf(ticket.for)}`)) : null,
    ticket.priority && !ticket.priority.confirmed && ticket.state === "waiting" ? make("p", { className: "note" }, t("优先要等工作人员核实后才算。", "Your priority counts once staff have checked it.")) : null,
    ticket.pay_first ? make("p", { className: "note bad" }, t("这个事项先缴费再叫号。", "This service is paid for before you are called.")) : null,
    ticket.check_in_required ? make("p", { className: "note" }, t("到大厅后请签到，次序为您保留。", "Check in when you are at the hall; your place is kept.")) : null,
    ticket.reason_text ? make("p", { className: "note" }, t(ticket.reason_text, ticket.reason_text_en ?? ticket.reason_text)) : null,
    facts(
      [t("前面还有", "Ahead of you"), ticket.ahead === null ? null : people(ticket.ahead)],
      [t("预计还要", "Expected"), ticket.state === "waiting" ? about(ticket.wait) ?? t("暂不能估计", "cannot be foretold yet") : null],
      [t("多半在", "Most likely"), ticket.state === "waiting" ? between(ticket.wait) : null],
      [t("依据", "Based on"), ticket.state === "waiting" && ticket.wait?.basis === "usual" ? t("往常情况", "what is usual") : null],
      [t("何时出发", "Leave at"), ticket.leave?.at ? moment(ticket.leave.at, clock.now()) : null],
      [t("事项", "Service"), names.item],
      [t("队列", "Line"), `${ticket.line} ${names.line}`],
      [t("取号", "Taken"), time(ticket.issued_at)],
    ),
  ].filter(Boolean));
}

// --- what she may do ------------------------------------------------------------------------

function offered(ticket, names, refresh, more) {
  const address = `/tickets/${ticket.id}`;
  const act = (path, body) => async () => {
    await api.ask("POST", `${address}${path}`, { body });
    await refresh();
  };
  if (!OPEN.has(ticket.state)) {
    return [ticket.next_ticket ? go(t("看下一张号票", "Your next ticket"), `#/tickets/${ticket.next_ticket}`) : go(t("再办一件", "Something else"), "#/items")];
  }
  const why = button(t("为什么是这个次序", "Why this order"), async () => more.replaceChildren(order(await api.get(`${address}/order`))), { kind: "plain" });
  const pay = names.fee ? button(t(`缴费 ${money(names.fee)}`, `Pay ${money(names.fee)}`), async () => {
    await api.ask("POST", "/bills", { body: { ticket: ticket.id } });
    location.hash = "#/bills";
  }, { kind: ticket.pay_first ? "" : "plain" }) : null;
  if (ticket.state !== "waiting") return [why, pay].filter(Boolean);
  return [
    ticket.pay_first ? pay : null,
    ticket.check_in_required ? button(t("我到了，签到", "I am here: check in"), async () => act("/check-in", { place: await locate() })()) : null,
    ticket.better_hall ? betterHall(ticket, act) : null,
    ticket.pay_first ? null : pay,
    why,
    button(t("让后面的人先办", "Let people pass"), () => more.replaceChildren(letPass(ticket, act)), { kind: "plain" }),
    button(ticket.leave ? t("更新我的位置", "Update my position") : t("告诉我何时出发", "Tell me when to leave"), async () => {
      const place = await locate().catch(() => null);
      if (!place) return toast(t("没有得到您的位置。", "Your position is not available."), "note");
      await api.ask("PUT", `${address}/place`, { body: { place, travel: "drive" } });
      await refresh();
    }, { kind: "plain" }),
    button(t("不办了，退号", "Give the number up"), async () => {
      if (await sure(t("退号后次序不再保留。确定退号吗？", "Your place will be lost. Give it up?"), t("退号", "Give it up"))) await act("/cancel")();
    }, { kind: "plain danger" }),
  ].filter(Boolean);
}

function betterHall(ticket, act) {
  const better = ticket.better_hall;
  return button(t(`改到${better.name}，约早 ${lasting(better.gain.p50_s)}`, `Move to ${better.name_en}: about ${lasting(better.gain.p50_s)} sooner`), async () => {
    if (await sure(t("换到那个大厅，次序按您的取号时刻算。", "You keep your seniority there."), t("换过去", "Move"), t("留在这里", "Stay"), "")) await act("/move", { hall: better.hall })();
  });
}

function order({ ahead, total, rule }) {
  const shown = ahead.slice(0, 30);
  return card(t("您前面的人", "Who is ahead of you"),
    total === 0 ? make("p", {}, t("前面没有人了。", "Nobody.")) : make("ol", { className: "order" }, ...shown.map((one) => make("li", {},
      make("strong", {}, one.number), " ", REASONS[one.reason]?.() ?? "", " ", make("span", { className: "quiet" }, time(one.since)),
    ))),
    total > shown.length ? make("p", { className: "quiet" }, t(`另有 ${total - shown.length} 人`, `and ${total - shown.length} more`)) : null,
    make("details", {}, make("summary", {}, t("排队规则", "The rule")), make("p", {}, rule)),
  );
}

function letPass(ticket, act) {
  const number = make("input", { type: "number", min: "1", max: "20", value: "1", inputmode: "numeric", id: "people" });
  return card(t("让几个人先办", "How many may pass"),
    make("label", { for: "people" }, t("人数", "People")), number,
    button(t("确定", "Let them pass"), () => act("/let-pass", { people: Number(number.value) })()),
  );
}
