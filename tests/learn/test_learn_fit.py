"""The training loop: it learns, it repeats to the bit, and it goes on from any step as if it had not stopped."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage
from two_processes import SHAPE, SLOW_S, Held, learned_by, people
from two_processes import __file__ as two_processes

from spineclock.core.errors import InputError, SpineclockError, TableError
from spineclock.learn.feed import Augmentation, Examples, Feed, ReadAhead
from spineclock.learn.fit import Fitted, Schedule, StoppedError, Training, judged
from spineclock.nets.age_head import AgeHead
from spineclock.nets.networks import network


def training(tmp_path: Path | None = None, *, epochs: int = 3, **changes: Any) -> Training:
    from lightning.fabric import Fabric

    learned, held_out = people(24, seed=1), people(8, seed=2)
    head = AgeHead.of(torch.tensor(learned.targets), "mse")
    torch.manual_seed(0)
    told: dict[str, Any] = {
        "net": network("table2", outputs=1, shape=SHAPE),
        "head": head,
        "feed": Feed(learned, 2, seed=0),
        "validation": held_out,
        "schedule": Schedule(max_epochs=epochs, learning_rate=1e-3),
        "fabric": Fabric(accelerator="cpu", devices=1, precision="32-true"),
        "state": None if tmp_path is None else tmp_path / "state.ckpt",
    }
    return Training(**{**told, **changes})


def weights(fitted: Fitted) -> torch.Tensor:
    return torch.cat([t.flatten().double() for t in fitted.net.state_dict().values()])


def test_it_learns_what_the_pictures_tell() -> None:
    fitted = training(epochs=12).run()
    held_out = people(40, seed=3)
    predicted = judged(fitted.net, training().head, held_out).ages_years
    guess = np.abs(held_out.targets - 55).mean()
    # 0.35 to 0.63 of it by how the network begins; processors that round otherwise come to other figures
    assert np.abs(predicted - held_out.targets).mean() < 0.8 * guess
    assert fitted.epochs[-1].train_loss < fitted.epochs[0].train_loss


class Stop:
    """Asks to stop after so many steps of this process."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("steps", [1, 5, 11, 12, 17, 23, 34])
def test_stopped_anywhere_and_resumed_it_ends_with_the_same_weights(tmp_path: Path, steps: int) -> None:
    unbroken = training().run()
    with pytest.raises(StoppedError):
        training(tmp_path, stop=Stop(steps)).run()
    resumed = training(tmp_path).run()
    assert torch.equal(weights(unbroken), weights(resumed))
    assert [replace(e, seconds=0, minutes=0, idle_share=0) for e in unbroken.epochs] == [
        replace(e, seconds=0, minutes=0, idle_share=0) for e in resumed.epochs
    ]


def test_stopped_again_and_again_with_dropout_it_still_ends_the_same(tmp_path: Path) -> None:
    def transformer() -> torch.nn.Module:
        torch.manual_seed(0)
        return network("transformer", outputs=1, shape=SHAPE)

    unbroken = training(epochs=2, net=transformer()).run()
    for _ in range(30):
        try:
            resumed = training(tmp_path, epochs=2, net=transformer(), stop=Stop(4)).run()
        except StoppedError:
            continue
        break
    assert torch.equal(weights(unbroken), weights(resumed))


def test_the_rate_falls_on_a_plateau_also_across_a_stop(tmp_path: Path) -> None:
    schedule = Schedule(max_epochs=6, learning_rate=1e-2, plateau_patience=0, plateau_factor=0.5, stop_patience=99)
    held_out = people(8, seed=2)
    told = {"schedule": schedule, "validation": replace(held_out, targets=110 - held_out.targets)}
    unbroken = training(**told).run()  # the more it learns, the worse it does on those of the opposite age
    rates = [e.learning_rate for e in unbroken.epochs]
    assert rates[-1] < rates[0]
    assert unbroken.best_epoch < len(rates) - 1
    fallen = next(k for k, rate in enumerate(rates) if rate < rates[0])
    with pytest.raises(StoppedError):
        training(tmp_path, **told, stop=Stop(12 * fallen + 3)).run()
    resumed = training(tmp_path, **told).run()
    assert [e.learning_rate for e in resumed.epochs] == rates
    assert resumed.best_epoch == unbroken.best_epoch
    assert torch.equal(weights(resumed), weights(unbroken))


def test_a_rate_that_falls_linearly_is_nothing_at_the_end_also_across_a_stop(tmp_path: Path) -> None:
    schedule = Schedule(max_epochs=4, learning_rate=1e-2, rate_falls="linear", plateau_patience=0, stop_patience=1)
    held_out = people(8, seed=2)
    told = {"schedule": schedule, "validation": replace(held_out, targets=110 - held_out.targets)}
    unbroken = training(**told).run()
    assert len(unbroken.epochs) == 4  # to the end, however the validation loss goes
    rates = [e.learning_rate for e in unbroken.epochs]
    assert rates == pytest.approx([1e-2 * (1 - (k + 11 / 12) / 4) for k in range(4)])  # of the last of 12 steps
    with pytest.raises(StoppedError):
        training(tmp_path, **told, stop=Stop(17)).run()
    resumed = training(tmp_path, **told).run()
    assert [e.learning_rate for e in resumed.epochs] == rates
    assert torch.equal(weights(resumed), weights(unbroken))


def test_a_loss_that_is_no_number_ends_the_training_in_words() -> None:
    with pytest.raises(SpineclockError, match="the loss of epoch 1 is no number.*a smaller learning_rate"):
        training(schedule=Schedule(max_epochs=2, learning_rate=1e30)).run()


def test_it_ends_when_validation_no_longer_improves_and_keeps_the_best() -> None:
    fitted = training(schedule=Schedule(max_epochs=50, learning_rate=0.0, stop_patience=3)).run()
    # weights never change, but batch norm's statistics settle, so the best epoch is not always the first
    assert len(fitted.epochs) == fitted.best_epoch + 4
    best = min(e.validation_loss for e in fitted.epochs)
    assert fitted.epochs[fitted.best_epoch].validation_loss == best


def test_the_best_epochs_weights_are_the_ones_handed_over() -> None:
    told = training(epochs=6)
    fitted = told.run()
    _, loss = judged(fitted.net, told.head, told.validation)
    assert loss == pytest.approx(fitted.epochs[fitted.best_epoch].validation_loss, rel=1e-5)


def test_every_scan_is_shown_once_an_epoch_in_another_order_each_time() -> None:
    scans = np.zeros((10, *SHAPE), np.float32) + np.arange(10, dtype=np.float32)[:, None, None, None]
    feed = Feed(
        Examples(Held(scans), range(10), np.arange(10.0)), 2, seed=4, augmentation=Augmentation(0, mirror=False)
    )
    orders = [[float(a) for b in feed.epoch(k) for a in b.targets] for k in (0, 1, 0)]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(10))
    assert orders[0] == orders[2] != orders[1]
    for batch in feed.epoch(0):
        assert torch.equal(batch.volumes[:, 0, 0, 0, 0], batch.targets)
    rest = [float(a) for b in feed.epoch(0, first=3) for a in b.targets]
    assert rest == orders[0][6:]
    shares = [[float(a) for b in replace(feed, rank=r, world=2, batch=1).epoch(0) for a in b.targets] for r in (0, 1)]
    assert [a for pair in zip(*shares, strict=True) for a in pair] == orders[0]


def test_other_grey_values_keep_to_the_spine_and_to_their_limits() -> None:
    rng = np.random.default_rng(0)
    x = np.zeros((40, 1, 4, 32, 32), np.float32)
    x[..., 4:28, 4:28] = rng.standard_normal((40, 1, 4, 24, 24), dtype=np.float32)
    still = {"shift_voxels": 0, "mirror": False}
    inside = x != 0
    for what in ({"blur_voxels": 1.5}, {"noise": 0.5}, {"contrast": 0.3}):
        changed = Augmentation(**still, **what)(x, np.random.default_rng(1))  # type: ignore[arg-type]
        assert np.array_equal(changed != 0, inside)
        again = Augmentation(**still, **what)(x, np.random.default_rng(1))  # type: ignore[arg-type]
        assert np.array_equal(changed, again)
        assert len({float(np.abs(c - s).sum()) for c, s in zip(changed, x, strict=True)}) > 30  # each in its own way
    blurred = Augmentation(blur_voxels=1.5, **still)(x, np.random.default_rng(1))  # type: ignore[arg-type]
    assert blurred[inside].std() < 0.7
    flat = np.where(inside, np.float32(2), np.float32(0))
    edge = Augmentation(blur_voxels=1.5, **still)(flat, np.random.default_rng(1))  # type: ignore[arg-type]
    assert edge[inside] == pytest.approx(2, abs=1e-4)  # nothing of the outside leaks in
    noisy = Augmentation(noise=0.5, **still)(flat, np.random.default_rng(1))  # type: ignore[arg-type]
    spread = [float(n[f != 0].std()) for n, f in zip(noisy, flat, strict=True)]
    assert 0 < min(spread) < 0.1
    assert 0.4 < max(spread) < 0.55
    lifted = Augmentation(contrast=0.3, **still)(flat, np.random.default_rng(1))  # type: ignore[arg-type]
    assert 2 * 0.7 - 0.3 - 1e-5 <= lifted[inside].min() < lifted[inside].max() <= 2 * 1.3 + 0.3 + 1e-5


def test_turned_and_scaled_scans_are_those_of_scipy() -> None:
    x = np.random.default_rng(0).normal(size=(3, 1, 4, 24, 40)).astype(np.float32)
    turn = Augmentation(shift_voxels=0, mirror=False, rotate_deg=20, zoom=0.2)
    changed = turn(x, np.random.default_rng(1))
    rng, middle = np.random.default_rng(1), np.array([11.5, 19.5])
    for scan, was in zip(changed[:, 0], x[:, 0], strict=True):
        rng.integers(0, 1, 3)  # by how much it is moved
        angle, scale = np.deg2rad(rng.uniform(-20, 20)), 1 + rng.uniform(-0.2, 0.2)
        back = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / scale
        for slice_, before in zip(scan, was, strict=True):
            wanted = ndimage.affine_transform(before, back, middle - back @ middle, order=1, mode="grid-constant")
            assert slice_ == pytest.approx(wanted, abs=1e-4)


def test_changed_scans_are_moved_and_mirrored_and_nothing_else() -> None:
    x = np.random.default_rng(0).normal(size=(200, 1, 8, 9, 10)).astype(np.float32)
    changed = Augmentation(2)(x, np.random.default_rng(1))
    seen = set()
    for before, after in zip(x[:, 0], changed[:, 0], strict=True):
        found = []
        for mirrored in (False, True):
            picture = np.pad(before[::-1] if mirrored else before, 2)
            for i in range(5):
                for j in range(5):
                    for k in range(5):
                        if np.array_equal(picture[i : i + 8, j : j + 9, k : k + 10], after):
                            found.append((mirrored, i, j, k))
        assert len(found) == 1
        seen.add(found[0])
    assert {s[0] for s in seen} == {False, True}
    assert all({s[axis] for s in seen} == set(range(5)) for axis in (1, 2, 3))


def test_what_goes_wrong_while_reading_ahead_is_raised_where_it_is_read() -> None:
    def broken() -> Any:
        yield 1
        raise OSError("the disk went away")

    ahead = iter(ReadAhead(broken()))
    assert next(ahead) == 1
    with pytest.raises(OSError, match="the disk went away"):
        next(ahead)


def test_too_few_scans_or_unknown_ages_are_refused() -> None:
    with pytest.raises(TableError, match="1 scans to train on; wanted: at least 2"):
        _ = Feed(people(1, seed=0), 2, seed=0).batches
    with pytest.raises(TableError, match="1 known ages or labels; wanted: one for each scan"):
        Examples(Held(np.zeros((2, *SHAPE))), range(2), np.array([50.0, np.nan]))


def test_a_damaged_state_is_refused_in_words(tmp_path: Path) -> None:
    training(tmp_path, epochs=1).run()
    state = tmp_path / "state.ckpt"
    state.write_bytes(state.read_bytes()[:5000])
    with pytest.raises(InputError, match="cannot be read as a training's state"):
        training(tmp_path, epochs=1).run()


# --- two processes that share a training -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two processes tells of the same trainings."""
    out = tmp_path_factory.mktemp("both")
    done = subprocess.run(
        [sys.executable, two_processes, out], capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    told = [torch.load(out / f"{rank}.pt") for rank in (0, 1)]
    state = torch.load(out / "state.ckpt")
    return [{**one, "state": state["progress"]} for one in told]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_processes_learn_what_one_learns_from_batches_twice_as_large(both: list[dict[str, Any]]) -> None:
    from lightning.fabric import Fabric

    alone = learned_by(Fabric(accelerator="cpu", devices=1, precision="32-true"), batch=2)
    for told in (one["learned"] for one in both):
        # Adam's steps hardly depend on the gradients' size: they are compared themselves
        torch.testing.assert_close(told["gradients"], alone["gradients"], rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(told["weights"], alone["weights"], rtol=1e-3, atol=1e-5)
        assert told["losses"] == pytest.approx(alone["losses"], rel=1e-4)
    assert torch.equal(both[0]["learned"]["weights"], both[1]["learned"]["weights"])
    assert alone["gradients"].abs().amax(1).min() > 1e-2  # so that there is something to compare


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_processes_together_see_everybody_once_an_epoch(both: list[dict[str, Any]]) -> None:
    epochs = list(zip(*(one["learned"]["read"] for one in both), strict=True))
    for first, second in epochs:
        assert len(first) == len(second) == 12
        assert sorted([*first, *second]) == list(range(24))
    assert epochs[0] != epochs[1]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_processes_of_slow_steps_stop_together_soon_after_one_is_asked_to(both: list[dict[str, Any]]) -> None:
    first, second = (one["stopped"] for one in both)
    assert first["steps"] == second["steps"] == both[0]["state"]["batch"] < 12
    assert max(first["after_s"], second["after_s"]) < 5 + 3 * SLOW_S
