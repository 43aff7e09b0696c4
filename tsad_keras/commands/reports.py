"""The command `report`."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from tsad_keras.commands import sources
from tsad_keras.commands.models import model_and_source
from tsad_keras.commands.places import check_output
from tsad_keras.errors import InputError
from tsad_keras.files import atomic_write, is_stream
from tsad_keras.starting import quiet_start


def report(arguments: argparse.Namespace) -> None:
    """Scores rows with a trained model and writes one page about them."""
    output = Path(arguments.output)
    check_output(output, [arguments.input, arguments.labels])
    if arguments.labels and arguments.dataset:
        raise InputError(
            f"--labels came with the dataset {arguments.dataset}, which has its own; expected it "
            "with --input; leave it out"
        )
    if is_stream(output):  # it may be standard output: nothing but the page may go there
        logging.getLogger("tsad_keras").setLevel(logging.WARNING)
    with quiet_start():
        from tsad_keras.benchmark.model_page import model_page

    detector, dataset, rate = model_and_source(arguments)
    rows, name = sources.rows_to_report(arguments, dataset, detector.feature_names_, rate)
    page, summary = model_page(detector, rows, name, causal=arguments.causal)
    with atomic_write(output) as file:
        file.write(page)
    print(
        f"{rows.num_timesteps} time steps, {summary['num_alarms']} alarms; page of "
        f"{len(page.encode('utf-8')) / 1e6:.1f} MB: {output}",
        file=sys.stderr if is_stream(output) else sys.stdout,
    )
