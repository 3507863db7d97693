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

/** Ask for any of `options`: digits tick them, Enter is done; null when she thinks better of it. */
export function pickSome(question, options, done) {
  return new Promise((resolve) => {
    const ticks = options.map(({ words }, at) => {
      const input = make("input", { type: "checkbox" });
      return { input, label: make("label", { className: "option" }, at < 9 ? make("kbd", { "aria-hidden": "true" }, `${at + 1}`) : null, input, make("span", {}, words)) };
    });
    const { end } = sheet(question, resolve, [make("div", { className: "options" }, ...ticks.map(({ label }) => label))], (event) => {
      const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code);
      const one = digit && ticks[digit[1] - 1];
      if (one) one.input.checked = !one.input.checked;
      else if (event.code === "Enter" && event.target.tagName !== "BUTTON") take();
      else return false;
      return true;
    }, [done, () => take()]);
    const take = () => end(options.filter((_, at) => ticks[at].input.checked).map(({ value }) => value));
  });
}

const MOST_FOUND = 8;

/** Ask for one of many by some of its words; Enter takes the first. */
export function seek(question, options) {
  return new Promise((resolve) => {
    const search = make("input", { type: "search", "aria-label": question, autocomplete: "off" });
    const list = make("div", { className: "options" });
    const draw = () => {
      const words = search.value.trim().toLowerCase();
      const found = options.filter(({ words: name, also = "" }) => `${name} ${also}`.toLowerCase().includes(words)).slice(0, MOST_FOUND);
      list.replaceChildren(...found.map(({ value, words: name }) => {
        const one = make("button", { type: "button", className: "option" }, make("span", {}, name));
        one.addEventListener("click", () => end(value));
        return one;
      }));
      if (found.length === 0) list.append(make("p", {}, t("没有找到。", "Nothing found.")));
    };
    const { dialog, end } = sheet(question, resolve, [search, list], (event) => {
      if (event.code === "Enter" && event.target === search) list.querySelector("button")?.click();
      else if (event.code === "ArrowDown" || event.code === "ArrowUp") step(dialog, event.code === "ArrowDown" ? 1 : -1);
      else return false;
      return true;
    });
    search.addEventListener("input", draw);
    draw();
    search.focus();
  });
}

/** A question as a dialog; `onKey` says whether it took a key, `done` are words and work. */
function sheet(question, resolve, parts, onKey, done = null) {
  const dialog = make("dialog", { className: "sheet pick", "aria-label": question }, make("h2", {}, question), ...parts);
  // At once, as in `pick`.
  const end = (value) => {
    dialog.close();
    dialog.remove();
    resolve(value);
  };
  const back = make("button", { type: "button", className: "button plain" }, t("返回（Esc）", "Back (Esc)"));
  back.addEventListener("click", () => end(null));
  const go = done && make("button", { type: "button", className: "button" }, done[0]);
  go?.addEventListener("click", done[1]);
  dialog.append(make("div", { className: "choices" }, ...[go, back].filter(Boolean)));
  document.body.append(dialog);
  dialog.addEventListener("keydown", (event) => onKey(event) && event.preventDefault());
  dialog.addEventListener("close", () => end(null));
  dialog.showModal();
  return { dialog, end };
}

function step(dialog, by) {
  const all = [...dialog.querySelectorAll("button")];
  all.at((all.indexOf(document.activeElement) + by) % all.length).focus();
}
