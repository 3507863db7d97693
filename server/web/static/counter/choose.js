// Which hall and counter: those that are free, and where somebody already works.

import { t } from "../app/language.js";
import { make, put, showList, say } from "../app/parts.js";
import { show as chooseHall } from "../staff/choose-hall.js";
import { api, live, me, everyHall } from "../staff/room.js";
import { named } from "../app/language.js";
import { stateOf } from "./words.js";

export async function show(root, { parts: [hall], signal }) {
  if (!hall) return chooseHall(root);
  const entry = (await everyHall()).find(({ code }) => code === hall);
  const title = t("选择窗口", "Choose a counter");
  const list = make("ul", { className: "tiles counters" });
  const who = await me();
  const look = async () => {
    const { data } = await api.get(`/halls/${hall}/counters`, {}, signal);
    // Hers first: the one she staffs goes on where she left it.
    data.sort((one, other) => (other.staffed_by === who.name) - (one.staffed_by === who.name) || one.code.localeCompare(other.code));
    showList(list, data, (one) => one.code, (one) => make("li", {}, make("a", { href: `#/${hall}/${one.code}` }, make("strong"), make("span", { className: "state" }), make("span", { className: "quiet" }))), (element, one) => {
      element.dataset.state = one.state;
      element.classList.toggle("mine", one.staffed_by === who.name);
      say(element.querySelector("strong"), t(one.name, `Counter ${one.code}`));
      say(element.querySelector(".state"), stateOf(one));
      say(element.querySelector(".quiet"), [one.staffed_by ?? t("无人值守", "Nobody there"), one.skills.join(" ")].join(" · "));
    });
  };
  await look();
  put(root, make("h1", {}, title), make("p", { className: "quiet" }, entry ? named(entry) : hall), list);
  live.watch(`hall:${hall}`, () => look().catch(() => null), signal);
  list.querySelector("a")?.focus();
  return title;
}
