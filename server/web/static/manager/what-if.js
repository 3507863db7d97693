// What people would wait with a counter more or less.

import { t, named } from "../app/language.js";
import { empty, make, put } from "../app/parts.js";
import { about, time } from "../app/said.js";
import { api, lines } from "../staff/room.js";
import { lineChart } from "./charts.js";
import { panel } from "./panel.js";

const CHANGES = ["-2", "-1", "+1", "+2", "+3"];

export function whatIf(hall) {
  const made = panel(t("增减窗口会怎样", "What if"), "what-if");
  const asked = { line: null, open: "+1" };
  const which = make("select", { "aria-label": t("队列", "Line") });
  const change = make("select", { "aria-label": t("增减几个窗口", "How many counters more or less") });
  const result = make("div", { className: "result", "aria-live": "polite" });
  for (const many of CHANGES) change.append(make("option", { value: many }, t(`${many} 个窗口`, `${many} ${Math.abs(many) === 1 ? "counter" : "counters"}`)));
  change.value = asked.open;
  const ask = async () => {
    const said = await api.get(`/halls/${hall.code}/what-if`, asked, hall.signal);
    const line = said.data.find(({ line: code }) => code === asked.line);
    draw(result, said, line);
  };
  const again = () => ask().catch((problem) => problem.name === "AbortError" || put(result, make("p", { className: "bad" }, problem.detail)));
  which.addEventListener("change", () => {
    asked.line = which.value;
    again();
  });
  change.addEventListener("change", () => {
    asked.open = change.value;
    again();
  });
  return Object.assign(made, {
    async look() {
      const all = await lines(hall.code);
      asked.line ??= all[0]?.code ?? null;
      which.replaceChildren(...all.map((line) => make("option", { value: line.code }, `${line.code} ${named(line)}`)));
      if (asked.line === null) return put(made.body, empty(t("没有队列。", "No lines.")));
      put(made.body, make("div", { className: "asked" }, which, change), result);
      await again();
    },
  });
}

function draw(box, said, line) {
  const known = line?.data.filter(({ as_is: now, then }) => now || then) ?? [];
  if (known.length === 0) return put(box, empty(t("这个队列的等候现在不能估计。", "The wait in this line is not known now.")));
  const minutes = (seconds) => seconds / 60;
  const series = ["as_is", "then"].map((name) => ({
    kind: name === "then" ? "then" : "now",
    points: known.map((one) => [Date.parse(one.at), one[name] ? minutes(one[name].p50_s) : null]),
    band: name === "then" ? known.filter((one) => one.then).map((one) => [Date.parse(one.at), minutes(one.then.p10_s), minutes(one.then.p90_s)]) : [],
  }));
  const first = known[0];
  const words = t(`现在取号：${about(first.as_is) ?? "不能估计"}；调整后：${about(first.then) ?? "不能估计"}（现有 ${said.counters} 个窗口）`, `Joining now: ${about(first.as_is) ?? "not known"}; then: ${about(first.then) ?? "not known"} (${said.counters} counters serve it)`);
  put(box,
    make("p", { className: "answer" }, words),
    make("ul", { className: "legend" }, make("li", { className: "is-now" }, t("现状", "as it is")), make("li", { className: "is-then" }, t("调整后（浅色为范围）", "then (range shaded)"))),
    lineChart({ series, marks: known.map(({ at }) => ({ at: Date.parse(at), words: time(at) })), said: words, width: box.clientWidth || 640 }),
    make("p", { className: "quiet" }, t("等候分钟，按取号时刻", "Minutes of waiting, by when the number is taken")));
}
