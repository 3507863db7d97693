// What may be done at a counter as things stand: the words, the key, and the doing.

import { t, named } from "../app/language.js";
import { sure } from "../app/parts.js";
import { pick, pickSome, seek } from "../staff/pick.js";
import { api, clock, lines } from "../staff/room.js";
import { HELP, PAUSES, priorityOf } from "./words.js";

/** In the order of a visit; the first is what comes next. */
export function actionsOf(desk, names) {
  const { counter, current } = desk;
  const act = (does, key, words, run, kind) => ({ does, key, words, run, kind });
  const step = (what, said) => () => desk.act(said, () => desk.post(what));
  const help = act("help", "E", t("紧急呼叫", "Call for help"), () => callForHelp(desk), "plain danger");
  const undo = act("undo", "Z", t("撤销上一步", "Undo"), step("undo", t("已撤销上一步", "The last step is taken back")));
  const bring = act("return", "G", t("过号恢复", "Missed: let back in"), () => letReturn(desk));
  const claims = desk.claims.length ? [act("claims", "C", t("核实优先", "Check priority"), () => checkClaim(desk, names))] : [];
  const send = act("send", "T", t("转号", "Send on"), () => sendOn(desk));
  const close = act("close", "X", t("关窗", "Close counter"), () => closeCounter(desk));
  const open = (words) => act("open", "O", words, () => openCounter(desk), "");
  const called = (ticket) => t(`${ticket.number} 号，请到本窗口`, `${ticket.number} is called`);
  if (current?.state === "called") {
    return [
      act("start", "S", t("开始办理", "Start"), step("start", t("开始办理", "Started")), ""),
      act("recall", "R", t("重呼", "Call again"), step("recall", t("已重呼", "Called again"))),
      act("miss", "M", t("过号", "Missed"), step("miss", t("已过号", "Marked as missed"))),
      send, ...claims, undo, ...(counter.state === "open" ? [pauseOf(desk)] : [open(t("继续叫号", "Go on calling"))]), help,
    ];
  }
  if (current?.state === "serving") {
    return [
      act("finish", "F", t("办结", "Finish"), () => desk.act((said) => (said.next_ticket ? t("已办结，已排下一项", "Done; the next number is given") : t("已办结", "Done")), () => desk.post("finish", {})), ""),
      act("next-item", "D", t("办结，接着办", "Finish, then another"), () => finishAndGoOn(desk, names)),
      act("park", "P", t("挂起", "Hold"), step("park", t("已挂起，窗口空出", "On hold; the counter is free"))),
      send, ...claims, undo, ...(counter.state === "open" ? [pauseOf(desk)] : []), help,
    ];
  }
  const choose = act("open-for", "L", t("选队列开窗", "Open for some lines"), () => openFor(desk));
  if (counter.state === "closed") return [open(t("开窗", "Open counter")), choose, bring, ...claims];
  const resume = desk.parked.length ? [act("resume", "B", t("恢复挂起的号", "Resume"), () => resumeParked(desk))] : [];
  if (counter.state === "paused") return [open(t("继续叫号", "Go on calling")), bring, ...claims, undo, close, help];
  return [
    act("call", "N", t("叫下一位", "Call next"), () => desk.act(called, () => desk.post("call-next")), ""),
    ...resume, bring, ...claims, undo, pauseOf(desk), close, help,
  ];
}

const pauseOf = (desk) => ({ does: "pause", key: "K", words: t("暂停", "Pause"), run: () => pause(desk) });

/** Open it for some of the lines it can serve. */
async function openFor(desk) {
  const found = (await lines(desk.hall)).filter(({ code }) => desk.counter.skills.includes(code));
  const chosen = await pickSome(t("为哪些队列开窗？", "Open for which lines?"), found.map((line) => ({ value: line.code, words: `${line.code} ${named(line)}` })), t("开窗", "Open"));
  if (chosen?.length) await openCounter(desk, { lines: chosen });
}

/** Done with this, and a number for another matter, with her place in time. */
async function finishAndGoOn(desk, names) {
  const item = await seek(t("接着办什么？", "What next?"), [...names.values()].map((one) => ({ value: one.code, words: named(one), also: one.name })));
  if (item === null) return;
  await desk.act((said) => (said.next_ticket ? t("已办结，已排下一项", "Done; the next number is given") : t("已办结", "Done")), () => desk.post("finish", { next_item: item }));
}

async function openCounter(desk, body = {}) {
  const words = t("窗口已开", "The counter is open");
  await desk.act(words, async () => {
    try {
      return await desk.post("open", body);
    } catch (problem) {
      if (problem.code !== "staffed_by_another") throw problem;
      const yes = await sure(`${problem.detail} ${t("要接手吗？", "Take it over?")}`, t("接手", "Take over"), t("不接手", "Leave it"));
      return yes ? desk.post("open", { ...body, take_over: true }) : null;
    }
  });
}

async function closeCounter(desk) {
  if (!(await sure(t("关窗后不再叫号。确定关窗吗？", "Nobody more is called here. Close the counter?"), t("关窗", "Close"), t("不关", "Keep it open")))) return;
  await desk.act(t("窗口已关", "The counter is closed"), () => desk.post("close"));
}

async function pause(desk) {
  const reason = await pick(t("为什么暂停？", "Why pause?"), PAUSES.map(([zh, en]) => ({ value: zh, words: t(zh, en) })));
  if (reason === null) return;
  const minutes = await pick(t("暂停多久？", "For how long?"), [
    ...[5, 10, 15, 30, 60, 90].map((many) => ({ value: many, words: t(`${many} 分钟`, `${many} min`) })),
    { value: 0, words: t("说不准", "Not known") },
  ]);
  if (minutes === null) return;
  await desk.act(t("已暂停", "Paused"), async () => {
    const said = await desk.post("pause", { reason, ...(minutes ? { minutes } : {}) });
    desk.pausedAt = clock.now().toISOString();
    return said;
  });
}

async function resumeParked(desk) {
  const many = desk.parked;
  const number = many.length === 1 ? many[0].number : await pick(t("恢复哪个号？", "Resume which number?"), many.map((one) => ({ value: one.number, words: one.number, note: one.counter === desk.code ? null : t(`${one.counter} 窗口挂起`, `held by counter ${one.counter}`) })));
  if (number) await desk.act(t(`${number} 继续办理`, `${number} goes on`), () => desk.post("resume", { number }));
}

async function letReturn(desk) {
  const { data } = await api.get(`/halls/${desk.hall}/tickets`, { state: "missed", limit: 9 });
  const id = await pick(t("谁回来了？", "Who has come back?"), data.map((one) => ({ value: one.id, words: one.number, note: one.name })));
  if (id === null) return;
  await desk.act((said) => t(`${said.number} 已回到队列`, `${said.number} waits again`), () => api.ask("POST", `/halls/${desk.hall}/tickets/${id}/return`));
}

async function checkClaim(desk, names) {
  const { claims } = desk;
  const one = claims.length === 1 ? claims[0] : await pick(t("核实谁的优先？", "Whose claim?"), claims.slice(0, 9).map((each) => ({ value: each, words: each.number, note: priorityOf(each.priority) })));
  if (!one) return;
  const what = await pick(t(`${one.number}：${priorityOf(one.priority)}。看过证件了吗？`, `${one.number}: ${priorityOf(one.priority)}. Have you seen the papers?`), [
    { value: "confirm", words: t("属实，予以优先", "True: goes first"), note: names.get(one.item) ? named(names.get(one.item)) : null },
    { value: "refuse", words: t("不属实，按原次序", "Not so: the place stays") },
  ]);
  if (what) await settleClaim(desk, one, what);
}

/** Confirm or refuse a claim of priority. */
export function settleClaim(desk, one, what) {
  const words = what === "confirm" ? t(`${one.number} 已优先`, `${one.number} has priority`) : t(`${one.number} 不予优先`, `${one.number} keeps the place`);
  return desk.act(words, () => api.ask("POST", `/halls/${desk.hall}/tickets/${one.id}/${what}-priority`));
}

async function sendOn(desk) {
  const { current } = desk;
  const others = (await lines(desk.hall)).filter((line) => line.code !== current.line);
  const to = await pick(t("转到哪里？", "Send on where?"), [
    ...others.slice(0, 7).map((line) => ({ value: { line: line.code }, words: `${line.code} ${named(line)}` })),
    { value: "counter", words: t("指定的窗口…", "A counter…") },
    { value: "hall", words: t("其他大厅…", "Another hall…") },
  ]);
  const body = to === "counter" ? await whichCounter(desk) : to === "hall" ? await whichHall(desk, current) : to;
  if (body) await desk.act((said) => t(`已转出，新号 ${said.number}`, `Sent on as ${said.number}`), () => desk.post("transfer", body));
}

async function whichCounter(desk) {
  const open = desk.counters.filter((one) => one.state === "open" && one.code !== desk.code);
  return pick(t("转到哪个窗口？", "To which counter?"), open.map((one) => ({ value: { counter: one.code }, words: t(one.name, `Counter ${one.code}`), note: one.staffed_by })));
}

async function whichHall(desk, current) {
  const { data } = await api.get("/halls", { item: current.item, rank: "shortest_wait", limit: 12 });
  return pick(t("转到哪个大厅？", "To which hall?"), data.filter((one) => one.code !== desk.hall && one.open).slice(0, 9).map((one) => ({ value: { hall: one.code }, words: named(one) })));
}

async function callForHelp(desk) {
  const note = await pick(t("紧急呼叫管理人员", "Call who manages the hall"), HELP.map(([zh, en]) => ({ value: zh, words: t(zh, en) })));
  if (note) await desk.act(t("已呼叫，管理人员马上收到", "Called: whoever manages the hall is told at once"), () => desk.post("emergency", { note }));
}
