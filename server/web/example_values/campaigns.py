"""Campaigns."""

from typing import Any, Final

from server.web.example_values.shared import AT

_TITLE: Final = "老年人优待证可网上申领"
_TITLE_EN: Final = "Senior citizens' cards can be had online"
_TEXT: Final = "12 月 1 日起，年满 60 周岁的市民可在一厅通申领优待证，无需到厅。"
_TEXT_EN: Final = "From 1 December citizens of 60 and more can apply for the card here."

VALUES: Final[dict[str, Any]] = (
    {
        "campaign": "01939f2e-7c6a-7b1e-9d2f-3a4b5c6d7e92",
        "title_en": _TITLE_EN,
        "per_minute": 3000,
        "author": "01939f2e-7c6a-7b1e-9d2f-3a4b5c6d7e90",
        "approved_by": "01939f2e-7c6a-7b1e-9d2f-3a4b5c6d7e91",
        "approved_at": AT,
        "left_out": 120,
        "written": 1370,
        "CampaignFigures.sent": 1204,
        "arrived": 1188,
        "inbox_only": 96,
        "withdrawn": 3,
        "expired": 0,
        "opened": 511,
        "CampaignFigures.as_of": AT,
        "CampaignFigures.waiting": 47,
        "CampaignFigures.refused": 20,
        "CampaignFigures.failed": 0,
    }
    | {
        f"{shape}.{name}": value
        for shape in ("CampaignGiven", "CampaignView")
        for name, value in {
            "title": _TITLE,
            "text": _TEXT,
            "text_en": _TEXT_EN,
            "audience": "age >= 60",
            "reads": ["age"],
            "item": "elder-card",
            "starts_at": AT,
            "ends_at": "2026-12-20T09:30:00+08:00",
            "version": 1,
            "state": "draft",
        }.items()
    }
    | {"Approval.version": 1, "CampaignView.ended_at": None}
)
