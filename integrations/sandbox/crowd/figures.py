"""What the crowd did, in numbers and without names."""

from dataclasses import dataclass, fields


@dataclass(slots=True)
class Figures:
    """Counts since the start.

    `skipped` are arrivals left out because machine or server were behind; `turned_away` are people
    who saw too long a line or whom the API refused; `errors` are requests that found no server,
    a server fault, or an answer that makes no sense here.
    """

    requests: int = 0
    arrivals: int = 0
    called: int = 0
    served: int = 0
    missed: int = 0
    gave_up: int = 0
    turned_away: int = 0
    skipped: int = 0
    held_back: int = 0
    errors: int = 0

    def copy(self) -> "Figures":
        """The figures as they are now."""
        return Figures(**self.as_dict())

    def since(self, before: "Figures") -> "Figures":
        """What was added since then."""
        was = before.as_dict()
        return Figures(**{name: count - was[name] for name, count in self.as_dict().items()})

    def as_dict(self) -> dict[str, int]:
        """Every figure by its name."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def __str__(self) -> str:
        return (
            f"取号 {self.arrivals} numbers taken · 叫号 {self.called} called"
            f" · 办结 {self.served} served · 过号 {self.missed} missed"
            f" · 放弃 {self.gave_up} gave up · 未取号 {self.turned_away} turned away"
            f" · 略过 {self.skipped} skipped · 请求 {self.requests} requests"
            f" · 限流 {self.held_back} held back · 错误 {self.errors} errors"
        )
