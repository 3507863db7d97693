"""`migrate` and `seed`: the database's schema, and a city's files in it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn

from models.opening import migrate_database, open_database
from server.admin.city_files import CITY_FILES, City, read_city
from server.admin.seeding import seed_city
from server.commands.ground import console, ground_of
from server.settings import WrongSettings


def migrate(context: typer.Context) -> None:
    """升级数据库结构。 Bring the database to this version's schema."""
    ground = ground_of(context)

    async def main() -> None:
        async with ground.stores(ground.settings()) as urls:
            await migrate_database(urls.database)
        console.print("数据库已是最新版本。 The database is up to date.")

    ground.run(main())


def seed(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="A folder of city files.")] = CITY_FILES,
    *,
    check_only: Annotated[bool, typer.Option("--check", help="Only check the files.")] = False,
) -> None:
    """导入城市资料。 Write a city's files into the database."""
    ground = ground_of(context)
    with ground.plainly():
        city = read_city_folder(folder)
    console.print(f"{folder}: {len(city.halls)} 个大厅 halls, {len(city.items)} 个事项 items")
    if check_only:
        return

    async def main() -> None:
        async with ground.stores(ground.settings()) as urls:
            await migrate_database(urls.database)
            async with open_database(urls.database):
                with Progress(SpinnerColumn(), TextColumn("{task.description}")) as bar:
                    task = bar.add_task("")
                    await seed_city(city, progress=lambda text: bar.update(task, description=text))
        console.print("已写入。 Done.")

    ground.run(main())


def read_city_folder(folder: Path) -> City:
    """A city's files. Raises CityFilesError with every problem, WrongSettings without a folder."""
    if not folder.is_dir():
        raise WrongSettings(f"{folder} is no folder; name one with a city's files.")
    return read_city(folder)
