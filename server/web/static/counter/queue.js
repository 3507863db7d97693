// Beside the counter: who comes next, whose claim is to be checked, who is on hold, the other counters.

import { t, named } from "../app/language.js";
import { button, make, say, showList } from "../app/parts.js";
import { lasting } from "../app/said.js";
import { since } from "../staff/room.js";
import { settleClaim } from "./actions.js";
import { priorityOf, stateOf } from "./words.js";

const SHOWN = 8;

export function drawQueue(part, desk, names) {
  const { next, claims, parked } = desk;
  say(part.waiting, next.length ? "" : t("没有人等候。", "Nobody waits."));
  part.waiting.hidden = next.length > 0;
  const itemOf = (one) => (names.get(one.item) ? named(names.get(one.item)) : one.item);
  entries(part.next, next.slice(0, SHOWN), (one) => [
    itemOf(one),
    [t(`已等 ${lasting(since(one.issued_at))}`, `waits ${lasting(since(one.issued_at))}`), one.appointment ? t("预约", "booked") : null, one.priority?.confirmed ? priorityOf(one.priority) : null].filter(Boolean).join(" · "),
  ]);
  part.claimsBox.hidden = claims.length === 0;
  showList(part.claims, claims.slice(0, 5), (one) => one.id, (one) => make("li", {},
    make("strong", {}, one.number), make("span", {}, priorityOf(one.priority)),
    make("span", { className: "choices" },
      button(t("属实", "True"), () => settleClaim(desk, one, "confirm"), { kind: "small", label: t(`${one.number} 属实`, `${one.number}: true`) }),
      button(t("不属实", "Not so"), () => settleClaim(desk, one, "refuse"), { kind: "plain small", label: t(`${one.number} 不属实`, `${one.number}: not so`) }))), () => null);
  part.parkedBox.hidden = parked.length === 0;
  entries(part.parked, parked.slice(0, 5), (one) => [itemOf(one), [one.counter === desk.code ? t("本窗口", "here") : t(`${one.counter} 窗口`, `counter ${one.counter}`), lasting(since(one.since))].join(" · ")]);
  showList(part.others, desk.counters.filter(({ code }) => code !== desk.code), ({ code }) => code, () => make("li", {}, make("strong"), make("span")), (element, one) => {
    element.dataset.state = one.state;
    say(element.firstChild, one.code);
    say(element.lastChild, one.number ?? stateOf(one));
  });
}

function entries(list, all, told) {
  showList(list, all, (one) => one.id, () => make("li", {}, make("strong"), make("span", {}), make("span", { className: "quiet" })), (element, one) => {
    const [what, note] = told(one);
    say(element.children[0], one.number);
    say(element.children[1], what);
    say(element.children[2], note);
  });
}
