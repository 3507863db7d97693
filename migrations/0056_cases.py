"""Cases: what departments' systems tell of them, and what people are told, in one transaction."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint

from models.cases import CaseFileState
from models.notice_kinds import NoticeKind

KINDS = "\n".join(f"{kind.name}: {kind.value}" for kind in NoticeKind)
STATES = "\n".join(f"{state.name}: {state.value}" for state in CaseFileState)
# Whoever is told of a step is told where the case is now: what was not sent yet is taken back.
RULES = """
CREATE SEQUENCE case_no;
CREATE INDEX sso_subject_by_name ON sso_subject (sector, subject);
CREATE FUNCTION notice_of_case_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM take_back_notices(NEW.case_id, 'step');
    INSERT INTO notice (id, event_key, citizen_id, kind, subject_id, hall_id, facts, urgency,
                        happened_at, useful_until, state, try_after)
    SELECT uuidv7(), 'case:' || NEW.id, person,
           CASE NEW.state WHEN 'accepted' THEN 'case_opened'
               WHEN 'waiting_for_materials' THEN 'case_wanted'
               WHEN 'finished' THEN 'case_finished'
               WHEN 'refused' THEN 'case_refused'
               ELSE 'case_step' END,
           c.id, c.hall_id,
           jsonb_build_object('item', c.item_id, 'number', c.no, 'step', NEW.name), 1,
           NEW.at, NEW.at + interval '7 days', 'waiting', now()
    FROM case_file c CROSS JOIN LATERAL (
        SELECT c.citizen_id AS person UNION SELECT c.acting_id) whom
    WHERE c.id = NEW.case_id AND person IS NOT NULL
    ON CONFLICT (event_key, citizen_id, kind) DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER notice_of_case_step AFTER INSERT ON case_step
    FOR EACH ROW EXECUTE FUNCTION notice_of_case_step();
"""
NO_RULES = """
DROP TRIGGER notice_of_case_step ON case_step;
DROP FUNCTION notice_of_case_step();
DROP SEQUENCE case_no;
DROP INDEX sso_subject_by_name;
"""


def _kind() -> fields.Field[NoticeKind]:
    return fields.CharEnumField(description=KINDS, enum_type=NoticeKind, max_length=32)


def _state() -> fields.Field[CaseFileState]:
    return fields.CharEnumField(description=STATES, enum_type=CaseFileState, max_length=24)


def _at(*, null: bool = False) -> fields.DatetimeField:
    return fields.DatetimeField(null=null, auto_now=False, auto_now_add=False)


def _person(related_name: str) -> fields.Field[object]:
    return fields.ForeignKeyField(
        "models.Citizen",
        source_field=None,
        null=True,
        db_constraint=True,
        to_field="id",
        related_name=related_name,
        on_delete=OnDelete.RESTRICT,
    )


class Migration(migrations.Migration):
    dependencies = [("models", "0061_theme_names")]

    initial = False

    operations = [
        ops.AddField(
            model_name="SsoClient",
            name="may_handle_cases",
            field=fields.BooleanField(db_default=False),
        ),
        ops.CreateModel(
            name="CaseFile",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("no", fields.CharField(unique=True, max_length=24)),
                (
                    "client",
                    fields.ForeignKeyField(
                        "models.SsoClient",
                        source_field=None,
                        db_constraint=True,
                        to_field="id",
                        related_name="cases",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("department_no", fields.CharField(max_length=64)),
                ("citizen", _person("cases")),
                ("acting", _person("cases_of_others")),
                ("person_key", fields.UUIDField(null=True)),
                ("acting_key", fields.UUIDField(null=True)),
                ("erased", fields.BooleanField(db_default=False)),
                ("item_id", fields.UUIDField()),
                ("hall_id", fields.UUIDField(null=True)),
                ("state", _state()),
                ("opened_at", _at()),
                ("ended_at", _at(null=True)),
            ],
            options={
                "table": "case_file",
                "app": "models",
                "indexes": [
                    Index(fields=["citizen_id", "id"], name="case_file_of_citizen"),
                    Index(fields=["acting_id", "id"], name="case_file_of_acting"),
                    Index(fields=["person_key"], name="case_file_of_person"),
                    Index(fields=["acting_key"], name="case_file_of_agent"),
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "CaseFile",
            UniqueConstraint(fields=("client_id", "department_no"), name="case_file_once"),
        ),
        ops.AddConstraint(
            "CaseFile",
            CheckConstraint(
                check="(state IN ('finished', 'refused', 'withdrawn')) = (ended_at IS NOT NULL)",
                name="case_file_until_ended",
            ),
        ),
        ops.CreateModel(
            name="CaseStep",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                (
                    "case",
                    fields.ForeignKeyField(
                        "models.CaseFile",
                        source_field=None,
                        db_constraint=True,
                        to_field="id",
                        related_name="steps",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("department_no", fields.CharField(null=True, max_length=64)),
                ("nth", fields.SmallIntField()),
                ("name", fields.CharField(max_length=30)),
                ("state", _state()),
                ("note", fields.BinaryField(null=True)),
                ("at", _at()),
                ("due_at", _at(null=True)),
            ],
            options={"table": "case_step", "app": "models", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.AddConstraint(
            "CaseStep", UniqueConstraint(fields=("case_id", "nth"), name="case_step_in_order")
        ),
        ops.AddConstraint(
            "CaseStep",
            UniqueConstraint(fields=("case_id", "department_no"), name="case_step_once"),
        ),
        # A case that was handed in at no hall is rated all the same.
        ops.AlterField(model_name="Rating", name="hall_id", field=fields.UUIDField(null=True)),
        ops.AlterField(model_name="Notice", name="kind", field=_kind()),
        ops.AlterField(model_name="NoticeTemplate", name="kind", field=_kind()),
        ops.RunSQL(RULES, reverse_sql=NO_RULES),
    ]
