from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('outbox', '0002_preferences'),
    ]

    operations = [
        migrations.AlterField(
            model_name='preference',
            name='topic',
            field=models.CharField(choices=[('requests', 'Work of the laboratory'), ('bookings', 'My bookings'), ('changes', 'Changes of bookings'), ('reminders', 'Reminders'), ('money', 'Invoices and payments'), ('account', 'Account and organisation')], max_length=12, verbose_name='topic'),
        ),
    ]
