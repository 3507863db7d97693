// How she found a service that she had: said once, and what the hall answered.

import { t } from "../app/language.js";
import { button, card, drafted, make, onceKey, put, toast } from "../app/parts.js";
import { moment } from "../app/said.js";
import { api, clock } from "./rooms.js";

const STARS = [
  () => t("很不满意", "Very bad"),
  () => t("不满意", "Bad"),
  () => t("一般", "Fair"),
  () => t("满意", "Good"),
  () => t("非常满意", "Very good"),
];
// They are kept as they are said in Chinese, whatever the page speaks.
const GOOD = [["态度好", "Friendly"], ["办得快", "Quick"], ["讲得清楚", "Well explained"], ["环境好", "Pleasant place"]];
const BAD = [["等得太久", "Long wait"], ["态度不好", "Unfriendly"], ["讲不清楚", "Badly explained"], ["材料要求不一", "Papers asked for changed"], ["没办成", "Not done"]];
const MOST_WORDS = 500;

/** Her rating of a ticket or case that is over: what she said, or where she says it. */
export async function ratingOf(ticket, signal, subject = "ticket") {
  const box = make("div", {});
  const given = await find(subject, ticket.id, signal);
  put(box, given ? said(given) : asked(subject, ticket, (rating) => put(box, said(rating))));
  return box;
}

async function find(subject, id, signal) {
  const { data } = await api.get("/ratings", { limit: 100 }, signal);
  return data.find((one) => one.subject === subject && one.subject_id === id) ?? null;
}

const words = (stars) => STARS[stars - 1]?.() ?? "";

/** A rating as it was given, and the hall's answer. */
export function said(rating) {
  return card(t("您的评价", "Your rating"),
    make("p", {}, make("span", { className: "stars", "aria-hidden": "true" }, "★".repeat(rating.stars) + "☆".repeat(5 - rating.stars)), " ", words(rating.stars)),
    rating.tags.length ? make("p", { className: "quiet" }, rating.tags.map(tagNamed).join(t("、", ", "))) : null,
    rating.comment ? make("p", { className: "words" }, rating.comment) : null,
    rating.answer
      ? make("div", { className: "note" }, make("strong", {}, rating.hall ? t("大厅回复", "The hall answers") : t("部门回复", "The department answers")), make("p", { className: "words" }, rating.answer))
      : rating.answer_by ? make("p", { className: "quiet" }, t(`${moment(rating.answer_by, clock.now())} 前会回复您。`, `You get an answer by ${moment(rating.answer_by, clock.now())}.`)) : null,
  );
}

const tagNamed = (tag) => {
  const known = [...GOOD, ...BAD].find(([zh]) => zh === tag);
  return known ? t(...known) : tag;
};

function asked(subject, ticket, done) {
  const once = onceKey();
  const chosen = new Set();
  let stars = 0;
  const tags = make("fieldset", { className: "tags" });
  const { area: comment, sent } = drafted(make("textarea", { id: "comment", rows: "3", maxlength: `${MOST_WORDS}` }), `rating ${ticket.id}`);
  const send = button(t("提交评价", "Send"), async () => {
    if (stars === 0) return toast(t("请先选几颗星。", "Choose the stars first."), "note");
    const body = { subject, id: ticket.id, stars, tags: [...chosen], comment: comment.value.trim() };
    try {
      done(await api.ask("POST", "/ratings", { body, once }));
      sent();
      toast(t("谢谢您的评价。", "Thank you."));
    } catch (problem) {
      // Another tab, or another of her phones, was first.
      const given = problem.code === "already_rated" ? await find(subject, ticket.id) : null;
      if (!given) throw problem;
      done(given);
    }
  });
  const offer = () => {
    chosen.clear();
    put(tags, make("legend", { className: "sr" }, t("说得具体些", "What about it")), ...(stars === 0 ? [] : stars <= 2 ? BAD : GOOD).map(([zh, en]) => {
      const input = make("input", { type: "checkbox" });
      input.addEventListener("change", () => (input.checked ? chosen.add(zh) : chosen.delete(zh)));
      return make("label", {}, input, make("span", {}, t(zh, en)));
    }));
  };
  const row = make("fieldset", { className: "rate" }, make("legend", { className: "sr" }, t("几颗星", "How many stars")));
  const told = make("p", { className: "quiet", "aria-live": "polite" });
  STARS.forEach((name, at) => {
    const input = make("input", { type: "radio", name: "stars", value: `${at + 1}`, "aria-label": `${at + 1}: ${name()}` });
    input.addEventListener("change", () => {
      stars = at + 1;
      told.textContent = name();
      [...row.querySelectorAll("span")].forEach((star, which) => (star.textContent = which < stars ? "★" : "☆"));
      offer();
    });
    row.append(make("label", {}, input, make("span", { "aria-hidden": "true" }, "☆")));
  });
  return card(t("这次办得怎么样？", "How was it?"), row, told, tags,
    make("label", { for: "comment" }, t("还想说的（可不填）", "Anything else (if you like)")), comment, send);
}
