// How she wants to be told: by what, of what, and when not.

import { t } from "../app/language.js";
import { button, card, make, put, toast } from "../app/parts.js";
import { api } from "./rooms.js";

const CHANNELS = [["wechat", () => t("微信", "WeChat")], ["alipay", () => t("支付宝", "Alipay")], ["sms", () => t("短信", "Text message")]];
// Kinds of notices by what they are about; the API knows each by itself.
const ABOUT = [
  [() => t("叫到我、快到我", "My turn"), ["ticket_called", "ticket_recalled", "ticket_missed", "ticket_sent_on", "turn_near", "leave_now", "counter_opened"]],
  [() => t("别的大厅更快、排队变慢", "Faster halls, delays"), ["better_hall", "line_delayed", "hall_closing"]],
  [() => t("预约", "Appointments"), ["appointment_booked", "appointment_tomorrow", "appointment_soon", "appointment_leave", "appointment_changed", "appointment_moved", "appointment_must_move", "appointment_cancelled", "appointment_offered", "appointment_missed", "booking_warned", "booking_blocked"]],
  [() => t("缴费和退款", "Bills and refunds"), ["bill_due", "bill_paid", "bill_refunded", "bill_expiring", "bill_going_back", "bill_held"]],
  [() => t("办件进度", "My cases"), ["case_opened", "case_step", "case_wanted", "case_finished", "case_refused"]],
  [() => t("请我评价", "Asking how it was"), ["rating_invited"]],
  [() => t("证件到期、可以办的事", "Papers that expire, things due"), ["document_expiring", "service_due"]],
];

export async function show(root, { signal }) {
  const now = await api.get("/me/notice-preferences", {}, signal);
  const channels = CHANNELS.map(([value, name]) => [value, tick(name(), now.channels.includes(value))]);
  const topics = ABOUT.map(([name, kinds]) => [kinds, tick(name(), !kinds.every((kind) => now.muted.includes(kind)))]);
  const clockAt = (id, value) => make("input", { type: "time", id, value, required: "" });
  const from = clockAt("quiet-from", now.quiet_from);
  const to = clockAt("quiet-to", now.quiet_to);
  const ahead = make("select", { id: "ahead" }, ...[null, ...Array.from({ length: 20 }, (_, at) => at + 1)].map((many) =>
    make("option", { value: many ?? "" }, many === null ? t("按大厅的规定", "As the hall does") : t(`前面还有 ${many} 人时`, `With ${many} ahead of me`))));
  ahead.value = now.ahead ?? "";
  const language = make("select", { id: "told-in" }, make("option", { value: "zh", lang: "zh-CN" }, "中文"), make("option", { value: "en", lang: "en" }, "English"));
  language.value = now.language;
  const keep = async () => {
    const known = new Set(ABOUT.flatMap(([, kinds]) => kinds));
    // Channels keep the order in which she has them; a kind this page does not know stays as it is.
    const ticked = channels.filter(([, one]) => one.input.checked).map(([value]) => value);
    const body = {
      language: language.value,
      channels: [...now.channels.filter((one) => ticked.includes(one)), ...ticked.filter((one) => !now.channels.includes(one))],
      muted: [...now.muted.filter((kind) => !known.has(kind)), ...topics.flatMap(([kinds, one]) => muted(kinds, one.input.checked, now.muted))],
      quiet_from: from.value, quiet_to: to.value, ahead: ahead.value ? Number(ahead.value) : null,
    };
    Object.assign(now, await api.ask("PUT", "/me/notice-preferences", { body }));
    toast(t("已保存。", "Saved."));
  };
  put(
    root,
    make("h1", {}, t("怎么通知我", "How I am told")),
    make("p", { className: "quiet" }, t("消息里总能看到全部；这里选还用什么告诉您。", "Messages always has everything; here you choose what else tells you.")),
    set(t("用什么", "By"), channels.map(([, one]) => one.label)),
    set(t("关于什么", "About"), topics.map(([, one]) => one.label)),
    card(t("什么时候", "When"),
      make("div", { className: "pair" }, field("quiet-from", t("从几点起不打扰", "Quiet from"), from), field("quiet-to", t("到几点", "until"), to)),
      make("p", { className: "quiet" }, t("叫号不受此限；两个时刻相同就是不设。", "Calls come all the same; the same time twice means no quiet hours.")),
      field("ahead", t("提前多久叫我", "Tell me early"), ahead),
      field("told-in", t("用哪种语言", "Language"), language)),
    button(t("保存", "Save"), keep),
  );
  return t("怎么通知我", "How I am told");
}

/** What of these kinds is muted: all, none, or as it was where only some are. */
function muted(kinds, isWanted, before) {
  if (!isWanted) return kinds;
  const some = kinds.filter((kind) => before.includes(kind));
  return some.length === kinds.length ? [] : some;
}

const set = (title, labels) => make("fieldset", { className: "card ticks" }, make("legend", {}, title), ...labels);
const field = (id, words, input) => make("div", { className: "field" }, make("label", { for: id }, words), input);

function tick(words, isOn) {
  const input = make("input", { type: "checkbox" });
  input.checked = isOn;
  return { input, label: make("label", { className: "tick" }, input, make("span", {}, words)) };
}
