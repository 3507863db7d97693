// Halls, soonest first: as a list and on a map, with honest ranges.

import { t, named } from "../app/language.js";
import { button, choice, empty, go, loading, make, put, say, showList, toast } from "../app/parts.js";
import { about, between, distance, lasting, people, time } from "../app/said.js";
import { api, here, itemNamed, locate } from "./rooms.js";

const REFRESH_EVERY_MS = 15_000;
const chosen = { rank: "fastest", travel: "drive", as: "list", openOnly: false };
const QUICK_S = 30 * 60;
const LONG_S = 60 * 60;
const ON_SCREEN = 8;

export async function show(root, { query, signal }) {
  const item = query.get("item") ? await itemNamed(query.get("item")) : null;
  const title = item ? t(`哪里办“${named(item)}”`, `Where to go for “${named(item)}”`) : t("去哪个大厅最快", "Where you are served soonest");
  const list = make("ul", { className: "halls" });
  const map = make("div", { className: "map", hidden: "" });
  const asOf = make("p", { className: "quiet", role: "status" });
  const where = make("summary", { className: "where" });
  let halls = [];

  const refresh = async () => {
    const place = here.place;
    const answer = await api.read("/halls", {
      item: item?.code,
      rank: place ? chosen.rank : "shortest_wait",
      travel: place ? chosen.travel : undefined,
      lat: place?.lat,
      lng: place?.lng,
      datum: place ? place.datum : undefined,
      open_now: chosen.openOnly ? "true" : undefined,
      limit: 100,
    }, signal);
    halls = answer.data;
    asOf.classList.remove("bad");
    say(asOf, t(`${time(answer.as_of)} 的情况，每 15 秒更新`, `As of ${time(answer.as_of)}, updated every 15 s`));
    draw();
  };
  const placed = () => {
    box.open = !here.place;
    say(where, here.place ? t(`从${here.name}出发`, `From ${here.name}`) : t("还不知道您在哪里，按等候最短排序。", "Your position is not known: shortest wait first."));
  };
  const draw = () => {
    placed();
    // Without a place halls are in the order of waits, whatever she likes best.
    const rank = root.querySelector(`input[name=rank][value=${here.place ? chosen.rank : "shortest_wait"}]`);
    if (rank) rank.checked = true;
    list.hidden = chosen.as !== "list" || halls.length === 0;
    map.hidden = chosen.as !== "map" || halls.length === 0;
    nothing.hidden = halls.length > 0;
    if (chosen.as === "map") drawMapOf(halls);
    else drawList(list.children.length === 0 ? ON_SCREEN : halls.length);
  };
  const drawList = (most) => {
    showList(list, halls.slice(0, most), (one) => one.code, (one) => entry(one, item), fill);
    // A slow phone shows what is on the screen before it makes the rest.
    if (most < halls.length) requestAnimationFrame(() => setTimeout(() => signal.aborted || drawList(halls.length)));
  };
  // The map's module comes when it is looked at.
  const drawMapOf = async (those) => {
    const { drawMap } = await import("./map.js");
    if (those === halls) drawMap(map, halls, here.place, (one) => link(one, item), colourOf);
  };
  const again = () => refresh().catch((problem) => {
    if (problem.name === "AbortError") return;
    asOf.classList.add("bad");
    say(asOf, problem.detail);
  });
  const box = whereIs(() => again(), where);
  const nothing = empty(t("没有找到合适的大厅。", "No hall fits."), item ? go(t("看全部大厅", "See all halls"), "#/", "plain") : null);

  put(
    root,
    make("h1", {}, title),
    item ? go(t("不限事项", "Any service"), "#/", "plain small") : null,
    box,
    choice(t("排序", "Order"), "rank", [
      ["fastest", t("最快办完", "Done soonest")],
      ["shortest_wait", t("等候最短", "Shortest wait")],
      ["nearest", t("离我最近", "Nearest")],
    ], here.place ? chosen.rank : "shortest_wait", (rank) => {
      chosen.rank = rank;
      if (!here.place && rank !== "shortest_wait") toast(t("先说明您在哪里，才能算路程。", "Say where you are first, so that the way can be counted in."), "note");
      again();
    }),
    make("div", { className: "tools" },
      choice(t("怎么去", "Travel"), "travel", [["walk", t("步行", "Walk")], ["bike", t("骑车", "Bike")], ["transit", t("公交", "Transit")], ["drive", t("驾车", "Drive")]], chosen.travel, (travel) => {
        chosen.travel = travel;
        again();
      }),
      choice(t("显示方式", "Show as"), "as", [["list", t("列表", "List")], ["map", t("地图", "Map")]], chosen.as, (as) => {
        chosen.as = as;
        draw();
      }),
    ),
    asOf, nothing, list, map,
  );
  nothing.hidden = true;
  // What can be chosen is there before the halls are.
  placed();
  const waiting = loading();
  root.append(waiting);
  await refresh().finally(() => waiting.remove());
  const timer = setInterval(() => document.hidden || again(), REFRESH_EVERY_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
  return title;
}

const link = (one, item) => `#/halls/${encodeURIComponent(one.code)}${item ? `?item=${encodeURIComponent(item.code)}` : ""}`;

function colourOf(one) {
  if (!one.open) return "closed";
  const takes = one.total ?? one.wait;
  if (!takes) return "unknown";
  return takes.p50_s <= QUICK_S ? "quick" : takes.p50_s <= LONG_S ? "middling" : "long";
}

function entry(one, item) {
  return make("li", {},
    make("a", { href: link(one, item) },
      make("strong"), make("span", { className: "state" }), make("span", { className: "takes" }), make("span", { className: "parts" }), make("span", { className: "book" }),
    ),
  );
}

function fill(element, one) {
  const part = (name) => element.querySelector(name);
  element.dataset.takes = colourOf(one);
  say(part("strong"), named(one));
  say(part(".state"), one.open ? t("服务中", "Open") : t("休息", "Closed"));
  say(part(".takes"), takes(one));
  say(part(".parts"), [
    distance(one.distance_m),
    one.travel_s === null ? null : t(`路上约 ${lasting(one.travel_s)}`, `${lasting(one.travel_s)} on the way`),
    one.waiting === null ? null : t(`${people(one.waiting)}等候`, `${people(one.waiting)} waiting`),
    one.wait_on_arrival ? t(`到了再等 ${between(one.wait_on_arrival)}`, `then ${between(one.wait_on_arrival)} to wait`) : one.wait ? t(`要等 ${between(one.wait)}`, `${between(one.wait)} to wait`) : null,
  ].filter(Boolean).join(" · "));
  const booked = one.appointment;
  say(part(".book"), booked ? t(`或预约 ${time(booked.slot_start)}，${time(booked.done_by)} 前办完`, `or book ${time(booked.slot_start)}, done by ${time(booked.done_by)}`) : "");
}

function takes(one) {
  if (!one.open) return t("现在不办理", "Not served now");
  if (one.total) return t(`${about(one.total)}后办完（${between(one.total)}）`, `Done in ${about(one.total)} (${between(one.total)})`);
  if (one.wait) return t(`等候${about(one.wait)}`, `Wait ${about(one.wait)}`);
  return t("等候时间暂不能估计", "The wait cannot be foretold yet");
}

// --- where she is ---------------------------------------------------------------------------

function whereIs(onChange, where) {
  const search = make("input", { type: "search", placeholder: t("或输入地点", "or type a place"), "aria-label": t("您在哪里", "Where you are"), autocomplete: "off" });
  const found = make("ul", { className: "found" });
  const take = (place, name) => {
    Object.assign(here, { place, name });
    found.replaceChildren();
    onChange();
  };
  const form = make("form", { className: "seek", role: "search" }, search, make("button", { className: "button plain" }, t("找", "Find")));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const words = search.value.trim();
    if (!words) return;
    try {
      const { data } = await api.read("/places", { q: words });
      found.replaceChildren(...data.slice(0, 6).map((one) => make("li", {}, button(one.name ?? one.address, () => take(one.place, one.name ?? words), { kind: "plain" }))));
      if (data.length === 0) found.replaceChildren(make("li", {}, t("没有找到这个地点。", "No such place was found.")));
    } catch (problem) {
      toast(problem.detail, "bad");
    }
  });
  return make("details", { className: "card" }, where,
    make("div", { className: "seekers" },
      button(t("用我的位置", "Use my position"), async () => {
        try {
          take(await locate(), t("您的位置", "where you are"));
        } catch {
          toast(t("没有得到您的位置，可以输入地点。", "Your position is not available; you can type a place."), "note");
        }
      }),
      form,
    ), found);
}
