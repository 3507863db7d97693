// What needs somebody now: calls for help, long waits, idle counters, services that take long.

import { t, named } from "../app/language.js";
import { button, make, put } from "../app/parts.js";
import { about, lasting, time } from "../app/said.js";
import { api, items, since } from "../staff/room.js";
import { panel } from "./panel.js";

export function alerts(hall) {
  const made = panel(t("需要处理", "Needs attention"), "alerts", { wide: true });
  made.body.setAttribute("aria-live", "polite");
  let usual = new Map();
  // Until the hall's limits are known nothing is measured by them.
  let limits = { wait_s: Infinity, call_s: Infinity, usual_times: Infinity };
  api.get(`/halls/${hall.code}/alert-limits`).then((said) => {
    limits = said;
    made.draw();
  }).catch(() => null);
  items(hall.code).then((all) => (usual = new Map(all.map((one) => [one.code, one.minutes * 60])))).catch(() => null);
  let shown = null;
  return Object.assign(made, {
    draw() {
      const found = [...(hall.alerts ?? []).map((one) => calls(hall, one)), ...(hall.board ? [...longWaits(hall, limits), ...idle(hall), ...stuck(hall, usual, limits)] : [])];
      const key = JSON.stringify(found.map(({ words, note }) => [words, note]));
      if (key === shown) return;
      shown = key;
      made.box.dataset.many = `${found.length > 0}`;
      if (found.length === 0) return put(made.body, make("p", { className: "fine" }, t("一切正常。", "All is well.")));
      put(made.body, make("ul", { className: "alarms" }, ...found.map(({ words, note, grave, act }) => make("li", { "data-grave": `${Boolean(grave)}` }, make("strong", {}, words), make("span", {}, note ?? ""), act ?? null))));
    },
  });
}

function calls(hall, alert) {
  const notes = [alert.note, ...alert.later_notes].filter(Boolean).join("；");
  return {
    grave: true,
    words: t(`${alert.counter} 窗口紧急呼叫`, `Counter ${alert.counter} calls for help`),
    note: [notes, alert.raised_by, time(alert.raised_at)].filter(Boolean).join(" · "),
    act: button(t("已知悉，马上处理", "I see to it"), () => api.ask("POST", `/halls/${hall.code}/alerts/${alert.id}/acknowledge`), { kind: "danger" }),
  };
}

const longWaits = ({ board }, limits) =>
  board.lines.filter(({ wait }) => wait && wait.p50_s >= limits.wait_s).map((line) => ({
    words: t(`${line.code} ${named(line)} 等候过长`, `Long wait in ${line.code} ${named(line)}`),
    note: about(line.wait),
  }));

/** Open, nobody there, and somebody waits whom it could serve. */
const idle = ({ counters, tickets }) =>
  counters.filter((one) => one.state === "open" && one.number === null).flatMap((one) => {
    const waiting = tickets.filter(({ state, line, check_in_required: away }) => state === "waiting" && !away && one.serving.includes(line));
    if (waiting.length === 0) return [];
    return [{
      words: t(`${one.code} 窗口空闲，而有人在等`, `Counter ${one.code} is idle while people wait`),
      note: [one.staffed_by, t(`${waiting.length} 人可在此办理`, `${waiting.length} could be served there`)].filter(Boolean).join(" · "),
    }];
  });

const stuck = ({ tickets }, usual, limits) =>
  tickets.filter(({ state, since: from, item }) => (state === "called" && since(from) > limits.call_s) || (state === "serving" && usual.get(item) && since(from) > limits.usual_times * usual.get(item))).map((one) => ({
    words: one.state === "called" ? t(`${one.counter} 窗口叫 ${one.number} 后没有动作`, `Counter ${one.counter} called ${one.number} and did nothing since`) : t(`${one.counter} 窗口办理 ${one.number} 时间过长`, `Counter ${one.counter} has served ${one.number} for long`),
    note: lasting(since(one.since)),
  }));
