// What stands around every view of the staff's pages: sign-in first, her name, language, large type.

import { chosen, onLanguage, speak, t, writeLarge } from "../app/language.js";
import { failed, loading, make, put, say, sure } from "../app/parts.js";
import { api, forget, live, me } from "./room.js";

const main = document.getElementById("main");
let leaving = new AbortController();
let page = { views: [], title: () => "" };

/** Show the page's views: pairs of what an address looks like and who loads its module. */
export function begin(views, title) {
  page = { views, title };
  onLanguage(show);
  addEventListener("hashchange", show);
  live.onLink(showLink);
  addEventListener("online", () => showLink("connecting"));
  addEventListener("offline", () => showLink("lost"));
  api.onSignedOut(show);
  show();
}

export async function show() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const address = location.hash.slice(1) || "/";
  frame(null);
  const root = make("div", { className: "view" }, loading());
  main.replaceChildren(root);
  try {
    const who = (await api.token()) ? await me() : null;
    const view = await viewFor(address, who);
    if (signal.aborted) return;
    frame(who);
    const title = await view.module.show(root, { parts: view.parts, who, signal, again: show });
    if (signal.aborted) return;
    document.title = `${title} · ${page.title()}`;
  } catch (problem) {
    if (signal.aborted || problem.name === "AbortError") return;
    if (problem.status === 401) return show();
    put(root, make("h1", { className: "sr" }, page.title()), failed(problem, show));
  }
}

async function viewFor(address, who) {
  if (who === null || who.duty) return { module: await import("./sign-in.js"), parts: [] };
  for (const [pattern, load] of page.views) {
    const match = pattern.exec(address);
    if (match) return { module: await load(), parts: match.slice(1).map(decodeURIComponent) };
  }
  return { module: await import("./lost.js"), parts: [] };
}

function frame(who) {
  say(document.getElementById("city"), page.title());
  const other = document.getElementById("language");
  say(other, chosen.language === "en" ? "中文" : "English");
  other.lang = chosen.language === "en" ? "zh-CN" : "en";
  const type = document.getElementById("type");
  say(type, t("大字", "Large type"));
  type.setAttribute("aria-pressed", `${chosen.isLarge}`);
  say(document.getElementById("skip"), t("跳到正文", "Skip to content"));
  const out = document.getElementById("sign-out");
  say(out, t("退出", "Sign out"));
  out.hidden = who === null;
  say(document.getElementById("who"), who?.name ?? "");
}

function showLink(link) {
  const box = document.getElementById("link");
  const isAway = !navigator.onLine || link === "lost";
  box.hidden = !isAway;
  document.body.dataset.link = isAway ? "lost" : link;
  if (isAway) say(box, t("连接已断开，正在重连；看到的是断开前的情况。", "Connection lost, trying again. What you see is from before."));
}

document.getElementById("language").addEventListener("click", () => speak(chosen.language === "en" ? "zh" : "en"));
document.getElementById("type").addEventListener("click", () => {
  writeLarge(!chosen.isLarge);
  document.getElementById("type").setAttribute("aria-pressed", `${chosen.isLarge}`);
});
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
document.getElementById("sign-out").addEventListener("click", async () => {
  const question = t("退出后，您开着的窗口仍然开着。确定退出吗？", "A counter you have open stays open. Sign out?");
  if (!(await sure(question, t("退出", "Sign out"), t("留下", "Stay")))) return;
  await api.signOut();
  forget("me");
  location.hash = "#/";
  show();
});
