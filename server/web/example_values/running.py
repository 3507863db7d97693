"""Running it, and what all answers share."""

from typing import Any, Final

from server.web.example_values.shared import AT, ID

VALUES: Final[dict[str, Any]] = {
    "next_cursor": None,
    "cursor": None,
    "ItemQuery.cursor": "social-card-renewal",
    "AccountsQuery.cursor": "clerk.dg-24.01",
    "PageQuery.cursor": ID,
    "KioskQuery.cursor": ID,
    "status": "ok",
    "checks": {"postgres": "ok", "valkey": "ok", "halls": "ok", "live": "ok"},
    "mode": "demo",
    "sandbox_url": "http://127.0.0.1:8001",
    "pays_by_form": ["unionpay"],
    "now": AT,
    "clock_speed": 1.0,
    # Only in the shapes' own schemas: each refusal has an example of its own.
    "Problem.type": "/docs/problems#not_found",
    "Problem.title": "没有找到您要的内容。",
    "Problem.status": 404,
    "Problem.detail": "没有这个大厅。",
    "Problem.code": "not_found",
    "Problem.instance": "/api/v1/halls/dg-99",
    "Problem.errors": [],
    "Problem.ticket_id": None,
    "FieldError.pointer": "/lng",
    "FieldError.detail": "lat 和 lng 应同时给出。",
    "seq": 1204,
    "actor_kind": "staff",
    "actor_id": ID,
    "on_behalf_of": None,
    "action": "citizen.looked_at",
    "subject_kind": "citizen",
    "subject_id": "019ab1c2-5d6e-7f70-8a9b-1c2d3e4f5a6b",
    "AuditView.detail": {"fields": ["name", "phone"]},
}
