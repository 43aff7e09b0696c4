"""The command `score`: a file of any length, a dataset's test part, or those of many entities."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from tsad_keras.commands import sources
from tsad_keras.commands.fleets import score_fleet, single_input
from tsad_keras.commands.models import load_model, model_and_source
from tsad_keras.commands.places import check_folder, check_output
from tsad_keras.errors import InputError
from tsad_keras.files import is_stream
from tsad_keras.starting import quiet_readers, quiet_start

logger = logging.getLogger(__name__)


def score(arguments: argparse.Namespace) -> None:
    """Scores a file in chunks, or a dataset's test part, into a CSV file; or a folder of such."""
    if arguments.engine:
        score_fleet(arguments)
        return
    single_input(arguments)
    if arguments.entities:
        _score_many(arguments)
        return
    output = Path(arguments.output)
    check_output(output, [arguments.input])
    if is_stream(output):  # it may be standard output: nothing but scores may go there
        logging.getLogger("tsad_keras").setLevel(logging.WARNING)
    model, dataset, rate = model_and_source(arguments)
    from tsad_keras.inference.score_files import write_scores

    tables = sources.score_tables(arguments, dataset, model.feature_names_, rate)
    num_rows, num_alarms = write_scores(
        model, tables, output, causal=arguments.causal, max_gap=arguments.max_gap
    )
    print(
        f"{num_rows} time steps, {num_alarms} alarms ({num_alarms / num_rows:.2%}): {output}",
        file=sys.stderr if is_stream(output) else sys.stdout,
    )


def _score_many(arguments: argparse.Namespace) -> None:
    """Scores the test parts of several entities, each into a CSV file of its name."""
    from tsad_keras.fleet.run import entity_folders

    if not arguments.dataset:
        raise InputError("--entities came with --input, expected it with --dataset; name one")
    if arguments.export_dir:
        raise InputError("--entities came with --export-dir, expected it with --model-dir")
    folder = Path(arguments.output)
    check_folder(folder)
    sources.check_source(arguments, arguments.dataset)
    names = entity_folders(sources.chosen_entities(arguments.dataset, arguments))
    with quiet_start():
        from tsad_keras import detector  # noqa: F401
    from tsad_keras.inference.score_files import write_scores

    failed, loaded = 0, {}
    for number, (entity, name) in enumerate(names.items(), start=1):
        path = folder / f"{name}.csv"
        try:
            with quiet_readers():
                dataset = sources.load_named(arguments, entity)
                model = load_model(arguments.model_dir, entity, of_dataset=True, loaded=loaded)
                tables = sources.score_tables(arguments, dataset, model.feature_names_)
                num_rows, num_alarms = write_scores(
                    model, tables, path, causal=arguments.causal, max_gap=arguments.max_gap
                )
        except InputError as error:
            failed += 1
            logger.warning("%d/%d %s: failed: %s", number, len(names), entity, error)
            continue
        logger.info("%d/%d %s: %d of %d alarms", number, len(names), entity, num_alarms, num_rows)
    print(f"{len(names) - failed} of {len(names)} entities scored: {folder}")
    if failed:
        raise InputError(f"{failed} of {len(names)} entities failed; the others are in {folder}")
