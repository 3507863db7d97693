"""How people found their service: once a ticket; what was bad is answered."""

from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint

TO_ANSWER = """
CREATE INDEX rating_to_answer ON rating (hall_id, id)
    WHERE answer_by IS NOT NULL AND answered_at IS NULL
"""


class Migration(migrations.Migration):
    dependencies = [("models", "0043_attempts_open")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Rating",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("subject", fields.CharField(max_length=12)),
                ("subject_id", fields.UUIDField()),
                ("citizen_id", fields.UUIDField(null=True)),
                ("hall_id", fields.UUIDField()),
                ("item_id", fields.UUIDField()),
                ("stars", fields.SmallIntField()),
                ("tags", ArrayField(db_default=[], element_type="text")),
                ("comment", fields.BinaryField(null=True)),
                ("rated_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("answer_by", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("answer", fields.CharField(null=True, max_length=500)),
                (
                    "answered_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                ("answered_by", fields.UUIDField(null=True)),
            ],
            options={
                "table": "rating",
                "app": "models",
                "indexes": [
                    Index(fields=["citizen_id", "id"], name="rating_of_citizen"),
                    Index(fields=["hall_id", "rated_at"], name="rating_of_hall"),
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "Rating", UniqueConstraint(fields=("subject", "subject_id"), name="rating_once")
        ),
        ops.AddConstraint(
            "Rating", CheckConstraint(check="stars BETWEEN 1 AND 5", name="rating_stars")
        ),
        ops.AddConstraint(
            "Rating",
            CheckConstraint(
                check="(stars <= 2) = (answer_by IS NOT NULL)", name="rating_bad_is_answered"
            ),
        ),
        ops.RunSQL(TO_ANSWER, reverse_sql="DROP INDEX rating_to_answer"),
    ]
