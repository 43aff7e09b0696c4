"""Losses by epoch: in memory, as CSV, and for TensorBoard on request."""

from __future__ import annotations

import csv
import os
from pathlib import Path

from tsad_keras.errors import InputError
from tsad_keras.files import atomic_write


class History:
    """Rows of numbers, one an epoch.

    Args:
        csv_path: Where to keep a CSV copy; rewritten atomically after each epoch. Optional.
        tensorboard_dir: Folder for TensorBoard event files. Optional; needs the package
            `tensorboard`.

    Attributes:
        rows: List of dicts with `epoch` (counted from 1) and the same keys in each.

    Raises:
        InputError: If TensorBoard is asked for and not installed.
    """

    def __init__(
        self,
        csv_path: str | os.PathLike[str] | None = None,
        tensorboard_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        self.rows: list[dict[str, float]] = []
        self._csv_path = None if csv_path is None else Path(csv_path)
        self._writer = None
        if tensorboard_dir is not None:
            self._lacks_earlier = not any(Path(tensorboard_dir).glob("events.out.tfevents.*"))
            self._writer = _summary_writer(tensorboard_dir)

    def append(self, row: dict[str, float]) -> None:
        """Adds an epoch's row and writes it out."""
        self.rows.append(row)
        self.write_csv()
        self._write_summaries([row])

    def restore(self, rows: list[dict[str, float]]) -> None:
        """Takes the rows of a training that goes on, before those to come.

        TensorBoard's folder has them already, if it is the one of the training that was cut off;
        an empty one gets them now. Epochs after the checkpoint are trained again, with the same
        values at the same steps.
        """
        self.rows = rows
        self.write_csv()
        if self._writer is not None and self._lacks_earlier:
            self._write_summaries(rows)

    def _write_summaries(self, rows: list[dict[str, float]]) -> None:
        if self._writer is None:
            return
        import tensorflow as tf

        for row in rows:
            with self._writer.as_default(step=int(row["epoch"])):
                for name, value in row.items():
                    if name != "epoch":
                        tf.summary.scalar(name, value)
        self._writer.flush()

    def write_csv(self) -> None:
        """Writes all rows to `csv_path`, if there is one."""
        if self._csv_path is None or not self.rows:
            return
        with atomic_write(self._csv_path) as file:
            writer = csv.DictWriter(file, fieldnames=list(self.rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)


def _summary_writer(folder: str | os.PathLike[str]):
    try:
        import tensorboard  # noqa: F401
    except ImportError as error:
        raise InputError(
            "TensorBoard logs were asked for and the package tensorboard is not installed; "
            "run: pip install 'tsad-keras[tensorboard]'"
        ) from error
    import tensorflow as tf

    return tf.summary.create_file_writer(os.fspath(folder))
