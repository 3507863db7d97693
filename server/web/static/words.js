// How values are said, in Chinese and English.

import { shortTimeOf } from "./clock.js";

/** A predicted wait as a range of whole minutes; nothing when it is not known. */
export function waitRange(wait) {
  if (!wait) return "";
  const low = Math.floor(wait.p10_s / 60);
  const high = Math.max(1, Math.ceil(wait.p90_s / 60));
  const range = low >= high ? `${high}` : `${low}–${high}`;
  return `约 ${range} 分钟 min`;
}

const FEW_LEFT = 20;
const LINE_STATES = {
  paused: ["暂停取号", "No new numbers"],
  stopped: ["停办", "Stopped"],
};

/** What is to be known of a line besides how many wait in it, in Chinese and English. */
export function lineNote(line) {
  if (line.state !== "open") {
    const [what, whatEn] = LINE_STATES[line.state] ?? [line.state, line.state];
    return [[what, line.reason], [whatEn, line.reason_en]].map((part) => part.filter(Boolean).join(" · "));
  }
  const left = line.left_today ?? Infinity;
  if (left === 0) return [line.reason ?? "今天不再取号", line.reason_en ?? "No more numbers today"];
  if (left > FEW_LEFT) return [waitRange(line.wait), ""];
  const until = line.stops_at && shortTimeOf(Date.parse(line.stops_at));
  return until
    ? [`今日余 ${left} 号 · 约 ${until} 放完`, `${left} left today, until about ${until}`]
    : [`今日余 ${left} 号`, `${left} left today`];
}

/** A distance as people say it. */
export function distance(metres) {
  if (metres < 950) {
    const rounded = Math.max(10, Math.round(metres / 10) * 10);
    return [`${rounded} 米`, `${rounded} m`];
  }
  const km = metres < 9_950 ? (metres / 1000).toFixed(1) : `${Math.round(metres / 1000)}`;
  return [`${km} 公里`, `${km} km`];
}

/** How long ago, from seconds. */
export function ago(seconds) {
  if (seconds < 90) return [`${seconds} 秒前`, `${seconds} s ago`];
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return [`${minutes} 分钟前`, `${minutes} min ago`];
  const hours = Math.round(minutes / 60);
  return [`${hours} 小时前`, `${hours} h ago`];
}

/** A counter's name without what it serves, that part, and its English name. */
export function counterNames(code, name) {
  const [short, rest] = name.split(/[（(]/, 2);
  const number = /^\d+$/.test(code) ? `${Number(code)}` : code;
  return {
    short: short.trim() || code,
    serves: (rest ?? "").replace(/[）)]\s*$/, "").trim(),
    english: `Counter ${number}`,
  };
}
