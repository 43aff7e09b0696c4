"""The words of `--help`. A new command needs its name in `GROUPS`, and should have a page."""

from __future__ import annotations

from typing import NamedTuple


class Page(NamedTuple):
    """What the help of one command says beside its flags.

    Attributes:
        text: What it is for, what it reads and writes. Blank lines part paragraphs.
        examples: Command lines that work.
    """

    text: str
    examples: tuple[str, ...]


INTRODUCTION = """\
Anomaly detection for multivariate time series: learns from normal history, then gives every time
step a score, an alarm where the score reaches a threshold that no label chose, and the features
that are to blame."""

FIRST_USE = """\
first use:
  tsad-keras reproduce synthetic     # needs no data: trains, scores, compares
  tsad-keras train --train-file normal.csv --model-dir mine
  tsad-keras score --model-dir mine --input today.csv --output scores.csv

A CSV or Parquet file has a row for each time step; a time column is found by its name or type, a
column `label` is never a feature."""

CLOSING = """\
`tsad-keras COMMAND --help` tells about one of them. Exit codes: 0 done, 2 the input was at fault
(one line says how to mend it), 130 interrupted."""

# heading: commands in the order in which they are needed. Names without a command are left out.
GROUPS = {
    "learn and score": ("train", "tune", "ensemble", "score", "stream"),
    "look and judge": ("evaluate", "explain", "report"),
    "compare": ("reproduce", "benchmark", "download"),
    "serve": ("export", "verify-export", "serve"),
    "this shell": ("completion",),
}

PAGES = {
    "train": Page(
        """\
Learns what is normal from history without (many) anomalies and writes a folder with the model, its
settings and the losses of each epoch. The tail of each series is kept back: it stops the training
and gives the threshold.

Interrupted, the same command goes on where it was. Every setting below is a field of `Config`, with
its default in the preset contrastive-gan and the reason for it.""",
        (
            "tsad-keras train --train-file normal.csv --model-dir saved_models/mine",
            "tsad-keras train --train-file a.csv b.csv --epochs 20 --model-dir saved_models/both",
            "tsad-keras train --dataset synthetic --preset hybrid --model-dir saved_models/hybrid",
            "tsad-keras train --dataset own --data-dir my-folder --entities all --per-entity"
            " --model-dir saved_models/fleet",
            "tsad-keras train --train-file normal.csv --model-dir m --tensorboard-dir runs/logs",
        ),
    ),
    "tune": Page(
        """\
Searches for settings on normal history alone: no test data, no labels. A part of it is held out and
anomalies are put into it; a configuration is worth how well it finds them. The defaults are tried
first, so the result is never worse than they are by this measure.

Interrupted, the same command goes on; --minutes and --trials count what was done before. A setting
that you give below is fixed. `train --config` takes the `best.json` that it writes. Needs the
extra `tune` (Optuna).""",
        (
            "tsad-keras tune --train-file normal.csv --minutes 20 --output runs/tune",
            "tsad-keras tune --train-file normal.csv --window-size 60 --trials 30"
            " --output runs/short",
        ),
    ),
    "ensemble": Page(
        """\
Trains several models, of other seeds or other settings, that answer as one: their scores are made
comparable on their own validation rows and averaged. The folder is used like that of one model, by
score, stream, explain, report and export.

Interrupted, the same command trains only the members that are missing.""",
        (
            "tsad-keras ensemble --train-file normal.csv --members 3"
            " --model-dir saved_models/three",
            "tsad-keras ensemble --train-file normal.csv --configs a.json b.json --combine rank"
            " --model-dir saved_models/two",
        ),
    ),
    "score": Page(
        """\
Writes `time,anomaly_score,is_anomaly` for each row of a file of any length, read in chunks. Higher
is more anomalous; `is_anomaly` is 1 where the score reaches the model's threshold. If more than a
tenth of a file does, its level has moved, and only the highest tenth and what stands out of the
rest are alarms (`--max-alarm-rate` when training).""",
        (
            "tsad-keras score --model-dir saved_models/mine --input today.csv --output scores.csv",
            "tsad-keras score --model-dir saved_models/mine --input today.csv --causal"
            " --output /dev/stdout",
        ),
    ),
    "stream": Page(
        """\
Reads rows (CSV or JSON lines) from standard input and writes `time,anomaly_score,is_anomaly` for
each as soon as it comes. Each row is judged by what came before it.""",
        (
            "tail -f metrics.csv | tsad-keras stream --model-dir saved_models/mine",
            "tail -f metrics.csv | tsad-keras stream --export-dir saved_models/mine"
            " --state stream.npz --events alarms.jsonl",
        ),
    ),
    "evaluate": Page(
        """\
Judges a file that `score` wrote against labels: VUS-PR and VUS-ROC, average precision, F1 at the
label-free threshold, affiliation, events. Numbers that used the labels to choose a threshold begin
with `best_`; point-adjusted ones are marked as inflated. Starts without TensorFlow.""",
        (
            "tsad-keras evaluate --scores scores.csv --labels today_labels.csv",
            "tsad-keras evaluate --scores scores.csv --dataset synthetic --output metrics.json",
        ),
    ),
    "explain": Page(
        """\
Says why one row has its score (by default the row with the highest): what each feature adds, which
time steps the network attends to and, with --shap, SHAP values. Writes a folder of tables and a
figure.""",
        (
            "tsad-keras explain --model-dir saved_models/mine --input today.csv --output why",
            "tsad-keras explain --model-dir saved_models/mine --input today.csv --row 120 --shap"
            " --output why",
        ),
    ),
    "report": Page(
        """\
Scores a file with a trained model and writes one HTML page: scores with zoom, alarms with their
features and raw values, and, with labels, the true events and metrics. It needs no network.""",
        ("tsad-keras report --model-dir saved_models/mine --input today.csv --output today.html",),
    ),
    "reproduce": Page(
        """\
Trains, scores, evaluates against simple methods (a random score among them) and writes a report
with figures: one command from data to result. NAME is a dataset, or `own` for your files.""",
        (
            "tsad-keras reproduce synthetic --output runs/synthetic",
            "tsad-keras reproduce own --data-dir my-folder --output runs/mine",
            "tsad-keras reproduce smd --entity machine-1-6 --seeds 3 --data-dir data",
        ),
    ),
    "benchmark": Page(
        """\
Fits many methods on many series over several seeds, each in a process of its own, and writes
`results.csv` and `benchmark.md` with ranks and tests. Killed, the same command goes on.""",
        (
            "tsad-keras benchmark --datasets own --methods floor simple contrastive-gan"
            " --seeds 3 --data-dir my-folder --output runs/mine",
            "tsad-keras benchmark --datasets smd msl --methods all --jobs 2 --output runs/all",
        ),
    ),
    "download": Page(
        "Fetches a published dataset, checks each file by its hash, goes on where it stopped.",
        ("tsad-keras download smd --data-dir data",),
    ),
    "export": Page(
        """\
Writes a trained model as a SavedModel that needs no Keras and no Python: missing values, scaling,
networks, score and threshold are inside the graph. Each export is a new version in the folder.""",
        (
            "tsad-keras export --model-dir saved_models/mine --export-dir exports/mine",
            "tsad-keras export --model-dir saved_models/mine --export-dir exports/mine --tflite",
        ),
    ),
    "verify-export": Page(
        """\
Loads an export in a process without Keras, calls every signature at several sizes and compares the
answers with the detector's.""",
        (
            "tsad-keras verify-export exports/mine",
            "tsad-keras verify-export exports/mine/1 --model-dir saved_models/mine",
        ),
    ),
    "serve": Page(
        """\
Answers TensorFlow Serving's REST requests with an export, and keeps streams; a new version in the
folder is picked up while it runs. Needs the extra `serve`. Ctrl-C ends it.""",
        (
            "tsad-keras serve --export-dir exports/mine",
            "tsad-keras serve --export-dir exports/mine --port 0 --token-file token.txt",
        ),
    ),
    "completion": Page(
        """\
Prints a script that lets a shell complete commands, flags, their words and file names. It is made
from the parser of this version and needs nothing else.""",
        (
            'eval "$(tsad-keras completion bash)"       # now; in ~/.bashrc: always',
            "tsad-keras completion zsh > ~/.zfunc/_tsad-keras      # a folder of your fpath",
            "tsad-keras completion fish > ~/.config/fish/completions/tsad-keras.fish",
        ),
    ),
}
