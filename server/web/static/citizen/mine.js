// Her numbers and appointments.

import { t, named } from "../app/language.js";
import { button, card, drafted, empty, go, make, put, toast } from "../app/parts.js";
import { about, day, moment, people, time } from "../app/said.js";
import { api, clock, hall as hallOf, itemNamed } from "./rooms.js";

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
  const draw = () => drawn(root, signal, draw);
  await draw();
  return t("我的号", "My visits");
}

async function drawn(root, signal, again) {
  const [tickets, appointments, waits, standing] = await Promise.all([
    api.get("/tickets", { limit: 50 }, signal),
    api.get("/appointments", { limit: 50 }, signal),
    api.get("/waitlist", { limit: 50 }, signal),
    api.get("/me/booking-standing", {}, signal),
  ]);
  const waiting = waits.data.filter((one) => one.state === "waiting" || one.state === "offered");
  const now = tickets.data.filter((one) => OPEN.has(one.state));
  const toCome = appointments.data.filter((one) => TO_COME.has(one.state)).sort((a, b) => (a.slot_start < b.slot_start ? -1 : 1));
  const before = [...tickets.data.filter((one) => !OPEN.has(one.state)).map(asTicket), ...appointments.data.filter((one) => !TO_COME.has(one.state) && !one.ticket).map(asBooked)];
  put(
    root,
    make("h1", {}, t("我的号", "My visits")),
    now.length + toCome.length + waiting.length === 0 ? empty(t("现在没有号票，也没有预约。", "No number and no appointment now."), go(t("去取号", "Take a number"), "#/items")) : null,
    now.length ? card(t("正在排队", "In line"), await linked(now.map(asTicket))) : null,
    waiting.length ? card(t("候补", "Waiting for a place"), await awaited(waiting, again)) : null,
    blocked(standing, again),
    toCome.length ? card(t("预约", "Appointments"), await linked(toCome.map(asBooked))) : null,
    before.length ? card(t("以前的", "Before"), await linked(before.slice(0, 20))) : null,
  );
}

/** Places she waits for; what is offered is taken or left here. */
async function awaited(waits, again) {
  const entries = await Promise.all(waits.map(async (one) => ({ one, ...(await namesOf(one)) })));
  return make("ul", { className: "rows" }, ...entries.map(({ one, hallName, itemName }) => make("li", {},
    make("span", {},
      make("strong", {}, one.offer ? t(`有空位：${day(one.offer_start)} ${time(one.offer_start)}`, `A place: ${day(one.offer_start)} ${time(one.offer_start)}`) : `${day(one.starts_from)} ${time(one.starts_from)}–${time(one.until)}`),
      make("span", { className: "quiet" }, [itemName, hallName].join(" · ")),
      make("span", { className: "quiet" }, one.offer ? t(`请在 ${moment(one.offer_until, clock.now())} 前决定`, `Decide before ${moment(one.offer_until, clock.now())}`) : one.ahead === null ? "" : t(`前面 ${people(one.ahead)}`, `${people(one.ahead)} ahead`)),
    ),
    make("div", { className: "choices" }, ...(one.offer
      ? [button(t("接受", "Take it"), async () => {
          const made = await api.ask("POST", `/offers/${one.offer}/accept`);
          toast(t("已预约。", "Booked."));
          location.hash = `#/appointments/${made.id}`;
        }), button(t("不要了", "No, thank you"), async () => {
          await api.ask("POST", `/offers/${one.offer}/decline`);
          await again();
        }, { kind: "plain" })]
      : [button(t("不等了", "Stop waiting"), async () => {
          await api.ask("DELETE", `/waitlist/${one.id}`);
          await again();
        }, { kind: "plain small" })])),
  )));
}

/** Whoever missed too often may not book for a while; she may say why. */
function blocked(standing, again) {
  if (!standing.blocked_until) return null;
  const { area: why, sent } = drafted(make("textarea", { id: "why", rows: "3", maxlength: "500" }), "appeal");
  return card(t("暂时不能预约", "You cannot book for now"),
    make("p", {}, t(`因多次未到，到 ${moment(standing.blocked_until, clock.now())} 前不能预约，可以到厅取号。`, `Appointments were missed: no booking until ${moment(standing.blocked_until, clock.now())}. You may take a number.`)),
    ...(standing.appealed_at
      ? [make("p", { className: "quiet" }, standing.granted === null ? t("您的申诉在处理中。", "What you said is being looked at.") : standing.granted ? t("申诉已通过。", "Granted.") : t("申诉未通过。", "Not granted."))]
      : [make("label", { for: "why" }, t("有原因？请说明", "Was there a reason? Tell us")), why, button(t("申诉", "Send"), async () => {
          await api.ask("POST", "/me/booking-appeal", { body: { text: why.value.trim() } });
          sent();
          await again();
        }, { kind: "plain" })]),
  );
}

const asTicket = (one) => ({
  address: `#/tickets/${one.id}`, hall: one.hall, item: one.item, head: one.number,
  words: [STATES[one.state]?.(), one.ahead === null ? null : t(`前面 ${people(one.ahead)}`, `${people(one.ahead)} ahead`), one.state === "waiting" ? about(one.wait) : null],
});
const asBooked = (one) => ({
  address: `#/appointments/${one.id}`, hall: one.hall, item: one.item, head: `${day(one.slot_start)} ${time(one.slot_start)}`,
  words: [BOOKED[one.state]?.(), one.must_move ? t("需要改期", "must be moved") : null],
});

async function namesOf({ hall, item }) {
  const [hallName, itemName] = await Promise.all([hallOf(hall).then(named).catch(() => hall), itemNamed(item).then((found) => (found ? named(found) : item)).catch(() => item)]);
  return { hallName, itemName };
}

async function linked(entries) {
  const named_ = await Promise.all(entries.map(async (one) => ({ ...one, ...(await namesOf(one)) })));
  return make("ul", { className: "links" }, ...named_.map((one) => make("li", {}, make("a", { href: one.address },
    make("strong", {}, one.head), make("span", {}, [one.itemName, one.hallName].join(" · ")), make("span", {}, one.words.filter(Boolean).join(" · ")),
  ))));
}
