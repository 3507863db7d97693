// One appointment: when, what to bring, its code for the hall, and what may be done with it.

import { t, named } from "../app/language.js";
import { button, card, facts, go, make, put, sure, toast } from "../app/parts.js";
import { day, moment, time } from "../app/said.js";
import { materials } from "./item.js";
import { api, clock, hall as hallOf, itemNamed, locate } from "./rooms.js";

const TO_COME = new Set(["held", "offered", "booked"]);

export async function show(root, { parts: [id], signal }) {
  const address = `/appointments/${encodeURIComponent(id)}`;
  const draw = async () => {
    const one = await api.get(address, {}, signal);
    const [hall, item] = await Promise.all([hallOf(one.hall), itemNamed(one.item)]);
    const act = (path, body) => async () => {
      const answer = await api.ask("POST", `${address}${path}`, { body });
      if (path === "/check-in") location.hash = `#/tickets/${answer.id}`;
      else await draw();
    };
    const open = TO_COME.has(one.state);
    put(
      root,
      make("h1", {}, `${day(one.slot_start)} ${time(one.slot_start)}–${time(one.slot_end)}`),
      make("p", {}, `${item ? named(item) : one.item} · ${named(hall)}`),
      one.ticket ? go(t("看号票", "Your ticket"), `#/tickets/${one.ticket}`) : null,
      open ? null : make("p", { className: "note" }, t("这个预约已经结束。", "This appointment is over.")),
      one.must_move ? make("p", { className: "note bad" }, t("大厅的时间有变动，请改期。", "The hall's hours changed: please move it.")) : null,
      one.state === "held" ? make("p", { className: "note" }, t(`请在 ${time(one.held_until)} 前确认`, `Confirm before ${time(one.held_until)}`)) : null,
      open ? make("div", { className: "choices" },
        one.state === "held" ? button(t("确认预约", "Confirm"), act("/confirm")) : null,
        one.state === "booked" ? button(t("我到了，签到", "I am here: check in"), async () => act("/check-in", { place: await locate().catch(() => undefined) })()) : null,
        one.state === "booked" ? go(t("改期", "Another time"), `#/book/${one.hall}/${one.item}?moving=${one.id}`, "plain") : null,
        one.state === "booked" ? button(t("加到日历", "Add to calendar"), () => calendar(address), { kind: "plain" }) : null,
        button(t("取消预约", "Cancel"), async () => (await sure(t("取消后名额会给别人。确定取消吗？", "Your place goes to somebody else. Cancel?"), t("取消预约", "Cancel it"))) && act("/cancel")(), { kind: "plain danger" }),
      ) : null,
      open ? card(t("签到码", "Check-in code"), await square(address, one), make("p", { className: "code" }, one.check_in_code), make("p", { className: "quiet" }, t(`${moment(one.check_in_from, clock.now())} 起可签到`, `Check in from ${moment(one.check_in_from, clock.now())}`))) : null,
      facts([t("最晚取消", "Cancel until"), open ? moment(one.cancel_until, clock.now()) : null], [t("何时出发", "Leave at"), one.leave?.at ? moment(one.leave.at, clock.now()) : null]),
      one.unfinished?.length ? card(t("来之前要先办好", "To be done before you come"), make("ul", { className: "checks" }, ...one.unfinished.map((todo) => make("li", {}, named(todo))))) : null,
      open ? materials(one.materials) : null,
    );
    return `${day(one.slot_start)} ${time(one.slot_start)}`;
  };
  return draw();
}

/** Her check-in code as a square to be read at the hall; where it cannot be had, the code stands alone. */
async function square(address, { check_in_code: code }) {
  const drawing = await api.file(`${address}/qr.svg`).then((file) => file.text()).catch(() => null);
  if (!drawing) return null;
  return make("img", { className: "square", alt: t(`签到码 ${code}`, `Check-in code ${code}`), width: "200", height: "200", src: `data:image/svg+xml,${encodeURIComponent(drawing)}` });
}

async function calendar(address) {
  const file = URL.createObjectURL(await api.file(`${address}/calendar.ics`));
  make("a", { href: file, download: "appointment.ics" }).click();
  setTimeout(() => URL.revokeObjectURL(file), 10_000);
}
