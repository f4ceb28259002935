import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0003_engine'),
    ]

    operations = [
        migrations.AddField(
            model_name='organisation',
            name='asks_prepaid',
            field=models.BooleanField(default=False, editable=False),
        ),
        migrations.AddField(
            model_name='organisation',
            name='country',
            field=models.CharField(default='CN', max_length=2, verbose_name='country'),
        ),
        migrations.AddField(
            model_name='organisation',
            name='rules_spending',
            field=models.BooleanField(default=False, editable=False),
        ),
        migrations.AddField(
            model_name='organisation',
            name='vat_id',
            field=models.CharField(blank=True, max_length=20, verbose_name='tax number abroad'),
        ),
        migrations.AddField(
            model_name='project',
            name='leader',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='led_projects', to=settings.AUTH_USER_MODEL, verbose_name='leader'),
        ),
    ]
