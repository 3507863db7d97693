"""Cases, their steps, and what departments tell of them."""

from typing import Any, Final

from server.web.example_values.shared import AT, ID

DUE: Final = "2026-11-30T18:00:00+08:00"
STEP: Final = {
    "name": "材料审核",
    "state": "in_progress",
    "note": "材料齐全，正在审核。",
    "due_at": DUE,
    "overdue": False,
}
VALUES: Final[dict[str, Any]] = {
    "no": "C2026112300000042",
    "MyCaseQuery.open": True,
    "is_mine": True,
    "for_whom": None,
    "by_department": "不动产登记中心",
    "by_department_en": "Real Estate Registration Centre",
    "may_handle_cases": True,
    "agent": None,
    **{
        f"{shape}.{name}": value
        for shape in ("CaseFileStep", "DepartmentStep", "NewStep")
        for name, value in STEP.items()
        if (shape, name) != ("NewStep", "overdue")
    },
    **{
        f"{shape}.{name}": value
        for shape in ("CaseFileView", "DepartmentCase")
        for name, value in {
            "state": "in_progress",
            "opened_at": AT,
            "ended_at": None,
            "hall": "dg-00",
        }.items()
    },
    "CaseFileView.due_at": DUE,
    "CaseFileView.overdue": False,
    "CaseFilePage.next_cursor": None,
    "CaseRatingPage.next_cursor": None,
    "NewCase.name": "受理",
    "NewCase.note": "申请已受理。",
    "NewCase.due_at": DUE,
    "NewCase.sub": None,
    "NewCase.uscc": None,
    "NewCase.hall": "dg-00",
    "NewStep.number": "2026-0042-2",
    "DepartmentStep.number": "2026-0042-2",
    "DepartmentCase.number": "2026-0042",
    "CaseRating.id": ID,
    "CaseRating.stars": 2,
    "CaseAnswer.text": "已向您致歉，今后会提前告知所需材料。",
}
