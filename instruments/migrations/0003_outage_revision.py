from uuid import uuid4

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.utils import timezone


def give_each_outage_its_own(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    outages = apps.get_model("instruments", "Outage").objects.using(schema_editor.connection.alias)
    for outage in outages.filter(uid=None).only("pk", "created_at").iterator():
        outages.filter(pk=outage.pk).update(uid=uuid4(), changed_at=outage.created_at)


class Migration(migrations.Migration):
    # PostgreSQL cannot alter a table with pending trigger events of the same transaction.
    atomic = False

    dependencies = [("instruments", "0002_search_index")]

    operations = [
        migrations.AddField("outage", "uid", models.UUIDField(editable=False, null=True)),
        migrations.AddField("outage", "sequence", models.PositiveIntegerField(default=0)),
        migrations.AddField(
            "outage", "changed_at", models.DateTimeField(auto_now=True, default=timezone.now), preserve_default=False
        ),
        migrations.RunPython(give_each_outage_its_own, migrations.RunPython.noop),
        migrations.AlterField("outage", "uid", models.UUIDField(default=uuid4, editable=False, unique=True)),
    ]
