// Her numbers and appointments.

import { t, named } from "../app/language.js";
import { card, empty, go, make, put } from "../app/parts.js";
import { about, day, people, time } from "../app/said.js";
import { api, hall as hallOf, itemNamed } from "./rooms.js";

const OPEN = new Set(["waiting", "called", "serving", "parked"]);
const TO_COME = new Set(["held", "offered", "booked"]);
const BOOKED = {
  held: () => t("待确认", "To be confirmed"),
  offered: () => t("有空位，等您接受", "A place is offered"),
  booked: () => t("已预约", "Booked"),
  checked_in: () => t("已签到", "Checked in"),
  cancelled: () => t("已取消", "Cancelled"),
  expired: () => t("已过期", "Expired"),
  missed: () => t("未到", "Missed"),
};
const STATES = {
  waiting: () => t("等候中", "Waiting"), called: () => t("叫到您了", "Your turn"), serving: () => t("正在办理", "Being served"), parked: () => t("暂缓", "On hold"),
  finished: () => t("已办结", "Done"), missed: () => t("已过号", "Missed"), cancelled: () => t("已取消", "Given up"),
};

export async function show(root, { signal }) {
  const [tickets, appointments] = await Promise.all([api.get("/tickets", { limit: 50 }, signal), api.get("/appointments", { limit: 50 }, signal)]);
  const now = tickets.data.filter((one) => OPEN.has(one.state));
  const toCome = appointments.data.filter((one) => TO_COME.has(one.state)).sort((a, b) => (a.slot_start < b.slot_start ? -1 : 1));
  const before = [...tickets.data.filter((one) => !OPEN.has(one.state)).map(asTicket), ...appointments.data.filter((one) => !TO_COME.has(one.state) && !one.ticket).map(asBooked)];
  put(
    root,
    make("h1", {}, t("我的号", "My visits")),
    now.length + toCome.length === 0 ? empty(t("现在没有号票，也没有预约。", "No number and no appointment now."), go(t("去取号", "Take a number"), "#/items")) : null,
    now.length ? card(t("正在排队", "In line"), await linked(now.map(asTicket))) : null,
    toCome.length ? card(t("预约", "Appointments"), await linked(toCome.map(asBooked))) : null,
    before.length ? card(t("以前的", "Before"), await linked(before.slice(0, 20))) : null,
  );
  return t("我的号", "My visits");
}

const asTicket = (one) => ({
  address: `#/tickets/${one.id}`, hall: one.hall, item: one.item, head: one.number,
  words: [STATES[one.state]?.(), one.ahead === null ? null : t(`前面 ${people(one.ahead)}`, `${people(one.ahead)} ahead`), one.state === "waiting" ? about(one.wait) : null],
});
const asBooked = (one) => ({
  address: `#/appointments/${one.id}`, hall: one.hall, item: one.item, head: `${day(one.slot_start)} ${time(one.slot_start)}`,
  words: [BOOKED[one.state]?.(), one.must_move ? t("需要改期", "must be moved") : null],
});

async function linked(entries) {
  const named_ = await Promise.all(entries.map(async (one) => ({ ...one, hallName: await hallOf(one.hall).then(named).catch(() => one.hall), itemName: await itemNamed(one.item).then((item) => (item ? named(item) : one.item)) })));
  return make("ul", { className: "links" }, ...named_.map((one) => make("li", {}, make("a", { href: one.address },
    make("strong", {}, one.head), make("span", {}, [one.itemName, one.hallName].join(" · ")), make("span", {}, one.words.filter(Boolean).join(" · ")),
  ))));
}
