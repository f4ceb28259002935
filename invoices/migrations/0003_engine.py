from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0003_engine'),
        ('accounts', '__first__'),
        ('invoices', '0002_credit_notes_payments_and_corrections'),
    ]

    operations = [
        migrations.AlterField(
            model_name='invoice',
            name='kind',
            field=models.CharField(choices=[('invoice', 'Invoice'), ('credit_note', 'Credit note')], default='invoice', max_length=12, verbose_name='kind'),
        ),
        migrations.AddIndex(
            model_name='invoice',
            index=models.Index(condition=models.Q(('credits__isnull', False)), fields=['credits'], name='invoice_that_credits'),
        ),
        migrations.AddIndex(
            model_name='payment',
            index=models.Index(condition=models.Q(('reverses__isnull', False)), fields=['reverses'], name='payment_that_reverses'),
        ),
    ]
