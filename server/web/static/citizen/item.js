// One service: what it is, what to bring, what it costs, and where it is served soonest.

import { t, named } from "../app/language.js";
import { card, facts, go, make, put } from "../app/parts.js";
import { money } from "../app/said.js";
import { api } from "./rooms.js";

const LEVELS = [
  () => null,
  () => t("需要验证手机号", "Your phone number must be confirmed"),
  () => t("需要实名", "Your real name must be confirmed"),
  () => t("需要实名并刷脸", "Your real name and face must be confirmed"),
];
const KINDS = { original: () => t("原件", "original"), copy: () => t("复印件", "copy"), electronic: () => t("电子件", "electronic") };

export async function show(root, { parts: [code], query, signal }) {
  const item = await api.read(`/items/${encodeURIComponent(code)}`, {}, signal);
  const hall = query.get("hall");
  put(
    root,
    make("h1", {}, named(item)),
    make("p", {}, named(item, "guide")),
    make("div", { className: "choices" },
      go(t("去哪里办最快", "Where am I served soonest"), `#/?item=${item.code}`),
      hall ? go(t("回到这个大厅", "Back to this hall"), `#/halls/${hall}?item=${item.code}`, "plain") : null,
    ),
    facts(
      [t("办理部门", "Department"), named(item, "department_name")],
      [t("费用", "Fee"), item.fee_fen ? money(item.fee_fen) + (item.pay_first ? t("，叫号前缴", ", to be paid before you are called") : "") : t("不收费", "Free")],
      [t("大约办理", "Takes about"), t(`${item.minutes} 分钟`, `${item.minutes} min`)],
      [t("身份要求", "Identity"), LEVELS[item.level_required]?.()],
      [t("事项编码", "Code"), item.official_code],
    ),
    materials(item.materials),
  );
  return named(item);
}

/** What to bring, told once and whole (一次性告知). */
export function materials(list) {
  return card(t("要带的材料", "What to bring"), list.length === 0
    ? make("p", {}, t("不需要材料。", "Nothing."))
    : make("ul", { className: "checks" }, ...list.map((one) => make("li", {},
        make("strong", {}, named(one)),
        make("span", { className: "quiet" }, [KINDS[one.kind]?.(), one.copies > 1 ? `× ${one.copies}` : null, one.required ? null : t("如有请带", "if you have it"), ...[named(one, one.notes ? "notes" : "note")].flat()].filter(Boolean).join(" · ")),
      ))));
}
