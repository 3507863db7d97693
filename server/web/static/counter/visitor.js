// Who is at the counter, and what she brings: the item, her papers, what is paid, her visit.

import { t, named } from "../app/language.js";
import { facts, make } from "../app/parts.js";
import { money, time } from "../app/said.js";
import { api, item as itemOf } from "../staff/room.js";
import { priorityOf } from "./words.js";

const PAY_AGAIN_MS = 5_000;
const KINDS = { original: () => t("原件", "original"), copy: () => t("复印件", "copy"), electronic: () => t("电子件", "electronic") };
const PAID = { paid: () => t("已缴费", "Paid"), unpaid: () => t("未缴费", "Not paid"), free: () => t("不收费", "Free") };

/** Keep `box` showing who is there. */
export function visitor(box, desk, signal) {
  let shown = null;
  let more = {};
  const bring = make("div", { className: "brings" });
  const draw = (names) => {
    const { current } = desk;
    if (current === null) {
      shown = null;
      box.dataset.state = "nobody";
      return box.replaceChildren(nobody(desk));
    }
    const isOther = shown !== current.id;
    if (isOther) {
      shown = current.id;
      more = {};
      bring.replaceChildren();
      read(current).catch(() => null);
    }
    box.dataset.state = current.state;
    box.replaceChildren(
      make("p", { className: "number" }, current.number),
      make("p", { className: "is" }, current.state === "called" ? t("已叫号，等待来到窗口", "Called: on the way here") : t("正在办理", "Being served"),
        current.recalls ? t(`（重呼 ${current.recalls} 次）`, ` (called again ${current.recalls} ×)`) : ""),
      make("h2", { className: "what" }, names.get(current.item) ? named(names.get(current.item)) : current.item),
      facts(
        [t("姓名", "Name"), current.name],
        [t("取号", "Number taken"), time(current.issued_at)],
        [t("预约", "Booked for"), current.appointment ? time(current.appointment.slot_start) : null],
        [t("优先", "Priority"), current.priority ? `${priorityOf(current.priority)}${current.priority.confirmed ? "" : t("（自述，未核实）", " (claimed, not checked)")}` : null],
        [t("通常用时", "Usually takes"), names.get(current.item)?.minutes ? t(`${names.get(current.item).minutes} 分钟`, `${names.get(current.item).minutes} min`) : null],
      ),
      bring,
    );
  };
  const read = async (ticket) => {
    const [detail, paid, visit, booked] = await Promise.all([
      itemOf(ticket.item).catch(() => null),
      payment(desk, signal),
      ticket.visit ? api.get(`${desk.path}/visit`, {}, signal).catch(() => null) : null,
      ticket.appointment ? api.get(`/halls/${desk.hall}/appointments/${ticket.appointment.id}`, {}, signal).catch(() => null) : null,
    ]);
    if (shown !== ticket.id) return;
    more = { detail, paid, visit, booked };
    fill(bring, more);
  };
  const again = setInterval(async () => {
    if (document.hidden || shown === null || more.paid?.paid !== "unpaid") return;
    const here = shown;
    const paid = await payment(desk, signal);
    if (paid && shown === here) fill(bring, Object.assign(more, { paid }));
  }, PAY_AGAIN_MS);
  signal.addEventListener("abort", () => clearInterval(again));
  return { draw };
}

const payment = (desk, signal) => api.get(`${desk.path}/payment`, {}, signal).catch(() => null);

function nobody({ counter, next }) {
  const words = counter.state === "closed" ? t("窗口未开。按 O 开窗。", "The counter is closed. Press O to open it.")
    : counter.state === "paused" ? t("窗口暂停。按 O 继续。", "The counter is paused. Press O to go on.")
      : next.length ? t("按 N 叫下一位。", "Press N to call the next person.") : t("现在没有人在等。", "Nobody is waiting.");
  return make("p", { className: "nobody" }, words);
}

function fill(box, { detail, paid, visit, booked }) {
  const papers = booked?.materials ?? detail?.materials ?? [];
  box.replaceChildren(...[
    paid ? make("p", { className: "paid", "data-paid": paid.paid }, PAID[paid.paid](), paid.fee_fen ? ` ${money(paid.fee_fen)}` : "") : null,
    visit ? make("div", {}, make("h3", {}, t("联办事项", "The visit")), make("ol", { className: "stops" }, ...visit.stops.map((stop) => make("li", { "data-state": stop.state }, [named(stop), stop.number].filter(Boolean).join(" · "))))) : null,
    papers.length ? make("div", {}, make("h3", {}, t("材料", "Papers")), make("ul", { className: "papers" }, ...papers.map(paper))) : null,
  ].filter(Boolean));
}

function paper(one) {
  const notes = [KINDS[one.kind]?.(), one.copies > 1 ? `× ${one.copies}` : null, one.required === false ? t("如有", "if any") : null].filter(Boolean).join(" · ");
  const has = one.have === undefined ? null : one.have ? t("自述已带", "said to be here") : t("没说带", "not ticked off");
  return make("li", { "data-have": `${one.have ?? ""}` }, make("strong", {}, named(one)), make("span", { className: "quiet" }, [notes, has].filter(Boolean).join(" · ")));
}
