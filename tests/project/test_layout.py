"""The house itself: what is where, what is public, and what importing it costs."""

from __future__ import annotations

import ast
import importlib
import itertools
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import conversations_hub
from conversations_hub.adapters import BUILTIN, load
from conversations_hub.adapters import __path__ as adapters_path

from ..support.paths import FIXTURES

PACKAGE = Path(conversations_hub.__file__).parent
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages([str(PACKAGE)], "conversations_hub.")
    if not module.name.endswith("__main__")
)


def test_the_table_is_the_files_is_the_fixtures_is_the_simulators() -> None:
    files = {module.name for module in pkgutil.iter_modules(adapters_path)}
    fixtures = {folder.name for folder in FIXTURES.iterdir() if folder.is_dir()}
    simulators = {module.name for module in pkgutil.iter_modules([str(PACKAGE / "testing" / "simulator")])}
    assert files == fixtures == set(BUILTIN)
    assert {f"_{provider}" for provider in BUILTIN} <= simulators


@pytest.mark.parametrize("provider", BUILTIN)
def test_an_adapter_is_named_for_its_file(provider: str) -> None:
    adapter = load(provider)
    assert adapter.name == provider
    assert adapter.base_url.startswith("https://")
    assert adapter.docs.startswith("https://")


def test_the_public_names_are_these() -> None:
    assert conversations_hub.__all__ == [
        "PROFILES",
        "Account",
        "Conversation",
        "Hub",
        "Profile",
        "TranscriptTurn",
        "__version__",
        "errors",
    ]
    for name in conversations_hub.__all__:
        assert getattr(conversations_hub, name) is not None
        assert name in dir(conversations_hub)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = conversations_hub.nonsense  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("adapter", "events", "Event"),
        ("adapter", "reading.refusals", "refused:provider_error"),
        ("adapter", "adapter", "Listing:RawPage"),
        ("sync", "sync", "AccountSync:AccountSyncReport"),
        ("sync", "stores", "Kept:StoredVersion"),
        ("sync", "stores", "Checkpoint"),
        ("sync", "redaction", "Redact"),
        ("payload", "reading.json", "decoded_or_none:try_decode"),
        ("coerce", "reading.values", "instant"),
        ("payload", "reading.json", "decode"),
        ("signing.schemes", "signing.webhooks", "hmac_signed"),
        ("sync.jsonl", "stores.jsonl", "JSONLStore"),
        ("sync.redaction", "redaction", "PersonalData"),
        ("sync.sqlite", "stores.sqlite", "SQLiteStore"),
        ("sync.sqlite.archive", "stores.sqlite", "Archive:SQLiteReader"),
    ],
)
def test_a_name_that_moved_is_still_found_at_its_old_place(old: str, new: str, name: str) -> None:
    there = importlib.import_module(f"conversations_hub.{old}")
    name, _, new_name = name.partition(":")
    with pytest.warns(DeprecationWarning, match=rf"conversations_hub\.{old}\.{name} is now conversations_hub\.{new}\."):
        found = getattr(there, name)
    assert found is getattr(importlib.import_module(f"conversations_hub.{new}"), new_name or name)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = there.nonsense


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_what_it_is_and_what_is_public(module: str) -> None:
    found = importlib.import_module(module)
    assert found.__doc__
    is_private = any(part.startswith("_") for part in module.split("."))
    names: list[str] = getattr(found, "__all__", []) if is_private else found.__all__
    assert all(hasattr(found, name) for name in names)


def test_the_modules_inside_of_an_adapter_are_private() -> None:
    steps = [name.removeprefix("conversations_hub.adapters.").split(".") for name in MODULES if ".adapters." in name]
    inside = [name for _, *names in steps for name in names]
    assert inside
    assert all(name.startswith("_") for name in inside)


def test_every_field_of_the_schema_says_what_it_means() -> None:
    tree = ast.parse((PACKAGE / "schema" / "__init__.py").read_text())
    structs = [node for node in tree.body if isinstance(node, ast.ClassDef) and "Struct" in ast.dump(node.bases[0])]
    assert len(structs) == 12
    for struct in structs:
        for field, following in itertools.pairwise([*struct.body, ast.Pass()]):
            if isinstance(field, ast.AnnAssign):
                said = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
                assert said, f"{struct.name}.{ast.unparse(field.target)} says nothing"


def _ran(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    return done.stdout.strip()


@pytest.mark.parametrize(
    "imports",
    ["conversations_hub", "conversations_hub.adapters.tavus", "conversations_hub.schema", "conversations_hub.testing"],
)
def test_the_sans_io_half_needs_no_aiohttp(imports: str) -> None:
    assert _ran(f"import sys, {imports}; print('aiohttp' in sys.modules)") == "False"


def test_importing_the_package_imports_next_to_nothing() -> None:
    heavy = "{'msgspec', 'aiohttp', 'asyncio', 'tenacity', 'click', 'rich', 'importlib.metadata'}"
    assert _ran(f"import sys, conversations_hub; print(sorted({heavy} & set(sys.modules)))") == "[]"


def test_only_the_adapters_that_are_used_are_imported() -> None:
    code = (
        "import sys; from conversations_hub import Account, Hub; Hub.from_env(environ={'TAVUS_API_KEY': 'key'});"
        " before = 'conversations_hub.adapters.';"
        " print([name for name in sys.modules if name.startswith(before) and name.count('.') == 2])"
    )
    assert _ran(code) == "['conversations_hub.adapters.tavus']"


def test_importing_everything_opens_no_connection_and_starts_no_thread() -> None:
    watched = """
import sys, threading
seen = []
sys.addaudithook(lambda event, arguments: seen.append(event) if event.startswith("socket.connect") else None)
import conversations_hub.hub, conversations_hub.testing.simulator
print(seen, threading.active_count())
"""
    assert _ran(watched) == "[] 1"
