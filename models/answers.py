"""First answers kept for phones that ask twice."""

from tortoise import fields
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model


class Answer(Model):
    """The first answer to a request with an `Idempotency-Key`, one per person and key."""

    id = fields.UUIDField(primary_key=True)
    person_id = fields.UUIDField()
    key = fields.CharField(max_length=128)
    # SHA-256 of method, path and body: the same key with another request is a mistake.
    fingerprint = fields.CharField(max_length=64)
    status = fields.SmallIntField(null=True)
    body = fields.BinaryField(null=True)
    # Real time; answers are kept for a day.
    created_at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "answer"
        constraints = (UniqueConstraint(fields=("person_id", "key"), name="answer_key_once"),)
