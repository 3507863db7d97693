// The citizen's pages: which view an address shows, and what stands around every view.

import { chosen, onLanguage, speak, t, writeLarge } from "../app/language.js";
import { failed, loading, make, put, say } from "../app/parts.js";
import { about, api, live } from "./rooms.js";

const VIEWS = [
  [/^\/$/, () => import("./halls.js")],
  [/^\/halls\/([\w-]+)$/, () => import("./hall.js")],
  [/^\/items$/, () => import("./items.js")],
  [/^\/items\/([\w-]+)$/, () => import("./item.js")],
  [/^\/book\/([\w-]+)\/([\w-]+)$/, () => import("./book.js")],
  [/^\/visits$/, () => import("./mine.js")],
  [/^\/tickets\/([\w-]+)$/, () => import("./ticket.js")],
  [/^\/appointments\/([\w-]+)$/, () => import("./appointment.js")],
  [/^\/bills$/, () => import("./bills.js")],
  [/^\/cases$/, () => import("./cases.js")],
  [/^\/cases\/([\w-]+)$/, () => import("./cases.js")],
  [/^\/me$/, () => import("./me.js")],
  [/^\/inbox$/, () => import("./inbox.js")],
  [/^\/preferences$/, () => import("./preferences.js")],
  [/^\/consents$/, () => import("./consents.js")],
  [/^\/family$/, () => import("./family.js")],
  [/^\/sign-in$/, () => import("./sign-in.js")],
];
const TABS = [
  ["/", "⌂", () => t("大厅", "Halls")],
  ["/items", "☰", () => t("办事", "Services")],
  ["/visits", "◷", () => t("我的号", "My visits")],
  ["/inbox", "✉", () => t("消息", "Messages")],
  ["/me", "☺", () => t("我的", "Me")],
];

const main = document.getElementById("main");
let leaving = new AbortController();

async function show() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const [path, search] = (location.hash.slice(1) || "/").split("?", 2);
  const [found, parts] = seek(path);
  frame(path);
  const root = make("div", { className: "view" }, make("h1", { className: "sr" }, t("一厅通", "Yiting")), loading());
  main.replaceChildren(root);
  try {
    // What the halls tell needs no clock; everything else may be of another day.
    const [view] = await Promise.all([found(), path === "/" ? null : about]);
    if (signal.aborted) return;
    const title = await view.show(root, { parts, query: new URLSearchParams(search), signal });
    if (signal.aborted) return;
    document.title = `${title} · ${t("一厅通", "Yiting")}`;
    const heading = root.querySelector("h1");
    heading?.setAttribute("tabindex", "-1");
    heading?.focus({ preventScroll: true });
  } catch (problem) {
    if (signal.aborted || problem.name === "AbortError") return;
    if (problem.status === 401) return signInFirst();
    put(root, make("h1", { className: "sr" }, t("一厅通", "Yiting")), failed(problem, show));
  }
  scrollTo(0, 0);
}

function seek(path) {
  for (const [pattern, load] of VIEWS) {
    const match = pattern.exec(path);
    if (match) return [load, match.slice(1)];
  }
  return [() => import("./lost.js"), []];
}

/** Sign in, and come back here. */
function signInFirst() {
  location.replace(`#/sign-in?then=${encodeURIComponent(location.hash.slice(1))}`);
}

function frame(path) {
  document.getElementById("tabs").replaceChildren(
    ...TABS.map(([address, sign, words]) => {
      const link = make("a", { href: `#${address}` }, make("span", { "aria-hidden": "true" }, sign), words());
      if (address === path) link.setAttribute("aria-current", "page");
      return link;
    }),
  );
  say(document.getElementById("city"), t("一厅通", "Yiting"));
  const other = document.getElementById("language");
  say(other, chosen.language === "en" ? "中文" : "English");
  other.lang = chosen.language === "en" ? "zh-CN" : "en";
  const type = document.getElementById("type");
  say(type, t("大字", "Large type"));
  type.setAttribute("aria-pressed", `${chosen.isLarge}`);
  say(document.getElementById("skip"), t("跳到正文", "Skip to content"));
}

function showLink(link) {
  const box = document.getElementById("link");
  const isAway = !navigator.onLine || link === "lost";
  box.hidden = !isAway;
  if (isAway) say(box, t("连接已断开，正在重连；看到的是断开前的情况。", "Connection lost, trying again. What you see is from before."));
}

document.getElementById("language").addEventListener("click", () => speak(chosen.language === "en" ? "zh" : "en"));
document.getElementById("type").addEventListener("click", () => {
  writeLarge(!chosen.isLarge);
  frame((location.hash.slice(1) || "/").split("?", 1)[0]);
});
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
onLanguage(show);
live.onLink(showLink);
addEventListener("online", () => showLink("connecting"));
addEventListener("offline", () => showLink("lost"));
addEventListener("hashchange", show);
api.onSignedOut(signInFirst);
show().finally(() => {
  // What other views need comes while she reads this one, so that they open at once, also offline.
  setTimeout(() => import("./ticket.js").catch(() => null), 1_000);
  navigator.serviceWorker?.register("/sw.js").catch(() => null);
});
