"""Accuracy against nodes, crosspoints, amplifiers and energy: TD-KANs beside MLPs of their diodes.

An MLP here is ``network.mlp.DeviceMLP``: inputs drive resistors, each hidden node one diode. Both
are trained by one recipe, with BatchNorm, range penalty and augmentation alike; the learning rate
of each kind is chosen on training data kept back. Figures are those of the circuits' datasheets.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..compiler.hardware import Hardware
from ..data import ImageSet, by_class, load_dataset
from ..data.subset import hold_out
from ..errors import SettingsError
from ..files import write_text
from ..network.baselines import parameter_count
from ..network.measures import distance
from ..network.mlp import DeviceMLP
from ..network.spec import NetworkSpec
from ..studies.datasheet import datasheet
from ..studies.options import StudyOptions
from ..studies.points import hardware_document
from ..text import markdown_table
from ..training.fit import Trained, train
from ..training.recipe import Recipe
from .circuits import compiled
from .efficiency import compared, tables
from .entries import write_rows
from .families import Family, NodesPlan, load_nodes
from .kept import read_kept, write_kept
from .request import Request

Progress = Callable[[str, int, int], None]
PARTS = "power,settling"
JUDGE = "1x10"
"""Of the circuits of seed 0, by ngspice."""
QUICK_SIZES, QUICK_IMAGES, QUICK_JUDGE = 2, 100, "1x2"
KEYS = ("family", "hidden", "seed", "circuit", "crosspoints", "op_amps", "energy_j")
"""Of a row that is kept, among others."""


@dataclass(frozen=True, kw_only=True)
class NodesRequest(Request):
    """What to run, and where it is kept: ``only`` some data sets or families, ``jobs`` at a time.

    Quick is the first data set alone, unless ``only`` names some, and the two smallest networks of
    each family, on few test images.
    """

    only: tuple[str, ...] = ()
    jobs: int = 1

    def families(self, plan: NodesPlan) -> tuple[Family, ...]:
        """The families asked for; SettingsError if there is none of a name."""
        known = sorted({word for f in plan.families for word in (f.dataset, f.name)})
        for word in self.only:
            if word not in known:
                raise SettingsError(
                    f"--only {word!r} is no data set or family of nodes: {', '.join(known)}"
                )
        found = [f for f in plan.families if not self.only or {f.dataset, f.name} & {*self.only}]
        first = self.quick and not self.only
        return tuple(f for f in found if not first or f.dataset == found[0].dataset)

    def sizes(self, family: Family) -> tuple[int, ...]:
        """Widths to train."""
        return family.hidden[:QUICK_SIZES] if self.quick else family.hidden

    @property
    def folder(self) -> Path:
        """Where results, BUILDs and RUNs are kept."""
        return self.out / self.stem("nodes")


def run_nodes(
    request: NodesRequest, on_progress: Progress = lambda what, done, total: None
) -> dict[str, Any]:
    """Train, compile, verify and measure what is not kept yet; a row a network and seed, and what
    families need for equal accuracy (``efficiency.compared``).

    Test sets are read once a row, by its circuit's datasheet. Tables are of all that is kept.

    Raises
    ------
    SettingsError, DataError, StudyError, CompileError, NetlistError, SimulationError
        If a network cannot be trained, compiled or measured; what is finished is kept.
    """
    plan = load_nodes()
    families, folder = request.families(plan), request.folder

    @functools.cache
    def images(dataset: str, split: str) -> ImageSet:
        found = load_dataset(dataset, split, request.data, download=request.download)
        few = request.quick and split == "test" and len(found) > QUICK_IMAGES
        return by_class(found, QUICK_IMAGES) if few else found

    rows: list[dict[str, Any]] = []
    with request.kept("nodes") as log:
        on_progress = log.following(on_progress)
        folder.mkdir(parents=True, exist_ok=True)
        recipes = [_rated(request, plan, family, images, on_progress) for family in families]
        for seed in range(request.seeds):  # so that what is there early is of all networks
            for family, recipe in zip(families, recipes, strict=True):
                sets = functools.partial(images, family.dataset)
                for hidden in request.sizes(family):
                    how = family.recipe(recipe, hidden)
                    rows.append(_row(request, family, how, seed, sets, on_progress))
        everything = _everything(request, plan)
        levels = plan.levels
        found = compared(everything, levels)
        md, table = (folder.with_suffix(suffix) for suffix in (".md", ".csv"))
        parts = [f"{what}:\n\n{markdown_table(head, cells)}"
                 for what, head, cells in tables(everything, found)]  # fmt: skip
        write_text(md, "\n".join(parts))
        write_rows(table, everything)
        if found:
            write_rows(folder.with_name(f"{folder.name}-compared.csv"), found)
    return {
        "name": "nodes",
        "quick": request.quick,
        "seeds": request.seeds,
        "rows": rows,
        "everything": everything,
        "compared": found,
        "csv": str(table),
        "md": str(md),
    }


def _rated(
    request: NodesRequest,
    plan: NodesPlan,
    family: Family,
    images: Callable[[str, str], ImageSet],
    on_progress: Progress,
) -> Recipe:
    """The task's recipe with the learning rate at which networks of ``family`` err least on what is
    kept back of the training set."""
    task = plan.task(family)
    recipe, rates = task.plan(request.quick), task.rates[:1] if request.quick else task.rates
    width = request.sizes(family)[0] if request.quick else family.rated_at
    how = family.recipe(recipe, width)
    made = {**asdict(how), "rates": rates, "holdout": task.holdout}
    kept = request.folder / f"{family.dataset}-{family.name}-rates.json"
    found = read_kept(kept, made, ("errors", "rate"))
    if found is None:
        known, held = hold_out(images(family.dataset, "train"), task.holdout)
        errors = []
        for k, rate in enumerate(rates):
            on_progress(f"learning rate of {family.dataset}, {family.label}", k, len(rates))
            done = train(known, replace(how, learning_rate=rate), seed=0, network=family.network)
            errors.append(_error(_spec(done, family, "rated"), held))
        found = {"errors": errors, "rate": rates[errors.index(min(errors))]}
        write_kept(kept, made, found)
    return replace(recipe, learning_rate=found["rate"])


def _spec(done: Trained, family: Family, name: str) -> NetworkSpec:
    return done.model.to_spec(
        done.encoding, name=name, dataset=family.dataset, calibration=done.calibration,
        targets=done.targets,
    )  # fmt: skip


def _error(spec: NetworkSpec, images: ImageSet) -> float:
    """The share that is wrong, or the RMSE as a share of span."""
    given = spec.logits(images.flat(spec.encoding.shape))
    if spec.targets is None:
        return float((given.argmax(axis=1) != images.y).mean())
    return distance(spec.targets, images.y, spec.targets.values(given), ci95=False).share


def _row(
    request: NodesRequest,
    family: Family,
    recipe: Recipe,
    seed: int,
    images: Callable[[str], ImageSet],
    on_progress: Progress,
) -> dict[str, Any]:
    """The row of one network: trained, compiled and measured if it is not kept."""
    (hidden,) = recipe.hidden
    name = f"{family.dataset}-{family.name}-{hidden}-seed{seed}"
    kept = request.folder / f"{name}.json"
    judged = "none" if seed else QUICK_JUDGE if request.quick else JUDGE
    made = {**asdict(recipe), "hardware": hardware_document(Hardware()), "judge": judged}
    found = read_kept(kept, made, KEYS)
    if found is None:
        state = kept.with_suffix(".training")
        done = train(
            images("train"), recipe, seed=seed, state=state, network=family.network,
            on_epoch=lambda epoch: on_progress(f"training {name}", epoch.number, epoch.total),
        )  # fmt: skip
        spec = _spec(done, family, name)
        found = {
            "dataset": family.dataset,
            "family": family.name,
            "label": family.label,
            "hidden": hidden,
            "seed": seed,
            "learning_rate": recipe.learning_rate,
            "epochs": recipe.epochs,
            "parameters": parameter_count(done.model),
        }
        found |= _measured(request, spec, images("test"), kept, judged, on_progress)
        # An MLP's DACs could drive its first crossbar themselves: here each has an op-amp between.
        spared = spec.sizes[0] if family.network is DeviceMLP else 0
        found["op_amps_bare"] = found["op_amps"] - spared
        write_kept(kept, made, found)
        state.unlink(missing_ok=True)
    return {key: value for key, value in found.items() if key != "plan"}


def _measured(
    request: NodesRequest, spec: NetworkSpec, test: ImageSet, kept: Path, judged: str,
    on_progress: Progress,
) -> dict[str, Any]:  # fmt: skip
    """What the datasheet of a network's circuit says; shares of 1, watts, seconds, joules."""
    circuit, _ = compiled(spec, Hardware(), kept.with_suffix(".build"))
    sheet = datasheet(
        circuit, test, only=PARTS,
        options=StudyOptions(run=kept.with_suffix(".run"), jobs=request.jobs, judge=judged),
        on_progress=lambda what, k, n: on_progress(f"{spec.name}: {what}", k, n),
    )  # fmt: skip
    s, (reached,) = sheet.summary, sheet.reached.values()
    classes = spec.targets is None
    drawn = {key: sheet.figures_of[key]["typical"] for key in ("power_w", "settling_s", "energy_j")}
    return {
        "task": spec.task,
        "n": len(test),
        "software": s["software_accuracy"] if classes else s["rmse_software"] / s["span"],
        "circuit": reached["typical"] / (1.0 if classes else s["span"]),
        "crosspoints": sheet.area["crossbar_resistors"],
        "op_amps": sheet.area["op_amps"],
        "tiles": sheet.area["tiles"],
        "dacs": sheet.work["dacs"],
        **drawn,
    }


def _everything(request: NodesRequest, plan: NodesPlan) -> list[dict[str, Any]]:
    """All rows that are kept, asked for or not."""
    found: list[dict[str, Any]] = []
    for family in plan.families:
        for hidden in family.hidden:
            stem = f"{family.dataset}-{family.name}-{hidden}-seed"
            for path in sorted(request.folder.glob(f"{stem}*.json")):
                row = read_kept(path, None, KEYS)
                assert row is not None
                found.append({key: value for key, value in row.items() if key != "plan"})
    return found
