"""The order of the rooms and of the layers in each, as docs/structure.md tells it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Imports point to the left only; rooms of one step do not import each other.
ROOMS: dict[str, int] = {
    "backend.core": 0,
    "backend.audit": 1,
    "backend.outbox": 1,
    "backend.accounts": 2,
    "instruments": 3,
    "invoices": 4,
    "booking": 5,
    "backend.web": 6,
}
LAYERS: dict[str, int] = {
    **dict.fromkeys(["models"], 0),
    **dict.fromkeys(["rules", "pricing", "queries"], 1),
    **dict.fromkeys(["actions"], 2),
    **dict.fromkeys(["feeds", "exports", "documents"], 3),
    **dict.fromkeys(["tasks", "forms", "schemas"], 4),
    **dict.fromkeys(["views", "api", "admin", "management"], 5),
    **dict.fromkeys(["urls", "apps"], 6),
}
# Files that only one room has, and the layer that they belong to.
OWN_FILES: dict[str, int] = {
    "invoices.run_schemas": 4,  # shapes of monthly runs, settings and figures
    "invoices.api_runs": 5,  # their operations
    "invoices.wording_forms": 4,  # the words of a draft
    "invoices.credit_rules": 1,  # figures and content of credit notes
    "invoices.money_schemas": 4,  # shapes of disputes, transfers, credit and statements
    "invoices.statement_schemas": 4,  # shapes of bank statements
    "invoices.money_forms": 4,  # their forms
    "invoices.api_money": 5,  # operations of disputes, transfers and credit
    "invoices.api_statements": 5,  # operations of bank statements
    "invoices.matching": 1,  # rows of bank statements and what they may pay
    "invoices.verification": 1,  # the code on a document by which it is checked
    "backend.accounts.auth": 4,  # credentials of a request; the doors of every room ask it
    "backend.accounts.own_actions": 2,  # actions that only the pages of accounts call
    "instruments.record": 0,  # the descriptive half of a model
    "instruments.price_forms": 4,  # forms of price lists, beside those of instruments
    "instruments.search_models": 0,  # words as they are spelled
    "instruments.search_schemas": 4,  # shapes of facets, suggestions and highlights
    "instruments.api_search": 5,  # what helps to search, in the API
    "instruments.api_agreements": 5,  # prices of agreements in the API
    "booking.waiting_forms": 4,  # joining the waitlist
    "booking.waiting_schemas": 4,  # its shapes, and those of replacements
    "booking.policy_forms": 4,  # forms of the rules, beside those of bookings
    "booking.desk_schemas": 4,  # changes of bookings and the desk
    "booking.sample_schemas": 4,  # shapes of sample orders in the API
    "booking.sample_forms": 4,  # their forms
    "booking.training_schemas": 4,  # their shapes in the API
    "backend.accounts.agreement_forms": 4,  # forms about contracts
    "booking.violation_forms": 4,  # forms about violations, appeals and credit
    "booking.violation_schemas": 4,  # their shapes in the API
    "booking.training_forms": 4,  # forms about trainings, beside those of bookings
    "booking.series_forms": 4,  # forms of series and experiments, beside those of bookings
    "invoices.voucher_rules": 1,  # what schemes say and how much they cover
    "invoices.voucher_forms": 4,  # forms of schemes, applications and payouts
    "invoices.voucher_schemas": 4,  # their shapes in the API
    "invoices.payout_schemas": 4,  # what is paid out for vouchers, in the API
    "invoices.api_vouchers": 5,  # vouchers in the API
    "invoices.api_prepaid": 5,  # prepaid accounts, spending and budgets in the API
    "invoices.prepaid_forms": 4,  # their forms
    "invoices.prepaid_schemas": 4,  # their shapes in the API
    "invoices.api_exports": 5,  # batches, journals and tables in the API
    "invoices.export_forms": 4,  # forms of what leaves for other programs
    "invoices.export_schemas": 4,  # its shapes in the API
    "invoices.fapiao": 1,  # the template of the tax platform: layout, lines, what must be mended
    "invoices.books": 1,  # the accounts: mapping, and entries that balance
    "backend.outbox.queue": 1,  # how the worker is asked; knows no message
    "backend.web.supervisor": 1,  # processes; knows no app
    "backend.web.seed": 3,  # makes example data through the actions
    "backend.web.context": 4,  # what every page knows
    "backend.web.templatetags": 4,  # what templates draw with
    "backend.web.errors": 5,  # the last page
    "backend.web.health": 5,  # the probes
}
OPEN_TO_OTHERS = {"models", "rules", "pricing", "queries", "actions"}
DOORS = 3
# (importer's prefix, imported module): reason.
EXCEPTIONS: dict[tuple[str, str], str] = {}
PURE = {"rules", "pricing"}
CLOCKS = {"timezone", "datetime", "date"}
FORBIDDEN_NAMES = {"utils.py", "helpers.py", "services.py", "signals.py"}
MAX_FILE, MAX_FUNCTION = 450, 50


@dataclass(frozen=True)
class Module:
    name: str
    path: Path

    @property
    def room(self) -> str:
        return next((room for room in ROOMS if self.name == room or self.name.startswith(f"{room}.")), "")

    @property
    def part(self) -> str:
        """``actions`` for instruments.actions.occupancy; empty for the room itself."""
        return self.name.removeprefix(self.room).lstrip(".").split(".")[0]

    @property
    def layer(self) -> int | None:
        return LAYERS.get(self.part, OWN_FILES.get(f"{self.room}.{self.part}"))


def modules(root: Path) -> dict[str, Module]:
    found = {}
    for room in ("backend", "instruments", "invoices", "booking"):
        for path in sorted((root / room).rglob("*.py")):
            if "migrations" not in path.parts:
                name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
                found[name] = Module(name, path)
    return found


def problems(root: Path) -> list[str]:
    """One line for everything that breaks the order."""
    known = modules(root)
    return [problem for module in known.values() for problem in _problems_of(module, known)]


def _problems_of(module: Module, known: dict[str, Module]) -> Iterator[str]:
    text = module.path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    if module.path.name in FORBIDDEN_NAMES:
        yield f"{module.name}: no file is called {module.path.name}"
    # Django finds tables in `models` alone, so a folder of that name says which they are.
    if module.path.name == "__init__.py" and module.part != "models" and text.strip():
        yield f"{module.name}: __init__.py is not empty"
    if len(text.splitlines()) > MAX_FILE:
        yield f"{module.name}: {len(text.splitlines())} lines, at most {MAX_FILE}"
    yield from _long_functions(module, tree)
    yield from _unexplained_inline_imports(module, tree, text.splitlines())
    if module.room and module.part and module.layer is None and module.room != "backend.core":
        yield f"{module.name}: which layer is this? Name it in OWN_FILES"
    for target in imports(tree, module, known):
        problem = _refusal(module, known[target])
        if problem:
            yield f"{module.name} imports {target}: {problem}"
    if module.part in PURE and module.room != "backend.core":
        yield from (f"{module.name} uses {name}: decisions are pure" for name in _reads(tree))


def _reads(tree: ast.Module) -> Iterator[str]:
    """Traces of the database or the clock. The words and types of models are welcome in a rule."""
    for name in _raw_imports(tree):
        if name.startswith("django.db") or ".queries" in name:
            yield name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (node.attr == "objects" or _asks_the_clock(node)):
            yield ast.unparse(node)


def _asks_the_clock(node: ast.Attribute) -> bool:
    return node.attr in {"now", "today"} and isinstance(node.value, ast.Name) and node.value.id in CLOCKS


def _long_functions(module: Module, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MAX_FUNCTION:
                yield f"{module.name}.{node.name}: {length} lines, at most {MAX_FUNCTION}"


def _unexplained_inline_imports(module: Module, tree: ast.Module, lines: list[str]) -> Iterator[str]:
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                beside, above = lines[node.lineno - 1], lines[node.lineno - 2].strip()
                if "#" not in beside and not above.startswith(("#", "from ", "import ")):
                    yield f"{module.name}:{node.lineno}: an import inside a function says why"


def _raw_imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""


def imports(tree: ast.Module, module: Module, known: dict[str, Module]) -> set[str]:
    """Names of our own modules that a file imports, wherever the import stands."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, module)
            # "from booking import models" imports booking.models.
            names = [f"{base}.{alias.name}" if f"{base}.{alias.name}" in known else base for alias in node.names]
        else:
            continue
        found.update(name for name in names if name in known)
    return found


def _absolute(node: ast.ImportFrom, module: Module) -> str:
    if not node.level:
        return node.module or ""
    package = module.name.split(".") if module.path.name == "__init__.py" else module.name.split(".")[:-1]
    parts = package[: len(package) - node.level + 1]
    return ".".join([*parts, node.module] if node.module else parts)


def _refusal(importer: Module, target: Module) -> str:
    """Why the import is not allowed; empty if it is."""
    if target.room == "backend.core" or any(
        importer.name.startswith(prefix) and target.name == name for prefix, name in EXCEPTIONS
    ):
        return "" if importer.room != "backend.core" or target.room == "backend.core" else "core imports no app"
    if not importer.room:
        return "only dotted strings name the apps here" if target.room else ""
    if not target.room:
        return "apps do not import the project's own files"
    if importer.room == target.room:
        inside = importer.layer is None or target.layer is None or target.layer <= importer.layer
        return "" if inside else f"{target.part} comes after {importer.part}"
    if ROOMS[target.room] >= ROOMS[importer.room]:
        return f"{target.room} is not to the left of {importer.room}"
    if target.name == "backend.accounts.auth":
        return "" if (importer.layer or 0) >= DOORS else "only doors ask who is calling"
    return "" if target.part in OPEN_TO_OTHERS else f"{target.part} is not open to other apps"


def test_the_order_is_kept() -> None:
    found = problems(ROOT)

    assert found == [], "\n" + "\n".join(found)


def test_no_test_file_has_a_forbidden_name() -> None:
    assert [path for path in (ROOT / "tests").rglob("*.py") if path.name in FORBIDDEN_NAMES] == []


def _tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"instruments/models.py": "from booking.models import Booking", "booking/models.py": ""},
            "booking is not to the left of instruments",
        ),
        (
            {"booking/models.py": "from booking import actions", "booking/actions.py": ""},
            "actions comes after models",
        ),
        (
            {"booking/views.py": "import invoices.forms", "invoices/forms.py": ""},
            "forms is not open to other apps",
        ),
        (
            {"booking/actions.py": "from backend.accounts.auth import page", "backend/accounts/auth.py": ""},
            "only doors ask who is calling",
        ),
        (
            {"backend/urls.py": "from booking import views", "booking/views.py": ""},
            "only dotted strings name the apps here",
        ),
        (
            {"backend/core/api.py": "from booking import models", "booking/models.py": ""},
            "booking is not to the left of backend.core",
        ),
        (
            {"backend/audit/models.py": "import backend.outbox.models", "backend/outbox/models.py": ""},
            "backend.outbox is not to the left of backend.audit",
        ),
        (
            {"booking/rules/model.py": "from ..models import Booking", "booking/models.py": ""},
            "",  # relative imports are resolved; the layer is right
        ),
        (
            {"booking/models.py": "from .actions import request_booking", "booking/actions/__init__.py": ""},
            "actions comes after models",
        ),
        ({"booking/rules.py": "from django.db import models"}, "decisions are pure"),
        ({"booking/rules.py": "now = timezone.now()"}, "booking.rules uses timezone.now"),
        ({"booking/pricing.py": "rows = Booking.objects.all()"}, "booking.pricing uses Booking.objects"),
        ({"booking/rules.py": "from booking.models import Status", "booking/models.py": ""}, ""),
        ({"booking/utils.py": ""}, "no file is called utils.py"),
        ({"booking/__init__.py": "VERSION = 1"}, "__init__.py is not empty"),
        ({"booking/thing.py": ""}, "which layer is this?"),
        ({"booking/actions.py": "def act():\n    import json\n"}, "an import inside a function says why"),
        ({"booking/actions.py": "def act():\n    import json  # slow\n"}, ""),
        ({"booking/actions.py": "pass\n" * 451}, "451 lines, at most 450"),
        ({"booking/actions.py": "def act():\n" + "    pass\n" * 50}, "51 lines, at most 50"),
    ],
)
def test_a_break_of_the_order_is_found(files: dict[str, str], expected: str, tmp_path: Path) -> None:
    found = problems(_tree(tmp_path, files))

    assert expected in "\n".join(found)
    assert bool(found) is bool(expected)
