"""The commands `export` and `verify-export`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tsad_keras.commands.places import check_folder
from tsad_keras.starting import quiet_start


def export(arguments: argparse.Namespace) -> None:
    """Writes a trained model as the next version of a SavedModel."""
    check_folder(Path(arguments.export_dir))
    with quiet_start():
        from tsad_keras.commands.models import load_model
        from tsad_keras.export.writer import export_saved_model

    detector = load_model(arguments.model_dir, arguments.entity)
    folder = export_saved_model(detector, arguments.export_dir, tflite=arguments.tflite)
    print(f"exported: {folder}")


def verify_export(arguments: argparse.Namespace) -> None:
    """Checks an export and says one line a check; any failure is exit code 1."""
    with quiet_start():
        from tsad_keras.detector import load_detector
        from tsad_keras.export.verify import verify_export as verify

    detector = load_detector(arguments.model_dir) if arguments.model_dir else None
    results = verify(arguments.export_dir, detector)
    for result in results:
        print(f"{'ok' if result.passed else 'FAILED'} {result.name}: {result.detail}")
    failed = sum(not result.passed for result in results)
    if failed:
        sys.stdout.flush()
        raise SystemExit(1)
