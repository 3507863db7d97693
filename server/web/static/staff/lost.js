import { t } from "../app/language.js";
import { go, make, put } from "../app/parts.js";

export async function show(root) {
  put(root, make("h1", {}, t("没有这个页面", "No such page")), go(t("回到开始", "Back to the start"), "#/"));
  return t("没有这个页面", "No such page");
}
