"""``analogkan demo``."""

from __future__ import annotations

from pathlib import Path

import click

from .. import resources
from . import common
from .compile import print_build
from .simulate import print_comparison, run_simulation
from .verify import print_verification


@click.command(short_help="The whole path on bundled data: compile, verify, simulate, plot.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo.run"),
    show_default=True,
    help="Folder for the netlist, the results and the plots.",
)
@click.option(
    "--images", type=click.IntRange(10, 1000), default=200, show_default=True,
    help="How many of the 1,000 bundled MNIST images.",
)  # fmt: skip
@click.option("--jobs", type=click.IntRange(1, 256), help="ngspice processes; default: all cores.")
@common.json_option
@common.guarded
def demo(out, images, jobs, as_json) -> None:
    """Compile the bundled mnist-d2 model, verify it, and run 200 images in ngspice.

    Nothing is downloaded. Leaves the netlist in demo.run/mnist-d2.build, the results in
    demo.run/run-200, and four plots: iv.png (curves and the voltages in use), conductance.png,
    logits.png, confusion.png.

    \b
    Example:
      analogkan demo --out /tmp/demo
    """
    from ..api import compile_model
    from ..data import load_bundled, parse_subset
    from ..engines.ngspice import find_ngspice
    from ..report import figures

    find_ngspice()
    build = compile_model(resources.path("models/mnist-d2.pt"), out / "mnist-d2.build")
    bundled = load_bundled()
    chosen = bundled.take(parse_subset(str(images), bundled.y))
    if not as_json:
        print_build(build)
        print_verification(build.verification)
    result = run_simulation(build, chosen, jobs=jobs, out=out / f"run-{images}", as_json=as_json)
    assert result.circuit is not None
    volts = build.spec.dac_volts(chosen.flat(build.spec.encoding.shape))
    plots = {
        "iv.png": figures.use_figure(build.spec, volts),
        "conductance.png": figures.conductance_figure(build.design),
        "logits.png": figures.logit_figure(result.software, result.circuit),
        "confusion.png": figures.confusion_figure(result.labels, result.software, result.circuit),
    }
    for name, figure in plots.items():
        figures.save(figure, out / name)
    if as_json:
        common.print_json(result.summary | {"plots": [str(out / name) for name in plots]})
        return
    print_comparison(result.summary)
    common.out.print("plots: " + ", ".join(str(out / name) for name in plots), markup=False)
    common.out.print(f"the circuit itself: ngspice -b {build.folder}/network.cir", markup=False)
