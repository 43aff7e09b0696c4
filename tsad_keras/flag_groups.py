"""Flags that several commands share, and the kinds of numbers that flags take."""

from __future__ import annotations

import argparse
import dataclasses

from tsad_keras.config import PRESETS, Config, choices, field_type
from tsad_keras.datasets import DATASET_NAMES
from tsad_keras.guide.notes import Note, setting_notes


def add_causal(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--causal",
        action="store_true",
        help="judge each row by what came before it only, as `stream` does",
    )


def add_max_gap(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-gap",
        type=number,
        metavar="X",
        help="seconds (or units of numeric times) between rows that begin a new series",
    )


def add_engine(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--engine", choices=("dask",), help=text)
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="with --engine: tcp://HOST:PORT, or local: start workers here (the default)",
    )
    parser.add_argument(
        "--workers", type=positive, metavar="N", help="with local: processes (default: one a core)"
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """A model to score with: trained, or exported."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--model-dir", help="folder of a trained model")
    which.add_argument("--export-dir", help="folder of an exported model; needs no Keras")


def add_source(
    parser: argparse.ArgumentParser,
    *,
    required: bool,
    file_flag: str,
    many: bool,
    entities: bool = True,
    text: str | None = None,
) -> None:
    """Data from a file of the user's, or from a dataset by name."""
    group = parser.add_mutually_exclusive_group(required=required)
    nargs = {"nargs": "+"} if many else {}
    text = text or "CSV or Parquet file" + (", several = several series" if many else "")
    group.add_argument(file_flag, metavar="FILE", help=text, **nargs)
    group.add_argument("--dataset", metavar="NAME", help=f"one of {', '.join(DATASET_NAMES)}")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--entity", help="which series of the dataset, such as machine-1-6")
    if entities:
        which.add_argument("--entities", nargs="+", metavar="E", help="several, or: all")
    add_places(parser)


def add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", default="data", help="folder of the datasets (%(default)s)")
    parser.add_argument("--time-column", help="own data: the time column (default: found)")
    parser.add_argument("--label-column", help="own data: the label column (default: found)")
    parser.add_argument(
        "--columns", nargs="+", metavar="C", help="own data: only these columns (default: all)"
    )
    parser.add_argument(
        "--resample",
        metavar="T",
        help="own data: means over a grid of time, such as 60s; none = rows as they come",
    )


def add_combine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--combine",
        choices=("calibrated", "rank"),
        default="calibrated",
        help="how an ensemble's scores become one (%(default)s)",
    )


def add_settings(parser: argparse.ArgumentParser, *, with_base: bool = True) -> None:
    """One flag for each field of `Config`; those left out keep the preset's value.

    Args:
        parser: Gets the flags.
        with_base: Whether a preset or a file of settings can be named.
    """
    groups = {"": parser.add_argument_group("settings")}
    if with_base:
        base = groups[""].add_mutually_exclusive_group()
        base.add_argument(
            "--preset", metavar="P", help=f"{' or '.join(PRESETS)} (the first is default)"
        )
        base.add_argument("--config", metavar="FILE", help="JSON file of settings, as config.json")
    notes = setting_notes()
    for field in dataclasses.fields(Config):
        flag = "--" + field.name.replace("_", "-")
        options: dict = {"dest": field.name, "default": argparse.SUPPRESS}
        hint = field_type(field.name)
        default = field.default
        if hint is bool:
            options["action"] = argparse.BooleanOptionalAction
            default = "on" if default else "off"
        elif choices(field.name):
            options["choices"] = choices(field.name)
        else:
            options["type"] = whole_number if hint is int else number
            options["metavar"] = "N" if hint is int else "X"
        section, reason = notes.get(field.name, Note("", ""))
        if section not in groups:
            groups[section] = parser.add_argument_group(f"settings: {section}")
        text = f"{reason} (default {default})" if reason else f"default {default}"
        groups[section].add_argument(flag, help=text.replace("%", "%%"), **options)


def whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} came, expected a whole number") from None


def number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} came, expected a number") from None


def positive(text: str) -> int:
    value = whole_number(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} came, expected 1 or more")
    return value
