// A clerk's counter: who is there, what may be done now, who comes next. One key for each action.

import { t } from "../app/language.js";
import { make, put, say, toast } from "../app/parts.js";
import { clock, items, live, since } from "../staff/room.js";
import { Desk } from "./desk.js";
import { actionsOf } from "./actions.js";
import { Keys } from "./keys.js";
import { visitor } from "./visitor.js";
import { drawQueue } from "./queue.js";
import { stateOf, ticking } from "./words.js";

const UNDO_WITHIN_S = 30;
const LOOK_ANYWAY_MS = 15_000;

export async function show(root, { parts: [hall, code], signal }) {
  const desk = new Desk(hall, code, signal);
  const keys = new Keys(signal);
  const part = layout(root, desk, keys);
  const names = new Map((await items(hall)).map((one) => [one.code, one]));
  const brought = visitor(part.visitor, desk, signal);
  const draw = () => {
    head(part, desk);
    brought.draw(names);
    drawQueue(part, desk, names);
    const actions = actionsOf(desk, names);
    buttons(part.actions, actions);
    keys.set(actions);
    tick();
  };
  const tick = () => {
    const there = desk.current;
    say(part.timer, there ? ticking(since(there.since)) : desk.counter?.state === "paused" && desk.pausedAt ? ticking(since(desk.pausedAt)) : "");
    part.timer.dataset.long = `${isLong(there, names)}`;
    const left = desk.undoUntil ? Math.ceil((desk.undoUntil - performance.now()) / 1000) : 0;
    const undo = part.actions.querySelector('[data-does="undo"] small');
    if (undo) say(undo, left > 0 ? t(`${left} 秒内`, `${left} s left`) : "");
  };
  desk.onChange(draw);
  await desk.look();
  live.watch(`hall:${hall}`, (board) => desk.hear(board), signal);
  const timers = [setInterval(tick, 1000), setInterval(() => document.hidden || desk.look().catch(() => null), LOOK_ANYWAY_MS)];
  signal.addEventListener("abort", () => timers.forEach(clearInterval));
  addEventListener("online", () => desk.look().catch(() => null), { signal });
  desk.onDone((words) => {
    desk.undoUntil = performance.now() + UNDO_WITHIN_S * 1000;
    say(part.said, words);
    toast(words, "good");
  });
  return `${t(desk.counter.name, `Counter ${code}`)}`;
}

function layout(root, desk, keys) {
  root.classList.add("console");
  const part = {
    title: make("h1", {}),
    state: make("p", { className: "state" }),
    said: make("p", { className: "sr", role: "status", "aria-live": "assertive" }),
    timer: make("p", { className: "timer", "aria-hidden": "true" }),
    visitor: make("section", { className: "card visitor", "aria-label": t("当前办事人", "Present visitor") }),
    actions: make("div", { className: "actions", role: "toolbar", "aria-label": t("操作", "Actions") }),
    next: make("ol", { className: "queue" }),
    waiting: make("p", { className: "quiet" }),
    claims: make("ol", { className: "queue" }),
    parked: make("ol", { className: "queue" }),
    others: make("ul", { className: "others" }),
  };
  const box = (title, name, ...children) => make("section", { className: `card ${name}` }, make("h2", {}, title), ...children);
  part.claimsBox = box(t("待核实的优先", "Priority claims to check"), "claims", part.claims);
  part.parkedBox = box(t("挂起的号", "On hold"), "parked", part.parked);
  put(root,
    make("div", { className: "head" }, part.title, part.state, part.timer,
      make("a", { className: "small", href: `#/${desk.hall}` }, t("换窗口", "Another counter")), keys.toggle()),
    part.said,
    make("div", { className: "desk" }, part.visitor, part.actions,
      make("div", { className: "side" }, box(t("接下来", "Next up"), "next", part.waiting, part.next), part.claimsBox, part.parkedBox, box(t("其他窗口", "Other counters"), "beside", part.others))),
  );
  return part;
}

function head(part, desk) {
  const { counter } = desk;
  say(part.title, t(counter.name, `Counter ${counter.code}`));
  const until = counter.paused_until ? t(`，至 ${counter.paused_until.slice(11, 16)}`, ` until ${counter.paused_until.slice(11, 16)}`) : "";
  say(part.state, stateOf(counter) + until);
  part.state.dataset.state = counter.state;
}

function isLong(there, names) {
  const usual = there?.state === "serving" ? names.get(there.item)?.minutes : null;
  return Boolean(usual) && since(there.since) > usual * 90;
}

function buttons(box, actions) {
  const focused = document.activeElement?.dataset?.does;
  box.replaceChildren(...actions.map(({ does, words, key, kind, note, run }) => {
    const one = make("button", { type: "button", className: `button act ${kind ?? "plain"}`, "data-does": does, "aria-keyshortcuts": key },
      make("kbd", { "aria-hidden": "true" }, key), make("span", {}, words), make("small", {}, note ?? ""));
    one.addEventListener("click", run);
    return one;
  }));
  if (focused) box.querySelector(`[data-does="${focused}"]`)?.focus();
}
