"""Every test file is collected, and every process collects the same tests.

`make test` runs two workers that collect on their own, and ends before its first test when they differ. A run of one
process never notices, so what is another value in each process stays out of parameters here.
"""

from __future__ import annotations

import ast
from fnmatch import fnmatch
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
STRANGE = frozenset({
    *("os.urandom", "os.getpid", "os.listdir", "os.scandir", "uuid.uuid1", "uuid.uuid4", "time.time", "time.monotonic"),
    *("secrets.token_bytes", "secrets.token_hex", "tempfile.mkdtemp", "tempfile.mkstemp", "id", "hash", "object"),
    *(f"random.{name}" for name in ("random", "randbytes", "randint", "randrange", "choice", "choices", "sample")),
})  # fmt: skip
SETS = frozenset({"set", "frozenset"})
WALKS = frozenset(
    {"list", "tuple", "map", "filter", "enumerate", "zip", "chain", "itertools.chain", "itertools.product"}
)


def varying(node: ast.AST, names: frozenset[str] = frozenset()) -> str:
    """What in an expression has another value in each process, "" for nothing; `names` hold such values."""
    if isinstance(node, ast.Name) and node.id in names:
        return node.id
    walked: list[ast.expr] = []
    if isinstance(node, ast.Call):
        called = ast.unparse(node.func)
        if called in STRANGE or (called == "random.Random" and not node.args):
            return called
        walked = node.args if called in WALKS else []
    elif isinstance(node, ast.comprehension):
        walked = [node.iter]
    elif isinstance(node, ast.Starred):
        walked = [node.value]
    for each in walked:
        if is_set(each):
            return ast.unparse(each)
    return next((found for each in ast.iter_child_nodes(node) if (found := varying(each, names))), "")


def is_set(node: ast.AST) -> bool:
    """Whether it is written as a set: the order of the texts in one is another in each process."""
    return isinstance(node, ast.Set | ast.SetComp) or (isinstance(node, ast.Call) and ast.unparse(node.func) in SETS)


def strange_parameters(source: str) -> list[str]:
    """The places of a test file whose parameters differ between processes: "LINE: what"."""
    tree = ast.parse(source)
    named: frozenset[str] = frozenset()
    for statement in tree.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            if varying(statement.value, named):
                named |= {part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)}
    found = []
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(("parametrize", "fixture")):
            parts = [*call.args, *(each.value for each in call.keywords if each.arg in ("argvalues", "params", "ids"))]
            found += [
                f"{call.lineno}: {ast.unparse(part)[:80]}" for part in parts if is_set(part) or varying(part, named)
            ]
    return found


def test_no_directory_is_left_out(pytestconfig: pytest.Config) -> None:
    # pytest by itself enters no directory that is called "build" or "dist"; 365 tests of ours once stood in such ones.
    skipped = pytestconfig.getini("norecursedirs")
    assert skipped
    rooms = {part for file in TESTS.rglob("test_*.py") for part in file.relative_to(TESTS).parent.parts}
    assert {room for room in rooms if any(fnmatch(room, pattern) for pattern in skipped)} == set()


def test_parameters_are_the_same_in_every_process() -> None:
    files = [file for file in sorted(TESTS.rglob("*.py")) if "fixtures" not in file.parent.name]
    assert len(files) > 200
    found = {str(file.relative_to(TESTS)): strange_parameters(file.read_text(encoding="utf-8")) for file in files}
    assert {name: places for name, places in found.items() if places} == {}


@pytest.mark.parametrize(
    ("values", "strange"),
    [
        ("[b'x', os.urandom(4)]", True), ("[f'{time.time()}']", True), ("[pytest.param(uuid.uuid4(), id='x')]", True),
        ("{'a', 'b'}", True), ("set(NAMES)", True), ("[n for n in {'a', 'b'}]", True), ("NOISE", True),
        ("[MORE[:3]]", True),
        ("[*{1, 'b'}]", True), ("random.Random().randbytes(4)", True), ("random.sample(A, 2)", True),
        ("random.Random(1).randbytes(4)", False), ("sorted({'a', 'b'})", False), ("[{'a', 'b'}, set()]", False),
        ("[n for n in NAMES if n in {'a', 'b'}]", False), ("[1, 2]", False), ("range(len({1, 2}))", False),
    ],
)  # fmt: skip
def test_a_strange_parameter_is_seen(values: str, strange: bool) -> None:
    source = (
        "NOISE = os.urandom(3)\nMORE = NOISE * 2\nNAMES = ['a']\n"
        f"@pytest.mark.parametrize('x', {values})\ndef test_it(x): ..."
    )
    assert bool(strange_parameters(source)) == strange
