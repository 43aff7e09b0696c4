"""What each command does. Heavy packages are imported by the commands that need them."""

from __future__ import annotations

import argparse
from pathlib import Path

from tsad_keras.commands import sources
from tsad_keras.commands.benchmarks import benchmark
from tsad_keras.commands.explanations import explain
from tsad_keras.commands.exports import export, verify_export
from tsad_keras.commands.places import check_folder, check_output
from tsad_keras.commands.reports import report
from tsad_keras.commands.scorings import score
from tsad_keras.commands.servers import serve
from tsad_keras.commands.streams import stream
from tsad_keras.commands.trainings import train
from tsad_keras.files import write_json
from tsad_keras.starting import quiet_start

__all__ = [
    "benchmark",
    "completion",
    "download",
    "evaluate",
    "explain",
    "export",
    "report",
    "reproduce",
    "score",
    "serve",
    "stream",
    "train",
    "verify_export",
]


def evaluate(arguments: argparse.Namespace) -> None:
    """Judges a score file against labels."""
    from tsad_keras.evaluation import always_alarm_f1_score, evaluate_scores

    if arguments.output:
        check_output(Path(arguments.output), [arguments.scores, arguments.labels])
    times, scores, predictions = sources.read_scores(Path(arguments.scores))
    labels = sources.read_labels(arguments, len(scores), times)
    metrics = evaluate_scores(labels, scores, predictions)
    metrics["always_alarm_f1_score"] = always_alarm_f1_score(labels)
    if arguments.output:
        write_json(arguments.output, metrics)
    for name, value in metrics.items():
        remark = "  (inflated: one hit counts a whole event)" if "point_adjusted" in name else ""
        remark = "  (oracle threshold)" + remark if name.startswith("best_") else remark
        print(f"{name:<32} {value:.4f}{remark}")


def reproduce(arguments: argparse.Namespace) -> None:
    """Trains, scores, evaluates against baselines and reports."""
    config = sources.read_config(arguments)
    sources.refuse_entity_scaling("reproduce", config.entity_scaling)
    name = arguments.name
    folder = Path(arguments.output or f"runs/{name}")
    dataset = sources.own_files(arguments)
    sources.check_source(arguments, None if dataset is not None else name)
    entities = sources.chosen_entities(name, arguments) if dataset is None else None
    check_folder(folder)
    with quiet_start():
        from tsad_keras import benchmark as benchmarks
        from tsad_keras.report import print_table

    common = {"seeds": arguments.seeds, "verbose": not arguments.quiet}
    if dataset is not None:
        result = benchmarks.reproduce_entity(dataset, config, folder, **common)
    else:
        options = sources.reader_options(arguments, name)
        result = benchmarks.reproduce(
            name,
            entities,
            config=config,
            output_dir=folder,
            data_dir=arguments.data_dir,
            data_options=options,
            **common,
        )
    print_table(result)


def download(arguments: argparse.Namespace) -> None:
    """Fetches a published dataset."""
    from tsad_keras.datasets.download import download as fetch

    check_folder(Path(arguments.data_dir))
    paths = fetch(arguments.name, arguments.data_dir, progress=not arguments.quiet)
    print(f"{len(paths)} files of {arguments.name} are complete in {arguments.data_dir}")


def completion(arguments: argparse.Namespace) -> None:
    """Prints a shell's completion script."""
    from tsad_keras.guide.completion import completion_script

    print(completion_script(arguments.program, arguments.shell))
