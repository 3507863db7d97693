"""For Tortoise's own command line (`tortoise makemigrations`), which pyproject.toml sends here."""

import os

from models import orm_config

TORTOISE_ORM = orm_config(os.environ.get("YITING_DATABASE_URL", "postgres://postgres@/yiting"))
