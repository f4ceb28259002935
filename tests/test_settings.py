"""The settings refuse to start with what would be unsafe in production."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.test import override_settings

ROOT = Path(__file__).resolve().parent.parent
SAFE = {"SITE_URL": "https://yixiang.example.org", "SECRET_KEY": "s3cret-" * 10, "ALLOWED_HOSTS": "yixiang.example.org"}


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`manage.py` in a process of its own, as production starts it."""
    clean = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "VIRTUAL_ENV")}
    return subprocess.run(
        [sys.executable, "-W", "error", "manage.py", *arguments],
        cwd=ROOT,
        env={**clean, "DATABASE_URL": "sqlite:///:memory:", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_safe_production_has_nothing_to_check() -> None:
    result = manage("check", "--deploy", "--fail-level", "WARNING", **SAFE)

    assert (result.returncode, result.stderr) == (0, "")
    assert "no issues" in result.stdout


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY must be set"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY must be set"),
        ({"DEBUG": "on"}, "DEBUG must be off"),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS must name the hosts"),
    ],
)
def test_an_unsafe_production_does_not_start(change: dict[str, str], problem: str) -> None:
    result = manage("check", **{**SAFE, **change})

    assert result.returncode != 0
    assert problem in result.stderr


def test_every_problem_is_named_at_once() -> None:
    result = manage("check", **{**SAFE, "DEBUG": "on", "ALLOWED_HOSTS": "*", "SECRET_KEY": ""})

    assert result.stderr.count("must") == 3


def test_a_laptop_starts_without_any_environment() -> None:
    result = manage("check")

    assert (result.returncode, result.stderr) == (0, "")


def test_every_variable_is_documented() -> None:
    text = (ROOT / "backend" / "settings.py").read_text(encoding="utf-8")
    asked = {
        line.split(f"env.{kind}(")[1].split('"')[1]
        for line in text.splitlines()
        for kind in ("str", "int", "bool", "list", "db", "email", "path")
        if f'env.{kind}("' in line
    }
    documented = (ROOT / ".env.example").read_text(encoding="utf-8")

    assert len(asked) > 10
    assert [name for name in sorted(asked) if f"{name}=" not in documented] == []


def test_guards_are_on() -> None:
    assert settings.BOOKING_GUARDS is True


def test_tasks_follow_the_queue_s_known_facts() -> None:
    queue = settings.Q_CLUSTER

    assert queue["retry"] > queue["timeout"]
    assert (queue["max_attempts"], queue["ack_failures"], queue["catch_up"], queue["bulk"]) == (5, False, False, 1)


@override_settings(TRUSTED_PROXIES=0)
def test_no_proxy_is_trusted_unless_named() -> None:
    assert settings.ALLAUTH_TRUSTED_PROXY_COUNT == 0
