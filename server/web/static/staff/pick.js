// One of several, chosen by its digit, by the arrows, or by a press.

import { t } from "../app/language.js";
import { make } from "../app/parts.js";

/** Ask for one of `options`, each {value, words, note?}; null when she thinks better of it. */
export function pick(question, options) {
  return new Promise((resolve) => {
    const dialog = make("dialog", { className: "sheet pick", "aria-label": question }, make("h2", {}, question));
    const list = make("div", { className: "options" });
    options.forEach(({ value, words, note }, at) => {
      const key = at < 9 ? `${at + 1}` : "";
      const one = make("button", { type: "button", className: "option" },
        key ? make("kbd", { "aria-hidden": "true" }, key) : null,
        make("span", {}, words, note ? make("small", {}, note) : null));
      one.addEventListener("click", () => end(value));
      list.append(one);
    });
    if (options.length === 0) list.append(make("p", {}, t("没有可选的。", "There is nothing to choose.")));
    const back = make("button", { type: "button", className: "button plain" }, t("返回（Esc）", "Back (Esc)"));
    back.addEventListener("click", () => end(null));
    dialog.append(list, back);
    document.body.append(dialog);
    // At once, not at the "close" event that comes later: a digit typed right after belongs to the
    // next question.
    const end = (value) => {
      dialog.close();
      dialog.remove();
      resolve(value);
    };
    dialog.addEventListener("keydown", (event) => {
      const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code);
      if (digit && options[digit[1] - 1]) end(options[digit[1] - 1].value);
      else if (event.code === "ArrowDown" || event.code === "ArrowUp") step(dialog, event.code === "ArrowDown" ? 1 : -1);
      else return;
      event.preventDefault();
    });
    dialog.addEventListener("close", () => end(null));
    dialog.showModal();
  });
}

function step(dialog, by) {
  const all = [...dialog.querySelectorAll("button")];
  all.at((all.indexOf(document.activeElement) + by) % all.length).focus();
}
