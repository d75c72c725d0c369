"""The house keeps its own rules: names, layout, sizes, layers, and what may be committed."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from statistics import median, quantiles

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "events",
    "actors",
    "evaluation",
    "effects",
    "projections",
    "scenarios",
    "standfast",
)
TOP_LEVEL = {
    *PACKAGES,
    ".ci",
    ".editorconfig",
    ".github",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Makefile",
    "README.md",
    "docs",
    "guard",
    "pyproject.toml",
    "ray_cluster.yaml",
    "requirements.lock",
    "tests",
}
FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 300
TEST_DATA_FOLDER = "../" + "shared"
SEEDED_VIOLATIONS = {
    "actors/seeded.py": ("import ray", "Deciders are pure"),
    "actors/seeded_io.py": ("import effects", "Deciders are pure"),
    "actors/seeded_runtime.py": ("import actors.runtime", "Deciders do not know their runtime"),
    "events/seeded.py": ("import actors", "Facts know nobody"),
    "evaluation/seeded.py": ("import socket", "Conclusions touch no socket"),
    "effects/seeded.py": ("import ray", "Only the runtime imports Ray"),
    "actors/runtime/seeded.py": ("import projections", "Layers point one way"),
    "projections/seeded.py": ("import standfast", "Layers point one way"),
}


def committed_files() -> list[Path]:
    """Return every file that git knows here, or that lies here where there is no git."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("git is missing: what is committed cannot be known")
    # A checkout may belong to another user than the one that tests it.
    command = [git, "-c", f"safe.directory={ROOT}", "-C", str(ROOT), "ls-files", "-z"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def our_sources() -> list[Path]:
    """Return the modules of all our packages."""
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each function's place and its length in lines, without its docstring."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            spoken = lines_of(node.body[0]) if ast.get_docstring(node) else 0
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", lines_of(node) - spoken


def lines_of(node: ast.stmt) -> int:
    """Return how many lines a statement takes."""
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def test_no_other_distribution_claims_our_names() -> None:
    owners = packages_distributions()
    claimed = {name: set(owners.get(name, [])) - {"standfast"} for name in (*PACKAGES, "tests")}
    assert {name: others for name, others in claimed.items() if others} == {}


def test_our_names_are_imported_from_this_checkout() -> None:
    script = f"import {', '.join(PACKAGES)}; print(*[m.__file__ for m in ({', '.join(PACKAGES)})])"
    imported = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd="/"
    ).stdout.split()
    assert imported == [str(ROOT / package / "__init__.py") for package in PACKAGES]


def test_the_lock_has_exact_versions_and_no_address() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert [line for line in lines if "://" in line or "--" in line or "@" in line] == []
    assert [line for line in pins if not re.match(r"[a-z0-9.-]+(\[[a-z,]+\])?==\S+", line)] == []


def test_the_top_of_the_repository_is_the_fixed_one() -> None:
    found = {path.relative_to(ROOT).parts[0] for path in committed_files()}
    assert found - TOP_LEVEL == set()
    assert {*PACKAGES, "tests", "pyproject.toml", "ray_cluster.yaml", "README.md"} - found == set()


def test_no_committed_file_names_the_folder_of_the_test_data() -> None:
    naming = {
        str(path.relative_to(ROOT))
        for path in committed_files()
        if TEST_DATA_FOLDER in path.read_text(errors="replace")
    }
    assert naming <= {".ci/run"}


def test_the_readme_names_the_two_commands() -> None:
    first_screen = "\n".join((ROOT / "README.md").read_text().splitlines()[:60])
    assert "make up" in first_screen
    assert "make test" in first_screen


def test_functions_are_small() -> None:
    lengths = dict(found for path in our_sources() for found in functions(path))
    ordered = sorted(lengths.values())
    assert {place: n for place, n in lengths.items() if n > FUNCTION_LINES_MAX} == {}
    assert median(ordered) <= 8
    assert quantiles(ordered, n=20)[-1] <= 35


def test_files_are_small() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in our_sources()
    }
    assert {path: n for path, n in lengths.items() if n > FILE_LINES_MAX} == {}


def test_every_module_says_in_one_line_what_is_true_there() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in our_sources()
        if not (ast.get_docstring(ast.parse(path.read_text())) or "").strip()
    ]
    assert silent == []


def test_every_folder_of_sources_is_a_package() -> None:
    folders = {path.parent for path in our_sources()}
    bare = [str(folder) for folder in folders if not (folder / "__init__.py").exists()]
    assert bare == []


def test_every_folder_of_tests_is_run() -> None:
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = configuration["tool"]["pytest"]["ini_options"]["testpaths"]
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py")}
    assert {str(folder) for folder in folders} == set(named)


def test_newest_entry_of_the_changelog_is_the_version() -> None:
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    heading = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert version
    assert heading
    assert heading.group(1) == version.group(1)


@pytest.fixture(scope="module")
def seeded_report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return what import-linter says of a copy of the house where every layer is broken once."""
    copy = tmp_path_factory.mktemp("seeded")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    for name, (source, _) in SEEDED_VIOLATIONS.items():
        (copy / name).write_text(f"{source}\n")
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-logo", "--no-cache"]
    report = subprocess.run(command, cwd=copy, check=False, capture_output=True, text=True)
    assert report.returncode == 1, report.stdout + report.stderr
    return report.stdout


@pytest.mark.parametrize("name", SEEDED_VIOLATIONS)
def test_a_broken_layer_is_found(seeded_report: str, name: str) -> None:
    source, contract = SEEDED_VIOLATIONS[name]
    sections = re.split(r"\n(?=[^\n]+\n-+\n)", seeded_report.partition("Broken contracts")[2])
    told = next(section for section in sections if section.strip().startswith(contract))
    module = name.removesuffix(".py").replace("/", ".")
    assert f"{module} -> {source.removeprefix('import ')}" in told
