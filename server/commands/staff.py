"""`staff`: the first administrator, and one who lost her password."""

import re
from typing import Annotated

import redis.asyncio as aioredis
import typer

from models.opening import open_database
from models.staff import Role
from server.admin.refusals import UsernameTaken
from server.admin.staff import USERNAME, NewAccount, create_account, rescue_account
from server.commands.ground import console, ground_of
from server.errors import NotFound
from server.live.feed import Feed
from server.running.health import require_migrated
from server.settings import WrongSettings


def staff(
    context: typer.Context,
    username: Annotated[str, typer.Argument(help="The user name.")],
    *,
    name: Annotated[str, typer.Option(help="The person's name; makes the account.")] = "",
    role: Annotated[Role, typer.Option(help="What she may do, in every hall.")] = Role.ADMIN,
    reset: Annotated[
        bool, typer.Option("--reset", help="A new password for an account, and no device.")
    ] = False,
) -> None:
    """新建或挽救工作人员账号。 Make an account of staff, such as the first, or rescue one.

    Prints a password that is good once: for signing in within three days and choosing another.
    """
    ground = ground_of(context)
    with ground.plainly():
        if bool(name) == reset:
            raise WrongSettings("Give either --name, to make an account, or --reset.")
        if not re.search(USERNAME, username):
            raise WrongSettings("A user name has 2 to 64 of a–z, 0–9, dots, dashes, underscores.")

    async def main() -> None:
        async with ground.stores(ground.settings()) as urls, open_database(urls.database):
            await require_migrated()
            async with aioredis.from_url(urls.redis) as valkey:
                try:
                    made = (
                        await rescue_account(username, feed=Feed(valkey, []))
                        if reset
                        else await create_account(NewAccount(username, name, role), by=None)
                    )
                except (UsernameTaken, NotFound) as refusal:
                    raise WrongSettings(f"{username}: {refusal}") from None
        console.print(f"{username}: 一次性密码 one-time password {made.password}", highlight=False)

    ground.run(main())
