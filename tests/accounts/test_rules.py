"""Credit codes, roles and the names of devices."""

from __future__ import annotations

import pytest

from backend.accounts.models import OrganisationKind, Role
from backend.accounts.rules import device_words, normalise_uscc, role_refusals, uscc_needs_review, uscc_refusals


@pytest.mark.parametrize("code", ["91350100M000100Y43", "9115010022MQ4W4X10", "91110000600037341L"])
def test_a_right_code_needs_no_review(code: str) -> None:
    assert uscc_refusals(code) == []
    assert not uscc_needs_review(code)


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("91350100M000100Y4Z", "uscc_format"),
        ("91350100M000100Y44", "uscc_check"),
        ("91350100M000100Y4", "uscc_length"),
        ("91350100M000100Y430", "uscc_length"),
        ("", "uscc_length"),
        ("9135010OM000100Y43", "uscc_format"),
        ("A1110000600037341L", "uscc_check"),
        ("91350100M0001\x0000Y43"[:18], "uscc_format"),
    ],
)
def test_a_wrong_code_is_refused(code: str, problem: str) -> None:
    assert [refusal.code for refusal in uscc_refusals(code)] == [problem]


def test_a_right_code_that_begins_with_a_letter_is_reviewed() -> None:
    assert uscc_refusals("A1110000600037341K") == []
    assert uscc_needs_review("A1110000600037341K")


@pytest.mark.parametrize(
    "typed", ["91350100m000100y43", " 9135 0100-M000 100Y43 ", "９１３５０１００Ｍ０００１００Ｙ４３"]
)
def test_what_people_type_is_put_right(typed: str) -> None:
    assert normalise_uscc(typed) == "91350100M000100Y43"


def test_roles_belong_to_kinds() -> None:
    assert role_refusals(OrganisationKind.INSTITUTION, [Role.MANAGER, Role.FINANCE]) == []
    assert [one.code for one in role_refusals(OrganisationKind.ENTERPRISE, [Role.MANAGER])] == ["wrong_role"]
    assert [one.code for one in role_refusals(OrganisationKind.ENTERPRISE, [Role.OPERATOR])] == ["wrong_role"]
    assert [one.code for one in role_refusals(OrganisationKind.ENTERPRISE, [])] == ["no_role"]


def test_devices_have_names() -> None:
    edge = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0"

    assert device_words(edge) == "Edge · Windows"
    assert device_words("Mozilla/5.0 (iPhone) Version/18 Safari/604") == "Safari · iPhone"
    assert device_words("") == "Unknown browser"
