// What can be done: by words and by theme.

import { t, named } from "../app/language.js";
import { empty, make, put, say } from "../app/parts.js";
import { items } from "./rooms.js";

export async function show(root, { query }) {
  const all = await items();
  const search = make("input", { type: "search", "aria-label": t("找事项", "Find a service"), placeholder: t("身份证、社保、公积金……", "Identity card, social insurance…"), autocomplete: "off", value: query.get("q") ?? "" });
  const count = make("p", { className: "quiet", role: "status" });
  const list = make("div", {});
  const draw = () => {
    const words = search.value.trim().toLowerCase();
    const found = all.filter((item) => `${item.name} ${item.name_en} ${item.theme_name} ${item.theme_name_en} ${item.department_name} ${item.department_name_en}`.toLowerCase().includes(words));
    say(count, t(`${found.length} 个事项`, `${found.length} services`));
    list.replaceChildren(...themes(found));
    if (found.length === 0) list.replaceChildren(empty(t("没有找到，换个说法试试。", "Nothing found; try other words.")));
  };
  search.addEventListener("input", draw);
  put(root, make("h1", {}, t("办什么事", "Services")), search, count, list);
  draw();
  return t("办什么事", "Services");
}

function themes(found) {
  const byTheme = Map.groupBy ? Map.groupBy(found, (item) => item.theme) : grouped(found);
  return [...byTheme.values()].map((group) => make("section", { className: "card" },
    make("h2", {}, named(group[0], "theme_name")),
    make("ul", { className: "links" }, ...group.map((item) => make("li", {}, make("a", { href: `#/items/${item.code}` },
      make("strong", {}, named(item)),
      make("span", {}, [named(item, "department_name"), item.fee_fen ? t("收费", "fee") : t("不收费", "free"), item.bookable ? t("可预约", "bookable") : null].filter(Boolean).join(" · ")),
    )))),
  ));
}

function grouped(found) {
  const groups = new Map();
  for (const item of found) groups.set(item.theme, [...(groups.get(item.theme) ?? []), item]);
  return groups;
}
