"""The page at which UnionPay's payers pay, played by two buttons."""

import html
import json
from typing import Final

from integrations.sandbox.payments.book import Order
from integrations.yuan import yuan_of

_PAGE: Final = """<!doctype html><html lang="zh-CN"><meta charset="utf-8">
<title>沙箱：银联在线支付</title><h1>沙箱：银联在线支付</h1>
<p>模拟银联支付页面，仅供演示和测试。 UnionPay's page, played; for tests only.</p>
<p>{subject}</p><p><strong>{yuan} 元</strong></p>
<button data-outcome="success">支付 Pay</button>
<button data-outcome="cancel">取消 Cancel</button><p id="told" role="status"></p>
<script>
for (const button of document.querySelectorAll("button")) button.onclick = async () => {{
  const outcome = button.dataset.outcome;
  const body = JSON.stringify({{order_no: "{order_no}", outcome, channel: "unionpay"}});
  const reply = await fetch("/_sandbox/pay", {{method: "POST", body}});
  document.getElementById("told").textContent = reply.ok ? "已完成 Done" : await reply.text();
  if (reply.ok) location.href = {front};
}};
</script></html>"""


def page(order: Order, front: str) -> str:
    """Return the page for an order; `front` is where it sends the browser back to."""
    return _PAGE.format(
        subject=html.escape(order.subject),
        yuan=yuan_of(order.fen),
        order_no=html.escape(order.order_no),
        front=json.dumps(front).replace("<", "\\u003c"),
    )
