"""Notices, how people want to be told, and what platforms may send them."""

from typing import Any, Final

from server.web.example_values.shared import AT, ID

VALUES: Final[dict[str, Any]] = {
    "notice": ID,
    "NoticeView.title": "请到03号窗口",
    "NoticeView.body": "A023号，请到虎门镇政务服务中心03号窗口办理居民身份证换领。",
    "NoticeView.at": AT,
    "NoticeView.sent_by": "wechat",
    "NoticeView.state": "sent",
    "NoticeView.read_at": None,
    "NoticeView.ticket_id": ID,
    "NoticesQuery.cursor": ID,
    "NoticeList.next_cursor": None,
    "up_to": ID,
    "NoticeList.unread": 1,
    "NowRead.read": 3,
    "NoticePreferences.ahead": 5,
    "template_id": "yiting_ticket_called",
    "SubscriptionView.credits": 1,
    "Accepted.accepted": ["yiting_ticket_called", "yiting_turn_near"],
    "quiet_from": "22:00",
    "quiet_to": "08:00",
}
