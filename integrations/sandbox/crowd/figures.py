"""What the crowd did, in numbers and without names."""

from collections import Counter
from dataclasses import dataclass, field, fields, replace


@dataclass(slots=True)
class Figures:
    """Counts since the start.

    `skipped` are arrivals left out because machine or server were behind; `turned_away` are people
    who saw too long a line or whom the API refused; `refused` counts refusals by their code, which
    are part of life; `errors` are requests that found no server, no such address, a server fault,
    or an answer that makes no sense here.
    """

    requests: int = 0
    # On the phone.
    arrivals: int = 0
    named: int = 0
    for_parent: int = 0
    claimed: int = 0
    elders: int = 0
    visits: int = 0
    bundles: int = 0
    gave_up: int = 0
    let_pass: int = 0
    moved: int = 0
    checked_in: int = 0
    shared: int = 0
    followed: int = 0
    # Booked by phone, and what became of it.
    booked: int = 0
    rebooked: int = 0
    gave_back: int = 0
    stayed_away: int = 0
    came_booked: int = 0
    waits_for_place: int = 0
    offers_accepted: int = 0
    # At the hall.
    booked_at_desk: int = 0
    came_by_card: int = 0
    kiosks: int = 0
    at_kiosk: int = 0
    printed: int = 0
    at_desk: int = 0
    with_card: int = 0
    confirmed: int = 0
    returned: int = 0
    # At the counters.
    called: int = 0
    recalled: int = 0
    missed: int = 0
    served: int = 0
    undone: int = 0
    parked: int = 0
    resumed: int = 0
    sent_to_line: int = 0
    sent_to_counter: int = 0
    sent_to_hall: int = 0
    next_items: int = 0
    next_stops: int = 0
    paused: int = 0
    handed_over: int = 0
    closed_early: int = 0
    # What a department makes of what counters accepted.
    cases: int = 0
    case_steps: int = 0
    # The managers.
    alarms: int = 0
    acknowledged: int = 0
    announced: int = 0
    overflows: int = 0
    reassigned: int = 0
    lines_paused: int = 0
    lines_stopped: int = 0
    lines_opened: int = 0
    # The machine.
    turned_away: int = 0
    skipped: int = 0
    held_back: int = 0
    errors: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def copy(self) -> "Figures":
        """The figures as they are now."""
        return replace(self, refused=self.refused.copy())

    def since(self, before: "Figures") -> "Figures":
        """What was added since then."""
        added = {name: count - getattr(before, name) for name, count in self.counts().items()}
        return Figures(**added, refused=self.refused - before.refused)

    def counts(self) -> dict[str, int]:
        """Every single count by its name."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name != "refused"}

    def as_dict(self) -> dict[str, int | dict[str, int]]:
        """Every figure by its name, for a line of the log."""
        return {**self.counts(), "refused": dict(self.refused.most_common())}

    def __str__(self) -> str:
        return (
            f"取号 {self.arrivals} numbers taken · 现场 {self.at_kiosk + self.at_desk} at the halls"
            f" · 预约 {self.booked + self.booked_at_desk} booked"
            f" · 应约 {self.came_booked + self.came_by_card} came for it"
            f" · 叫号 {self.called} called · 办结 {self.served} served"
            f" · 过号 {self.missed} missed · 回队 {self.returned} came back"
            f" · 挂起 {self.parked} parked · 转号 {self._sent} sent on"
            f" · 换厅 {self.moved} moved · 放弃 {self.gave_up} gave up"
            f" · 未取号 {self.turned_away} turned away"
            f" · 略过 {self.skipped} skipped · 请求 {self.requests} requests"
            f" · 限流 {self.held_back} held back · 错误 {self.errors} errors"
        )

    @property
    def _sent(self) -> int:
        return self.sent_to_line + self.sent_to_counter + self.sent_to_hall
