from uuid import uuid4

from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint

from models.halls import CounterState, LineState
from models.sessions import PersonKind
from models.staff import Role
from models.tickets import Move, TicketState


class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name="Answer",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("person_id", fields.UUIDField()),
                ("key", fields.CharField(max_length=128)),
                ("fingerprint", fields.CharField(max_length=64)),
                ("status", fields.SmallIntField(null=True)),
                ("body", fields.BinaryField(null=True)),
                (
                    "created_at",
                    fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False),
                ),
            ],
            options={
                "table": "answer",
                "app": "models",
                "pk_attr": "id",
                "table_description": "The first answer to a request with an `Idempotency-Key`, one per person and key.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Citizen",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("level", fields.SmallIntField(default=0)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "citizen",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One real person. `level` is how surely we know her: 0 signed in … 3 real name and face.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ChannelLink",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                (
                    "citizen",
                    fields.ForeignKeyField(
                        "models.Citizen",
                        source_field="citizen_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="links",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("platform", fields.CharField(max_length=16)),
                ("app_id", fields.CharField(max_length=64)),
                ("subject", fields.CharField(max_length=128)),
                ("union_subject", fields.CharField(null=True, max_length=128)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "channel_link",
                "app": "models",
                "pk_attr": "id",
                "table_description": "That a platform's user of one of our apps is this citizen.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Department",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("code", fields.CharField(unique=True, max_length=16)),
                ("name", fields.CharField(max_length=80)),
                ("name_en", fields.CharField(max_length=120)),
                ("uscc", fields.CharField(max_length=18)),
            ],
            options={
                "table": "department",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A department, known by its unified social credit code.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Hall",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("code", fields.CharField(unique=True, max_length=16)),
                ("name", fields.CharField(max_length=80)),
                ("name_en", fields.CharField(max_length=120)),
                ("level", fields.CharField(max_length=16)),
                ("parent_code", fields.CharField(null=True, max_length=16)),
                ("address", fields.CharField(max_length=200)),
                ("phone", fields.CharField(max_length=40)),
                ("lat", fields.FloatField(null=True)),
                ("lng", fields.FloatField(null=True)),
                ("remote_radius_m", fields.IntField()),
            ],
            options={
                "table": "hall",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A service hall 大厅. Its row is the lock under which everything in the hall is decided.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Counter",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                (
                    "hall",
                    fields.ForeignKeyField(
                        "models.Hall",
                        source_field="hall_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="counters",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("code", fields.CharField(max_length=8)),
                ("name", fields.CharField(max_length=80)),
                ("skills", ArrayField(element_type="TEXT")),
                ("serving", ArrayField(element_type="TEXT")),
                (
                    "state",
                    fields.CharEnumField(
                        default=CounterState.CLOSED,
                        description="OPEN: open\nPAUSED: paused\nCLOSED: closed",
                        enum_type=CounterState,
                        max_length=16,
                    ),
                ),
                ("pause_reason", fields.CharField(null=True, max_length=200)),
            ],
            options={
                "table": "counter",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A counter 窗口. `skills` are the line codes it may serve, its own first.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Item",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("code", fields.CharField(unique=True, max_length=64)),
                ("official_code", fields.CharField(unique=True, max_length=31)),
                ("name", fields.CharField(max_length=120)),
                ("name_en", fields.CharField(max_length=160)),
                (
                    "department",
                    fields.ForeignKeyField(
                        "models.Department",
                        source_field="department_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="items",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("theme", fields.CharField(max_length=32)),
                ("theme_name", fields.CharField(max_length=40)),
                ("audience", ArrayField(element_type="TEXT")),
                ("guide", fields.TextField(unique=False)),
                ("guide_en", fields.TextField(unique=False)),
                ("fee_fen", fields.IntField()),
                ("level_required", fields.SmallIntField()),
                ("bookable", fields.BooleanField()),
                ("minutes", fields.SmallIntField()),
            ],
            options={
                "table": "item",
                "app": "models",
                "pk_attr": "id",
                "table_description": "An item 事项: one thing a citizen can come for.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Line",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                (
                    "hall",
                    fields.ForeignKeyField(
                        "models.Hall",
                        source_field="hall_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="lines",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("code", fields.CharField(max_length=4)),
                ("name", fields.CharField(max_length=80)),
                ("name_en", fields.CharField(max_length=120)),
                (
                    "state",
                    fields.CharEnumField(
                        default=LineState.OPEN,
                        description="OPEN: open\nPAUSED: paused",
                        enum_type=LineState,
                        max_length=16,
                    ),
                ),
                ("waiting_limit", fields.IntField(null=True)),
                ("last_sequence", fields.IntField(default=0)),
                ("last_issued_at", fields.DatetimeField(null=True)),
                ("numbered_on", fields.DateField(null=True)),
            ],
            options={
                "table": "line",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A line 队列 of a hall; its code is the letter that numbers begin with.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Material",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                (
                    "item",
                    fields.ForeignKeyField(
                        "models.Item",
                        source_field="item_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="materials",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("position", fields.SmallIntField()),
                ("name", fields.CharField(max_length=120)),
                ("name_en", fields.CharField(max_length=160)),
                ("kind", fields.CharField(max_length=16)),
                ("copies", fields.SmallIntField()),
                ("required", fields.BooleanField()),
                ("note", fields.CharField(max_length=300)),
            ],
            options={
                "table": "material",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A paper or file an item needs.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Offering",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                (
                    "item",
                    fields.ForeignKeyField(
                        "models.Item",
                        source_field="item_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="offerings",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "hall",
                    fields.ForeignKeyField(
                        "models.Hall",
                        source_field="hall_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="offerings",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "line",
                    fields.ForeignKeyField(
                        "models.Line",
                        source_field="line_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="offerings",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
            ],
            options={
                "table": "offering",
                "app": "models",
                "pk_attr": "id",
                "table_description": "That a hall offers an item, and by which of its lines.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Opening",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                (
                    "hall",
                    fields.ForeignKeyField(
                        "models.Hall",
                        source_field="hall_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="openings",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("weekday", fields.SmallIntField()),
                ("start_minute", fields.SmallIntField()),
                ("end_minute", fields.SmallIntField()),
            ],
            options={
                "table": "opening",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A weekly opening of a hall, local time; `weekday` 0 is Monday.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SignIn",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                (
                    "person_kind",
                    fields.CharEnumField(
                        description="CITIZEN: citizen\nSTAFF: staff",
                        enum_type=PersonKind,
                        max_length=16,
                    ),
                ),
                ("person_id", fields.UUIDField(db_index=True)),
                ("channel", fields.CharField(max_length=16)),
                ("device", fields.CharField(max_length=200)),
                ("started_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "ended_at",
                    fields.DatetimeField(
                        null=True, db_index=True, auto_now=False, auto_now_add=False
                    ),
                ),
                ("end_reason", fields.CharField(null=True, max_length=40)),
            ],
            options={
                "table": "sign_in",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One sign-in on one device: the family of all tokens that come from it.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RefreshToken",
            fields=[
                (
                    "digest",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64),
                ),
                (
                    "sign_in",
                    fields.ForeignKeyField(
                        "models.SignIn",
                        source_field="sign_in_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="refresh_tokens",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("issued_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "expires_at",
                    fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False),
                ),
                ("used_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "refresh_token",
                "app": "models",
                "pk_attr": "digest",
                "table_description": "A refresh token, stored as its SHA-256; used once.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SpecialDay",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                (
                    "hall",
                    fields.ForeignKeyField(
                        "models.Hall",
                        source_field="hall_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="special_days",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("date", fields.DateField()),
                ("start_minute", fields.SmallIntField(null=True)),
                ("end_minute", fields.SmallIntField(null=True)),
                ("reason", fields.CharField(max_length=200)),
            ],
            options={
                "table": "special_day",
                "app": "models",
                "indexes": [Index(fields=["hall_id", "date"])],
                "pk_attr": "id",
                "table_description": "A date on which a hall differs from its week; a row without times closes the whole day.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Staff",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("username", fields.CharField(unique=True, max_length=64)),
                ("name", fields.CharField(max_length=80)),
                ("password_hash", fields.CharField(max_length=200)),
                (
                    "role",
                    fields.CharEnumField(
                        description="CLERK: clerk\nHALL_MANAGER: hall_manager\nSUPERVISOR: supervisor\nADMIN: admin",
                        enum_type=Role,
                        max_length=16,
                    ),
                ),
                ("halls", ArrayField(element_type="TEXT")),
                ("demo", fields.BooleanField(default=False)),
                ("disabled", fields.BooleanField(default=False)),
            ],
            options={
                "table": "staff",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A member of staff. `halls` are hall codes; empty means every hall.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Ticket",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                (
                    "hall",
                    fields.ForeignKeyField(
                        "models.Hall",
                        source_field="hall_id",
                        db_constraint=False,
                        to_field="id",
                        related_name="tickets",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "line",
                    fields.ForeignKeyField(
                        "models.Line",
                        source_field="line_id",
                        db_constraint=False,
                        to_field="id",
                        related_name="tickets",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "item",
                    fields.ForeignKeyField(
                        "models.Item",
                        source_field="item_id",
                        db_constraint=False,
                        to_field="id",
                        related_name="tickets",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "citizen",
                    fields.ForeignKeyField(
                        "models.Citizen",
                        source_field="citizen_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="tickets",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "counter",
                    fields.ForeignKeyField(
                        "models.Counter",
                        source_field="counter_id",
                        null=True,
                        db_constraint=False,
                        to_field="id",
                        related_name="tickets",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("day", fields.DateField()),
                ("sequence", fields.IntField()),
                ("number", fields.CharField(max_length=12)),
                (
                    "state",
                    fields.CharEnumField(
                        description="WAITING: waiting\nCALLED: called\nSERVING: serving\nPARKED: parked\nFINISHED: finished\nMISSED: missed\nCANCELLED: cancelled",
                        enum_type=TicketState,
                        max_length=16,
                    ),
                ),
                ("issued_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("rank_time", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("called_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("started_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("outcome", fields.CharField(null=True, max_length=64)),
                ("version", fields.BigIntField()),
            ],
            options={
                "table": "ticket",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A number taken in a line. `rank_time` is the published order: the lowest is called first.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="TicketEvent",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                (
                    "ticket",
                    fields.ForeignKeyField(
                        "models.Ticket",
                        source_field="ticket_id",
                        db_constraint=False,
                        to_field="id",
                        related_name="events",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "hall",
                    fields.ForeignKeyField(
                        "models.Hall",
                        source_field="hall_id",
                        db_constraint=False,
                        to_field="id",
                        related_name="events",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "move",
                    fields.CharEnumField(
                        description="ISSUE: issue\nCALL: call\nSTART: start\nFINISH: finish\nMISS: miss\nCANCEL: cancel\nLAPSE: lapse",
                        enum_type=Move,
                        max_length=16,
                    ),
                ),
                (
                    "state",
                    fields.CharEnumField(
                        description="WAITING: waiting\nCALLED: called\nSERVING: serving\nPARKED: parked\nFINISHED: finished\nMISSED: missed\nCANCELLED: cancelled",
                        enum_type=TicketState,
                        max_length=16,
                    ),
                ),
                ("actor_kind", fields.CharField(max_length=16)),
                ("actor_id", fields.UUIDField(null=True)),
                ("counter_id", fields.UUIDField(null=True)),
                ("detail", fields.CharField(null=True, max_length=200)),
            ],
            options={
                "table": "ticket_event",
                "app": "models",
                "indexes": [Index(fields=["ticket_id", "id"])],
                "pk_attr": "id",
                "table_description": "One thing that happened to a ticket: who, when, from where, why. Never changed.",
            },
            bases=["Model"],
        ),
        # Tortoise 1.1 forgets constraints when it creates a table: added one by one.
        ops.AddConstraint(
            "Answer", UniqueConstraint(fields=("person_id", "key"), name="answer_key_once")
        ),
        ops.AddConstraint(
            "ChannelLink",
            UniqueConstraint(fields=("platform", "app_id", "subject"), name="channel_subject_once"),
        ),
        ops.AddConstraint(
            "Counter", UniqueConstraint(fields=("hall_id", "code"), name="counter_code_once")
        ),
        ops.AddConstraint(
            "Line", UniqueConstraint(fields=("hall_id", "code"), name="line_code_once")
        ),
        ops.AddConstraint(
            "Material", UniqueConstraint(fields=("item_id", "position"), name="material_once")
        ),
        ops.AddConstraint(
            "Offering", UniqueConstraint(fields=("item_id", "hall_id"), name="offering_once")
        ),
        ops.AddConstraint(
            "Opening",
            UniqueConstraint(
                fields=("hall_id", "weekday", "start_minute"), name="opening_start_once"
            ),
        ),
        ops.AddConstraint(
            "Ticket",
            UniqueConstraint(fields=("line_id", "day", "sequence"), name="ticket_number_once"),
        ),
        ops.AddConstraint(
            "Ticket",
            UniqueConstraint(
                fields=("citizen_id", "item_id"),
                name="ticket_open_once",
                condition="ended_at IS NULL",
            ),
        ),
        ops.AddConstraint(
            "Ticket",
            UniqueConstraint(
                fields=("counter_id",),
                name="ticket_at_counter_once",
                condition="state IN ('called', 'serving')",
            ),
        ),
        ops.AddConstraint(
            "Ticket", CheckConstraint(check="sequence > 0", name="ticket_sequence_positive")
        ),
        ops.AddConstraint(
            "Ticket",
            CheckConstraint(
                check="(ended_at IS NULL) = (state IN ('waiting', 'called', 'serving', 'parked'))",
                name="ticket_open_until_ended",
            ),
        ),
    ]
