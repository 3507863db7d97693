// How people found the hall, and who waits for an answer.

import { t } from "../app/language.js";
import { button, make, put } from "../app/parts.js";
import { moment } from "../app/said.js";
import { api, clock } from "../staff/room.js";
import { panel } from "./panel.js";

export function ratings(hall) {
  const made = panel(t("好差评", "Ratings"), "ratings", { note: t("最近 7 天；一、二星须在限期内答复。", "The last 7 days; one or two stars are to be answered in time.") });
  const look = async () => {
    if (made.body.contains(document.activeElement) && document.activeElement.matches("input")) return; // she is writing
    const [figures, open] = await Promise.all([
      api.get(`/halls/${hall.code}/ratings`, {}, hall.signal),
      api.get(`/halls/${hall.code}/ratings/unanswered`, { limit: 5 }, hall.signal),
    ]);
    const most = Math.max(1, ...figures.by_stars);
    put(made.body,
      make("p", { className: "answer" }, figures.count === 0 ? t("这些天没有评价。", "Nobody rated on these days.") : t(`${figures.count} 人评价，平均 ${figures.mean} 星`, `${figures.count} ratings, ${figures.mean} stars on average`)),
      figures.count === 0 ? null : make("ul", { className: "stars" }, ...[5, 4, 3, 2, 1].map((stars) => star(stars, figures.by_stars[stars - 1], most))),
      open.data.length === 0 ? null : make("ul", { className: "alarms" }, ...open.data.map((one) => unanswered(hall, one, look))));
  };
  return Object.assign(made, { again: true, look });
}

function star(stars, many, most) {
  const words = t(`${stars} 星`, stars === 1 ? "1 star" : `${stars} stars`);
  return make("li", {}, make("span", {}, words), make("meter", { min: "0", max: `${most}`, value: `${many}`, "aria-label": words }), make("span", {}, `${many}`));
}

function unanswered(hall, one, look) {
  const words = make("input", { type: "text", maxlength: "500", "aria-label": t(`答复 ${one.number ?? ""}`, `Answer ${one.number ?? ""}`), placeholder: t("写明如何处理", "What was done about it") });
  return make("li", {},
    make("strong", {}, [t(`${one.stars} 星`, `${one.stars} ★`), one.number, ...one.tags].filter(Boolean).join(" · ")),
    make("span", {}, [one.comment, one.answer_by ? t(`${moment(one.answer_by, clock.now())} 前答复`, `answer by ${moment(one.answer_by, clock.now())}`) : null].filter(Boolean).join(" · ")),
    words,
    button(t("答复", "Answer"), async () => {
      if (!words.value.trim()) return words.focus();
      await api.ask("POST", `/halls/${hall.code}/ratings/${one.id}/answer`, { body: { text: words.value.trim() } });
      await look();
    }, { kind: "plain" }));
}
