"""The database of one test process: a copy of a template that is migrated once for each state of the migrations.

To migrate an empty database takes a processor twenty seconds, to copy one a moment.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path

import django
from django.apps import apps
from django.conf import settings
from django.db import connection

NAMES = {"sqlite": f"{settings.VAR_DIR}/test_{{}}.sqlite3", "postgresql": "test_yixiang_{}"}


def make_database() -> None:
    """Connect to a new copy. One process at a time looks at the template and makes it where there is none."""
    connection.settings_dict["TEST"]["NAME"] = template = NAMES[connection.vendor].format(_state())
    with open(f"{settings.VAR_DIR}/test.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Guards and whatever else follows a migration are brought up to date in a template that stands.
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False, keepdb=True)
        _drop_older(template)
        connection.close()
        connection.creation.clone_test_db(str(os.getpid()), verbosity=0, autoclobber=True)
    connection.settings_dict["NAME"] = connection.creation.get_test_db_clone_settings(str(os.getpid()))["NAME"]


def drop_database() -> None:
    connection.creation.destroy_test_db(verbosity=0)


def _state() -> str:
    """Of this checkout, so that two on one server leave each other's alone, and of its migrations."""
    told = hashlib.sha256(django.__version__.encode())
    for app in apps.get_app_configs():
        for file in sorted(Path(app.path).glob("migrations/*.py")):
            told.update(str(file).encode() + file.read_bytes())
    return f"{hashlib.sha256(bytes(settings.BASE_DIR)).hexdigest()[:6]}_{told.hexdigest()[:10]}"


def _drop_older(template: str) -> None:
    """Templates of this checkout's earlier states; a process's own copy has a longer name."""
    older = template[: template.rindex("_") + 1] + "?" * 10
    if connection.vendor == "sqlite":
        for path in Path(template).parent.glob(f"{Path(older).name}.sqlite3"):
            if str(path) != template:
                path.unlink()
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE %s AND datname <> %s",
            [older.replace("_", r"\_").replace("?", "_"), template],
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f'DROP DATABASE "{name}"')
