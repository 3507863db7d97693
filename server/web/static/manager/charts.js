// Small charts, drawn from what the API gave and nothing else. A gap stays a gap.

const SVG = "http://www.w3.org/2000/svg";
const PAD = { left: 40, right: 12, top: 12, bottom: 24 };

function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Round numbers up to `most`, four or five of them. */
function ticksTo(most) {
  const rough = Math.max(1, most) / 4;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 5, 10].find((by) => by * unit >= rough) * unit);
  return Array.from({ length: Math.ceil(Math.max(1, most) / step) + 1 }, (_, at) => at * step);
}

/**
 * Lines over time. `series` are {kind, points: [[x, y or null]], band: [[x, low, high]]}, `marks`
 * {at, words} beneath, `said` what it shows, for who does not see it.
 */
export function lineChart({ series, marks, said, width = 640, height = 220, cursor = null }) {
  const xs = series.flatMap(({ points }) => points.map(([x]) => x));
  const tops = series.flatMap(({ points, band = [] }) => [...points.map(([, y]) => y ?? 0), ...band.map(([, , high]) => high)]);
  const ticks = ticksTo(Math.max(0, ...tops));
  const [first, last] = [Math.min(...xs), Math.max(...xs)];
  const x = (at) => PAD.left + ((at - first) / Math.max(1, last - first)) * (width - PAD.left - PAD.right);
  const y = (value) => height - PAD.bottom - (value / ticks.at(-1)) * (height - PAD.top - PAD.bottom);
  const chart = draw("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": said });
  for (const tick of ticks) {
    chart.append(draw("line", { class: "grid", x1: PAD.left, x2: width - PAD.right, y1: y(tick), y2: y(tick) }), text(PAD.left - 6, y(tick) + 4, `${tick}`, "end"));
  }
  const shown = marks.filter((_, at) => at % Math.ceil(marks.length / Math.max(2, Math.floor(width / 80))) === 0);
  for (const { at, words } of shown) chart.append(text(x(at), height - 6, words, "middle"));
  for (const { kind, points, band } of series) {
    if (band?.length) chart.append(draw("path", { class: `band ${kind}`, d: `M${band.map(([at, , high]) => `${x(at)},${y(high)}`).join("L")}L${[...band].reverse().map(([at, low]) => `${x(at)},${y(low)}`).join("L")}Z` }));
    for (const run of runs(points)) chart.append(draw("path", { class: `line ${kind}`, d: `M${run.map(([at, value]) => `${x(at)},${y(value)}`).join("L")}` }));
    const end = points.findLast(([, value]) => value !== null);
    if (end) chart.append(draw("circle", { class: `dot ${kind}`, cx: x(end[0]), cy: y(end[1]), r: 4 }));
  }
  if (cursor !== null) chart.append(draw("line", { class: "cursor", x1: x(cursor), x2: x(cursor), y1: PAD.top, y2: height - PAD.bottom }));
  return chart;
}

/** The stretches of a line between its gaps. */
function runs(points) {
  const found = [[]];
  for (const point of points) {
    if (point[1] === null) found.push([]);
    else found.at(-1).push(point);
  }
  return found.filter((run) => run.length > 0);
}

/** A bar of 0 to 1 with a mark at what was promised. */
export function shareBar(share, promised, said) {
  const chart = draw("svg", { class: "share", viewBox: "0 0 100 12", preserveAspectRatio: "none", role: "img", "aria-label": said });
  chart.append(draw("rect", { class: "rest", x: 0, y: 2, width: 100, height: 8, rx: 2 }), draw("rect", { class: share + 0.05 < promised ? "low" : "full", x: 0, y: 2, width: 100 * share, height: 8, rx: 2 }));
  chart.append(draw("rect", { class: "mark", x: 100 * promised - 0.4, y: 0, width: 0.8, height: 12 }));
  return chart;
}

/** Where a range lies about 1, from half to double: how somebody's pace is shown. */
export function paceBar({ ratio, low, high }, said) {
  const x = (value) => 50 + 50 * Math.max(-1, Math.min(1, Math.log2(value)));
  const chart = draw("svg", { class: "share pace", viewBox: "0 0 100 12", preserveAspectRatio: "none", role: "img", "aria-label": said });
  chart.append(draw("rect", { class: "rest", x: 0, y: 5, width: 100, height: 2 }), draw("rect", { class: "full", x: x(low), y: 3, width: Math.max(0.6, x(high) - x(low)), height: 6, rx: 2 }));
  chart.append(draw("rect", { class: "mark", x: 49.7, y: 0, width: 0.6, height: 12 }), draw("rect", { class: "here", x: x(ratio) - 0.6, y: 1, width: 1.2, height: 10 }));
  return chart;
}

function text(x, y, words, anchor) {
  return draw("text", { x, y, "text-anchor": anchor }, words);
}
