import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_finance'),
        ('accounts', '__first__'),
        ('booking', '0003_engine'),
        ('instruments', '0006_finance'),
    ]

    operations = [
        migrations.CreateModel(
            name='PeriodClosing',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('day', models.DateField(verbose_name='last day')),
                ('party', models.JSONField()),
                ('audience', models.CharField(max_length=30)),
                ('closed_at', models.DateTimeField()),
                ('agreement', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='closings', to='accounts.agreement')),
                ('institution', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.organisation')),
                ('instrument', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='closings', to='instruments.instrument')),
                ('organisation', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.organisation')),
                ('price_list', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='instruments.pricelist')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'indexes': [models.Index(fields=['instrument', 'day'], name='closing_by_instrument'), models.Index(fields=['agreement', 'day'], name='closing_by_agreement')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('agreement__isnull', False), ('instrument', None)), models.Q(('agreement', None), ('instrument__isnull', False)), _connector='OR'), name='closing_of_one_list')],
            },
        ),
        migrations.CreateModel(
            name='SpendingRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('open', 'Waiting'), ('approved', 'Approved'), ('rejected', 'Rejected'), ('lapsed', 'No longer needed')], default='open', max_length=8, verbose_name='status')),
                ('total', models.DecimalField(decimal_places=2, max_digits=14, verbose_name='amount')),
                ('currency', models.CharField(max_length=3)),
                ('approvers', models.JSONField(default=list)),
                ('limit', models.DecimalField(decimal_places=2, max_digits=14, null=True)),
                ('asked_at', models.DateTimeField()),
                ('decided_at', models.DateTimeField(null=True)),
                ('reason', models.CharField(blank=True, max_length=500, verbose_name='reason')),
                ('booking', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='spending_requests', to='booking.booking')),
                ('decided_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.project')),
            ],
            options={
                'ordering': ['asked_at', 'id'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('booking',), name='spending_asked_once')],
            },
        ),
        migrations.AddField(
            model_name='booking',
            name='awaits_customer',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='booking',
            name='excused',
            field=models.BooleanField(default=False),
        ),
    ]
