// The index: all halls as they are now, each a link to its board.

import { timeOf } from "./clock.js";
import { both, make, say, showList } from "./dom.js";
import { distance, waitRange } from "./words.js";

const REFRESH_EVERY_MS = 15_000;
const byId = (id) => document.getElementById(id);
let halls = [];
let place = null;

async function ask(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(8_000) });
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response.json();
}

async function refresh() {
  const where = place ? `&lat=${place.lat}&lng=${place.lng}&datum=wgs84` : "";
  try {
    const list = await ask(`/api/v1/halls?limit=100${where}`);
    halls = list.data;
    say(byId("as-of"), `${timeOf(Date.parse(list.as_of))} 更新 updated`);
    byId("as-of").classList.remove("bad");
    showFigures();
    show();
  } catch {
    say(byId("as-of"), "暂时无法更新，正在重试 Cannot update now; trying again");
    byId("as-of").classList.add("bad");
  }
}

function showFigures() {
  const known = halls.filter((hall) => hall.waiting !== null);
  say(byId("total"), `${halls.length}`);
  say(byId("open"), `${halls.filter((hall) => hall.open).length}`);
  const waiting = known.reduce((sum, hall) => sum + hall.waiting, 0);
  say(byId("waiting"), known.length > 0 ? `${waiting}` : "–");
}

function show() {
  const wanted = byId("find").value.trim().toLowerCase();
  const found = halls.filter(({ code, name, name_en }) => {
    return `${code} ${name} ${name_en}`.toLowerCase().includes(wanted);
  });
  showList(byId("halls"), found, (hall) => hall.code, newHall, fillHall);
  byId("nothing").hidden = found.length > 0;
  byId("nothing").replaceChildren(...both(["没有找到大厅。", "No hall found."]));
}

function newHall(hall) {
  return make(
    "li",
    {},
    make(
      "a",
      { href: `/board/${encodeURIComponent(hall.code)}` },
      make(
        "span",
        { className: "hall" },
        make("strong"),
        make("span", { className: "en", lang: "en" }),
        make("span", { className: "where" }),
      ),
      make(
        "span",
        { className: "now" },
        make("span", { className: "state" }),
        make("span", { className: "people" }),
        make("span", { className: "wait" }),
      ),
    ),
  );
}

function fillHall(element, hall) {
  say(element.querySelector("strong"), hall.name);
  say(element.querySelector(".en"), hall.name_en);
  const away = hall.distance_m === null ? null : distance(hall.distance_m);
  say(element.querySelector(".where"), away ? `${away[0]} ${away[1]}` : "");
  const state = element.querySelector(".state");
  state.dataset.open = hall.open;
  say(state, hall.open ? "服务中 Open" : "休息 Closed");
  const people = hall.waiting === null ? "" : `${hall.waiting} 人等候 waiting`;
  say(element.querySelector(".people"), people);
  say(element.querySelector(".wait"), waitRange(hall.wait));
}

// --- where I am -----------------------------------------------------------------------------

function tell(words) {
  byId("note").hidden = words === null;
  if (words) byId("note").replaceChildren(...both(words));
}

function findMe() {
  if (!navigator.geolocation) {
    tell(["此浏览器不能定位。", "This browser cannot tell where you are."]);
    return;
  }
  byId("near").disabled = true;
  navigator.geolocation.getCurrentPosition(
    ({ coords }) => {
      // Eleven metres are near enough for choosing a hall.
      place = { lat: coords.latitude.toFixed(4), lng: coords.longitude.toFixed(4) };
      byId("near").disabled = false;
      tell(["已按与您的距离排序；位置只用于这次排序。", "Nearest first; your position is used for this order only."]);
      refresh();
    },
    () => {
      byId("near").disabled = false;
      tell(["没有得到您的位置，仍按代码排序。", "Your position is not available; the order stays as it was."]);
    },
    { maximumAge: 60_000, timeout: 10_000 },
  );
}

// --- this server ----------------------------------------------------------------------------

async function showServer() {
  const about = await ask("/about.json").catch(() => null);
  if (about?.mode === "demo") say(byId("mode"), "演示环境：数据均为虚构 Demo: nobody here is real · 一厅通 Yiting · Apache-2.0");
  if (about?.sandbox_url) {
    byId("sandbox-link").href = about.sandbox_url;
    byId("sandbox").hidden = false;
  }
}

byId("near").addEventListener("click", findMe);
byId("find").addEventListener("input", show);
document.addEventListener("visibilitychange", () => document.hidden || refresh());
setInterval(() => document.hidden || refresh(), REFRESH_EVERY_MS);
refresh();
showServer();
