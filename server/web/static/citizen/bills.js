// What she owes and has paid.

import { t } from "../app/language.js";
import { card, empty, make, put } from "../app/parts.js";
import { moment, money } from "../app/said.js";
import { api, clock } from "./rooms.js";

const STATES = { due: () => t("待缴", "To pay"), paid: () => t("已缴", "Paid"), cancelled: () => t("已撤销", "Withdrawn") };

export async function show(root, { signal }) {
  const { data } = await api.get("/bills", { limit: 100 }, signal);
  const due = data.filter((bill) => bill.state === "due");
  const rest = data.filter((bill) => bill.state !== "due");
  put(
    root,
    make("h1", {}, t("缴费单", "Bills")),
    data.length === 0 ? empty(t("没有缴费单。", "No bills.")) : null,
    due.length ? card(t("待缴", "To pay"), list(due), make("p", { className: "quiet" }, t("请在微信或支付宝小程序里缴费，也可以到窗口缴。", "Pay in the WeChat or Alipay mini-program, or at the counter."))) : null,
    rest.length ? card(t("以前的", "Before"), list(rest)) : null,
  );
  return t("缴费单", "Bills");
}

const list = (bills) => make("ul", { className: "rows" }, ...bills.map((bill) => make("li", {},
  make("span", {}, make("strong", {}, bill.title), make("span", { className: "quiet" }, `${bill.bill_no} · ${moment(bill.paid_at ?? bill.made_at, clock.now())}`)),
  make("span", {}, make("strong", {}, money(bill.amount_fen)), make("span", { className: "quiet" }, bill.refunded_fen ? t(`已退 ${money(bill.refunded_fen)}`, `${money(bill.refunded_fen)} refunded`) : STATES[bill.state]?.() ?? "")),
)));
