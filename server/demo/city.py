"""Makes the demo city on its first start, and says where everything is."""

from pathlib import Path

from models.opening import migrate_database, open_database
from scheduler.calendar import SHANGHAI
from server.admin.city_files import read_city
from server.admin.seeding import is_seeded, seed_city, seed_demo_staff
from server.commands.ground import console
from server.halls.directory import HallEntry
from server.halls.reading import read_directory
from server.keys.token_keys import write_token_keys
from server.privacy.key_file import write_personal_keys
from server.settings import (
    DEMO_PASSWORD,
    Settings,
    require_personal_keys,
    require_sso_keys,
    require_token_keys,
)
from server.sso.keys import write_signing_keys


async def prepare_demo_city(settings: Settings, files: Path) -> HallEntry:
    """Migrate, seed on the first start, make the demo's keys; answers the first hall."""
    assert settings.database_url
    database_url = settings.database_url.get_secret_value()
    await migrate_database(database_url)
    write_token_keys(settings.token_keys)
    require_token_keys(settings.token_keys)
    write_personal_keys(settings.personal_keys)
    require_personal_keys(settings.personal_keys)
    write_signing_keys(settings.sso_keys)
    require_sso_keys(settings.sso_keys)
    async with open_database(database_url):
        if not await is_seeded():
            city = read_city(files)
            await seed_city(city)
            await seed_demo_staff(city, DEMO_PASSWORD)
        return next(iter((await read_directory()).halls.values()))


def announce(url: str, settings: Settings, *, hall: str, crowd: int) -> None:
    """Print the pages and the accounts."""
    assert settings.clock_start
    started = settings.clock_start.astimezone(SHANGHAI).isoformat(timespec="seconds")
    console.print(
        f"""
[bold]一厅通 Yiting[/bold] 正在运行 is running · 按 Ctrl-C 停止 Ctrl-C stops it

  市民 Citizen          {url}/
  总览 Overview         {url}/about
  叫号屏 Board          {url}/board/{hall}
  接口文档 API docs     {url}/docs
  平台沙箱 Sandbox      {settings.sandbox_url}/

  工作人员账号 Staff    admin · supervisor · manager.dg-01 · clerk.dg-01.01 …
  演示密码 Password     {DEMO_PASSWORD}
  业务时间 Clock        {started} × {settings.clock_speed:g}
  模拟市民 Crowd        {f"{crowd} 人/小时 an hour" if crowd else "off"}
  日志 Logs             {settings.data_dir / "logs"}
  其他命令 Commands     . {settings.data_dir / "demo.env"}
""",
        highlight=False,
    )
    console.file.flush()
