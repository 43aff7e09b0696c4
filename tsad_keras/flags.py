"""The flags of each command. Nothing heavy is imported here."""

from __future__ import annotations

import argparse

from tsad_keras.datasets import DATASET_NAMES
from tsad_keras.flag_groups import (
    add_causal,
    add_combine,
    add_engine,
    add_max_gap,
    add_model,
    add_places,
    add_settings,
    add_source,
    number,
    positive,
    whole_number,
)
from tsad_keras.guide.completion import SHELLS


def add_train(parser: argparse.ArgumentParser) -> None:
    add_source(parser, required=True, file_flag="--train-file", many=True)
    parser.add_argument(
        "--per-entity", action="store_true", help="a model for each entity, in a folder each"
    )
    parser.add_argument(
        "--jobs", type=positive, metavar="N", help="with it: processes at a time (default: cores)"
    )
    add_engine(parser, "with it: train on many cores or machines")
    add_max_gap(parser)
    parser.add_argument("--model-dir", required=True, help="folder for the model and its history")
    parser.add_argument("--tensorboard-dir", help="folder for TensorBoard logs, one a run")
    parser.add_argument(
        "--strategy",
        choices=("single", "mirrored", "multi-worker"),
        default="single",
        help="mirrored: replicas in this process; multi-worker: see TF_CONFIG (%(default)s)",
    )
    parser.add_argument(
        "--replicas", type=positive, metavar="N", help="of mirrored (default: all GPUs, or 2)"
    )
    add_settings(parser)


def add_ensemble(parser: argparse.ArgumentParser) -> None:
    add_source(parser, required=True, file_flag="--train-file", many=True)
    add_max_gap(parser)
    parser.add_argument("--model-dir", required=True, help="folder for the members and the whole")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--members", type=positive, metavar="N", help="seeds of one config (3)")
    which.add_argument(
        "--configs", nargs="+", metavar="FILE", help="JSON files of settings, one a member"
    )
    add_combine(parser)
    add_settings(parser)


def add_tune(parser: argparse.ArgumentParser) -> None:
    add_source(parser, required=True, file_flag="--train-file", many=True)
    add_max_gap(parser)
    parser.add_argument("--output", required=True, help="folder of best.json and trials.csv")
    parser.add_argument(
        "--minutes", type=number, metavar="X", help="for all trials of the study together (20)"
    )
    parser.add_argument("--trials", type=positive, metavar="N", help="of the study, at most")
    parser.add_argument(
        "--stages", type=positive, default=2, metavar="N", help="trainings a trial (%(default)s)"
    )
    parser.add_argument(
        "--study", metavar="FILE", help="SQLite file to go on from (default: study.db in --output)"
    )
    add_settings(parser)


def add_score(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_source(
        parser,
        required=True,
        file_flag="--input",
        many=True,
        text="CSV or Parquet file; with --engine several, or patterns such as 'folder/*.parquet'",
    )
    parser.add_argument(
        "--output",
        required=True,
        help="CSV file for time, anomaly_score, is_anomaly; with --entities or --engine a folder "
        "of such files",
    )
    add_max_gap(parser)
    add_causal(parser)
    parser.add_argument(
        "--chunk-size", type=positive, default=10_000, help="rows read at a time (%(default)s)"
    )
    add_engine(parser, "score many files on many cores or machines")


def add_explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model-dir", required=True, help="folder of a trained model")
    add_source(parser, required=True, file_flag="--input", many=False, entities=False)
    parser.add_argument("--output", required=True, help="folder for tables and figures")
    parser.add_argument(
        "--row", type=whole_number, metavar="N", help="row, from 0 (default: the highest score)"
    )
    for name in ("layer", "head"):
        parser.add_argument(
            f"--{name}",
            type=whole_number,
            metavar="N",
            help=f"draw the attention of this {name}, from 0 (default: mean)",
        )
    parser.add_argument("--shap", action="store_true", help="also SHAP values of the top features")
    parser.add_argument(
        "--num-features", type=positive, default=5, metavar="N", help="for SHAP (%(default)s)"
    )
    parser.add_argument(
        "--max-seconds", type=number, default=60.0, metavar="X", help="for SHAP (%(default)s)"
    )
    parser.set_defaults(chunk_size=10_000)


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scores", required=True, help="CSV file that `score` wrote")
    add_source(parser, required=True, file_flag="--labels", many=False, entities=False)
    parser.add_argument("--output", help="JSON file for the numbers")


def add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model-dir", required=True, help="folder of a trained model")
    add_source(parser, required=True, file_flag="--input", many=False, entities=False)
    parser.add_argument(
        "--labels", help="labels of the rows (default: the input's label column, if it has one)"
    )
    parser.add_argument("--output", required=True, help="HTML file; it needs no network")
    add_causal(parser)


def add_reproduce(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help=f"one of {', '.join(DATASET_NAMES)}")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--entity", help="one series, such as machine-1-6 (default: all)")
    which.add_argument("--entities", nargs="+", metavar="E", help="several, or: all")
    add_places(parser)
    parser.add_argument("--train-file", help="own data (NAME is own): training rows")
    parser.add_argument("--test-file", help="own data: test rows (default: last 30 %% of train)")
    parser.add_argument("--labels", help="own data: labels of the test rows")
    parser.add_argument("--output", help="folder for everything (default: runs/NAME)")
    parser.add_argument("--seeds", type=positive, default=1, help="runs an entity (%(default)s)")
    parser.add_argument(
        "--members",
        type=positive,
        default=1,
        metavar="N",
        help="an ensemble of so many seeds in place of the detector (%(default)s: none)",
    )
    add_combine(parser)
    add_settings(parser)


def add_benchmark(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--datasets",
        nargs="+",
        required=True,
        metavar="NAME",
        help=f"of {', '.join(DATASET_NAMES)}",
    )
    parser.add_argument(
        "--methods",
        nargs="+",
        default=["all"],
        metavar="M",
        help="all, families (floor simple neural ours ablation) or single methods (all)",
    )
    parser.add_argument("--entities", nargs="+", metavar="E", help="only these (default: all)")
    parser.add_argument(
        "--seeds", type=positive, default=5, help="runs of a random method (%(default)s)"
    )
    parser.add_argument(
        "--jobs", type=positive, default=1, help="processes at a time, a thread each (%(default)s)"
    )
    parser.add_argument("--output", required=True, help="folder of results.csv and benchmark.md")
    add_places(parser)
    add_settings(parser, with_base=False)


def add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model-dir", required=True, help="folder of a trained model")
    parser.add_argument("--entity", help="which one, of a model of several")
    parser.add_argument(
        "--export-dir", required=True, help="folder of the exported versions 1, 2 ...; a new one"
    )
    parser.add_argument(
        "--tflite", action="store_true", help="also a TFLite file of one window, if it agrees"
    )


def add_verify_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("export_dir", metavar="DIR", help="a version, or the folder of versions")
    parser.add_argument("--model-dir", help="also compare with this trained model")


def add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--export-dir", required=True, help="folder of the exported versions")
    parser.add_argument("--model-name", help="name in the paths (default: the folder's name)")
    parser.add_argument("--host", default="127.0.0.1", help="address (%(default)s: only this host)")
    parser.add_argument(
        "--port", type=whole_number, default=8501, help="0 = any free one (%(default)s)"
    )
    parser.add_argument(
        "--token-file", help="clients must send its content as bearer token; or: $TSAD_TOKEN"
    )
    parser.add_argument(
        "--threads", type=positive, help="of a pass; two run at a time (default: half the cores)"
    )
    for flag, kind, default, text in (
        ("--poll-seconds", number, 2.0, "between looks for a new version"),
        ("--num-versions", positive, 1, "the latest so many versions answer"),
        ("--max-body-mb", number, 32.0, "largest request"),
        ("--max-rows", positive, 100_000, "time steps in a request"),
        ("--max-batch-size", positive, 64, "windows in one pass of the model"),
        ("--queue-size", positive, 512, "requests that may wait"),
        ("--max-streams", positive, 1000, "streams that are kept"),
        ("--stream-expiry", number, 3600.0, "seconds without rows until a stream is dropped"),
    ):
        letter = "N" if kind is positive else "X"
        parser.add_argument(
            flag, type=kind, default=default, metavar=letter, help=f"{text} (%(default)s)"
        )


def add_stream(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("--entity", help="which one, with a --model-dir of several")
    parser.add_argument(
        "--format", choices=("auto", "csv", "jsonl"), default="auto", help="default: found"
    )
    parser.add_argument("--time-column", help="the time column or key (default: found)")
    parser.add_argument(
        "--delayed",
        action="store_true",
        help="score each row a window later, with what followed, as `score` does",
    )
    parser.add_argument("--events", metavar="FILE", help="append each ended alarm as a JSON line")
    parser.add_argument(
        "--state", metavar="FILE", help="go on from here, if it exists, and save the state here"
    )
    add_max_gap(parser)
    parser.add_argument(
        "--hysteresis",
        type=number,
        default=0.2,
        metavar="X",
        help="an alarm ends when scores fall by this share below the threshold (%(default)s)",
    )
    parser.add_argument(
        "--minimum-gap",
        type=whole_number,
        default=10,
        metavar="N",
        help="alarms with at most so many rows between them are one (%(default)s)",
    )
    parser.add_argument(
        "--recalibration-span",
        type=whole_number,
        default=0,
        metavar="N",
        help="normal rows over which the threshold follows slow drift (0 = off)",
    )


def add_download(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="psm, smd, smap, msl, skab or all")
    parser.add_argument("--data-dir", default="data", help="folder for the files (%(default)s)")


def add_completion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, help="which shell's script")
