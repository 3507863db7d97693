// Halls where they lie: drawn from their coordinates, no tiles needed. North is up.

import { named, t } from "../app/language.js";
import { about } from "../app/said.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 360;
const HEIGHT = 420;
const EDGE = 34;

function part(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Draw the halls into `box`, coloured by how soon one is done; each is a link. */
export function drawMap(box, halls, place, linkOf, colourOf) {
  const shown = halls.filter((hall) => hall.place);
  const at = projection([...shown.map((hall) => hall.place), ...(place ? [place] : [])]);
  const drawing = part("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group", "aria-label": t("大厅地图", "Map of the halls") });
  for (const hall of shown) {
    const [x, y] = at(hall.place);
    const takes = hall.total ?? hall.wait;
    const words = hall.open ? about(takes) ?? t("未知", "unknown") : t("休息", "closed");
    const link = part("a", { href: linkOf(hall), "aria-label": `${named(hall)}: ${words}`, class: `spot ${colourOf(hall)}` },
      part("circle", { cx: x, cy: y, r: 13 }),
      part("text", { x, y: y + 4, "text-anchor": "middle" }, hall.open && takes ? `${Math.max(1, Math.round(takes.p50_s / 60))}` : "–"),
      part("title", {}, `${named(hall)}: ${words}`),
    );
    drawing.append(link);
  }
  if (place) {
    const [x, y] = at(place);
    drawing.append(part("circle", { cx: x, cy: y, r: 6, class: "me" }, part("title", {}, t("您在这里", "You are here"))));
  }
  const legend = document.createElement("ul");
  legend.className = "legend";
  for (const [kind, words] of [["quick", t("半小时内", "within 30 min")], ["middling", t("一小时内", "within an hour")], ["long", t("更久", "longer")], ["unknown", t("未知", "unknown")], ["closed", t("休息", "closed")]]) {
    const one = document.createElement("li");
    one.className = kind;
    one.textContent = words;
    legend.append(one);
  }
  const note = document.createElement("p");
  note.className = "quiet";
  note.textContent = t("数字是多少分钟后办完。", "The numbers say in how many minutes you are done.");
  box.replaceChildren(drawing, note, legend);
}

/** Degrees to the drawing's points, equally long in both directions where the halls lie. */
function projection(places) {
  const lats = places.map((place) => place.lat);
  const lngs = places.map((place) => place.lng);
  const [south, north, west, east] = [Math.min(...lats), Math.max(...lats), Math.min(...lngs), Math.max(...lngs)];
  const narrow = Math.cos((((south + north) / 2) * Math.PI) / 180);
  const wide = Math.max((east - west) * narrow, 0.01);
  const high = Math.max(north - south, 0.01);
  const scale = Math.min((WIDTH - 2 * EDGE) / wide, (HEIGHT - 2 * EDGE) / high);
  return ({ lat, lng }) => [
    WIDTH / 2 + (lng - (west + east) / 2) * narrow * scale,
    HEIGHT / 2 - (lat - (south + north) / 2) * scale,
  ].map((value) => Math.round(value * 10) / 10);
}
