// For whom she may act, and who may act for her.

import { t } from "../app/language.js";
import { button, card, make, onceKey, put, sure, toast } from "../app/parts.js";
import { api } from "./rooms.js";

const RELATIONS = {
  child: () => t("子女", "Child"), parent: () => t("父母", "Parent"), spouse: () => t("配偶", "Spouse"), other: () => t("其他", "Somebody else"), company: () => t("单位", "Company"),
};
const STATES = { asked: () => t("等对方同意", "Waiting for consent"), active: () => t("可代办", "In force") };
const ID_TYPES = [
  ["resident_id", () => t("居民身份证", "Resident identity card")], ["hmt_residence_permit", () => t("港澳台居民居住证", "Residence permit (HK, Macao, Taiwan)")],
  ["hm_travel_permit", () => t("港澳居民来往内地通行证", "Mainland travel permit (HK, Macao)")], ["tw_travel_permit", () => t("台湾居民来往大陆通行证", "Mainland travel permit (Taiwan)")],
  ["foreigner_permanent", () => t("外国人永久居留证", "Foreigner's permanent residence card")], ["passport", () => t("护照", "Passport")],
];

/** Those of the family whom she may act for now. */
export const actingFor = (family) => family.filter((one) => one.side === "acting" && one.state === "active");

export const nameOf = (one) => one.name ?? t("已注销", "gone");

export async function show(root, { signal }) {
  const draw = async () => {
    const { data } = await api.get("/me/family", {}, signal);
    put(
      root,
      make("h1", {}, t("家人和单位", "Family and companies")),
      make("p", { className: "quiet" }, t("替他们取号、预约。成年人要用手机验证码同意。", "Take numbers and book for them. An adult agrees by a code sent to the phone.")),
      list(t("我替谁办", "I act for"), data.filter((one) => one.side === "acting" && one.state !== "ended"), draw, t("还没有。", "Nobody yet.")),
      list(t("谁替我办", "Who acts for me"), data.filter((one) => one.side === "spoken_for" && one.state !== "ended"), draw, null),
      adding(draw), addingCompany(draw),
    );
  };
  await draw();
  return t("家人和单位", "Family and companies");
}

function list(title, people, draw, none) {
  if (people.length === 0) return none ? card(title, make("p", { className: "quiet" }, none)) : null;
  return card(title, make("ul", { className: "rows" }, ...people.map((one) => make("li", {},
    make("span", {}, make("strong", {}, nameOf(one)), make("span", { className: "quiet" }, [RELATIONS[one.relation]?.(), one.number, STATES[one.state]?.()].filter(Boolean).join(" · "))),
    one.side === "acting" && one.state === "asked" ? consenting(one, draw) : null,
    button(t("解除", "End"), async () => {
      if (!(await sure(t(`不再代办：${nameOf(one)}？`, `End acting: ${nameOf(one)}?`), t("解除", "End it")))) return;
      await api.ask("DELETE", `/me/family/${one.id}`);
      await draw();
    }, { kind: "plain small", label: t(`解除 ${nameOf(one)}`, `End ${nameOf(one)}`) }),
  ))));
}

function consenting(one, draw) {
  const id = `code-${one.id}`;
  const code = make("input", { type: "text", id, inputmode: "numeric", autocomplete: "one-time-code", maxlength: "6" });
  return make("div", { className: "field" }, make("label", { for: id }, t("对方收到的 6 位验证码", "The six digits sent to them")), code,
    button(t("确认", "Confirm"), async () => {
      await api.ask("POST", `/me/family/${one.id}/consent`, { body: { code: code.value.trim() } });
      toast(t("已同意。", "Agreed."));
      await draw();
    }, { kind: "plain" }));
}

const field = (id, words, input) => make("div", { className: "field" }, make("label", { for: id }, words), input);
const text = (id, most) => make("input", { type: "text", id, maxlength: `${most}`, autocomplete: "off" });
const chooseFrom = (id, options) => make("select", { id }, ...options.map(([value, words]) => make("option", { value }, words())));

function adding(draw) {
  let once = onceKey();
  const relation = chooseFrom("relation", Object.entries(RELATIONS).filter(([value]) => value !== "company"));
  const name = text("their-name", 60);
  const kind = chooseFrom("their-id-type", ID_TYPES);
  const number = text("their-id", 40);
  const add = button(t("添加", "Add"), async () => {
    const body = { relation: relation.value, name: name.value.trim(), id_type: kind.value, id_number: number.value.trim() };
    try {
      const made = await api.ask("POST", "/me/family", { body, once });
      toast(made.state === "asked" ? t("已发验证码给对方。", "A code was sent to them.") : t("已添加。", "Added."));
    } finally {
      once = onceKey();
    }
    await draw();
  });
  return make("details", { className: "card" }, make("summary", {}, t("添加家人", "Add a family member")),
    field("relation", t("是我的", "Is my"), relation), field("their-name", t("姓名", "Name"), name),
    field("their-id-type", t("证件", "Document"), kind), field("their-id", t("证件号", "Its number"), number), add);
}

function addingCompany(draw) {
  let once = onceKey();
  const name = text("company", 100);
  const code = text("uscc", 40);
  const add = button(t("添加", "Add"), async () => {
    try {
      await api.ask("POST", "/me/companies", { body: { name: name.value.trim(), uscc: code.value.trim() }, once });
      toast(t("已添加。", "Added."));
    } finally {
      once = onceKey();
    }
    await draw();
  });
  return make("details", { className: "card" }, make("summary", {}, t("添加单位", "Add a company")),
    field("company", t("单位名称", "Its name"), name), field("uscc", t("统一社会信用代码", "Unified social credit code"), code), add);
}
