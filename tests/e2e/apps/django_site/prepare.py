"""Makes the database and the administrator, before the server starts."""

import os

import django
from django.core.management import call_command

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()
call_command("migrate", verbosity=0)

from django.contrib.auth.models import User  # noqa: E402 - needs the setup

User.objects.create_superuser("admin", "admin@example.org", "secret")
