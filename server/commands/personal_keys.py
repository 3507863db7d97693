"""`personal-keys`: the keys that seal what is personal."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from models.audit import Entry, record
from models.database import transaction
from models.opening import open_database
from models.sealing import KeyMissing, KeyRing, Sealer
from models.tickets import SYSTEM
from server.commands.ground import console, counting, fail, ground_of
from server.privacy.key_file import (
    LOOK_EVERY_S,
    FollowedKeys,
    KeyInUse,
    drop,
    prepare,
    read_key_file,
    rotate,
    write_personal_keys,
)
from server.privacy.resealing import require_unused, reseal
from server.running.health import require_migrated
from server.settings import WrongSettings, require_personal_keys

personal_keys = typer.Typer(
    no_args_is_help=True, help="个人信息密钥。 The keys that seal names, id numbers and phones."
)
KeyFile = Annotated[Path, typer.Argument(help="The file of keys.")]


@personal_keys.command("new")
def new_personal_keys(context: typer.Context, file: KeyFile) -> None:
    """新建密钥文件。 Make a file of keys; an existing one is kept."""
    with ground_of(context).plainly():
        console.print(f"{file}: {'已生成 made' if write_personal_keys(file) else '已存在 kept'}")


@personal_keys.command("list")
def list_personal_keys(context: typer.Context, file: KeyFile) -> None:
    """列出密钥编号。 Show the keys' ids: which seals, which only open."""
    with ground_of(context).plainly(), readable(file):
        tell_ring(read_key_file(file))


@personal_keys.command("rotate")
def rotate_personal_keys(
    context: typer.Context,
    file: KeyFile,
    *,
    wait: Annotated[
        bool,
        typer.Option("--prepare", help="Only add the key; the next `rotate` lets it seal."),
    ] = False,
) -> None:
    """启用新密钥，旧密钥仍可解密。 Add a new first key; running processes follow in seconds."""
    with ground_of(context).plainly(), readable(file):
        tell_ring(prepare(file) if wait else rotate(file))


@personal_keys.command("reencrypt")
def reencrypt(context: typer.Context) -> None:
    """用新密钥重新加密，可中断后重来。 Seal anew, with the first key, what older ones sealed."""
    ground = ground_of(context)
    settings = ground.settings()

    async def main() -> None:
        sealer = Sealer(FollowedKeys(settings.personal_keys))
        async with ground.stores(settings) as urls, open_database(urls.database):
            await require_migrated()
            with counting("重新加密 Sealing anew") as tell:
                done = await reseal(sealer, tell=tell)
        console.print(f"{done.texts} 项已重新加密 texts sealed anew")
        if done.unopened:
            which = ", ".join(sorted(f"{column} {row}" for column, row in done.unopened)[:5])
            raise fail(f"No key opens {len(done.unopened)} texts ({which}).", 3)

    with ground_of(context).plainly():
        require_personal_keys(settings.personal_keys)
        wait_until_followed(settings.personal_keys)
    ground.run(main())


@personal_keys.command("drop")
def drop_personal_key(
    context: typer.Context,
    key: Annotated[str, typer.Argument(help="The id of a key, as `list` shows it.")],
) -> None:
    """删除不再使用的旧密钥。 Take an old key away for ever, once nothing is sealed with it."""
    ground = ground_of(context)
    settings = ground.settings()

    async def main() -> None:
        file = settings.personal_keys
        require_personal_keys(file)
        async with ground.stores(settings) as urls, open_database(urls.database):
            await require_migrated()
            if key in {known.id for known in read_key_file(file).keys}:
                await require_unused(key)
            try:
                ring = drop(file, key)
            except KeyInUse:
                raise fail(f"{key} seals; rotate before.", 2) from None
            except KeyMissing:
                raise fail(f"{file} has no key {key}.", 2) from None
            async with transaction() as tx:
                await record(tx, Entry(SYSTEM, "personal_keys.dropped", "key", key))
        tell_ring(ring)

    ground.run(main())


@contextmanager
def readable(file: Path) -> Iterator[None]:
    """A file that holds no personal keys is said to be one."""
    try:
        yield
    except ValueError:
        raise WrongSettings(f"{file} holds no personal keys.") from None


def tell_ring(ring: KeyRing) -> None:
    """Print the keys' ids and what each is for; nothing of the keys themselves."""
    for key in ring.keys:
        newer = key.made > ring.first.made
        use = "封存 seals" if key == ring.first else "待用 waits" if newer else "仅开启 only opens"
        console.print(f"{key.id}  {key.made:%Y-%m-%d}  {use}", highlight=False)


def wait_until_followed(file: Path) -> None:
    """Wait until every process of this machine has seen the last change of a key file."""
    age = time.time() - file.stat().st_mtime
    time.sleep(min(max(0.0, 2 * LOOK_EVERY_S - age), 2 * LOOK_EVERY_S))
