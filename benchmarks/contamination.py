"""What anomalies in the training data do to each method.

    python benchmarks/contamination.py --datasets smd own --data-dir data --output DIR
        [--entities machine-1-6 ...] [--methods ...] [--seeds 3] [--rates 0 0.01 0.05 0.1]
        [--kinds synthetic real] [--jobs 1]

The test series of each entity is cut in two at a normal row near its middle. A share of the
training rows is replaced by labelled anomalies of the first half (`real`), or gets anomalies of the
kinds of the synthetic set (`synthetic`), at random places, the validation tail included; no method
is told. All are judged on the second half. Entities without anomalies in both halves are left out.

The folder gets `contamination.csv`, a block of rows as soon as a fit is judged (what is there with
the same data, settings and version is not computed again), `contamination.md` and
`contamination.png`. The last line on standard output is one JSON object with the main figures.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tsad_keras.benchmark.contamination import (
    CLEAN,
    CONDITIONS,
    KINDS,
    ContaminationTask,
    Halves,
    contaminate,
    split_test,
)
from tsad_keras.benchmark.grid import Runner, find_series
from tsad_keras.benchmark.posts import posts, shared_post
from tsad_keras.benchmark.processes import Rows, run_tasks
from tsad_keras.benchmark.registry import (
    DEFAULT,
    Method,
    check_overrides,
    choose_methods,
    methods,
    models,
)
from tsad_keras.benchmark.rows import KEY, ResultsFile
from tsad_keras.benchmark.worker import common_span, settings_digest, short_fingerprint
from tsad_keras.datasets import load_dataset
from tsad_keras.errors import InputError
from tsad_keras.files import atomic_write
from tsad_keras.plots import save_figure
from tsad_keras.reporting.comparison import (
    MAIN,
    PLACE,
    as_they_are,
    same_post,
    with_posts,
)
from tsad_keras.reporting.tables import markdown_table, number
from tsad_keras.version import __version__

sys.path.insert(0, str(Path(__file__).resolve().parent))
from contamination_curves import CONDITION, Condition, Curves, draw, make_curves, percent

METHODS = (
    *(DEFAULT, "no-mask", "no-adversarial", "no-contrastive", "no-adversarial-no-contrastive"),
    *("transformer-autoencoder", "pca-error", "l2-norm", "knn-projection", "k-means"),
    *("isolation-forest", "untrained"),
)
RATES = (0.0, 0.01, 0.05, 0.1)
NAME = "contamination"
# How a column is told in the report, and the post by which it is judged; None: the shared one.
TABLES = (
    (MAIN, None, "VUS-PR"),
    (MAIN, "raw", "VUS-PR, scores not smoothed"),
    ("f1_score", None, "F1 of the alarms at the label-free threshold"),
    ("false_alarm_rate", None, "Share of normal rows that are alarms"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the study; returns the exit code, 2 for bad input or a task that failed."""
    parser = argparse.ArgumentParser(description="anomalies in the training data, and what of it")
    parser.add_argument("--datasets", nargs="+", required=True)
    parser.add_argument("--data-dir", default="data")
    parser.add_argument("--output", required=True, help="folder of the results")
    parser.add_argument("--entities", nargs="+", help="default: all")
    parser.add_argument("--methods", nargs="+", default=METHODS, help="as in the benchmark")
    parser.add_argument(
        "--seeds", type=int, default=3, help="contaminations and fits (%(default)s)"
    )
    parser.add_argument("--rates", nargs="+", type=float, default=RATES, help="shares of rows")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time (%(default)s)")
    parsed = vars(parser.parse_args(arguments))
    try:
        summary = run_study(parsed.pop("datasets"), parsed.pop("methods"), **parsed)
    except InputError as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(summary))
    return 2 if summary["failed"] else 0


@dataclasses.dataclass(frozen=True)
class Study:
    """What is to be run.

    Attributes:
        chosen: The methods.
        conditions: Kinds and rates, the clean one first.
        seeds: Of contaminations and fits.
        halves: The cut data by dataset and entity.
        options: Options of the datasets' readers, by dataset.
        fingerprints: Of the data by dataset, entity, kind, rate and seed.
        left_out: Lines that say which entities are not taken, and why.
        overrides: Fields of `Config` for all models.
    """

    chosen: list[Method]
    conditions: list[Condition]
    seeds: range
    halves: dict[tuple[str, str], Halves]
    options: dict[str, dict[str, Any]]
    fingerprints: dict[tuple[str, str, str, float, int], str]
    left_out: list[str]
    overrides: dict[str, Any]

    @property
    def post(self) -> str:
        """Name of the shared smoothing."""
        return shared_post(common_span(self.overrides))

    def of_post(self, frame: pd.DataFrame, post: str) -> pd.DataFrame:
        """The rows of a post; those of methods that smooth inside as they are."""
        inside = [method.name for method in self.chosen if method.is_fused]
        return with_posts(frame, as_they_are(same_post(frame, post), inside))

    def seeds_of(self, model: str, rate: float) -> range:
        """Without contamination, only a random model has more than one result."""
        return self.seeds if rate or models()[model].is_random else self.seeds[:1]


def run_study(
    datasets: Sequence[str],
    method_words: Sequence[str] = METHODS,
    *,
    output: str | Path,
    data_dir: str = "data",
    entities: Sequence[str] | None = None,
    seeds: int = 3,
    rates: Sequence[float] = RATES,
    kinds: Sequence[str] = KINDS,
    jobs: int = 1,
    overrides: dict[str, Any] | None = None,
    data_options: dict[str, dict[str, Any]] | None = None,
    runner: Runner = run_tasks,
) -> dict[str, Any]:
    """Runs what is not done yet, prints how far it is, and writes the three files.

    Args:
        datasets: Names, as in `load_dataset`.
        method_words: As for `choose_methods`.
        output: Folder of the results.
        data_dir: Where the data lie.
        entities: Only these; default all.
        seeds: Contaminations, each with a fit of its own.
        rates: Shares of the training rows; 0 is always among them.
        kinds: Of `KINDS`.
        jobs: Processes at a time, each on one thread.
        overrides: Fields of `Config` for all models.
        data_options: By dataset, further options of its reader.
        runner: What runs tasks; default: each in a process of its own.

    Returns:
        The main figures, as in the last line on standard output.

    Raises:
        InputError: For unknown names, missing files, rates out of range, or if nothing can be told.
    """
    overrides, options = overrides or {}, data_options or {}
    chosen = choose_methods(method_words)
    check_overrides(overrides, chosen)
    above = sorted({rate for rate in rates if rate != 0})
    if not above or seeds < 1:
        raise InputError(
            f"rates {list(rates)} and {seeds} seeds came, expected a rate above 0 and 1"
        )
    conditions = [
        (CLEAN, 0.0),
        *((kind, rate) for kind in KINDS if kind in kinds for rate in above),
    ]
    study = Study(chosen, conditions, range(seeds), {}, options, {}, [], overrides)
    for series in find_series(datasets, entities, data_dir, options):
        _add_series(study, (series.dataset, series.entity), data_dir)
    if not study.halves:
        raise InputError("no entity is left, expected one with anomalies in both halves of test")
    file = ResultsFile(Path(output) / f"{NAME}.csv", CONDITIONS, (*CONDITION, *KEY))
    dropped = file.drop(_outdated(study))
    tasks = list(_plan(study, data_dir, file))
    num_runs = sum(len(task.points) for task in tasks)
    print(f"{len(file.rows)} rows are there, {dropped} were outdated; {num_runs} runs to do")
    failures = runner(tasks, jobs, _recorder(file, study, num_runs))
    failed = [f"{task.dataset} {task.entity}, {task.model}: {error}" for task, error in failures]
    for line in failed:
        print(f"failed: {line}", file=sys.stderr)
    return _report(study, file.rows, Path(output), failed)


def _add_series(study: Study, place: tuple[str, str], data_dir: str) -> None:
    """Cuts an entity and contaminates it in all ways once, for the hashes; or leaves it out."""
    name, entity = place
    dataset = load_dataset(name, entity, data_dir, **study.options.get(name, {}))
    try:
        halves = split_test(dataset)
    except InputError as error:
        study.left_out.append(str(error))
        print(f"left out: {error}")
        return
    study.halves[place] = halves
    for kind, rate in study.conditions:
        for seed in study.seeds:
            data = contaminate(halves, kind, rate, seed).dataset
            study.fingerprints[(*place, kind, rate, seed)] = short_fingerprint(data)


def _outdated(study: Study) -> Callable[[dict[str, Any]], bool]:
    """Says of rows whether this study would compute them with other data, settings or versions."""
    settings = {method.name: settings_digest(method, study.overrides) for method in study.chosen}

    def is_outdated(row: dict[str, Any]) -> bool:
        point = tuple(row[name] for name in (*PLACE, *CONDITION, "seed"))
        if point not in study.fingerprints or row["method"] not in settings:
            return False
        now = (study.fingerprints[point], settings[row["method"]], __version__)
        return now != (row["data_sha256"], row["settings_sha256"], row["version_tsad_keras"])

    return is_outdated


def _plan(study: Study, data_dir: str, file: ResultsFile) -> Iterator[ContaminationTask]:
    """Yields a task for each entity and model that has something to do."""
    done, names = file.keys(), list(posts(common_span(study.overrides)))
    by_model: dict[str, list[str]] = {}
    for method in study.chosen:
        by_model.setdefault(method.model, []).append(method.name)
    for dataset, entity in study.halves:
        for model, ways in by_model.items():
            points = tuple(
                (kind, rate, seed)
                for kind, rate in study.conditions
                for seed in study.seeds_of(model, rate)
                if any(
                    (kind, rate, dataset, entity, way, seed, post) not in done
                    for way in ways
                    for post in names
                )
            )
            if points:
                yield ContaminationTask(
                    dataset=dataset,
                    entity=entity,
                    data_dir=str(data_dir),
                    data_options=study.options.get(dataset, {}),
                    model=model,
                    methods=tuple(ways),
                    overrides=study.overrides,
                    points=points,
                )


def _recorder(
    file: ResultsFile, study: Study, num_runs: int
) -> Callable[[ContaminationTask, Rows], None]:
    """Writes rows down and says how far it is."""
    started, done = time.perf_counter(), 0

    def record(task: ContaminationTask, rows: Rows) -> None:
        nonlocal done
        file.append(rows)
        done += 1
        left = (time.perf_counter() - started) / done * (num_runs - done) / 60
        value = next(row[MAIN] for row in rows if row["post"] == study.post)
        first = rows[0]
        print(
            f"{done}/{num_runs} {task.dataset} {task.entity} {task.model}, "
            f"{_name(first['kind'], first['rate'])}, seed {first['seed']}: "
            f"{first['fit_seconds']:.1f} s, VUS-PR {value:.3f}; about {left:.0f} min left",
            flush=True,
        )

    return record


def _name(kind: str, rate: float) -> str:
    return "clean" if kind == CLEAN else f"{percent(rate)} {kind}"


def _report(
    study: Study, rows: Sequence[dict[str, Any]], folder: Path, failed: list[str]
) -> dict[str, Any]:
    """Writes the figure and the tables of what was asked for; returns the main figures."""
    names = {method.name for method in study.chosen}
    frame = pd.DataFrame(
        row
        for row in rows
        if tuple(row[name] for name in (*PLACE, *CONDITION, "seed")) in study.fingerprints
        and row["method"] in names
    )
    if frame.empty:
        raise InputError(f"no task has ended well, the first failure: {failed[0]}")
    curves = {
        (column, post): make_curves(
            study.of_post(frame, post or study.post), column, study.conditions
        )
        for column, post, _ in TABLES
    }
    main = curves[MAIN, None]
    if not main:
        raise InputError("no method has results of all rates, expected one; run it again")
    save_figure(draw(main, study.conditions, study.post), folder / f"{NAME}.png")
    with atomic_write(folder / f"{NAME}.md") as file:
        file.write(_markdown(study, frame, curves, failed))
    return {
        "post": study.post,
        "entities": [f"{dataset} {entity}" for dataset, entity in study.halves],
        "num_seeds": len(study.seeds),
        "left_out": study.left_out,
        "failed": failed,
        "methods": {
            name: [
                {"kind": kind, "rate": rate}
                | {
                    key: None if value is None else round(value, 4)
                    for key, value in dataclasses.asdict(point).items()
                }
                for (kind, rate), point in points.items()
            ]
            for name, points in main.items()
        },
    }


def _markdown(
    study: Study,
    frame: pd.DataFrame,
    curves: dict[tuple[str, str | None], Curves],
    failed: Sequence[str],
) -> str:
    kinds = list(dict.fromkeys(kind for kind, _ in study.conditions[1:]))
    num_seeds = len(study.seeds)
    sections = [
        "# Anomalies in the training data",
        f"Means over {len(study.halves)} "
        f"{'entity' if len(study.halves) == 1 else 'entities'} of means over {num_seeds} "
        f"{'seed' if num_seeds == 1 else 'seeds'}; ± is the standard deviation of the seeds' "
        "means. A seed is that of the contamination and of the fit. Changes are against the clean "
        "training data, entity by entity and seed by seed. The test series is cut in two at a "
        "normal row near its middle; every number is of the second half. `real`: labelled "
        "segments of the first half in place of training rows. `synthetic`: training rows with "
        "anomalies of the kinds of the synthetic set. Both are at random places, the validation "
        "tail that gives the threshold included, and no method is told. Smoothing: "
        f"{study.post} for all methods but the fused score, which smooths inside and counts as it "
        "is; the second table is without.",
        "\n".join(
            [
                *(f"- **failed**: {line}" for line in failed),
                *(f"- left out: {line}" for line in study.left_out),
            ]
        ),
        *(_verdict(curves[MAIN, None], kind, study.conditions) for kind in kinds),
        f"![]({NAME}.png)",
    ]
    for column, post, title in TABLES:
        found = curves[column, post]
        sections.append(f"## {title}")
        sections += [
            f"**{kind}**\n\n"
            + _table(found, [c for c in study.conditions if c[0] in (CLEAN, kind)])
            for kind in kinds
        ]
    sections += ["## What was put in", _sources(study, frame)]
    return "\n\n".join(section for section in sections if section) + "\n"


def _verdict(curves: Curves, kind: str, conditions: Sequence[Condition]) -> str:
    """What the highest rate does to the default method, and to how many others it does less."""
    if DEFAULT not in curves:
        return ""
    worst = max((c for c in conditions if c[0] == kind), key=lambda condition: condition[1])
    ours = curves[DEFAULT][worst]
    others = {name: points[worst] for name, points in curves.items() if name != DEFAULT}
    text = (
        f"With {_name(*worst)} anomalies, VUS-PR of {methods()[DEFAULT].label} is "
        f"{number(ours.mean, ours.spread)}, a change of {_signed(ours.change, ours.change_spread)}."
    )
    if not others:
        return text
    less = [methods()[name].label for name, point in others.items() if point.change > ours.change]
    higher = [methods()[name].label for name, point in others.items() if point.mean > ours.mean]
    return (
        f"{text} Of {len(others)} other methods, {len(less)} lose less or gain more"
        f"{_listed(less)}, and {len(higher)} have a higher VUS-PR{_listed(higher)}."
    )


def _listed(labels: Sequence[str]) -> str:
    return f" ({', '.join(labels)})" if labels else ""


def _table(curves: Curves, conditions: Sequence[Condition]) -> str:
    changed = conditions[1:]
    headings = ["method", "entities", *(percent(rate) for _, rate in conditions)]
    headings += [f"change at {percent(rate)}" for _, rate in changed]
    cells = []
    for name, points in curves.items():
        values = [number(points[c].mean, points[c].spread) for c in conditions]
        values += [_signed(points[c].change, points[c].change_spread) for c in changed]
        count = str(points[conditions[0]].num_entities)
        cells.append([methods()[name].label, count, *values])
    return markdown_table(headings, cells, left=1)


def _signed(value: float, spread: float | None) -> str:
    return ("+" if value >= 0 else "−") + number(abs(value), spread)


def _sources(study: Study, frame: pd.DataFrame) -> str:
    """How many different real segments there were to draw from; none may stand for many."""
    rates = [rate for kind, rate in study.conditions if kind == "real"]
    headings = ["entity", "training rows", "segments in the first half", "their rows"]
    headings += [f"different ones used at {percent(rate)}" for rate in rates]
    cells = []
    for place, halves in study.halves.items():
        rows = frame[(frame["dataset"] == place[0]) & (frame["entity"] == place[1])]
        counts = []
        for rate in rates:
            used = rows.loc[(rows["kind"] == "real") & (rows["rate"] == rate), "num_distinct"]
            ends = dict.fromkeys((used.min(), used.max())) if len(used) else ()
            counts.append(" to ".join(f"{count:.0f}" for count in ends) or "–")
        num_rows = sum(map(len, halves.segments))
        sizes = (halves.dataset.num_train, len(halves.segments), num_rows)
        cells.append([" ".join(place), *(f"{size:,}" for size in sizes), *counts])
    return (
        "Segments are drawn again only after all the others of the entity; the last one is cut. "
        "Where the rows to replace are more than the segments have, they are repeated: a method "
        "then sees few different anomalies often.\n\n" + markdown_table(headings, cells, left=1)
    )


if __name__ == "__main__":
    raise SystemExit(main())
