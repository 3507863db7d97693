"""What could hurt a citizen is done only for whom its channel knows as surely as she is known."""

from uuid import UUID

from models.database import Transaction
from models.joined import held
from models.proving import is_as_sure
from server.auth import Principal
from server.errors import LevelTooLow, Sentence

NOT_AS_SURE: Sentence = (
    "此登录方式的认证等级低于您账号的等级。请先完成人脸核验，或改用已达到该等级的登录方式。",
    "You are known more surely than this channel has proven. Pass a face check here first"
    " (POST /me/face-checks), or come in by the channel that has proven it.",
)


async def held_surely(tx: Transaction, who: Principal, *, wholly: bool = False) -> UUID:
    """Lock her as `models.joined.held` does; the id she has now.

    Raises LevelTooLow when another channel of hers has proven more than the one she came in by,
    and NoSuchCitizen.
    """
    me = await held(tx, who.id, wholly=wholly)
    if not await is_as_sure(tx, me, who.sign_in_id):
        raise LevelTooLow(NOT_AS_SURE)
    return me
