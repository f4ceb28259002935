import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_finance'),
        ('accounts', '__first__'),
        ('instruments', '0005_engine'),
    ]

    operations = [
        migrations.CreateModel(
            name='SearchWord',
            fields=[
                ('word', models.CharField(max_length=40, primary_key=True, serialize=False)),
            ],
        ),
        migrations.AddField(
            model_name='pricelist',
            name='agreement',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='price_lists', to='accounts.agreement', verbose_name='agreement'),
        ),
        migrations.AlterField(
            model_name='pricelist',
            name='instrument',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='price_lists', to='instruments.instrument', verbose_name='instrument'),
        ),
        migrations.AddIndex(
            model_name='pricelist',
            index=models.Index(condition=models.Q(('agreement__isnull', False)), fields=['agreement', '-valid_from', '-version'], name='price_list_agreed'),
        ),
        migrations.AddConstraint(
            model_name='pricelist',
            constraint=models.UniqueConstraint(fields=('agreement', 'version'), name='price_list_agreed_version_once'),
        ),
        migrations.AddConstraint(
            model_name='pricelist',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('agreement__isnull', False), ('instrument', None)), models.Q(('agreement', None), ('instrument__isnull', False)), _connector='OR'), name='price_list_of_one'),
        ),
    ]
