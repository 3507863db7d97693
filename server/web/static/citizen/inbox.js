// What she was told, whether another channel brought it or not.

import { t } from "../app/language.js";
import { button, empty, go, make, put, say } from "../app/parts.js";
import { moment } from "../app/said.js";
import { api, clock } from "./rooms.js";

export async function show(root, { signal }) {
  const list = make("ul", { className: "links inbox" });
  const unread = make("p", { className: "quiet", role: "status" });
  const tools = make("div", { className: "choices" });
  const more = make("div", {});
  let many = 0;
  const count = (left) => {
    many = left;
    say(unread, many ? t(`${many} 条未读`, `${many} unread`) : t("都看过了", "All read"));
    put(tools, many ? button(t("全部标为已读", "Mark all as read"), readAll, { kind: "plain" }) : null, go(t("怎么通知我", "How I am told"), "#/preferences", "plain"));
  };
  const readAll = async () => {
    await api.ask("POST", "/notices/read", { body: {} });
    list.querySelectorAll("[data-unread]").forEach((one) => one.removeAttribute("data-unread"));
    count(0);
  };
  const take = async (cursor) => {
    const page = await api.get("/notices", { limit: 30, cursor }, signal);
    list.append(...page.data.map((one) => entry(one, () => count(Math.max(0, many - 1)))));
    put(more, page.next_cursor ? button(t("更早的", "Older"), () => take(page.next_cursor), { kind: "plain" }) : null);
    return page;
  };
  const first = await take();
  count(first.unread);
  put(root, make("h1", {}, t("消息", "Messages")), first.data.length ? unread : empty(t("还没有消息。取号、预约后，叫号和提醒会在这里。", "No messages yet. Calls and reminders will be here.")), tools, list, more);
  return t("消息", "Messages");
}

function entry(notice, onRead) {
  const address = leadsTo(notice);
  const words = [make("strong", {}, notice.title), make("span", {}, notice.body), make("span", { className: "quiet" }, moment(notice.at, clock.now()))];
  const one = make("li", {}, address ? make("a", { href: address }, ...words) : make("div", {}, ...words));
  if (notice.read_at !== null) return one;
  one.dataset.unread = "true";
  one.firstChild.prepend(make("span", { className: "sr" }, t("未读", "Unread")));
  const read = () => {
    if (!one.dataset.unread) return;
    delete one.dataset.unread;
    onRead();
    api.ask("POST", `/notices/${notice.id}/read`).catch(() => null);
  };
  one.addEventListener("click", read);
  if (!address) one.firstChild.append(button(t("知道了", "Read"), async () => read(), { kind: "plain small" }));
  return one;
}

/** Where a notice leads, by what it is about. */
function leadsTo({ kind, ticket_id: ticket, subject_id: subject }) {
  if (kind.startsWith("bill_")) return "#/bills";
  if (kind.startsWith("case_") && subject) return `#/cases/${subject}`;
  if (ticket) return `#/tickets/${ticket}`;
  if (kind === "appointment_offered") return "#/visits";
  if (kind.startsWith("appointment_") && subject) return `#/appointments/${subject}`;
  if (kind.startsWith("booking_")) return "#/visits";
  return null;
}
