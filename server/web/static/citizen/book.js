// Booking: days, slots by how busy they will be, and the three that suit best.

import { t, named } from "../app/language.js";
import { button, card, choice, empty, make, onceKey, put, sure, toast } from "../app/parts.js";
import { date, day, distance, time } from "../app/said.js";
import { api, clock, hall as hallOf, here, itemNamed } from "./rooms.js";

const DAYS = 14;
const DAY_MS = 24 * 3600 * 1000;
const LOADS = { low: () => t("空闲", "quiet"), medium: () => t("一般", "medium"), high: () => t("繁忙", "busy") };
const WHY = { sooner: () => t("最早", "soonest"), emptier: () => t("最空", "quietest"), nearer: () => t("最近", "nearest") };

export async function show(root, { parts: [code, itemCode], query, signal }) {
  const moving = query.get("moving");
  const [hall, item] = await Promise.all([hallOf(code), itemNamed(itemCode)]);
  const from = date(clock.now());
  const to = date(clock.now() + (DAYS - 1) * DAY_MS);
  const slots = (await api.read(`/halls/${encodeURIComponent(code)}/slots`, { item: itemCode, from, to }, signal)).data;
  const days = [...new Set(slots.map((slot) => date(slot.start)))];
  const list = make("ul", { className: "slots" });
  const waiting = make("div", {});
  const draw = (chosen) => {
    const those = slots.filter((slot) => date(slot.start) === chosen);
    list.replaceChildren(...those.map((slot) => make("li", {}, entry(slot, () => book(code, itemCode, slot.start, moving)))));
    const full = those.filter((slot) => slot.left === 0);
    put(waiting, !moving && full.length ? awaitPlace(code, itemCode, chosen, full) : null);
  };
  const first = days.find((one) => slots.some((slot) => date(slot.start) === one && slot.left > 0 && slot.bookable)) ?? days[0];
  const title = moving ? t("改期", "Another time") : t("预约时段", "Book a time");
  put(
    root,
    make("h1", {}, title),
    make("p", {}, `${item ? named(item) : itemCode} · ${named(hall)}`),
    moving ? null : await best(itemCode, signal),
    days.length === 0
      ? empty(t("最近两周没有可预约的时段，可以直接取号。", "No time can be booked within two weeks; you may take a number."))
      : card(t("选一天", "Choose a day"), choice(t("日期", "Day"), "day", days.map((one) => [one, day(`${one}T12:00:00+08:00`)]), first, draw), list, waiting),
  );
  if (first) draw(first);
  return title;
}

function entry(slot, onBook) {
  const open = slot.bookable && slot.left > 0;
  const words = open ? `${LOADS[slot.load]?.() ?? ""} · ${t(`余 ${slot.left}`, `${slot.left} left`)}` : slot.left === 0 ? t("约满", "Full") : t("不可约", "Not bookable");
  const one = button(make("span", {}, make("strong", {}, `${time(slot.start)}–${time(slot.end)}`), make("span", {}, words)), onBook, { kind: `slot ${slot.load}` });
  one.disabled = !open;
  return one;
}

/** Somebody may cancel: be offered a place, in turn, between the first and the last that are full. */
function awaitPlace(hall, item, on, full) {
  const once = onceKey();
  return button(t("约满的时段有空位时告诉我", "Tell me when a place is free after all"), async () => {
    if (!(await api.token())) return (location.hash = `#/sign-in?then=${encodeURIComponent(location.hash.slice(1))}`);
    const body = { hall, item, date: on, from: time(full[0].start), to: time(full.at(-1).end) };
    await api.ask("POST", "/waitlist", { body, once });
    toast(t("已候补，有空位会按次序给您。", "You wait for a place; it is offered in turn."));
    location.hash = "#/visits";
  }, { kind: "plain" });
}

/** The three that suit best, of any hall. */
async function best(item, signal) {
  const place = here.place;
  const found = await api.read("/slots/best", { item, lat: place?.lat, lng: place?.lng, datum: place?.datum }, signal).catch(() => ({ data: [] }));
  if (found.data.length === 0) return null;
  const names = await Promise.all(found.data.map((one) => hallOf(one.hall).then(named)));
  return card(t("推荐", "Suggested"), make("ul", { className: "links" }, ...found.data.map((one, at) => make("li", {}, button(
    make("span", {}, make("strong", {}, `${WHY[one.why]?.() ?? ""}: ${day(one.slot.start)} ${time(one.slot.start)}`), make("span", {}, [names[at], distance(one.distance_m)].filter(Boolean).join(" · "))),
    () => book(one.hall, item, one.slot.start, null), { kind: "plain" },
  )))));
}

async function book(hall, item, start, moving) {
  const when = `${day(start)} ${time(start)}`;
  if (!(await sure(moving ? t(`改到 ${when}？`, `Move to ${when}?`) : t(`预约 ${when}？`, `Book ${when}?`), moving ? t("改期", "Move") : t("预约", "Book"), t("再看看", "Not yet"), ""))) return;
  const signIn = () => (location.hash = `#/sign-in?then=${encodeURIComponent(location.hash.slice(1))}`);
  if (!(await api.token())) return signIn();
  try {
    const made = moving
      ? await api.ask("POST", `/appointments/${moving}/reschedule`, { body: { slot_start: start } })
      : await api.ask("POST", "/appointments", { body: { hall, item, slot_start: start }, once: onceKey() });
    toast(moving ? t("已改期。", "Moved.") : t("已预约。", "Booked."));
    location.hash = `#/appointments/${made.id}`;
  } catch (problem) {
    if (problem.status === 401) signIn();
    else if (problem.code === "level_too_low") {
      toast(problem.detail, "note");
      location.hash = "#/me";
    } else throw problem;
  }
}
