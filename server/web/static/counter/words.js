// How a counter and what is brought to it are said.

import { t } from "../app/language.js";

export const stateOf = (counter) =>
  counter.state === "open" ? t("开放", "Open") : counter.state === "paused" ? t(`暂停：${counter.pause_reason ?? ""}`, `Paused: ${counter.pause_reason ?? ""}`) : t("未开窗", "Closed");

const PRIORITIES = {
  elderly: () => t("年满 70 岁", "over 70"),
  disabled: () => t("残疾人", "disabled"),
  pregnant: () => t("孕妇", "pregnant"),
  military: () => t("军人", "military"),
  with_infant: () => t("携带婴幼儿", "with an infant"),
};
export const priorityOf = ({ kind }) => PRIORITIES[kind]?.() ?? kind;

export const PAUSES = [
  ["午休", "Lunch"],
  ["短暂休息", "Short break"],
  ["开会", "Meeting"],
  ["设备故障", "Equipment fault"],
  ["系统故障", "System fault"],
  ["整理材料", "Sorting papers"],
  ["协助其他窗口", "Helping another counter"],
  ["离开片刻", "Away for a moment"],
];
export const HELP = [
  ["请值班主任到场", "The duty manager, please"],
  ["请保安到场", "Security, please"],
  ["有人身体不适", "Somebody is unwell"],
];

/** 3:07, or 1:02:09. */
export function ticking(seconds) {
  const whole = Math.floor(seconds);
  const two = (number) => `${number}`.padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
