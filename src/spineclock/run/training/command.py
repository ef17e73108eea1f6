"""``spineclock train``: a cohort and its prepared scans in, a run's folder out."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spineclock import recipes
from spineclock.core.errors import TableError, UsageError
from spineclock.core.outcomes import Age, Diagnosis, Outcome, TimeToEvent
from spineclock.learn.fit import StoppedError
from spineclock.nets.names import CROP_NETWORKS, CT_NETWORKS
from spineclock.prep.cropping import Cropping
from spineclock.prep.ct_cropping import CtCropping
from spineclock.run.config import configure
from spineclock.run.training import device, folder
from spineclock.run.training.diagnoses import require_both
from spineclock.run.training.held import examples, in_view, part_read, prepared_store, with_films, with_sequence
from spineclock.run.training.labels import labels_of
from spineclock.run.training.risk_targets import require_events, with_vertebrae
from spineclock.run.training.run import Run
from spineclock.run.training.sets import Sets, people_of, sets, split_of
from spineclock.run.training.settings import MAY_DIFFER, TrainSettings, classes_of

if TYPE_CHECKING:
    from lightning.fabric import Fabric
    from torch import Tensor, nn

    from spineclock.learn.fit import Fitted, Training
    from spineclock.nets.heads import Head
    from spineclock.prep.store import PreparedStore

log = logging.getLogger(__name__)
DONE = 0


def train(recipe: str, cohort: Path, settings: TrainSettings | None = None, *, out: Path, quiet: bool = False) -> int:
    """Trains a recipe's network on a cohort, evaluates it on the test people, and writes the run's folder.

    Ctrl-C, or the SIGTERM a cluster sends, ends it after the step it is at; ``resume`` goes on from there and comes to
    the same weights. Returns the exit status.

    Raises
    ------
    UsageError
        If there is no such recipe, the network does not fit it, or ``out`` holds another run, or the cohort or
        the store has changed so that another person would be trained on.
    TableError
        If the cohort has too few people, or a person in two splits, or of a disease all have it, or none.
    KeyboardInterrupt
        If it was stopped; what is done is kept.
    """
    outcome = _outcome(recipe, cohort)
    settings = settings or configure(TrainSettings, defaults=recipes.get(recipe).learning.train).settings
    begun = datetime.now(UTC)
    if device.is_first_process():
        folder.require_room(out, resume=settings.resume, overwrite=settings.overwrite)
    store = _store(recipe, cohort, settings, out)
    _require_its_own(recipe, store, settings)
    labelled = labels_of(recipe, settings, cohort)
    people = people_of(cohort, normals=settings.normals, split=settings.split, labelled=labelled)
    people = people.assign(split=split_of(people, settings))  # of everybody, whoever is in view of a part
    shown = people[in_view(people, store, part_read(store, settings))].reset_index(drop=True)
    shown = with_vertebrae(with_sequence(with_films(shown, store), store, settings.sequence), store)
    told = sets(shown, settings)
    match outcome:
        case Diagnosis():
            require_both(told.table, outcome.name)
        case TimeToEvent():
            require_events(told.table, outcome, settings)
    asked = _asked(recipe, settings, store, told)
    if settings.resume and folder.finished(out, asked):
        print(f"{out} is finished: nothing is left to do")
        return DONE
    if device.is_first_process():
        folder.begin(out, asked, resume=settings.resume)
    _say_lacking(len(people) - len(told.table), len(people), store.path)
    device.keep_big_buffers()
    fabric = device.fabric(settings.device, devices=settings.devices, precision=settings.precision)
    device.set_threads(settings.threads)
    try:
        fitted = _fitted(outcome, told, store, settings, fabric, out=out, quiet=quiet)
    except StoppedError as stopped:
        raise KeyboardInterrupt from stopped
    if fabric.is_global_zero:
        where = device.resolved(settings.device)
        run = Run(recipe, outcome, cohort, settings, told, store, begun, where, asked)
        folder.write(out, run, fitted)
    return DONE


def _outcome(recipe: str, cohort: Path) -> Outcome:
    """What the recipe learns; refuses a cohort that is not there."""
    found = recipes.get(recipe).outcome
    if not cohort.exists():
        raise UsageError(f"{cohort} does not exist", wanted="a table of people, or a folder with participants.tsv")
    return found


def _asked(recipe: str, settings: TrainSettings, store: PreparedStore, told: Sets) -> dict[str, Any]:
    """What a run's weights follow from, as plain data; a folder that says something else of it is not taken up."""
    chosen = settings.model_dump(mode="json", exclude=set(MAY_DIFFER))
    return {"recipe": recipe, "settings": chosen, "preparation": asdict(store.how), "sets_sha256": told.sha256}


def _store(recipe: str, cohort: Path, settings: TrainSettings, out: Path) -> PreparedStore:
    """The prepared scans, prepared here where no store is given."""
    from spineclock.prep.store import PreparedStore

    if settings.store is None and settings.devices > 1:
        raise UsageError("several devices and no store", wanted="prepared scans", remedy="`spineclock prepare` first")
    return PreparedStore.open(
        prepared_store(cohort, settings.store, recipe=recipe, out=out, sequence=settings.sequence)
    )


def _require_its_own(recipe: str, store: PreparedStore, settings: TrainSettings) -> None:
    """Refuses a store that was prepared for another recipe, and a network or changes that its scans cannot have."""
    from spineclock.run.settings import PrepareSettings

    learning = recipes.get(recipe).learning
    wanted = learning.preparation(configure(PrepareSettings, defaults=learning.prepare).settings)
    if type(store.how) is not type(wanted):
        raise UsageError(f"the store {store.path} was not prepared for {recipe}", wanted="its own scans",
                         remedy=f"`spineclock prepare … --recipe {recipe}`")  # fmt: skip
    if isinstance(store.how, CtCropping) != (settings.network in CT_NETWORKS):
        raise UsageError(f"the network {settings.network} for the store {store.path}",
                         wanted=f"one of {', '.join(CT_NETWORKS)} for regions of CT, and for nothing else")  # fmt: skip
    crops = isinstance(store.how, Cropping)
    if crops != (settings.network in CROP_NETWORKS):
        raise UsageError(
            f"the network {settings.network} for {'crops' if crops else 'scans that are no crops'}",
            wanted=f"one of {', '.join(CROP_NETWORKS)}" if crops else "a network of whole scans or films",
        )
    if crops and settings.mirror:
        raise UsageError("mirror, which would turn the order of levels about", wanted="mirror=false for crops")


def _say_lacking(lacking: int, all_scans: int, store: Path) -> None:
    if lacking:
        log.warning("%d of %d scans are not in %s, or the part is not in view there", lacking, all_scans, store)
        print(f"{lacking:,} of {all_scans:,} scans of the cohort are not in {store}, or lack the part")


def _fitted(
    outcome: Outcome, told: Sets, store: PreparedStore, settings: TrainSettings, fabric: Fabric, *, out: Path,
    quiet: bool,
) -> Fitted:  # fmt: skip
    from spineclock.run.training.shown import Shown

    with (
        _asked_to_stop() as stop,
        Shown(max_epochs=settings.max_epochs, quiet=quiet or not fabric.is_global_zero) as shown,
        folder.logs(out) if fabric.is_global_zero else folder.no_logs() as logged,
    ):

        def epoch(row: Any) -> None:
            shown.epoch(row)
            logged(row)

        watch = _Watch(out / folder.STATE, stop, shown.step, epoch)
        return _training(outcome, told, store, settings, fabric, watch).run()


@dataclass(frozen=True)
class _Watch:
    """What looks on while a network learns."""

    state: Path
    stop: Callable[[], bool]
    on_step: Callable[[Any, int], None]
    on_epoch: Callable[[Any], None]


def _training(
    outcome: Outcome, told: Sets, store: PreparedStore, settings: TrainSettings, fabric: Fabric, watch: _Watch
) -> Training:
    import torch

    from spineclock.learn.feed import Augmentation, Feed
    from spineclock.learn.fit import Schedule, Training
    from spineclock.nets.networks import begin, network

    learned, held_out = examples(told.of("train"), told.of("validation"), store=store, memory_gb=settings.memory_gb)
    head = _head(outcome, torch.tensor(learned.targets), store, settings)
    torch.manual_seed(settings.seed)
    net = network(settings.network, outputs=head.outputs, shape=store.how.shape, pool=settings.pool, head=head,
                  band=settings.band)  # fmt: skip
    begin(net, head)
    if settings.start == "imagenet" and not watch.state.exists():
        folder.say_start(watch.state.parent, _from_imagenet(net))
    feed = Feed(
        learned,
        settings.batch_size,
        settings.seed,
        part=part_read(store, settings),
        augmentation=Augmentation(
            **{f.name: getattr(settings, f.name) for f in fields(Augmentation) if hasattr(settings, f.name)},
            along_slices=not isinstance(store.how, Cropping | CtCropping),
            mirror_axis=2 if isinstance(store.how, CtCropping) else 0,
        ),
        rank=fabric.global_rank,
        world=fabric.world_size,
    )
    schedule = Schedule(**{field.name: getattr(settings, field.name) for field in fields(Schedule)})
    return Training(
        net,
        head,
        feed,
        held_out,
        schedule,
        fabric,
        state=watch.state,
        save_every_s=60 * settings.save_minutes,
        stop=watch.stop,
        on_step=watch.on_step,
        on_epoch=watch.on_epoch,
    )


def _from_imagenet(net: nn.Module) -> str:
    """Has a network begin from ImageNet's weights, as far as they can be had; which it was, in a sentence."""
    from spineclock.nets import ct, film

    if isinstance(net, ct.CtNet):
        return ct.begin_from_imagenet(net).sentence
    assert isinstance(net, film.EfficientNetFilm), "no other network has such weights"
    return film.begin_from_imagenet(net).sentence


def _head(outcome: Outcome, targets: Tensor, store: PreparedStore, settings: TrainSettings) -> Head:
    """What the network's answer is to mean."""
    from spineclock.nets.age_head import AgeHead
    from spineclock.nets.diagnosis_head import DiagnosisHead

    match outcome:
        case TimeToEvent():
            from spineclock.run.training.risk_targets import head_of

            return head_of(targets, settings)
        case Diagnosis(name=name):
            assert isinstance(store.how, Cropping), "a disease is learned from crops"
            return DiagnosisHead.of(targets, name, store.how.levels, weighted=settings.weighted)
        case Age():
            if float(targets.max() - targets.min()) == 0:
                raise TableError(f"all {len(targets)} scans to train on are of one age",
                                 wanted="people of different ages")  # fmt: skip
            return AgeHead.of(targets, settings.loss, classes=classes_of(settings))


@contextmanager
def _asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C or SIGTERM came; the second Ctrl-C ends the program at once."""
    came = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield came.is_set
        return

    def note(number: int, frame: object) -> None:
        if came.is_set():
            raise KeyboardInterrupt
        came.set()

    earlier = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came.is_set
    finally:
        for s, handler in earlier.items():
            signal.signal(s, handler)
