// The hall as it is: its lines with their waits, its counters with who is there.

import { t, named } from "../app/language.js";
import { empty, make, put, say, showList } from "../app/parts.js";
import { about, between, lasting, people } from "../app/said.js";
import { since } from "../staff/room.js";
import { stateOf } from "../counter/words.js";
import { panel } from "./panel.js";

const STATES = { paused: () => t("暂停取号", "no new numbers"), stopped: () => t("停办", "stopped") };

export function lines(hall) {
  const made = panel(t("各队列", "Lines"), "lines-now");
  const list = make("ul", { className: "lines-list" });
  made.body.append(list);
  return Object.assign(made, {
    draw() {
      if (!hall.board) return;
      const most = Math.max(1, ...hall.board.lines.map(({ waiting }) => waiting));
      showList(list, hall.board.lines, ({ code }) => code, () => make("li", {}, make("strong"), make("span", { className: "name" }), make("meter", { min: "0" }), make("span", { className: "count" }), make("span", { className: "quiet" })), (element, line) => {
        const [code, name, bar, count, note] = element.children;
        say(code, line.code);
        say(name, named(line));
        Object.assign(bar, { max: most, value: line.waiting });
        bar.setAttribute("aria-label", t(`${named(line)}等候人数`, `waiting in ${named(line)}`));
        say(count, people(line.waiting));
        say(note, [line.wait ? `${about(line.wait)} · ${between(line.wait)}` : t("等候暂不能估计", "wait not known"), STATES[line.state]?.(), line.left_today === null ? null : t(`今日余 ${line.left_today} 号`, `${line.left_today} left today`)].filter(Boolean).join(" · "));
      });
    },
  });
}

export function counters(hall) {
  const made = panel(t("窗口", "Counters"), "counters-now");
  const list = make("ul", { className: "others large" });
  made.body.append(list);
  return Object.assign(made, {
    draw() {
      if (hall.counters.length === 0) return put(made.body, empty(t("没有窗口。", "No counters.")));
      const at = new Map(hall.tickets.filter(({ state }) => state === "called" || state === "serving").map((one) => [one.counter, one]));
      showList(list, hall.counters, ({ code }) => code, () => make("li", {}, make("strong"), make("span"), make("span", { className: "quiet" })), (element, one) => {
        const there = at.get(one.code);
        element.dataset.state = one.state;
        say(element.children[0], `${one.code} ${one.number ?? ""}`);
        say(element.children[1], there ? `${there.state === "called" ? t("已叫", "called") : t("办理", "serving")} ${lasting(since(there.since))}` : stateOf(one));
        say(element.children[2], one.staffed_by ?? "");
      });
    },
  });
}
