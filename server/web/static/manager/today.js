// Today against the usual day, and any day again: a slider goes through its quarter hours.

import { t, named } from "../app/language.js";
import { empty, make, put } from "../app/parts.js";
import { date, lasting, people, time } from "../app/said.js";
import { api, clock, lines } from "../staff/room.js";
import { lineChart } from "./charts.js";
import { panel } from "./panel.js";

export function today(hall) {
  const made = panel(t("今天与往常", "Today against usual"), "today", { wide: true });
  const which = make("input", { type: "date", "aria-label": t("哪一天", "Which day"), max: date(clock.now()), value: date(clock.now()) });
  const body = make("div", {});
  const at = { step: null };
  const read = async () => {
    const [day, names] = await Promise.all([
      api.get(`/halls/${hall.code}/report/day`, { day: which.value }, hall.signal),
      lines(hall.code),
    ]);
    draw(body, day, names, at);
  };
  which.addEventListener("change", () => {
    at.step = null;
    read().catch((problem) => problem.name === "AbortError" || put(body, make("p", { className: "bad" }, problem.detail)));
  });
  return Object.assign(made, {
    again: true,
    async look() {
      if (made.body.contains(document.activeElement)) return; // she is looking at something
      put(made.body, make("div", { className: "asked" }, which), body);
      await read();
    },
  });
}

function draw(box, day, names, at) {
  const { data, usual } = day;
  if (data.length === 0 && usual.length === 0) return put(box, empty(t("这一天没有人来。", "Nobody came on that day.")));
  const points = (list, name) => list.map((one) => [Date.parse(one.at), one[name]]);
  const marks = (usual.length > data.length ? usual : data).map((one) => ({ at: Date.parse(one.at), words: time(one.at) })).filter((_, nth) => nth % 4 === 3);
  const whole = (list, name) => Math.round(list.reduce((sum, one) => sum + one[name], 0));
  const until = data.length ? usual.filter((one) => one.at <= data.at(-1).at) : usual;
  const figures = make("dl", { className: "figures" }, ...[
    [t("取号", "Numbers"), whole(data, "issued"), whole(until, "issued")],
    [t("办结", "Served"), whole(data, "served"), whole(until, "served")],
    [t("过号", "Missed"), whole(data, "missed"), null],
  ].map(([what, here, before]) => make("div", {}, make("dt", {}, what, before === null || usual.length === 0 ? "" : t(`（往常同时 ${before}）`, ` (usually ${before} by then)`)), make("dd", {}, `${here}`))));
  const chart = make("div", {});
  const then = make("div", { className: "then" });
  const slider = make("input", { type: "range", min: "0", max: `${Math.max(0, data.length - 1)}`, "aria-label": t("回放时刻", "Moment of the day") });
  const step = () => {
    const nth = Math.min(data.length - 1, at.step ?? data.length - 1);
    slider.value = `${nth}`;
    const moment = data[nth];
    const said = t(`等候人数：今天最多 ${Math.max(0, ...data.map(({ waiting }) => waiting))} 人`, `People waiting: ${Math.max(0, ...data.map(({ waiting }) => waiting))} at most`);
    put(chart, lineChart({ series: [{ kind: "usual", points: points(usual, "waiting") }, { kind: "now", points: points(data, "waiting") }].filter((one) => one.points.length), marks, said, width: box.clientWidth || 900, cursor: moment && at.step !== null ? Date.parse(moment.at) : null }));
    if (!moment) return;
    slider.setAttribute("aria-valuetext", time(moment.at));
    put(then,
      make("p", {}, make("strong", {}, time(moment.at)), " ", [people(moment.waiting) + t("等候", " waiting"), moment.wait_s === null ? null : t(`被叫的人等了 ${lasting(moment.wait_s)}`, `those called had waited ${lasting(moment.wait_s)}`), t(`${moment.counters} 个窗口在办理`, `${moment.counters} counters at work`), t(`办结 ${moment.served}`, `${moment.served} served`)].filter(Boolean).join(" · ")),
      make("ul", { className: "lines-then" }, ...moment.lines.map(({ line, waiting }) => make("li", {}, `${line} ${named(names.find(({ code }) => code === line) ?? { name: "" })} `, make("strong", {}, `${waiting}`)))));
  };
  slider.addEventListener("input", () => {
    at.step = Number(slider.value);
    step();
  });
  put(box, figures,
    make("ul", { className: "legend" }, make("li", { className: "is-now" }, t("这一天", "this day")), usual.length ? make("li", { className: "is-usual" }, t(`往常（前 ${day.usual_days.length} 个同样的星期几）`, `usual (${day.usual_days.length} weeks, the same weekday)`)) : null),
    chart, data.length ? make("label", { className: "replay" }, make("span", {}, t("回放", "Replay")), slider) : null, then);
  step();
  if (usual.length === 0) box.append(make("p", { className: "quiet" }, t("前四周的同一天没有记录，还说不出往常。", "Nothing is recorded of that weekday in four weeks: what is usual is not known.")));
}
