"""Many workers: a study on a Dask cluster, here two processes of this machine.

    python examples/08_many_workers.py [FOLDER] [CHIPS]

Runs CHIPS chips (6 if not given) of the shipped mnist-d2 with threads, then on the cluster, and
compares the rows. On a real cluster only the scheduler's address differs (docs/cluster.md).
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import distributed

import analogkan as ak


def main(folder: Path, chips: int) -> None:
    build = ak.compile("mnist-d2", folder / "d2.build")
    images = ak.load_bundled()[:100]
    local = ak.montecarlo(build, images, samples=chips, judge="none", out=folder / "local")
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",  # else two of them meet at one port
    ) as made:
        cluster: Any = made
        result = ak.montecarlo(
            build, images, samples=chips, judge="none", out=folder / "dask", executor="dask",
            scheduler=str(cluster.scheduler_address),
        )  # fmt: skip
    told = result.summary["cluster"]
    print(f"{chips} chips on {told['workers']} workers: the rows of threads: ", end="")
    print("yes" if result.rows == local.rows else "no")
    print(
        f"{told['bytes_scattered'] / 1e6:.1f} MB to each worker, {told['bytes_per_point']:,} bytes "
        f"out and {told['bytes_per_row']:,} back a chip"
    )


if __name__ == "__main__":
    main(
        Path(sys.argv[1]) if len(sys.argv) > 1 else Path("example-08"),
        int(sys.argv[2]) if len(sys.argv) > 2 else 6,
    )
