"""Sections of a report on RUNs: one function for each kind, from figures to words and plots."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ..compiler.build import Build
from ..errors import SettingsError
from ..imperfections import load_settings
from ..intervals import wilson
from ..text import interval, many, percent
from . import figures, grids, interactive
from .exhibits import Exhibit, Section
from .runs import Run

FEWEST_PICTURES = 24
"""Images of a simulation on a page, if it kept as many; so many are printed."""


def simulate_sections(run: Run, build: Build | None, tag: str) -> list[Section]:
    """Circuit against software on the same images: logits, hidden nodes, classes, pictures."""
    s, a = run.summary, run.arrays
    labels, index, software, circuit = (
        a[name] for name in ("labels", "index", "software", "circuit")
    )
    full = s["logit_full_scale"]
    table = [
        ("software", percent(s["software_accuracy"]), interval(s["software_ci95"])),
        ("circuit", percent(s["circuit_accuracy"]), interval(s["circuit_ci95"])),
        ("circuit − software", f"{100 * s['delta']:+.2f} points", interval(s["delta_ci95"])),
        ("same class", percent(s["agreement"]), f"{len(s['flipped'])} flipped"),
        ("largest logit error", f"{s['max_abs_logit_error']:.2g}",
         f"{s['max_abs_logit_error'] / full:.1e} of full scale"),
    ]  # fmt: skip
    table += [
        (f"hidden nodes of layer {layer['layer']}", f"{layer['rms_error']:.2g} rms",
         f"at most {layer['max_abs_error']:.2g}, of {layer['full_scale']:.3g}")
        for layer in s["layers"]
    ]  # fmt: skip
    pairs = [(a[f"layer{k}_software"], a[f"layer{k}_circuit"]) for k in range(len(s["layers"]))]
    layers = []
    if pairs:
        layers = [
            Exhibit(
                name=f"layers{tag}",
                caption="Hidden nodes in ngspice over those in software, layer by layer.",
                figure=figures.layers_figure(pairs),
                share=run.share,
            )
        ]
    found = [
        Section(
            name=f"simulation{tag}",
            title="Circuit against software",
            words=[
                f"{upper(s['images']['said'])}: each image simulated in ngspice and evaluated in "
                "software. Intervals are 95 % (Wilson; of the paired difference Tango).",
                *noted(s),
            ],
            table=table,
            exhibits=[
                Exhibit(
                    name=f"logits{tag}",
                    caption="Logits: error over the software's value.",
                    figure=figures.logit_figure(software, circuit),
                    share=run.share,
                    live=lambda: interactive.logit_scatter(
                        labels, index, software, circuit, run.share
                    ),
                ),
                *layers,
                Exhibit(
                    name=f"confusion{tag}",
                    caption="Answers by class, software and circuit.",
                    figure=figures.confusion_figure(labels, software, circuit),
                ),
            ],
        )
    ]
    most = max(FEWEST_PICTURES, round(run.share * len(a["shown"])))
    shown = a["shown"][:most].astype(int)
    if build is not None and len(shown):
        shape, e = build.spec.encoding.shape, build.spec.encoding
        pictures = as_pictures((a["shown_x"][:most] - e.x_lo) / (e.x_hi - e.x_lo), shape)
        answers = list(
            zip(labels[shown], software[shown].argmax(1), circuit[shown].argmax(1), strict=True)
        )
        flips = sum(int(s != c) for _, s, c in answers)
        first = "No image changes its class. Here are"
        if flips:
            first = (
                f"{flips} images that the circuit puts in another class than software, first; then"
            )
        found.append(
            Section(
                name=f"images{tag}",
                title="Images" if not flips else "Flipped images",
                words=[
                    f"{first} those it has wrong, and those decided most narrowly."
                ],
                exhibits=[
                    Exhibit(
                        name=f"images{tag}",
                        caption="Number, class: software's answer, circuit's answer.",
                        figure=figures.pictures_figure(
                            pictures[:FEWEST_PICTURES],
                            [f"{index[k]}, {y}: {s}, {c}"
                             for k, (y, s, c) in zip(shown, answers, strict=True)],
                        ),
                        live=lambda: interactive.image_browser(
                            pictures, index[shown], labels[shown], software[shown], circuit[shown]
                        ),
                    )
                ],
            )
        )  # fmt: skip
    return found


def as_pictures(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Inputs (m, I), 0 to 1, as (m, h, w) grey or (m, h, w, 3); other shapes fill a square."""
    if len(shape) == 2:
        return x.reshape(-1, *shape)
    if len(shape) == 3 and {shape[0], shape[2]} & {1, 3}:
        pictures = x.reshape(-1, *shape)
        if shape[0] in (1, 3):
            pictures = pictures.transpose(0, 2, 3, 1)
        return pictures[..., 0] if pictures.shape[3] == 1 else pictures
    across = math.ceil(math.sqrt(x.shape[1]))  # no picture: values line by line, in a square
    padded = np.pad(x, ((0, 0), (0, -x.shape[1] % across)))
    return padded.reshape(len(x), -1, across)


def montecarlo_sections(run: Run, build: Build | None, tag: str) -> list[Section]:
    """Accuracy over virtual chips, and yield."""
    s = run.summary
    why = s["no_interval"]
    table = [
        ("software", percent(s["software_accuracy"]), ""),
        ("mean of chips", percent(s["accuracy_mean"]),
         interval(s["accuracy_mean_ci95"]) or why["mean"]),
    ]  # fmt: skip
    if "accuracy_uncalibrated_mean" in s:
        before = s["accuracy_uncalibrated_mean"], s["accuracy_uncalibrated_mean_ci95"]
        table.append(("before calibration", percent(before[0]), interval(before[1])))
    if s["accuracy_std"] is not None:
        spread = f"{100 * s['accuracy_std']:.2f} points"
        table.append(("spread", spread, interval(s["accuracy_std_ci95"]) or why["std"]))
    for q, value in s["accuracy_percentiles"].items():
        name = "median" if q == "50" else f"{q} % of chips below"
        within = interval(s["accuracy_percentiles_ci95"][q]) or why[q]
        table.append((name, percent(value), within))
    if s["worst_chip"] is not None:
        worst = s["worst_chip"]
        table += [
            ("worst chip", percent(worst["accuracy"]), f"chip {worst['sample']}"),
            ("same class as software", percent(s["agreement_mean"]), "mean of chips"),
            ("largest logit error", f"{s['max_abs_logit_error']:.2g}",
             f"{s['max_abs_logit_error'] / s['logit_full_scale']:.1e} of full scale"),
        ]  # fmt: skip
    table.append(
        (f"yield at {percent(s['yield_at'])}", percent(s["yield"], 1), interval(s["yield_ci95"]))
    )
    return [
        Section(
            name=f"chips{tag}",
            title="Virtual chips",
            words=[
                f"{many(s['samples'], 'chip')} of {told(run)} at {s['temp_c']:g} °C, each on "
                f"{s['images']['said']}; seed {s['seed']}. "
                "Intervals are 95 % and over chips; the images are fixed.",
                f"Yield counts chips of {s['yield_rule']}.",
                *noted(s),
                *([f"{s['failed']} chips could not be simulated."] if s["failed"] else []),
            ],
            table=table,
            exhibits=[
                Exhibit(
                    name=f"histogram{tag}",
                    caption="Chips by accuracy; lines are software (blue), mean (red) and yield.",
                    figure=figures.histogram_figure(run.rows, s),
                    live=lambda: interactive.chip_histogram(run.rows, s),
                ),
                Exhibit(
                    name=f"yield{tag}",
                    caption="Share of the chips that reach an accuracy.",
                    figure=figures.yield_figure(run.rows, s),
                ),
            ],
        )
    ]


def thermal_sections(run: Run, build: Build | None, tag: str) -> list[Section]:
    """Accuracy against temperature."""
    s = run.summary
    shown = [entry for entry in s["temperatures"] if nominal_accuracy(entry) is not None]
    table = [
        (f"{e['temp_c']:g} °C", percent(e["nominal"]["accuracy"]),
         "" if not e.get("chips") else percent(e["chips"]["accuracy_mean"]))
        for e in shown
    ]  # fmt: skip
    return [
        Section(
            name=f"thermal{tag}",
            title="Temperature",
            columns=("", "nominal", "mean of chips"),
            words=[
                f"{upper(told(run))}; {s['images']['said']}. Cells, feedback resistors, "
                "diodes and offsets follow the temperature.",
                *noted(s),
            ],
            table=table,
            exhibits=[
                Exhibit(
                    name=f"thermal{tag}",
                    caption="Accuracy, and gain and offset of the logits, over temperature.",
                    figure=figures.thermal_figure(s),
                )
            ],
        )
    ]


def sweep_sections(run: Run, build: Build | None, tag: str) -> list[Section]:
    """An error budget, faults by rate, or a grid of settings."""
    s = run.summary
    titles = {"budget": "Error budget", "faults": "Faults", "axes": "Sweep"}
    figure = grids.sweep_figure(s)
    columns = (", ".join(s["cells"][0]["labels"]), "accuracy", "95 % over chips")
    table = [
        (", ".join(map(str, c["labels"].values())), percent(c["accuracy_mean"]),
         interval(c["accuracy_mean_ci95"]) or "none: one chip, or all are equal")
        for c in s["cells"]
        if c["accuracy_mean"] is not None
    ]  # fmt: skip
    if s["grid"] == "budget":
        columns, table = ("", "points of accuracy, 95 %", "SNR"), budget_rows(s)
    words = {
        "budget": "Each imperfection of the preset alone, against software (intervals over chips "
        "and images), and what would be won back without it, chip by chip (over chips). Grey is in "
        "the noise: its interval holds 0. SNR is software's logit spread over the rms logit error.",
        "faults": "Each fault alone, by its rate.",
        "axes": "Mean accuracy over " + ", ".join(s["cells"][0]["labels"]) + ".",
    }
    return [
        Section(
            name=f"sweep{tag}",
            title=titles[s["grid"]],
            words=[
                f"{words[s['grid']]} {upper(told(run))}; {many(s['samples'], 'chip')} a "
                f"point, on {s['images']['said']}.",
                *noted(s),
            ],
            columns=columns,
            table=table,
            exhibits=[
                Exhibit(
                    name=f"{s['grid']}{tag}",
                    caption=f"{titles[s['grid']]}: accuracy, 95 % over chips."
                    if s["grid"] != "budget"
                    else "Points of accuracy lost to each imperfection, and its SNR.",
                    figure=figure,
                )
            ]
            if figure is not None
            else [],
        )
    ]


def budget_rows(s: dict[str, Any]) -> list[tuple[str, str, str]]:
    """What each imperfection of a budget loses alone and what is won back without it."""
    names = {"alone": "lost", "all but": "won_back", "all": "lost"}
    found = []
    for cell in s["cells"]:
        how = cell["labels"]["cell"]
        what, pair = cell[names[how]], cell[f"{names[how]}_ci95"]
        if what is None:
            continue
        within = "no interval: one chip, or all are equal" if pair is None else interval(pair)
        noise = "; in the noise" if pair is None or pair[0] <= 0 <= pair[1] else ""
        value = f"{100 * what:.2f} ({within}{noise})"
        told = {"alone": "alone", "all but": "won back without it", "all": "together"}[how]
        found.append((f"{cell['labels']['imperfection']}, {told}", value, grids.snr(cell)))
    return found


SECTIONS: dict[str, Callable[[Run, Build | None, str], list[Section]]] = {
    "simulate": simulate_sections,
    "montecarlo": montecarlo_sections,
    "thermal": thermal_sections,
    "sweep": sweep_sections,
}


def upper(text: str) -> str:
    """``text`` as the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def noted(s: dict[str, Any]) -> list[str]:
    """A RUN's notes as sentences."""
    return [f"Note: {note}." for note in s["notes"]]


def nominal_accuracy(entry: dict[str, Any]) -> float | None:
    """Of a temperature's entry, the nominal circuit's accuracy if there is one."""
    return (entry.get("nominal") or {}).get("accuracy")


def told(run: Run) -> str:
    """What a study draws and does to its chips: the preset, and what is not as in it."""
    s = run.summary
    if s["preset"] is None:
        return "the BUILD's own hardware"
    words = [f"preset {s['preset']}"]
    kept = s["settings"].get("variation", {})
    try:
        shipped = asdict(load_settings(s["preset"])[1])
    except SettingsError:  # a file that is not there any more
        shipped = kept
    words += [f"{name} = {value}" for name, value in kept.items() if shipped.get(name) != value]
    words += [f"{name} = {value}" for name, value in s.get("recompiled", {}).items()]
    words += [text.replace("=", " = ", 1) for text in s.get("everywhere", [])]
    if any("accuracy_uncalibrated" in key for key in s):
        words.append("calibrated")
    if s.get("compensate") is not None:
        words.append(f"compensated ({s['compensate']})")
    return ", ".join(words)


def headline(runs: Sequence[Run]) -> list[tuple[str, str, str]]:
    """(what, figure, note): what a reader should know first, from the largest RUN of each kind."""
    by_size = sorted(runs, key=lambda run: run.summary["n"] * run.summary.get("samples", 1))
    largest = {run.kind: run for run in by_size}
    main = (largest.get("simulate") or max(largest.values(), key=lambda r: r.summary["n"])).summary
    right = round(main["software_accuracy"] * main["n"])
    within = interval(wilson(right, main["n"]))
    found = [
        ("software", percent(main["software_accuracy"]), f"{within}; {main['images']['said']}")
    ]

    def seen(s: dict[str, Any]) -> str:
        """The images, where they are not those of the first card, and software's figure on them."""
        if s["images"]["sha256"] == main["images"]["sha256"]:
            return ""
        software = percent(s["software_accuracy"])
        return f"; other images: {s['images']['said']}, software {software}"

    if "simulate" in largest:
        within = interval(main["circuit_ci95"])
        found.append(("circuit", percent(main["circuit_accuracy"]), f"{within}; ngspice"))
        found.append(("same class", percent(main["agreement"]), many(main["n"], "image")))
    if "montecarlo" in largest:
        run = largest["montecarlo"]
        s = run.summary
        within = [interval(s["accuracy_mean_ci95"]), f"{many(s['samples'], 'chip')}, {told(run)}"]
        note = "; ".join(filter(None, within)) + seen(s)
        found.append(("mean of chips", percent(s["accuracy_mean"]), note))
        within = f"{interval(s['yield_ci95'])}; chips of {s['yield_rule']}"
        found.append(("yield", percent(s["yield"], 1), within + seen(s)))
    if "thermal" in largest:
        s = largest["thermal"].summary
        good = [e for e in s["temperatures"] if nominal_accuracy(e) is not None]
        worst = min(good, key=lambda e: e["nominal"]["accuracy"], default=None)
        if worst is not None:
            note = f"nominal, worst of {len(good)} temperatures, at {worst['temp_c']:g} °C"
            accuracy = percent(worst["nominal"]["accuracy"])
            found.append(("over temperature", accuracy, note + seen(s)))
    return found
