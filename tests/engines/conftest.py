"""A small exported model and files to score."""

import pandas as pd
import pytest


@pytest.fixture(scope="session")
def export_dir(tiny_detector, tmp_path_factory):
    """The tiny detector as an export with version 1; do not change, copy."""
    from tsad_keras.export.writer import export_saved_model

    folder = tmp_path_factory.mktemp("engines") / "export"
    export_saved_model(tiny_detector, folder)
    return folder


@pytest.fixture
def write_series(make_series, tiny_detector):
    """Function: writes a made-up series; another seed, another series."""

    def write(path, num_rows=60, seed=0):
        path.parent.mkdir(parents=True, exist_ok=True)
        values = make_series(num_rows, seed=seed)
        frame = pd.DataFrame(values, columns=list(tiny_detector.feature_names_))
        frame.insert(0, "time", pd.date_range("2021-01-01", periods=num_rows, freq="min"))
        if path.suffix == ".parquet":
            frame.to_parquet(path)
        else:
            frame.to_csv(path, index=False)
        return path

    return write
