"""Writes analogkan/devices/library/*.toml: python scripts/make_device_library.py SWEEP_FOLDER

SWEEP_FOLDER holds A21.csv, Z21.csv, Z15.csv and ZAZ21.csv with columns voltage_V and current_uA
(the public data of arXiv 2510.23638), and in ai301a the sweeps of three AI301A diodes, diode-1.csv
to diode-3.csv, whose spread becomes the preset ai301a. The two devices known by a formula need no
file.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from analogkan.devices import IVCurve
from analogkan.devices.fit import PWLFit, fit_pwl, tabulate
from analogkan.devices.formulas import mosfet_2n7002, resonant_tunnel_diode
from analogkan.devices.library import save
from analogkan.devices.measured import Measured, import_device
from analogkan.devices.spread import format_variation

LIBRARY = Path(__file__).parents[1] / "analogkan" / "devices" / "library"
PAPER = "arXiv 2510.23638"
STACK = "NbSi2N4/HfSi2N4/NbSi2N4 tunnel diode"
SWEEPS = {
    "A21": f"{STACK}, armchair, 21 angstrom barrier",
    "Z21": f"{STACK}, zigzag, 21 angstrom barrier",
    "Z15": f"{STACK}, zigzag, 15 angstrom barrier",
    "ZAZ21": f"{STACK}, zigzag electrodes, armchair barrier of 21 angstrom",
}


AI301A = (
    "daskals on GitHub, Tunnel-diode-Characterization-and-Modeling: three AI301A GaAs tunnel "
    "diodes swept with an NI myDAQ; by analogkan devices import diode-1.csv diode-2.csv "
    "diode-3.csv -o ai301a.toml --name AI301A --static --g-d 16m"
)


def ai301a(folder: Path) -> Measured:
    """The three measured tunnel diodes, by the command that ``AI301A`` names."""
    files = [folder / f"diode-{k}.csv" for k in (1, 2, 3)]
    return import_device(files, "AI301A", static=True, g_d=16e-3, source=AI301A)


def residuals(fit: PWLFit) -> str:
    return f"max {fit.max_residual:.1e} and rms {fit.rms_residual:.1e} of the peak current"


def write(name: str, fit: PWLFit, source: str, notes: str) -> None:
    curve = IVCurve(name, fit.v, fit.i, source, notes)
    save(curve, LIBRARY / f"{name.lower()}.toml")
    print(f"{name:8} {fit.v.size:3} points, residual {residuals(fit)}")


def main(folder: Path) -> None:
    for name, what in SWEEPS.items():
        v, i_ua = np.loadtxt(folder / f"{name}.csv", delimiter=",", skiprows=1, unpack=True)
        fit = fit_pwl(v, i_ua * 1e-6)
        write(
            name,
            fit,
            f"{PAPER}, its public DFT-NEGF sweep at 300 K; current unit taken as uA",
            f"{what}. Least-squares piecewise-linear fit on 50 mV knots, 6 digits kept: "
            f"residual {residuals(fit)}.",
        )
    for name, function, v_hi, equation, what in (
        ("RTD", resonant_tunnel_diode, 4.0, "Eq. 4, b = 5 V", "Resonant tunnel diode"),
        ("E2N7002", mosfet_2n7002, 2.5, "Eq. 5", "2N7002 E-MOSFET, gate tied to drain"),
    ):
        fit = tabulate(function, 0.0, v_hi)
        write(
            name,
            fit,
            f"{PAPER}, {equation}, 300 K",
            f"{what}. Formula tabulated over 0 to {v_hi:g} V: residual {residuals(fit)}.",
        )
    made = ai301a(folder / "ai301a")
    save(made.curve, LIBRARY / "ai301a.toml")
    preset = LIBRARY.parents[1] / "presets" / "ai301a.toml"
    preset.write_text(format_variation(made.spread, made.falling), encoding="utf-8", newline="\n")
    print(made.curve.notes)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
