"""What predictors of a test have learned and stored."""

from models.database import rows
from models.waits import CITY


async def forget_what_was_learned(*codes: str) -> None:
    """Forget what is kept of these halls, and of the city as a whole."""
    await rows("DELETE FROM wait_state WHERE code = ANY($1)", [*codes, CITY])
    await rows("DELETE FROM wait_lessons WHERE code = ANY($1)", [*codes, CITY])
    await rows("DELETE FROM wait_trees")
