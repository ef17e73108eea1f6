"""The house: what is declared, pinned, licensed, documented and packed is what is there."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import spineclock
from licences import canonical, is_permissive, licence_of, requirements
from tree import BLOCK, PAGE, tree

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "spineclock"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RUNTIME = {canonical(Requirement(line).name) for line in PROJECT["project"]["dependencies"]}

OPTIONAL = {
    canonical(Requirement(line).name)
    for extra, lines in PROJECT["project"]["optional-dependencies"].items()
    for line in lines
    if extra != "dev"
}
"""Of features that most do without; what imports them says what is wanted where they are not there."""
DEV = {canonical(Requirement(line).name) for line in PROJECT["project"]["optional-dependencies"]["dev"]}

IMPORTED_AS = {
    "xdist": "pytest-xdist",
    "openjpeg": "pylibjpeg-openjpeg",
    "PIL": "pillow",
    "sklearn": "scikit-learn",
    "SimpleITK": "simpleitk",
    "gdcm": "python-gdcm",
    "yaml": "pyyaml",
    "umap": "umap-learn",
    "sksurv": "scikit-survival",
}
PLUGINS = {"python-gdcm", "pyjpegls", "pylibjpeg", "pylibjpeg-openjpeg", "einops", "tensorboard"}
"""What others find by themselves: pydicom its decoders, MONAI and PyTorch what their transformer and log need."""


@cache
def imported(folder: Path) -> dict[str, str]:
    """Each third-party package imported in the folder, at the top or inside a function, and one module that does."""
    found = {}
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            for name in {n.split(".")[0] for n in names} - {"spineclock"} - set(sys.stdlib_module_names):
                found[canonical(IMPORTED_AS.get(name, name))] = path.relative_to(ROOT).as_posix()
    return found


def test_what_is_imported_is_declared():
    assert {name: where for name, where in imported(SOURCE).items() if name not in RUNTIME | OPTIONAL} == {}
    ours = {canonical(p.stem) for p in (ROOT / "tests").rglob("*.py")}
    in_tests = {name: where for name, where in imported(ROOT / "tests").items() if name not in ours}
    assert {name: where for name, where in in_tests.items() if name not in RUNTIME | DEV} == {}


def test_what_is_declared_is_imported():
    assert RUNTIME - set(imported(SOURCE)) - PLUGINS == set()


def test_every_package_stands_in_the_contract_of_layers():
    layers = PROJECT["tool"]["importlinter"]["contracts"][0]["layers"]
    placed = {name.strip() for layer in layers for name in layer.split("|")}
    parts = {p.parent.name for p in SOURCE.glob("*/__init__.py")} | {"cli"}
    assert {f"spineclock.{part}" for part in parts} == placed


def test_constraints_pin_what_is_installed():
    lines = [x for x in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if not x.startswith("#")]
    assert [x for x in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", x)] == []
    pins = {canonical(name): version for name, version in (x.split("==") for x in lines)}
    installed = {
        canonical(d.metadata["Name"]): d.version.split("+")[0] for d in requirements(extras=frozenset({"dev"}))
    }
    cuda = {name for name in installed if name.startswith(("nvidia-", "cuda-", "triton"))}
    assert {name: v for name, v in installed.items() if pins.get(name) != v and name not in cuda} == {}


def test_run_time_dependencies_are_permissively_licensed():
    licences = [licence_of(d) for d in requirements()]
    assert {"torch", "numpy", "contourpy"} <= {
        x.package for x in licences
    }  # direct ones, and one only matplotlib asks for
    assert [x for x in licences if not x.permitted] == []


@pytest.mark.parametrize(
    ("text", "permissive"),
    [
        ("MIT", True),
        ("BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("Mozilla Public License 2.0 (MPL 2.0)", True),
        ("MIT OR GPL-2.0-only", True),
        ("MIT AND GPL-2.0-only", False),
        ("GNU Lesser General Public License v3 (LGPLv3)", False),
        ("BSD License; GNU General Public License (GPL)", False),
        ("AGPL-3.0-or-later", False),
        ("LicenseRef-NVIDIA-Proprietary", False),
        ("unknown", False),
    ],
)
def test_licences_are_told_apart(text, permissive):
    assert is_permissive(text) is permissive


def test_one_version_everywhere():
    version = PROJECT["project"]["version"]
    assert spineclock.__version__ == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)[1] == version


def test_importing_the_package_is_light_and_its_names_are_its_own():
    code = "import sys, spineclock; print('numpy' in sys.modules, 'torch' in sys.modules, 'predict' in dir(spineclock))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["False", "False", "True"]
    parts = {p.parent.name for p in SOURCE.glob("*/__init__.py")}
    assert parts.isdisjoint(spineclock.__all__)
    with pytest.raises(AttributeError, match="'spineclock' has no attribute 'predikt'"):
        spineclock.predikt  # noqa: B018


def test_the_package_offers_its_verbs():
    from spineclock.run.predict import predict_one
    from spineclock.run.study.command import study
    from spineclock.run.training.command import train
    from spineclock.run.training.evaluation import evaluate

    verbs = {"predict": predict_one, "train": train, "evaluate": evaluate, "study": study}
    offered = {name: getattr(spineclock, name) for name in spineclock.__all__ if not name.startswith("_")}
    assert offered == verbs


def test_recipes_import_without_torch():
    names = [f"spineclock.recipes.{p.stem}" for p in (SOURCE / "recipes").glob("[a-z]*.py")]
    code = f"import sys, importlib\nfor n in {names}: importlib.import_module(n)\nprint('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_the_documented_tree_is_the_tree():
    documented = BLOCK.search(PAGE.read_text(encoding="utf-8"))
    assert documented, "docs/architecture.md has no tree block"
    assert documented[0].splitlines() == tree().splitlines(), "`make tree` writes it again"


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")], ids=lambda p: p.name)
def test_links_between_pages_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [x for x in links if "://" not in x and not (page.parent / x).exists()] == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from this tree."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = out.glob("spineclock-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The scripts of a clean environment that holds the wheel alone, and borrows its dependencies from this one."""
    folder = tmp_path_factory.mktemp("elsewhere") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(pip, check=True)
    # A folder named by a .pth file is searched last, and its own .pth files (our editable install) are not read.
    (site,) = folder.glob("lib/python*/site-packages")
    paths = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "borrowed.pth").write_text("\n".join(paths), encoding="utf-8")
    return folder / "bin"


def outside(command: list[object], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV"))}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_wheel_holds_the_whole_package_with_weights_and_licence(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    ours = {f"spineclock/{p.relative_to(SOURCE).as_posix()}" for p in SOURCE.rglob("*") if p.is_file()}
    assert {n for n in ours if "__pycache__" not in n} == {n for n in names if n.startswith("spineclock/")}
    assert any(re.fullmatch(r"spineclock/weights/[^/]+\.safetensors", n) for n in names)
    assert {n.rpartition("/")[2] for n in names if "/licenses/" in n} == {"LICENSE", "NOTICE"}


@pytest.mark.slow
def test_the_wheel_runs_outside_the_repository(installed, tmp_path):
    where = outside([installed / "python", "-c", "import spineclock; print(spineclock.__file__)"], tmp_path)
    assert Path(where.stdout.strip()).is_relative_to(installed.parent)
    version = outside([installed / "spineclock", "--version"], tmp_path)
    assert (version.returncode, version.stdout) == (0, f"spineclock {spineclock.__version__}\n")


@pytest.mark.slow
def test_the_wheel_passes_its_selftest_outside_the_repository(installed, tmp_path):
    answer = outside([installed / "spineclock", "selftest"], tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr
