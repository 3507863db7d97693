"""Bills of departments' systems: who may make them, and news of what happened to them."""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from models.department_bills import BillNewsKind

# A department's bill is told of by whoever changes it, in that very transaction.
RULES = """
CREATE FUNCTION tell_department(bill bill, what text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO department_bill_news (client_id, bill_id, kind, written_by)
    VALUES (bill.made_by_id, bill.id, what, pg_current_xact_id()::text::bigint)
$$;
CREATE FUNCTION bill_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell_department(NEW, NEW.state);
    RETURN NULL;
END $$;
CREATE FUNCTION order_refunded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell_department(b, 'refunded') FROM bill b
    WHERE b.settled_by = NEW.id AND b.source = 'department' AND b.made_by = 'department';
    RETURN NULL;
END $$;
CREATE TRIGGER department_bill_ended AFTER UPDATE OF state ON bill FOR EACH ROW
    WHEN (NEW.made_by = 'department' AND OLD.state IS DISTINCT FROM NEW.state)
    EXECUTE FUNCTION bill_ended();
CREATE TRIGGER department_bill_refunded AFTER UPDATE OF refunded_fen ON pay_order FOR EACH ROW
    WHEN (NEW.settles AND NEW.refunded_fen > OLD.refunded_fen)
    EXECUTE FUNCTION order_refunded();
CREATE TRIGGER department_bill_news_stay BEFORE UPDATE OR DELETE OR TRUNCATE
    ON department_bill_news FOR EACH STATEMENT EXECUTE FUNCTION money_is_never_unwritten();
"""
NO_RULES = """
DROP TRIGGER department_bill_ended ON bill;
DROP TRIGGER department_bill_refunded ON pay_order;
DROP TRIGGER department_bill_news_stay ON department_bill_news;
DROP FUNCTION bill_ended();
DROP FUNCTION order_refunded();
DROP FUNCTION tell_department(bill, text);
"""


class Migration(migrations.Migration):
    dependencies = [("models", "0034_abandoned")]

    initial = False

    operations = [
        ops.CreateModel(
            name="DepartmentBillNews",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("client_id", fields.UUIDField()),
                ("bill_id", fields.UUIDField()),
                (
                    "kind",
                    fields.CharEnumField(
                        description="PAID: paid\nCANCELLED: cancelled\nREFUNDED: refunded",
                        enum_type=BillNewsKind,
                        max_length=12,
                    ),
                ),
                ("written_by", fields.BigIntField()),
            ],
            options={
                "table": "department_bill_news",
                "app": "models",
                "indexes": [
                    Index(
                        fields=["client_id", "written_by", "id"],
                        name="department_bill_news_in_order",
                    )
                ],
                "pk_attr": "id",
                "table_description": "One thing that happened to a department's bill; triggers write it, nothing changes it.",
            },
            bases=["Model"],
        ),
        ops.AddField(
            model_name="SsoClient",
            name="may_bill",
            field=fields.BooleanField(db_default=False),
        ),
        ops.RunSQL(RULES, reverse_sql=NO_RULES),
    ]
