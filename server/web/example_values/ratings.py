"""Ratings, and what halls answer."""

from typing import Any, Final

from server.web.example_values.shared import AT, ID

VALUES: Final[dict[str, Any]] = {
    "rating_id": ID,
    "Rate.subject": "ticket",
    "RatingView.subject": "ticket",
    "RatingView.subject_id": ID,
    "stars": 5,
    "tags": ["耐心", "专业"],
    "comment": "办得很快。",
    "rated_at": AT,
    "answer_by": None,
    "answer": None,
    "answered_at": None,
    "by_stars": [0, 1, 2, 20, 63],
    "bad": 1,
    "answered": 1,
    "RatingFigures.mean": 4.69,
    "RatingFigures.count": 86,
    "RatingPage.next_cursor": None,
    "AnswerRating.text": "已向您致歉，并加开了一个窗口。",
}
