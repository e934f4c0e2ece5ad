"""Convert a state dictionary with KANalogue's keys, and let ngspice answer for it.

    python examples/03_convert_kanalogue.py [FOLDER]

KANalogue is not needed: a small network with the same keys, shapes and arithmetic is trained here
for a few seconds on 800 of the bundled images and saved as KANalogue saves its own. With a file
of theirs, only the conversion and what follows it remain.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import analogkan as ak
from analogkan.devices import IVCurve, get
from analogkan.network import checkpoint

DEVICES = ("Z15", "ZAZ21")


def current(curve: IVCurve, v: Tensor) -> Tensor:
    """A device's current in uA, on the lines through its table's points, flat outside."""
    knots, i = torch.tensor(curve.v), torch.tensor(1e6 * curve.i)
    k = (torch.bucketize(v, knots) - 1).clamp(0, len(knots) - 2)
    share = (v.clamp(curve.v[0], curve.v[-1]) - knots[k]) / (knots[k + 1] - knots[k])
    return i[k] + share * (i[k + 1] - i[k])


class Layer(nn.Module):
    """y_o = sum_i sum_d coeffs[i, o, d] I_d(x_i, clamped to 0 to 1.4) + bias_o, float64."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.curves = [get(name) for name in DEVICES]
        spread = torch.randn(n_in, n_out, len(DEVICES), dtype=torch.float64)
        self.coeffs = nn.Parameter(spread / (n_in * len(DEVICES)) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(n_out, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        v = x.clamp(0.0, 1.4)
        basis = torch.stack([current(curve, v) for curve in self.curves], dim=-1)
        return torch.tensordot(basis, self.coeffs.permute(0, 2, 1), dims=2) + self.bias


class Net(nn.Module):
    """196 inputs, 32 hidden nodes with BatchNorm, 10 classes."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(Layer(196, 32), nn.BatchNorm1d(32).double(), Layer(32, 10))

    def forward(self, pixels: Tensor) -> Tensor:
        return self.net(pixels)


def train(x: np.ndarray, y: np.ndarray) -> Net:
    torch.manual_seed(0)
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    pixels, labels = torch.tensor(x / 255), torch.tensor(y)
    for _ in range(12):
        for batch in torch.randperm(len(y)).split(50):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(pixels[batch]), labels[batch]).backward()
            optimizer.step()
    return net.eval()


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    images = ak.load_bundled()
    x = images.x.reshape(len(images), -1)
    net = train(x[:800], images.y[:800])
    torch.save(net.state_dict(), folder / "best.pth")
    np.savez(folder / "calibration.npz", x=x[:256])
    print("keys:", ", ".join(net.state_dict()))

    report = ak.convert(
        folder / "best.pth",
        folder / "theirs.pt",
        devices=DEVICES,
        basis_fit="pwl",
        squash="clamp:0:1.4",
        calibrate=folder / "calibration.npz",
        dataset="mnist",
    )
    for device in report["devices"]:
        print(
            f"{device['name']}: theta = {device['scale']:.6g} coeffs; its table is at most "
            f"{device['source_error']:.1e} of the peak from the public sweep"
        )
    spec = checkpoint.load_spec(folder / "theirs.pt")
    with torch.no_grad():
        theirs = net(torch.tensor(x / 255)).numpy()
    apart = np.abs(spec.logits(x) - theirs).max() / np.abs(theirs).max()
    print(f"converted and original differ by {apart:.1e} of full scale on {len(x)} images")

    build = ak.compile(folder / "theirs.pt", folder / "theirs.build")
    result = ak.simulate(build, images[800:820], out=folder / "run")
    for key in ("software_accuracy", "circuit_accuracy", "agreement", "n"):
        print(key, result.summary[key])
    result.plot().savefig(folder / "circuit.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("example-03"))
