"""A hall's day and its staff, as reports tell them."""

from typing import Any, Final

VALUES: Final[dict[str, Any]] = {
    "usual_days": ["2026-11-16", "2026-11-09"],
    "DayMoment.at": "2026-11-23T09:45:00+08:00",
    "DayMoment.waiting": 14,
    "DayMoment.wait_s": 840,
    "DayMoment.counters": 5,
    "DayMoment.issued": 21,
    "DayMoment.served": 17,
    "DayMoment.missed": 1,
    "LineThen.line": "A",
    "LineThen.waiting": 6,
    "UsualMoment.at": "2026-11-23T09:45:00+08:00",
    "UsualMoment.issued": 18.5,
    "UsualMoment.served": 16.0,
    "UsualMoment.waiting": 11.5,
    "UsualMoment.wait_s": 720,
    "ClerkRow.staff": "019ab1c2-3d4e-7f50-8a9b-0c1d2e3f4a5b",
    "ClerkRow.name": "陈静",
    "ClerkRow.served": 131,
    "ClerkRow.called": 140,
    "ClerkRow.missed": 8,
    "service_s": 61200,
    "usual_s": 65800,
    "pace": {"ratio": 0.93, "low": 0.87, "high": 0.99},
    "HallTicket.visit": "019ab1c2-3d4e-7f50-8a9b-0c1d2e3f4a5c",
    "HallTicket.appointment": {
        "id": "019ab1c2-3d4e-7f50-8a9b-0c1d2e3f4a5d",
        "slot_start": "2026-11-23T09:30:00+08:00",
    },
}
