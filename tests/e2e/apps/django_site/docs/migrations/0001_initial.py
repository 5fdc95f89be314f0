from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Document",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("title", models.CharField(max_length=100)),
                ("note", models.TextField(blank=True)),
                ("file", models.FileField(blank=True, upload_to="documents")),
                ("changed", models.DateTimeField(auto_now=True)),
            ],
        )
    ]
