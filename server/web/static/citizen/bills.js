// What she owes and has paid, and paying it.

import { named, t } from "../app/language.js";
import { button, card, empty, make, onceKey, put } from "../app/parts.js";
import { moment, money } from "../app/said.js";
import { about, api, clock } from "./rooms.js";

const STATES = { due: () => t("待缴", "To pay"), paid: () => t("已缴", "Paid"), cancelled: () => t("已撤销", "Withdrawn") };
const LOOK_EVERY_MS = 5_000;
// From here; the others are handed to their own app by a mini-program.
const FORM_CHANNEL = "unionpay";

export async function show(root, { signal }) {
  const { pays_by_form: forms } = await about;
  const canPay = forms?.includes(FORM_CHANNEL);
  let shown = null;
  const draw = async () => {
    const { data } = await api.get("/bills", { limit: 100 }, signal);
    const told = JSON.stringify(data);
    if (told === shown) return data;
    shown = told;
    const due = data.filter((bill) => bill.state === "due");
    const rest = data.filter((bill) => bill.state !== "due");
    put(
      root,
      make("h1", {}, t("缴费单", "Bills")),
      data.length === 0 ? empty(t("没有缴费单。", "No bills.")) : null,
      due.length ? card(t("待缴", "To pay"), list(due, canPay), make("p", { className: "quiet" }, canPay
        ? t("也可以在微信、支付宝小程序里缴，或到窗口缴。", "You may also pay in the WeChat or Alipay mini-program, or at the counter.")
        : t("请在微信或支付宝小程序里缴费，也可以到窗口缴。", "Pay in the WeChat or Alipay mini-program, or at the counter."))) : null,
      rest.length ? card(t("以前的", "Before"), list(rest, false)) : null,
    );
    return data;
  };
  const first = await draw();
  // Who comes back from the channel's page sees her payment as soon as it is known.
  if (first.some((bill) => bill.state === "due")) {
    const again = setInterval(() => document.hidden || draw().catch(() => null), LOOK_EVERY_MS);
    signal.addEventListener("abort", () => clearInterval(again));
  }
  return t("缴费单", "Bills");
}

const list = (bills, canPay) => make("ul", { className: "rows" }, ...bills.map((bill) => make("li", {},
  make("span", {}, make("strong", {}, named(bill, "title")), make("span", { className: "quiet" }, `${bill.bill_no} · ${moment(bill.paid_at ?? bill.made_at, clock.now())}`)),
  make("span", {}, make("strong", {}, money(bill.amount_fen)), make("span", { className: "quiet" }, bill.refunded_fen ? t(`已退 ${money(bill.refunded_fen)}`, `${money(bill.refunded_fen)} refunded`) : STATES[bill.state]?.() ?? "")),
  canPay ? paying(bill) : null,
)));

function paying(bill) {
  return button(t("云闪付缴费", "Pay by UnionPay"), async () => {
    // A bill has one pending order at most: pressing again gives that one.
    const { client_params: form } = await api.ask("POST", "/payments", { body: { bill_id: bill.id, channel: FORM_CHANNEL }, once: onceKey() });
    post(form);
  }, { label: t(`用云闪付缴 ${bill.title}`, `Pay ${named(bill, "title")} by UnionPay`) });
}

/** Go to the channel's own page with the form that our server signed. */
function post({ url, method, fields }) {
  const form = make("form", { action: url, method, hidden: "" }, ...Object.entries(fields).map(([name, value]) => make("input", { type: "hidden", name, value })));
  document.body.append(form);
  form.submit();
}
