"""The catalogue: departments, their items, the materials an item needs, and who offers it where."""

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.halls import Hall, Line


class Department(Model):
    """A department, known by its unified social credit code."""

    id = fields.UUIDField(primary_key=True)
    code = fields.CharField(max_length=16, unique=True)
    name = fields.CharField(max_length=80)
    name_en = fields.CharField(max_length=120)
    uscc = fields.CharField(max_length=18)

    class Meta:
        table = "department"


class Item(Model):
    """An item 事项: one thing a citizen can come for."""

    id = fields.UUIDField(primary_key=True)
    code = fields.CharField(max_length=64, unique=True)
    official_code = fields.CharField(max_length=31, unique=True)
    name = fields.CharField(max_length=120)
    name_en = fields.CharField(max_length=160)
    department: fields.ForeignKeyRelation[Department] = fields.ForeignKeyField(
        "models.Department", "items"
    )
    theme = fields.CharField(max_length=32)
    theme_name = fields.CharField(max_length=40)
    # Empty: sown before themes had one.
    theme_name_en = fields.CharField(max_length=160, db_default="")
    audience = ArrayField(element_type="text")
    # What people call it: found by, never shown.
    aliases = ArrayField(element_type="text", null=True)
    guide = fields.TextField()
    guide_en = fields.TextField()
    fee_fen = fields.IntField()
    level_required = fields.SmallIntField()
    bookable = fields.BooleanField()
    minutes = fields.SmallIntField()
    # Whose residents a hall takes for it: `scheduler.residence`.
    residents_of = fields.CharField(max_length=16, db_default="anywhere")

    # The codes of the items that must be done before.
    requires = ArrayField(element_type="text", db_default=[])
    # Its fee is to be paid before one is called.
    pay_first = fields.BooleanField(db_default=False)

    class Meta:
        table = "item"


class Material(Model):
    """A paper or file an item needs."""

    id = fields.UUIDField(primary_key=True)
    item: fields.ForeignKeyRelation[Item] = fields.ForeignKeyField("models.Item", "materials")
    position = fields.SmallIntField()
    name = fields.CharField(max_length=120)
    name_en = fields.CharField(max_length=160)
    kind = fields.CharField(max_length=16)
    copies = fields.SmallIntField()
    required = fields.BooleanField()
    note = fields.CharField(max_length=300)
    # Empty: sown before notes had one.
    note_en = fields.CharField(max_length=600, db_default="")

    class Meta:
        table = "material"
        constraints = (UniqueConstraint(fields=("item_id", "position"), name="material_once"),)


class Offering(Model):
    """That a hall offers an item, and by which of its lines."""

    id = fields.UUIDField(primary_key=True)
    item: fields.ForeignKeyRelation[Item] = fields.ForeignKeyField("models.Item", "offerings")
    hall: fields.ForeignKeyRelation[Hall] = fields.ForeignKeyField("models.Hall", "offerings")
    line: fields.ForeignKeyRelation[Line] = fields.ForeignKeyField("models.Line", "offerings")
    # The line in which whoever has paid waits on, if the hall has one for it.
    paid_line_id = fields.UUIDField(null=True)

    class Meta:
        table = "offering"
        constraints = (UniqueConstraint(fields=("item_id", "hall_id"), name="offering_once"),)
