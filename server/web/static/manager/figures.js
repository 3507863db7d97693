// What was: the week in figures, with the tables to take away; how true the waits were; who did not come.

import { t, named } from "../app/language.js";
import { button, empty, make, put } from "../app/parts.js";
import { date, lasting } from "../app/said.js";
import { api, clock, items } from "../staff/room.js";
import { paceBar, shareBar } from "./charts.js";
import { panel, table } from "./panel.js";

const percent = (share) => `${Math.round(share * 100)}%`;
const DAY_MS = 86_400_000;

export function week(hall) {
  const made = panel(t("报表", "Report"), "week", { wide: true });
  const today = date(clock.now());
  const from = make("input", { type: "date", value: date(clock.now() - 6 * DAY_MS), max: today, "aria-label": t("从", "From") });
  const to = make("input", { type: "date", value: today, max: today, "aria-label": t("到", "To") });
  const result = make("div", {});
  const path = `/halls/${hall.code}/report`;
  const read = async () => {
    const { data } = await api.get(path, { from: from.value, to: to.value }, hall.signal);
    const rows = data.filter((row) => row.line === null || row.day === null);
    if (rows.length === 0) return put(result, empty(t("这些天没有人来。", "Nobody came on these days.")));
    const name = (row) => [row.day ?? t("合计", "All days"), row.line ? `${row.line} ${named(row)}` : null].filter(Boolean).join(" · ");
    put(result, table(t("报表", "Report"),
      [t("日期 · 队列", "Day · line"), t("取号", "Numbers"), t("办结", "Served"), t("过号", "Missed"), t("取消", "Given up"), t("等候（一半 / 九成）", "Wait (half / nine of ten)"), t("办理（一半）", "Service (half)")],
      rows.map((row) => [name(row), row.issued, row.served, row.missed, row.cancelled, row.wait ? `${lasting(row.wait.p50_s)} / ${lasting(row.wait.p90_s)}` : null, row.service ? lasting(row.service.p50_s) : null])));
  };
  const again = () => read().catch((problem) => problem.name === "AbortError" || put(result, make("p", { className: "bad" }, problem.detail)));
  for (const one of [from, to]) one.addEventListener("change", again);
  const save = (format) => button(t(`导出 ${format.toUpperCase()}`, `Export ${format.toUpperCase()}`), async () => {
    const file = await api.file(path, { from: from.value, to: to.value, format });
    const link = make("a", { href: URL.createObjectURL(file), download: `${hall.code}-${from.value}-${to.value}.${format}` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }, { kind: "plain" });
  return Object.assign(made, {
    async look() {
      put(made.body, make("div", { className: "asked" }, from, to, save("csv"), save("xlsx")), result);
      await read();
    },
  });
}

export function clerks(hall) {
  const made = panel(t("窗口人员", "Staff"), "clerks", {
    note: t("最近 7 天。不比数量：同样的事项在本厅通常要多久，就按多久比；不到 20 件不下结论，范围含 1 的都算一样快。", "The last 7 days. Not by numbers: each service is compared with what the same item usually takes here; below 20 nothing is concluded, and a range with 1 in it is as quick as usual."),
  });
  return Object.assign(made, {
    async look() {
      const { data } = await api.get(`/halls/${hall.code}/report/clerks`, {}, hall.signal);
      if (data.length === 0) return put(made.body, empty(t("这些天没有人办理。", "Nobody served on these days.")));
      put(made.body, table(t("窗口人员", "Staff"), [t("姓名", "Name"), t("办结", "Served"), t("叫号", "Called"), t("过号", "Missed"), t("与同样事项相比", "Against the same items"), t("结论", "So")],
        data.map((row) => [row.name, row.served, row.called, row.missed, row.pace ? paceBar(row.pace, said(row.pace)) : null, row.pace ? verdict(row.pace) : t("还太少", "too few")])));
    },
  });
}

const said = ({ ratio, low, high }) => t(`用时为通常的 ${percent(ratio)}（${percent(low)}–${percent(high)}）`, `takes ${percent(ratio)} of the usual time (${percent(low)}–${percent(high)})`);
const verdict = (pace) => (pace.high < 1 ? t("比通常快", "quicker") : pace.low > 1 ? t("比通常慢", "slower") : t("和通常一样", "as usual"));

export function accuracy(hall) {
  const made = panel(t("预估准不准", "How true the waits were"), "accuracy", { note: t("最近 30 天，取号时说的范围应有八成说中（竖线）。", "The last 30 days: of what was told with the number, eight in ten should come true (the mark).") });
  return Object.assign(made, {
    async look() {
      const { data } = await api.get(`/halls/${hall.code}/accuracy`, {}, hall.signal);
      const rows = data.filter(({ told }) => told === "issue");
      if (rows.length === 0) return put(made.body, empty(t("还没有可比的。", "Nothing to compare yet.")));
      put(made.body, table(t("预估准不准", "How true the waits were"), [t("队列", "Line"), t("说中", "Within"), "", t("平均差", "Off by"), t("人数", "People")],
        rows.map((row) => [row.line ? `${row.line} ${named(row)}` : t("全厅", "Whole hall"), percent(row.within), shareBar(row.within, 0.8, percent(row.within)), lasting(row.error_s), row.tickets])));
    },
  });
}

export function noShows(hall) {
  const made = panel(t("预约未到", "No-shows"), "no-shows");
  return Object.assign(made, {
    async look() {
      const [rates, all] = await Promise.all([api.get(`/halls/${hall.code}/no-shows`, { limit: 100 }, hall.signal), items(hall.code)]);
      const name = (code) => named(all.find((one) => one.code === code) ?? { name: code });
      const rows = rates.data.filter(({ expected }) => expected > 0).sort((one, other) => other.missed - one.missed).slice(0, 8);
      const head = make("p", { className: "answer" }, t(`${rates.since} 以来应到 ${rates.expected}，未到 ${rates.missed}`, `Since ${rates.since}: ${rates.expected} expected, ${rates.missed} did not come`));
      put(made.body, head, rows.length ? table(t("预约未到", "No-shows"), [t("事项", "Item"), t("应到", "Expected"), t("未到", "Missed"), t("估计比例", "Rate")], rows.map((row) => [name(row.item), row.expected, row.missed, percent(row.rate)])) : empty(t("还没有预约的人该来过。", "Nobody booked was due yet.")));
    },
  });
}
