"""The command line: help, exit statuses, and what a user sees when something is wrong."""

from __future__ import annotations

import importlib
import os
import resource
import subprocess
import sys
import types
from pathlib import Path

import pytest

from spineclock import cli
from spineclock.core.errors import InputError, UsageError

COMMANDS = ["", "predict", "segment", "findings", "normals", "study", "phantom", "phantom people", "phantom mri",
            "phantom radiograph", "demo",
            "selftest", "prepare", "train", "evaluate", "fuse", "ablate"]  # fmt: skip
EXECUTABLE = Path(sys.executable).with_name("spineclock")


def real(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    """The installed executable, as a user calls it."""
    return subprocess.run([EXECUTABLE, *words], capture_output=True, text=True, check=False, **options)


@pytest.fixture
def run(monkeypatch, capsys):
    """Calls the command line in this process; gives (status, stdout, stderr)."""

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["spineclock", *words])
        monkeypatch.setattr(sys, "excepthook", sys.excepthook)
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capsys.readouterr()
        return end.value.code, out, err

    return call


@pytest.fixture
def predicting(monkeypatch):
    """Puts a stand-in for the run module in place; its list holds the calls it was given."""
    calls: list[tuple[list[Path], object, Path]] = []

    def predict_all(inputs, settings, *, out, progress=True):
        calls.append((list(inputs), settings, out))
        return module.outcome() if callable(module.outcome) else module.outcome

    module = types.ModuleType("spineclock.run.predict")
    module.predict_all, module.outcome, module.calls = predict_all, 0, calls
    monkeypatch.setitem(sys.modules, "spineclock.run.predict", module)
    return module


def raiser(error):
    def outcome():
        raise error

    return outcome


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_and_imports_nothing_heavy(command):
    heavy = ["numpy", "pandas", "torch", "rich", "SimpleITK", "nibabel", "pydicom", "scipy", "matplotlib", "openvino"]
    code = (
        f"import sys; sys.argv = {['spineclock', *command.split(), '--help']}\n"
        "from spineclock.cli import main\n"
        "try: main()\n"
        f"except SystemExit as end: print(end.code, sorted(set(sys.modules) & set({heavy})))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                            env={**os.environ, "COLUMNS": "100"})  # fmt: skip
    assert answer.stdout.splitlines()[-1] == "0 []"
    _, _, example = answer.stdout.partition("Example:")
    assert f"  spineclock {command}" in example


def test_help_answers_at_once():
    def processor_seconds(*words):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(words, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    # by turns with the libraries that write help: a processor is slower where others share it
    libraries = [sys.executable, "-c", "import typer.main, pydantic.types"]
    least, ours = zip(*((processor_seconds(*libraries), processor_seconds(EXECUTABLE, "predict", "--help"))
                        for _ in range(7)), strict=True)  # fmt: skip
    assert min(ours) < max(0.4, 2 * min(least))


def test_modules_of_the_command_line_are_found_under_their_names():
    for path in Path(cli.__file__).parent.glob("[a-z]*.py"):
        module = importlib.import_module(f"spineclock.cli.{path.stem}")
        assert getattr(cli, path.stem) is module


def test_version_is_the_package_s():
    answer = real("--version")
    assert (answer.returncode, answer.stdout) == (0, "spineclock 0.1.0\n")
    assert (
        subprocess.run(
            [sys.executable, "-m", "spineclock", "--version"], capture_output=True, text=True, check=True
        ).stdout
        == answer.stdout
    )


def test_every_example_in_the_help_is_a_call_the_command_takes(run, predicting):
    for words in ("scan.nii.gz --age 57 --sex F --out results", "studies/ --cohort people.csv --out results --resume"):
        assert f"spineclock predict {words}" in real("predict", "--help", env={**os.environ, "COLUMNS": "120"}).stdout
        status, _, err = run("predict", *words.split())
        assert (status, err) == (0, "")
    (first, settings, out), (second, batch, _) = predicting.calls
    assert (first, settings.age_years, settings.sex, out) == ([Path("scan.nii.gz")], 57.0, "F", Path("results"))
    assert (second, batch.cohort, batch.resume) == ([Path("studies")], Path("people.csv"), True)


@pytest.mark.parametrize("status", [0, 1, 2])
def test_the_exit_status_is_what_the_run_returns(run, predicting, status):
    predicting.outcome = status
    assert run("predict", "a.nii", "b.nii")[0] == status
    assert predicting.calls[0][0] == [Path("a.nii"), Path("b.nii")]


def test_flags_reach_the_settings(run, predicting):
    words = "scan.nii --mask m.nii --mask-scheme spider --lowest-vertebra L4 --threads 2 --engine torch --overwrite"
    run("predict", *words.split(), "--set", "interval_coverage=0.8", "--set", "threads=7")
    settings = predicting.calls[0][1]
    assert (settings.mask, settings.mask_scheme, settings.lowest_vertebra) == (Path("m.nii"), "spider", "L4")
    assert (settings.threads, settings.engine, settings.overwrite, settings.interval_coverage) == (
        2,
        "torch",
        True,
        0.8,
    )


def test_print_config_needs_no_input_and_runs_nothing(run, predicting):
    status, out, _ = run("predict", "--print-config", "--set", "threads=3", "--age", "57")
    assert status == 0
    assert "threads = 3  # --set\n" in out
    assert "age_years = 57.0  # flag\n" in out
    assert predicting.calls == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("predict", "error: no input is given; wanted: a scan, a folder or a .zip"),
        ("predict scan.nii --set modle=x", "error: no setting is called 'modle'"),
        ("predict scan.nii --age 157", "error: age_years is 157.0 (flag); wanted: less than or equal to 120."),
        ("predict scan.nii --mask m.nii", "error: the label map m.nii came without its numbering"),
        ("predict scan.nii --config none.toml", "error: none.toml cannot be read"),
        ("predict scan.nii --nonsense", "No such option"),
        ("predict scan.nii --threads two", "Invalid value for '--threads'"),
        ("segment scan.nii", "Missing option '--out'"),
        ("segment scan.nii --out m.nii.gz --engine onnx", "Invalid value for '--engine'"),
        ("segment scan.nii --out m.nii.gz --threads 0", "Invalid value for '--threads'"),
        ("predikt scan.nii", "No such command 'predikt'"),
    ],
)
def test_a_wrong_call_is_status_2_in_words(run, predicting, words, message):
    status, _, err = run(*words.split())
    assert status == 2
    assert message in err
    assert "Traceback" not in err
    assert predicting.calls == []


def test_an_error_is_one_plain_line(run, predicting):
    predicting.outcome = raiser(InputError("scan.nii is empty", wanted="a scan", remedy="export it again"))
    status, out, err = run("predict", "scan.nii")
    assert (status, out) == (1, "")
    assert err == "error: scan.nii is empty; wanted: a scan; remedy: export it again.\n"
    predicting.outcome = raiser(UsageError("no scan in the folder"))
    assert run("predict", "folder")[::2] == (2, "error: no scan in the folder.\n")


def test_debug_lets_the_error_through(monkeypatch, predicting):
    predicting.outcome = raiser(InputError("scan.nii is empty"))
    monkeypatch.setattr(sys, "argv", ["spineclock", "predict", "scan.nii", "--debug"])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    with pytest.raises(InputError, match="scan.nii is empty"):
        cli.main()
    assert sys.excepthook is sys.__excepthook__


@pytest.mark.parametrize("debug", [True, False])
def test_a_fault_of_the_program_shows_a_traceback_with_debug_only(tmp_path, debug):
    code = (
        "import sys, types; m = types.ModuleType('spineclock.run.demo')\n"
        "def demo(out): raise RuntimeError('the tensor was sad')\n"
        "m.demo = demo; sys.modules[m.__name__] = m\n"
        f"sys.argv = ['spineclock', 'demo'] + ['--debug'] * {debug:d}\n"
        "from spineclock.cli import main; main()"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert answer.returncode == 1
    assert "RuntimeError: the tensor was sad" in answer.stderr
    assert ("Traceback" in answer.stderr) is debug
    assert ("run again with --debug" in answer.stderr) is not debug


def test_ctrl_c_says_of_ablations_that_overwriting_is_to_be_left_out(run, monkeypatch, tmp_path):
    module = types.ModuleType("spineclock.run.ablation.command")
    module.ablate = lambda *told, **more: raiser(KeyboardInterrupt())()
    monkeypatch.setitem(sys.modules, module.__name__, module)
    status, _, err = run("ablate", "people.csv", "--out", str(tmp_path), "--overwrite")
    assert status == 130
    assert err == "stopped; what is finished is kept, and the same call, without --overwrite, takes up from here\n"


def test_ctrl_c_says_how_to_go_on(run, predicting):
    predicting.outcome = raiser(KeyboardInterrupt())
    status, _, err = run("predict", "scan.nii")
    assert status == 130
    assert "`--resume` takes up from here" in err


def test_the_log_holds_the_call_and_the_traceback_the_user_was_spared(run, predicting, tmp_path):
    log = tmp_path / "run.log"
    predicting.outcome = raiser(InputError("scan.nii is empty"))
    assert run("predict", "scan.nii", "--log-file", str(log))[0] == 1
    text = log.read_text(encoding="utf-8")
    assert "INFO spineclock: spineclock predict scan.nii --log-file" in text
    assert "ERROR spineclock: scan.nii is empty" in text
    assert "Traceback" in text


def test_a_log_that_cannot_be_written_is_a_wrong_call(run, predicting, tmp_path):
    status, _, err = run("predict", "scan.nii", "--log-file", str(tmp_path / "none" / "run.log"))
    assert status == 2
    assert "run.log cannot be written (No such file or directory)" in err


def test_segment_demo_and_selftest_hand_over_what_was_asked(run, monkeypatch):
    calls = []
    for name, function in {
        "segment": ("segment_file", lambda *a, **k: calls.append((a, k))),
        "demo": ("demo", lambda out: calls.append(out) or 0),
        "selftest": ("selftest", lambda: 1),
    }.items():
        module = types.ModuleType(f"spineclock.run.{name}")
        setattr(module, *function)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    assert run("segment", "scan.nii", "--out", "m.nii.gz", "--scheme", "spider", "--threads", "2")[0] == 0
    assert run("demo", "--out", "there")[0] == 0
    assert run("selftest")[0] == 1
    expected = {"scheme": "spider", "lowest_vertebra": None, "threads": 2, "engine": "auto"}
    assert calls == [((Path("scan.nii"), Path("m.nii.gz")), expected), Path("there")]


@pytest.mark.parametrize(
    ("words", "module"),
    [
        ("train mri-age people.csv --out out", "training.command"),
        ("evaluate run people.csv --out out", "training.evaluation"),
        ("ablate people.csv --out out", "ablation.command"),
    ],
)
def test_the_device_reaches_what_trains_and_what_evaluates(run, monkeypatch, words, module):
    told = []
    name = words.partition(" ")[0]
    stand_in = types.ModuleType(f"spineclock.run.{module}")
    setattr(stand_in, name, lambda *given, **more: told.append(given[-1].device) or 0)
    monkeypatch.setitem(sys.modules, stand_in.__name__, stand_in)
    assert run(*words.split(), "--device", "cpu")[0] == 0
    assert told == ["cpu"]
    status, _, err = run(*words.split(), "--device", "tpu")
    assert status == 2
    assert "device is 'tpu' (flag)" in err
    assert "--device" in run(name, "--help")[1]


def test_no_command_shows_the_commands(run):
    status, out, err = run()
    assert status == 2
    assert all(command.partition(" ")[0] in out + err for command in COMMANDS)
