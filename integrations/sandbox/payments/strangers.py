"""The key of somebody who is no channel of ours and signs nevertheless."""

import asyncio
from functools import cache

from cryptography.hazmat.primitives.asymmetric import rsa


async def stranger_key() -> rsa.RSAPrivateKey:
    """Return it; the first call makes it, in a thread, since that takes long."""
    return await asyncio.to_thread(_made)


@cache
def _made() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)
