"""`keys` and `sso-keys`: the keys that sign tokens."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from server.commands.ground import console, ground_of
from server.keys.token_keys import drop_token_key, key_names, rotate_token_keys, write_token_keys
from server.settings import require_sso_keys
from server.sso.keys import rotate_signing_keys, write_signing_keys


class KeysGroup(TyperGroup):
    """`keys FILE` means `keys new FILE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments, with the command put in where there is none."""
        named = not args or args[0].startswith("-") or args[0] in self.commands
        return list(super().parse_args(ctx, args if named else ["new", *args]))


keys = typer.Typer(
    cls=KeysGroup, no_args_is_help=True, help="令牌密钥。 Make or rotate the token keys."
)
KeysFile = Annotated[Path, typer.Argument(help="The file of keys.")]


@keys.command("new")
def new_keys(context: typer.Context, file: KeysFile) -> None:
    """新建密钥文件。 Make the keys that sign access tokens; an existing file is kept."""
    with ground_of(context).plainly():
        console.print(f"{file}: {'已生成 made' if write_token_keys(file) else '已存在 kept'}")
        tell_keys(key_names(file))


@keys.command("rotate")
def rotate_keys(
    context: typer.Context,
    file: KeysFile,
    *,
    drop: Annotated[
        str | None, typer.Option(metavar="KID", help="Only take this old key out.")
    ] = None,
) -> None:
    """更换密钥，不影响已登录的人。 Put a new key first; the old ones go on verifying.

    Processes that run notice within seconds. Drop the old key a quarter of an hour later, when
    no token that it signed is left; or at once, when somebody else may have it.
    """
    with ground_of(context).plainly():
        tell_keys(drop_token_key(file, drop) if drop else rotate_token_keys(file))


def tell_keys(names: Sequence[str]) -> None:
    """Print what a file of keys holds; the names are no secret."""
    for nth, name in enumerate(names):
        console.print(name, "验证 verifies" if nth else "签发 signs", highlight=False)


sso_keys = typer.Typer(
    no_args_is_help=True, help="单点登录密钥。 The keys of single sign-on for departments' systems."
)


@sso_keys.command("new")
def new_sso_keys(context: typer.Context, file: KeysFile) -> None:
    """新建密钥文件。 Make a file of keys; an existing one is kept."""
    with ground_of(context).plainly():
        console.print(f"{file}: {'已生成 made' if write_signing_keys(file) else '已存在 kept'}")


@sso_keys.command("rotate")
def rotate_sso_keys(context: typer.Context, file: KeysFile) -> None:
    """启用下一把密钥。 Let the next key sign, from the next start of `serve` on."""
    with ground_of(context).plainly():
        require_sso_keys(file)
        console.print(f"{file}: 今后签名的密钥 signs from now on: {rotate_signing_keys(file)}")
