// How far what she asked departments to do has come: all of it, and one step by step.

import { named, t } from "../app/language.js";
import { button, card, choice, empty, facts, go, make, put } from "../app/parts.js";
import { moment } from "../app/said.js";
import { ratingOf } from "./rating.js";
import { api, clock } from "./rooms.js";

const STATES = {
  accepted: () => t("已受理", "Accepted"),
  waiting_for_materials: () => t("待补正材料", "Materials wanted"),
  in_progress: () => t("办理中", "In progress"),
  finished: () => t("已办结", "Finished"),
  refused: () => t("不予办理", "Refused"),
  withdrawn: () => t("已撤回", "Withdrawn"),
};
const RATED = ["finished", "refused"];
const PAGE = 20;

export async function show(root, { parts: [no], signal }) {
  return no ? one(root, no, signal) : all(root, signal);
}

async function all(root, signal) {
  const box = make("div", {});
  let open;
  const take = async (list, more, cursor) => {
    const page = await api.get("/cases", { limit: PAGE, cursor, open }, signal);
    list.append(...page.data.map(entry));
    put(more, page.next_cursor ? button(t("更早的", "Older"), () => take(list, more, page.next_cursor), { kind: "plain" }) : null);
    return page.data.length;
  };
  const draw = async () => {
    const list = make("ul", { className: "links" });
    const more = make("div", {});
    const many = await take(list, more);
    put(box, many ? list : empty(
      open === undefined ? t("还没有办件。部门受理后，进度会在这里。", "No cases yet. Once a department accepts one, you follow it here.") : t("没有这样的办件。", "None of these."),
      open === undefined ? go(t("看看能办什么", "See the services"), "#/items", "plain") : null), more);
    return many;
  };
  const kinds = choice(t("哪些办件", "Which cases"), "open", [["", t("全部", "All")], ["true", t("在办", "Under way")], ["false", t("已结束", "Over")]], "", (value) => {
    open = value || undefined;
    draw().catch((problem) => put(box, empty(problem.detail ?? t("暂时看不到。", "Cannot be shown now."))));
  });
  const many = await draw();
  put(root, make("h1", {}, t("办件进度", "My cases")), many ? kinds : null, box);
  return t("办件进度", "My cases");
}

const stateOf = (one) => make("span", { className: "state", "data-state": one.state }, STATES[one.state]?.() ?? one.state);
const late = () => make("strong", { className: "late" }, t("已超期", "Overdue"));

function entry(one) {
  const last = one.steps.at(-1);
  return make("li", {}, make("a", { href: `#/cases/${encodeURIComponent(one.no)}` },
    make("strong", {}, named(one, "item_name")),
    make("span", {}, stateOf(one), " ", last.name, one.overdue ? make("span", {}, " ", late()) : null),
    make("span", { className: "quiet" }, [forWhom(one), `${one.no} · ${moment(last.at, clock.now())}`].filter(Boolean).join(" · "))));
}

const forWhom = (one) => (one.is_mine ? null : one.for_whom ? t(`为 ${one.for_whom} 办`, `for ${one.for_whom}`) : t("代办", "handed in by me"));

async function one(root, no, signal) {
  const found = await api.get(`/cases/${encodeURIComponent(no)}`, {}, signal);
  const rated = found.is_mine || found.for_whom === null;
  put(
    root,
    go(t("全部办件", "All cases"), "#/cases", "plain small"),
    make("h1", {}, named(found, "item_name")),
    make("p", {}, stateOf(found), " ", found.overdue ? late() : null),
    facts(
      [t("办件编号", "Case number"), found.no],
      [t("为谁", "For"), forWhom(found)],
      [t("办理部门", "Department"), named(found.steps[0], "by_department")],
      [t("受理时间", "Accepted"), moment(found.opened_at, clock.now())],
      [t("期限", "Due by"), found.due_at && moment(found.due_at, clock.now())],
      [t("结束时间", "Over since"), found.ended_at && moment(found.ended_at, clock.now())],
    ),
    card(t("办理过程", "Steps"), make("ol", { className: "steps" }, ...found.steps.map((step, at) => told(step, at === found.steps.length - 1, found.ended_at === null)).reverse())),
    rated && RATED.includes(found.state) ? await ratingOf(found, signal, "case") : null,
  );
  return named(found, "item_name");
}

const dueBy = (step, due) => (step.state === "waiting_for_materials"
  ? t(`请在 ${due} 前补交`, `Please hand it in by ${due}`)
  : t(`应在 ${due} 前有下一步`, `Next step due by ${due}`));

function told(step, isLast, isOpen) {
  const due = step.due_at && moment(step.due_at, clock.now());
  const isDue = isLast && isOpen;
  return make("li", isLast ? { "aria-current": "step" } : {},
    make("strong", {}, step.name),
    make("span", { className: "quiet" }, `${moment(step.at, clock.now())} · ${named(step, "by_department")} · ${STATES[step.state]?.() ?? step.state}`),
    step.note ? make("p", { className: "words" }, step.note) : null,
    due ? make("span", { className: "quiet" }, isDue ? dueBy(step, due) : t(`期限 ${due}`, `Was due by ${due}`), " ", step.overdue ? isDue ? late() : make("strong", { className: "late" }, t("曾超期", "Was late")) : null) : null);
}
