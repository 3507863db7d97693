import { t } from "../app/language.js";
import { empty, go, make, put } from "../app/parts.js";

/** An address that leads nowhere. */
export async function show(root) {
  put(
    root,
    make("h1", {}, t("没有这个页面", "No such page")),
    empty(t("链接可能已失效。", "The link may be old."), go(t("看看附近的大厅", "See the halls"), "#/")),
  );
  return t("没有这个页面", "No such page");
}
