// One key for each action. They can be switched off: single letters may be in the way of who speaks
// to the computer or uses other aids (WCAG 2.1.4).

import { t } from "../app/language.js";
import { make } from "../app/parts.js";

const KEPT = "yiting-keys";

export class Keys {
  #actions = new Map();
  #on = kept() !== "off";

  constructor(signal) {
    document.addEventListener("keydown", (event) => this.#press(event), { signal });
  }

  set(actions) {
    this.#actions = new Map(actions.map(({ key, run }) => [`Key${key}`, run]));
  }

  /** The button that switches them off and on. */
  toggle() {
    const one = make("button", { type: "button", className: "small", "aria-pressed": `${this.#on}` }, t("快捷键", "Keys"));
    one.addEventListener("click", () => {
      this.#on = !this.#on;
      one.setAttribute("aria-pressed", `${this.#on}`);
      document.body.dataset.keys = this.#on ? "on" : "off";
      keep(this.#on ? "on" : "off");
    });
    document.body.dataset.keys = this.#on ? "on" : "off";
    return one;
  }

  #press(event) {
    if (!this.#on || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
    // The place of the key counts, not what an input method makes of it.
    const run = this.#actions.get(event.code);
    if (!run || event.target.closest?.("input, select, textarea, dialog") || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    run();
  }
}

function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

function keep(value) {
  try {
    localStorage.setItem(KEPT, value);
  } catch {
    // A browser that keeps nothing asks anew.
  }
}
