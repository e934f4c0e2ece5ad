"""What RUNs keep, for ``tests.fuzzing``: files of each kind, taken apart and put together again.

Who edits a kept file can make its hashes right again, and so does every ``join`` here but those of
files whose readers look at nothing but the hash.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch

from analogkan.compiler.build import Build, write_build
from analogkan.compiler.hardware import Hardware
from analogkan.dialects.rawfile import read_raw
from analogkan.engines.chunked import Chunk, ChunkResult
from analogkan.errors import StudyError
from analogkan.files import SEAL, read_npz, sealed, sha256, write_npz
from analogkan.paper.kept import read_kept, write_kept
from analogkan.report import page, runs, sections
from analogkan.studies.judge import choose_points
from analogkan.studies.montecarlo import montecarlo
from analogkan.studies.options import StudyOptions
from analogkan.studies.result import CHIPS
from analogkan.studies.simulate import simulate
from analogkan.studies.store import ARRAYS, RESULT, SCHEMA, STORE, StudyStore, write_csv
from analogkan.studies.summary import summarise_chips, summarise_temperatures
from analogkan.studies.sweep import sweep
from analogkan.studies.thermal import thermal
from analogkan.training import unfinished

from .networks import random_images, random_spec
from .test_store import SETTINGS, points, row

# ---- a study's store

VERDICT = {
    **{"passed": True, "tag": "abc", "chips": 2, "images": 5, "max_abs_difference": 1e-9},
    **{"share_of_full_scale": 1e-10, "full_scale": 10.0, "tolerance": 1e-6, "seconds": 1.0},
    **{"versions": {"ngspice": "46"}, "worst": {"sample": 1}, "found": [{"sample": 1}]},
}


def made_store(folder: Path) -> Path:
    with StudyStore(folder / "run", SETTINGS) as store:
        for k, point in enumerate(points()):
            store.add([(point, row(point, "failed" if k == 3 else "ok"))], 0.25)
        store.put("judge", VERDICT)
    return folder / "run" / STORE


def read_store(path: Path) -> str:
    """Rows, and what a study makes of them."""
    with StudyStore(path.parent, SETTINGS) as store:
        rows, verdict = store.rows(), store.get("judge")
        found = [rows, store.finished(), store.spent(), store.peak(), verdict]
        write_csv(path.with_name(CHIPS), rows)
    if rows:
        found += [summarise_chips(rows, yield_at=0.9), summarise_temperatures(rows)]
        found += [[point.sample for point in choose_points(points(), rows, 2, 0)]]
    return repr(found) + path.with_name(CHIPS).read_text(encoding="utf-8")


def store_parts(path: Path) -> Any:
    with closing(sqlite3.connect(path)) as db:
        meta = db.execute("SELECT key, value FROM meta").fetchall()
        found: dict[str, Any] = {"meta": {key: json.loads(value) for key, value in meta}}
        for table in ("points", "chunks"):
            columns = [line[1] for line in db.execute(f"PRAGMA table_info({table})")][:-1]
            lines = db.execute(f"SELECT * FROM {table}")
            found[table] = [dict(zip(columns, line, strict=False)) for line in lines]
    for point in found["points"]:
        point["row"] = json.loads(point["row"])
    for chunk in found["chunks"]:
        chunk["volts"] = np.frombuffer(chunk["volts"])
    return found


def store_join(parts: Any, path: Path, settings: dict[str, Any] = SETTINGS) -> None:
    """Hashes are those of the original study's settings, of what is written."""

    def told(*values: Any) -> str:
        first = "" if values[0] in ("format", "settings") else json.dumps(settings, sort_keys=True)
        text = json.dumps(values, default=lambda b: {"sha256": hashlib.sha256(b).hexdigest()})
        return hashlib.sha256((first + text).encode()).hexdigest()

    def plain(key: str, value: Any) -> Any:
        if key == "row":
            return json.dumps(value)
        return value.tobytes() if isinstance(value, np.ndarray) else value

    path.unlink()
    with closing(sqlite3.connect(path)) as db, db:
        for statement in SCHEMA:
            db.execute(statement.replace(" NOT NULL", ""))
        for key, value in parts["meta"].items():
            text = json.dumps(value)
            db.execute("INSERT INTO meta VALUES (?, ?, ?)", (key, text, told(key, text)))
        for table in ("points", "chunks"):
            for line in parts[table]:
                values = [plain(key, value) for key, value in line.items()]
                db.execute(
                    f"INSERT INTO {table} ({', '.join(line)}, sha256) "
                    f"VALUES (?{', ?' * len(line)})",
                    (*values, told(*values)),
                )


# ---- results, as a report reads them


def small_build(folder: Path) -> Build:
    return write_build(random_spec(1), Hardware(), folder / "net.build")


def made_result(kind: str, folder: Path) -> Path:
    """The result.json of a small RUN of a kind."""
    build, images = small_build(folder), random_images(2, 6, 5)
    options = StudyOptions(run=folder / "run", judge="none")
    if kind == "simulate":
        simulate(build, images, run=options.run)
    elif kind == "montecarlo":
        montecarlo(build, images, samples=3, options=options)
    elif kind == "thermal":
        thermal(build, images, temps_c=[0.0, 60.0], samples=2, options=options)
    else:
        sweep(build, images, grid="budget", samples=2, options=options)
    return folder / "run" / RESULT


def read_result(path: Path) -> str:
    """What a report says of a RUN in words."""
    (run,) = found = runs.read_runs([path.parent])
    build, missing = runs.find_build(found, None)
    try:
        told = [sections.headline(found), page._provenance(run), missing]
        return repr((told, build and build.folder, run.result.notes()))
    except page.UNFIT as error:  # as ``write_report`` does
        raise StudyError(str(error)) from error


def result_parts(path: Path) -> Any:
    document = json.loads(path.read_text(encoding="utf-8"))
    return {key: value for key, value in document.items() if key != SEAL}


def result_join(parts: Any, path: Path) -> None:
    document = sealed(parts) if isinstance(parts, dict) else parts
    path.write_text(json.dumps(document), encoding="utf-8")


def reseal_result(kept: Path) -> None:
    """Let result.json vouch for the file beside it as it is now."""
    document = result_parts(kept.with_name(RESULT))
    result_join(document | {"files": {kept.name: sha256(kept)}}, kept.with_name(RESULT))


def made_chips(folder: Path) -> Path:
    return made_result("montecarlo", folder).with_name(CHIPS)


def read_chips(path: Path) -> str:
    (run,) = runs.read_runs([path.parent])
    return repr(run.rows)


def chips_parts(path: Path) -> Any:
    return list(csv.reader(path.read_text(encoding="utf-8").splitlines()))


def chips_join(parts: Any, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(parts)
    reseal_result(path)


def made_arrays(folder: Path) -> Path:
    return made_result("simulate", folder).with_name(ARRAYS)


def read_arrays(path: Path) -> str:
    (run,) = runs.read_runs([path.parent])
    return repr({name: (array.dtype, array.tolist()) for name, array in run.arrays.items()})


def arrays_join(parts: Any, path: Path) -> None:
    write_npz(path, {str(key): np.asarray(value) for key, value in parts.items()})
    reseal_result(path)


def read_page(path: Path) -> str:
    """A whole page, figures too."""
    return repr(page.write_report([path.parent], path.with_name("page.html")))


def page_parts(path: Path) -> Any:
    return {"result": result_parts(path), "arrays": read_npz(path.with_name(ARRAYS))}


def page_join(parts: Any, path: Path) -> None:
    result_join(parts["result"], path)
    arrays_join(parts["arrays"], path.with_name(ARRAYS))


# ---- what a simulation, a training and the paper's experiments keep, and raw files

RUN, CHUNK = {"study": "simulate", "inputs": "abc"}, Chunk(0, 0, 2)


def made_run(folder: Path) -> Path:
    volts = np.array([[0.5, -1.0], [0.25, 3.0]])
    with StudyStore(folder / "run", RUN) as run:
        run.add_chunk(ChunkResult(CHUNK, volts, None, 0.5, 1), 0.5, 12.5)
    return folder / "run" / STORE


def read_run(path: Path) -> str:
    with StudyStore(path.parent, RUN) as run:
        volts = run.chunk(CHUNK, 2)
        if volts is None:
            raise StudyError("a damaged chunk is simulated again, and counted")
        return repr((volts.tolist(), run.spent(), run.peak()))


def _training() -> dict[str, Any]:
    model = torch.nn.Linear(3, 2)
    optimiser = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimiser.step()
    return {"model": model, "optimiser": optimiser}


def made_training(folder: Path) -> Path:
    unfinished.save_state(folder / "net.pt.training", "key", 4, _training())
    return folder / "net.pt.training"


def read_training(path: Path) -> str:
    parts = _training()
    epoch = unfinished.resume(path, "key", parts)
    return repr((epoch, [part.state_dict() for part in parts.values()]))


def made_kept(folder: Path) -> Path:
    write_kept(folder / "row.json", {"epochs": 2}, {"accuracy": 0.5, "seconds": 1.0})
    return folder / "row.json"


def read_paper(path: Path) -> str:
    return repr(read_kept(path, {"epochs": 2}, ["accuracy", "seconds"]))


def made_raw(folder: Path) -> Path:
    head = "Title: x\nDate: now\nPlotname: DC\nFlags: real\nNo. Variables: 2\nNo. Points: 5\n"
    head += "Variables:\n\t0\tv(v-sweep)\tvoltage\n\t1\tv(logit_0)\tvoltage\nBinary:\n"
    values = np.arange(10.0).reshape(5, 2)
    (folder / "out.raw").write_bytes(head.encode() + values.astype("<f8").tobytes())
    return folder / "out.raw"


def read_raw_file(path: Path) -> str:
    return repr({name: values.tolist() for name, values in read_raw(path, points=5).items()})


def raw_parts(path: Path) -> Any:
    head, _, data = path.read_bytes().partition(b"Binary:\n")
    return {"head": head.decode().splitlines(), "data": np.frombuffer(data, "<f8")}


def raw_join(parts: Any, path: Path) -> None:
    head = "\n".join(map(str, parts["head"])) + "\nBinary:\n"
    path.write_bytes(head.encode("utf-8", "replace") + np.asarray(parts["data"]).tobytes())
