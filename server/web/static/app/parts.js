// What every page is put together from. Text goes in as text, never as markup.

import { make } from "../dom.js";
import { t } from "./language.js";

export { make, put, say, showList } from "../dom.js";

/** A button; it takes no second press while its work is on, and shows what went wrong beside it. */
export function button(words, work, { kind = "", label } = {}) {
  const one = make("button", { type: "button", className: `button ${kind}`.trim() }, words);
  if (label) one.setAttribute("aria-label", label);
  one.addEventListener("click", () => during(one, work));
  return one;
}

/** Do a button's work once at a time. */
export async function during(one, work) {
  if (one.getAttribute("aria-busy") === "true") return;
  one.setAttribute("aria-busy", "true");
  try {
    await work();
  } catch (problem) {
    if (problem.name !== "AbortError") complain(problem);
  } finally {
    one.removeAttribute("aria-busy");
  }
}

/** A link that looks like a button. */
export const go = (words, address, kind = "") => make("a", { href: address, className: `button ${kind}`.trim() }, words);

/** Say something for a while, also to screen readers. */
export function toast(words, kind = "good") {
  const shelf = document.getElementById("toasts");
  const one = make("p", { className: `toast ${kind}` }, words);
  shelf.append(one);
  setTimeout(() => one.remove(), kind === "bad" ? 8_000 : 4_000);
}

export function complain(problem) {
  toast(problem.detail || t("没有办成，请再试一次。", "That did not work. Please try again."), "bad");
}

/** A box with a heading. */
export const card = (title, ...children) =>
  make("section", { className: "card" }, title ? make("h2", {}, title) : null, ...children);

/** Rows of what and how much; those without a value are left out. */
export function facts(...pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return make("dl", { className: "facts" }, ...known.flatMap(([what, value]) => [make("div", {}, make("dt", {}, what), make("dd", {}, value))]));
}

export const empty = (words, ...more) => make("div", { className: "nothing" }, make("p", {}, words), ...more);

export const loading = () =>
  make("div", { className: "loading", role: "status" }, make("span", { className: "sr" }, t("正在读取…", "Loading…")), make("i"), make("i"), make("i"));

/** What is shown where a view could not be had; `again` tries once more. */
export function failed(problem, again) {
  return make(
    "div",
    { className: "nothing", role: "alert" },
    make("p", {}, problem.detail || t("暂时看不到这里的内容。", "This cannot be shown now.")),
    again ? button(t("再试一次", "Try again"), again) : null,
  );
}

/** Ask before something is given up, or settled (`kind` is of the button): whether she said yes. */
export function sure(question, yes, no = t("不，保留", "No, keep it"), kind = "danger") {
  return new Promise((resolve) => {
    const dialog = make(
      "dialog",
      { className: "sheet" },
      make("form", { method: "dialog" },
        make("p", {}, question),
        make("div", { className: "choices" },
          make("button", { className: `button ${kind}`.trim(), value: "yes" }, yes),
          make("button", { className: "button plain", value: "no" }, no),
        ),
      ),
    );
    document.body.append(dialog);
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes");
      dialog.remove();
    });
    dialog.showModal();
  });
}

/** Words that take a while to write stay with this tab until they are sent, whatever befalls the page. */
export function drafted(area, name) {
  const key = `yiting draft ${name}`;
  try {
    area.value = sessionStorage.getItem(key) ?? "";
    area.addEventListener("input", () => sessionStorage.setItem(key, area.value));
  } catch {
    // A browser that keeps nothing loses them with the page.
  }
  return { area, sent: () => forgetDrafts(key) };
}

/** Forget what was begun: one of them, or all, as when she signs out. */
export function forgetDrafts(only = "yiting draft ") {
  try {
    for (const key of Object.keys(sessionStorage)) if (key.startsWith(only)) sessionStorage.removeItem(key);
  } catch {
    // Nothing was kept.
  }
}

/** One of several, as radio buttons in a row. */
export function choice(legend, name, options, chosen, onChoose) {
  const set = make("fieldset", { className: "segments" }, make("legend", { className: "sr" }, legend));
  for (const [value, words] of options) {
    const input = make("input", { type: "radio", name, value });
    input.checked = value === chosen;
    input.addEventListener("change", () => onChoose(value));
    set.append(make("label", {}, input, make("span", {}, words)));
  }
  return set;
}

/** A key for one intention: pressing twice does it once. */
export const onceKey = () => crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`;
