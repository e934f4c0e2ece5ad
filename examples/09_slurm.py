"""Jobs of SLURM: a study on workers that dask-jobqueue asks of SLURM.

    pip install 'analogkan[cluster]' dask-jobqueue
    python examples/09_slurm.py [FOLDER] [CHIPS]

Submits JOBS jobs, waits until they run, gives their workers CHIPS chips (40 if not given) of the
shipped mnist-d2, and ends the jobs. Set the constants to your cluster's; the virtual environment
and FOLDER (for the jobs' logs) must be where its nodes see them. As they stand they are for a
cluster of one machine of two cores (docs/cluster.md).
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import analogkan as ak

QUEUE = "cpu"  # a partition that sinfo lists
JOBS = 2
CORES = 1  # of a job; each has a worker of one thread
MEMORY = "3GB"  # of a job
WALLTIME = "00:10:00"
INTERFACE = "lo"  # the network that scheduler and nodes share, as `ip addr` names it: eth0, ib0
WAIT_S = 600  # how long the jobs may queue, seconds


def main(folder: Path, chips: int) -> None:
    if shutil.which("sbatch") is None:
        sys.exit("sbatch is not on the PATH: run this where jobs are submitted to SLURM")
    try:
        from dask_jobqueue import SLURMCluster  # pyright: ignore[reportMissingImports]
    except ImportError:
        sys.exit("dask-jobqueue is missing: pip install 'analogkan[cluster]' dask-jobqueue")

    build = ak.compile("mnist-d2", folder / "d2.build")
    images = ak.load_bundled()[:200]
    with SLURMCluster(
        queue=QUEUE,
        cores=CORES,
        processes=CORES,
        memory=MEMORY,
        walltime=WALLTIME,
        interface=INTERFACE,
        log_directory=str(folder / "jobs"),
        scheduler_options={"dashboard_address": "127.0.0.1:0"},  # no pages for the network
        worker_extra_args=["--dashboard-address", "127.0.0.1:0"],
    ) as cluster:
        cluster.scale(jobs=JOBS)
        try:
            cluster.wait_for_workers(JOBS * CORES, timeout=WAIT_S)
        except TimeoutError:
            sys.exit(
                f"{JOBS * CORES} workers were not there within {WAIT_S} s: "
                f"see squeue and the logs in {folder / 'jobs'}"
            )
        result = ak.montecarlo(
            build, images, samples=chips, judge="none", out=folder / "run", executor="dask",
            scheduler=cluster.scheduler_address,
        )  # fmt: skip
    told = result.summary["cluster"]
    print(
        f"{chips} chips on {told['workers']} workers of {JOBS} SLURM jobs: "
        f"mean accuracy {result.summary['accuracy_mean']:.2%}"
    )
    print(
        f"{told['bytes_scattered'] / 1e6:.1f} MB to each worker, {told['bytes_per_point']:,} bytes "
        f"out and {told['bytes_per_row']:,} back a chip"
    )


if __name__ == "__main__":
    main(
        Path(sys.argv[1]) if len(sys.argv) > 1 else Path("example-09"),
        int(sys.argv[2]) if len(sys.argv) > 2 else 40,
    )
