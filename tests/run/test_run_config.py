"""Settings: who overrides whom, what is refused, and what is printed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from spineclock.core.errors import UsageError
from spineclock.run.config import configure
from spineclock.run.phantom_settings import PhantomMriSettings, PhantomRadiographSettings
from spineclock.run.settings import PredictSettings, PrepareSettings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "run.toml"
    path.write_text('engine = "torch"\nthreads = 2\nmodel = "lumbar"\nage_years = 40\n', encoding="utf-8")
    return path


def test_defaults_then_file_then_set_then_flag(file):
    c = configure(
        PredictSettings,
        file=file,
        assignments=["threads=3", "model=other"],
        flags={"model": "mine", "engine": None, "threads": None},
    )
    assert (c.settings.recipe, c.settings.engine, c.settings.threads, c.settings.model) == (
        "mri-age",
        "torch",
        3,
        "mine",
    )
    origins = [c.origins[name] for name in ("recipe", "engine", "threads", "model")]
    assert origins == ["default", f"file {file}", "--set", "flag"]


def test_the_last_of_two_assignments_counts_and_an_empty_one_unsets(file):
    c = configure(PredictSettings, file=file, assignments=["threads=3", "threads=5", "age_years="])
    assert c.settings.threads == 5
    assert c.settings.age_years is None
    assert c.origins["age_years"] == "--set"


def test_assignments_take_the_setting_s_own_type():
    s = configure(
        PredictSettings, assignments=["age_years=57", "resume=true", "cohort=", "mask=a=b.nii.gz", "mask_scheme=spider"]
    ).settings
    assert s.age_years == 57.0
    assert s.resume is True
    assert s.mask == Path("a=b.nii.gz")


def test_what_is_printed_reads_back_as_the_same_settings(tmp_path):
    odd = 'C:\\scans\t"ünd" \x7f # 骨.csv'
    first = configure(PredictSettings, assignments=["lowest_vertebra=l4", "resume=1"], flags={"cohort": Path(odd)})
    printed = tmp_path / "printed.toml"
    printed.write_text(first.as_toml(), encoding="utf-8")
    assert configure(PredictSettings, file=printed).settings == first.settings
    assert tomllib.loads(first.as_toml())["cohort"] == odd
    assert first.settings.lowest_vertebra == "L4"


def test_print_names_every_setting_with_its_origin(file):
    lines = configure(PredictSettings, file=file, assignments=["threads=3"]).as_toml().splitlines()
    assert len(lines) == len(PredictSettings.model_fields)
    assert "threads = 3  # --set" in lines
    assert f'engine = "torch"  # file {file}' in lines
    assert "interval_coverage = 0.9  # default" in lines
    assert "# sex is not set  # default" in lines


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("modle=x", r"no setting is called 'modle' \(--set\).*did you mean 'model'"),
        ("lowest-vertebra=L4", "did you mean 'lowest_vertebra'"),
        ("zzz=1", r"no setting is called 'zzz' \(--set\); wanted: one of recipe, model"),
        ("threads", "--set threads has no = sign; wanted: --set key=value"),
        ("threads=0", r"threads is '0' \(--set\); wanted: greater than or equal to 1"),
        ("threads=two", "threads is 'two'"),
        ("age_years=121", "age_years is '121'.*less than or equal to 120"),
        ("age_years=-3", "age_years is '-3'.*greater than 0"),
        ("age_years=nan", "age_years is 'nan'.*finite"),
        ("sex=X", r"sex is 'X' \(--set\); wanted: 'F' or 'M'"),
        ("sex=woman", "sex is 'woman'.*'F' or 'M'"),
        ("lowest_vertebra=L9", "lowest_vertebra is 'L9'.*a level from C1 to L7, or S1"),
        ("engine=onnx", "engine is 'onnx'.*'auto', 'openvino' or 'torch'"),
        ("device=tpu", "device is 'tpu'"),
        ("interval_coverage=90", "interval_coverage is '90'.*less than or equal to 0.99"),
        ("recipe=", r"recipe is None \(--set\)"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(assignment, message):
    with pytest.raises(UsageError, match=message):
        configure(PredictSettings, assignments=[assignment])


def test_a_bad_value_in_the_file_names_the_file(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text("[predict]\nthreads = 2\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"no setting is called 'predict' \(file .*bad.toml\)"):
        configure(PredictSettings, file=path)
    path.write_text("age_years = true\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"age_years is True \(file .*bad.toml\); wanted: a number"):
        configure(PredictSettings, file=path)


def test_a_file_that_is_not_there_or_not_toml(tmp_path):
    with pytest.raises(UsageError, match="no.toml cannot be read .*`--print-config` writes one"):
        configure(PredictSettings, file=tmp_path / "no.toml")
    path = tmp_path / "yaml.toml"
    path.write_text("engine: torch\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"yaml.toml is not TOML \(.*line 1.*wanted: lines such as engine = "):
        configure(PredictSettings, file=path)
    path.write_bytes(b'model = "\xff"\n')
    with pytest.raises(UsageError, match="is not TOML .*utf-8"):
        configure(PredictSettings, file=path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mask": "m.nii.gz"}, "the label map m.nii.gz came without its numbering; wanted: mask_scheme"),
        ({"mask_scheme": "spider"}, "mask_scheme is 'spider', but no mask is given"),
        ({"cohort": "c.csv", "age_years": 57}, "both a cohort table and an age or sex are given"),
        ({"cohort": "c.csv", "sex": "F"}, "both a cohort table and an age or sex are given"),
        ({"resume": True, "overwrite": True}, "both resume and overwrite are set"),
    ],
)
def test_settings_that_contradict_each_other(given, message):
    with pytest.raises(UsageError, match=message):
        configure(PredictSettings, flags=given)


@pytest.mark.parametrize(
    ("command", "model"),
    [
        ("predict", PredictSettings),
        ("prepare", PrepareSettings),
        ("phantom mri", PhantomMriSettings),
        ("phantom radiograph", PhantomRadiographSettings),
    ],
)
def test_the_documented_settings_are_the_settings(command, model):
    page = (Path(__file__).resolve().parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
    section = page.partition(f"## `spineclock {command}`\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.*?) \|", section, flags=re.MULTILINE)
    documented = {name: default.strip("`") for name, default, _ in rows}
    lines = configure(model).as_toml().splitlines()
    shown = [line.removesuffix("  # default").partition(" = ") for line in lines]
    defaults = {
        name.removeprefix("# ").removesuffix(" is not set"): value if sign else "not set" for name, sign, value in shown
    }
    assert documented == defaults
