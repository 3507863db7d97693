// Which hall, where she works in several.

import { t, named } from "../app/language.js";
import { make, put, showList, empty } from "../app/parts.js";
import { myHalls } from "./room.js";

/** Let her choose, or go straight on where she has one hall only. */
export async function show(root) {
  const halls = await myHalls();
  const title = t("选择大厅", "Choose a hall");
  if (halls.length === 1) {
    location.replace(`#/${halls[0].code}`);
    return title;
  }
  const list = make("ul", { className: "tiles" });
  const seek = make("input", { type: "search", "aria-label": t("按名称查找", "Find by name"), placeholder: t("按名称查找", "Find by name") });
  const nothing = empty(t("没有找到。", "Nothing found."));
  const draw = () => {
    const words = seek.value.trim().toLowerCase();
    const found = halls.filter((one) => `${one.code} ${one.name} ${one.name_en}`.toLowerCase().includes(words));
    nothing.hidden = found.length > 0;
    showList(list, found, (one) => one.code, (one) => make("li", {}, make("a", { href: `#/${one.code}` }, make("strong", {}, named(one)), make("span", { className: "quiet" }, one.code))), () => null);
  };
  seek.addEventListener("input", draw);
  draw();
  put(root, make("h1", {}, title), halls.length > 8 ? seek : null, nothing, list);
  return title;
}
