// A panel: a heading, what it shows, and tables beneath charts.

import { make } from "../app/parts.js";

/** An empty panel; `wide` ones take the whole row. */
export function panel(title, name, { note, wide = false } = {}) {
  const body = make("div", { className: "body" });
  const box = make("section", { className: `card panel ${name}${wide ? " whole-row" : ""}`, "aria-label": title },
    make("h2", {}, title), note ? make("p", { className: "quiet" }, note) : null, body);
  return { box, body };
}

/** A table that scrolls within its panel where it is too wide. */
export function table(words, heads, rows) {
  return make("div", { className: "scroll", tabindex: "0", role: "group", "aria-label": words },
    make("table", {}, make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))),
      make("tbody", {}, ...rows.map(([first, ...rest]) => make("tr", {}, make("th", { scope: "row" }, first), ...rest.map((cell) => make("td", {}, cell ?? "—")))))));
}
