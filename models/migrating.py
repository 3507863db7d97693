"""Bringing a database to this version's schema, without drawing every model for every step.

Tortoise draws all models anew, with what queries need, before and after each operation of each
migration: for ours that is seven seconds of a processor. Here models are drawn when an operation
looks at one, and without what queries need.
"""

from collections.abc import Iterable
from typing import Any

from tortoise import Tortoise
from tortoise.connection import ConnectionHandler, get_connection
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget
from tortoise.migrations.graph import MigrationKey
from tortoise.migrations.operations import DIRECT_RELATION_FIELDS
from tortoise.migrations.schema_generator.state import ModelState, State
from tortoise.migrations.schema_generator.state_apps import StateApps
from tortoise.models import Model

Models = dict[tuple[str, str], ModelState]


class ModelsWhenAsked(StateApps):
    """The models of one moment, each drawn when it is asked for."""

    def __init__(self, default_connections: dict[str, str], models: Models) -> None:
        # Without a database's address Tortoise leaves out what queries need.
        super().__init__(default_connections, ConnectionHandler())
        self._models = models

    def get_model(self, app_label: str, model_name: str | None = None) -> type[Model]:
        """A model's class, as the base class gives it, and those that it refers to."""
        if model_name is None:
            app_label, model_name = self.split_reference(app_label)
        if (app_label, model_name) in self._models:
            fields = self._models[app_label, model_name].fields.values()
            near = [f.model_name for f in fields if isinstance(f, DIRECT_RELATION_FIELDS)]
            self._draw([(app_label, model_name), *map(self.split_reference, near)])
        return super().get_model(app_label, model_name)

    def draw_all(self) -> None:
        """Make every model's class."""
        self._draw(self._models)

    def _draw(self, wanted: Iterable[tuple[str, str]]) -> None:
        for app, name in wanted:
            if name not in self.apps.get(app, {}) and (app, name) in self._models:
                self.register_model(app, self._models[app, name].render(self))
        self._init_relations()


class Moment(State):
    """What the models are between two operations."""

    def __init__(self, models: Models, default_connections: dict[str, str]) -> None:
        self._connections = default_connections
        super().__init__(models, ModelsWhenAsked(default_connections, models))

    def reload_model(self, app_label: str, model_name: str) -> None:
        """One model has changed."""
        self.reload_models([(app_label, model_name)])

    def reload_models(self, model_tuples: Iterable[tuple[str, str]]) -> None:
        """These models have changed."""
        self.apps = ModelsWhenAsked(self._connections, self.models)

    def validate_relations_initialized(self) -> None:
        """Raise RuntimeError when a model refers to one that no migration has made."""
        assert isinstance(self.apps, ModelsWhenAsked)
        self.apps.draw_all()
        super().validate_relations_initialized()

    def clone(self) -> "Moment":
        """The same moment, which stays as it is while operations change this one."""
        models = {key: model.clone() for key, model in self.models.items()}
        return Moment(models, self._connections)


class Executor(MigrationExecutor):
    """Applies migrations as Tortoise's own does, from moments that draw only what is asked for."""

    async def _project_state(
        self, applied: set[MigrationKey], *, upto: MigrationKey | None = None
    ) -> State:
        apps = self.loader.apps_config.items()
        connections = {app: of.get("default_connection", "default") for app, of in apps}
        moment: State = Moment({}, connections)
        for key in self._full_plan():
            if key == upto:
                break
            if key in applied:
                migration = self.loader.graph.nodes[key]
                assert migration is not None
                await migration.apply(moment, dry_run=True)
        return moment


async def migrate(config: dict[str, Any], *, upto: str = "__latest__") -> None:
    """Apply what this database does not have yet, up to a migration of this name, or all.

    `config` is Tortoise's; its connections stay open.
    """
    await Tortoise.init(config=config, init_connections=False)
    executor = Executor(get_connection("default"), config["apps"])
    await executor.migrate([MigrationTarget("models", upto)], direction="forward")
