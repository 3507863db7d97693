// One hall: its lines now, when it is open, how to get there, and taking a number.

import { t, named } from "../app/language.js";
import { button, card, empty, facts, go, make, onceKey, put, say, showList } from "../app/parts.js";
import { between, day, moment, people, time } from "../app/said.js";
import { api, clock, hall as hallOf, here, itemNamed, items, live } from "./rooms.js";
import { actingFor, nameOf } from "./family.js";
import { takeNumber } from "./taking.js";

const PRIORITIES = [
  ["elderly", () => t("年满 70 岁", "Over 70")],
  ["disabled", () => t("残疾人", "Disabled")],
  ["pregnant", () => t("孕妇", "Pregnant")],
  ["military", () => t("军人", "Military")],
  ["with_infant", () => t("携带婴幼儿", "With an infant")],
];
const STATES = {
  open: () => t("可取号", "Open"),
  paused: () => t("暂停取号", "No new numbers"),
  stopped: () => t("停办", "Stopped"),
  closed: () => t("未开放", "Closed"),
};

export async function show(root, { parts: [code], query, signal }) {
  const address = `/halls/${encodeURIComponent(code)}`;
  const [hall, hours] = await Promise.all([hallOf(code), api.read(`${address}/hours`, {}, signal)]);
  const item = query.get("item") ? await itemNamed(query.get("item")) : null;
  const offered = (await items()).filter((one) => hall.items.includes(one.code));
  const list = make("ul", { className: "lines" });
  const asOf = make("p", { className: "quiet" });

  put(
    root,
    make("h1", {}, named(hall)),
    facts(
      [t("地址", "Address"), hall.address],
      [t("电话", "Phone"), hall.phone ? make("a", { href: `tel:${hall.phone}` }, hall.phone) : null],
      [t("今天", "Today"), openToday(hall)],
      [t("怎么去", "Get there"), hall.links?.amap ? make("a", { href: hall.links.amap, rel: "noopener noreferrer", target: "_blank" }, t("打开地图导航", "Open in a map")) : null],
    ),
    item ? forItem(hall, item) : pick(hall, offered),
    card(t("各队列现在", "Lines now"), list, asOf),
    card(t("开放时间", "Opening hours"), week(hours.data.slice(0, 7))),
    make("p", {}, make("a", { href: `/board/${encodeURIComponent(code)}` }, t("看这个大厅的叫号屏", "See this hall's board"))),
  );
  live.watch(`hall:${code}`, (board) => {
    say(asOf, t(`${time(board.as_of)} 的情况`, `As of ${time(board.as_of)}`));
    showList(list, board.lines, (line) => line.code, newLine, fillLine);
  }, signal);
  return named(hall);
}

/** For whom she may take a number; nobody when she is not signed in. */
async function mayActFor() {
  try {
    if (!(await api.token())) return [];
    return actingFor((await api.get("/me/family")).data);
  } catch {
    return []; // she goes on for herself
  }
}

function openToday(hall) {
  if (hall.open) return hall.closes_at ? t(`服务中，${time(hall.closes_at)} 止`, `Open until ${time(hall.closes_at)}`) : t("服务中", "Open");
  return hall.opens_at ? t(`休息，${moment(hall.opens_at, clock.now())} 开门`, `Closed; opens ${moment(hall.opens_at, clock.now())}`) : t("休息", "Closed");
}

const newLine = () => make("li", {}, make("strong"), make("span", { className: "state" }), make("span", { className: "parts" }));

function fillLine(element, line) {
  say(element.querySelector("strong"), `${line.code} ${named(line)}`);
  element.querySelector(".state").dataset.open = line.state === "open";
  say(element.querySelector(".state"), (STATES[line.state] ?? (() => line.state))());
  const wait = between(line.wait);
  say(element.querySelector(".parts"), [
    line.waiting === null ? null : t(`${people(line.waiting)}等候`, `${people(line.waiting)} waiting`),
    wait ? t(`要等 ${wait}`, `${wait} to wait`) : t("等候时间暂不能估计", "the wait cannot be foretold yet"),
    t(line.reason, line.reason_en ?? line.reason),
    line.left_today !== null && line.left_today < 20 ? t(`今天还剩 ${line.left_today} 个号`, `${line.left_today} numbers left today`) : null,
  ].filter(Boolean).join(" · "));
}

function forItem(hall, item) {
  const wished = make("div", {});
  let key = onceKey();
  const priority = make("select", { id: "priority" }, make("option", { value: "" }, t("没有", "None")), ...PRIORITIES.map(([value, words]) => make("option", { value }, words())));
  const whom = make("select", { id: "whom" }, make("option", { value: "" }, t("我自己", "Myself")));
  // Another wish is another intention.
  wished.addEventListener("change", () => (key = onceKey()));
  const fields = [make("div", { className: "field" }, make("label", { for: "priority" }, t("依法优先（到窗口核实）", "Priority by law (checked at the counter)")), priority)];
  put(wished, make("details", {}, make("summary", {}, t("优先、替家人办", "Priority, or for somebody else")), ...fields));
  mayActFor().then((family) => {
    if (family.length === 0) return;
    whom.append(...family.map((one) => make("option", { value: one.id }, nameOf(one))));
    wished.firstChild.append(make("div", { className: "field" }, make("label", { for: "whom" }, t("替谁办", "For whom")), whom));
  });
  const wishes = () => ({ ...(priority.value ? { priority_claim: priority.value } : {}), ...(whom.value ? { for: whom.value } : {}) });
  return card(named(item),
    wished,
    make("div", { className: "choices" },
      button(t("现在取号", "Take a number now"), () => takeNumber(hall.code, item.code, key, wishes())),
      item.bookable ? go(t("预约时段", "Book a time"), `#/book/${hall.code}/${item.code}`, "plain") : null,
      go(t("办事指南", "Guide"), `#/items/${item.code}?hall=${hall.code}`, "plain"),
    ),
    here.place ? null : make("p", { className: "quiet" }, t("不在大厅也可以取号；到了请签到。", "You may take a number before you come, and check in when you are there.")),
  );
}

/** Choose what to do here, by search. */
function pick(hall, offered) {
  const search = make("input", { type: "search", "aria-label": t("找事项", "Find a service"), placeholder: t("要办什么？", "What do you need?"), autocomplete: "off" });
  const list = make("ul", { className: "links" });
  const draw = () => {
    const words = search.value.trim().toLowerCase();
    const found = offered.filter((one) => `${one.name} ${one.name_en}`.toLowerCase().includes(words)).slice(0, words ? 20 : 6);
    list.replaceChildren(...found.map((one) => make("li", {}, make("a", { href: `#/halls/${hall.code}?item=${one.code}` }, named(one)))));
    if (found.length === 0) list.replaceChildren(make("li", {}, empty(t("这个大厅没有这个事项。", "Not served in this hall."))));
  };
  search.addEventListener("input", draw);
  draw();
  return card(t("在这里办什么", "What to do here"), search, list);
}

function week(days) {
  return make("ul", { className: "week" }, ...days.map((one) => make("li", {},
    make("span", {}, `${day(`${one.date}T12:00:00+08:00`)}${one.name ? ` ${named(one)}` : ""}`),
    make("span", {}, one.open.length ? one.open.map((span) => `${time(span.start)}–${time(span.end)}`).join("  ") : t("不开放", "Closed")),
  )));
}
