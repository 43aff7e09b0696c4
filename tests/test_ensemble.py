"""Several detectors that answer as one: same verbs, one folder, streams, resumption."""

import shutil

import numpy as np
import pytest

from tsad_keras import Config, ContrastiveGANDetector, EnsembleDetector, load_detector
from tsad_keras.cli import EXIT_BAD_INPUT, main
from tsad_keras.combination import COMBINATIONS
from tsad_keras.errors import InputError
from tsad_keras.files import write_json
from tsad_keras.streaming import StreamingDetector

FEW = {"epochs": 1, "steps_per_epoch": 2}


@pytest.fixture(scope="module")
def configs(tiny_config):
    """The default score, and another score with another clip."""
    settings = {**tiny_config, **FEW}
    return [Config(**settings), Config(**settings, clip=5.0, score_mode="combined", seed=2)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, configs, make_series):
    """Where the ensemble was trained and saved; do not change, copy."""
    folder = tmp_path_factory.mktemp("ensemble")
    ensemble = EnsembleDetector(configs).fit(make_series(300), verbose=False, directory=folder)
    ensemble.save(folder)
    return folder


@pytest.fixture(scope="module")
def ensemble(folder):
    return load_detector(folder)


@pytest.fixture(scope="module")
def series(make_series):
    """New rows with a step and gaps."""
    series = make_series(120, seed=1)
    series[60:80] += 3.0
    series[5:9, 1] = np.nan
    return series


@pytest.fixture
def num_fits(monkeypatch):
    """A list that gets the seed of each detector that is trained."""
    seeds, fit = [], ContrastiveGANDetector.fit

    def counted(self, *args, **kwargs):
        seeds.append(self.config.seed)
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(ContrastiveGANDetector, "fit", counted)
    return seeds


@pytest.mark.parametrize("causal", [False, True])
def test_contributions_sum_to_the_scores_and_alarms_follow_the_threshold(ensemble, series, causal):
    scores = ensemble.decision_function(series, causal=causal)
    contributions = ensemble.explain(series, causal=causal)
    assert scores.shape == (120,) and contributions.shape == (120, 3)
    assert (contributions >= 0).all()
    assert np.allclose(contributions.sum(axis=1), scores, rtol=1e-9)
    alarms = ensemble.predict(series, causal=causal)
    assert np.array_equal(alarms, scores >= ensemble.alarm_threshold(causal))
    assert scores[62:78].mean() > 2 * scores[:50].mean()


def test_the_score_is_the_mean_of_the_members_mapped_scores(ensemble, series):
    mapped = [
        np.logaddexp(0, level.standardise(member.decision_function(series)))
        for member, level in zip(ensemble.members_, ensemble.combination_.levels, strict=True)
    ]
    assert np.allclose(ensemble.decision_function(series), np.mean(mapped, axis=0), rtol=1e-6)


def test_a_stream_gives_the_causal_scores_and_its_state_can_be_saved(ensemble, series, tmp_path):
    expected = ensemble.decision_function(series, causal=True)
    stream = StreamingDetector(ensemble)
    scores = [stream.update(series[:7]).scores, stream.update(series[7:50]).scores]
    stream.save_state(tmp_path / "state.npz")
    stream = StreamingDetector.load_state(ensemble, tmp_path / "state.npz")
    scores += [stream.update(row[None]).scores for row in series[50:]]
    assert np.allclose(np.concatenate(scores), expected, rtol=1e-5)


def test_a_member_that_is_finished_is_not_trained_again(folder, configs, make_series, num_fits):
    copy = folder.parent / "again"
    shutil.copytree(folder, copy)
    shutil.rmtree(copy / "members" / "1")
    again = EnsembleDetector(configs).fit(make_series(300), verbose=False, directory=copy)
    assert num_fits == [2]
    assert again.weights_sha256_ == load_detector(folder).weights_sha256_


def test_members_of_other_data_are_trained_again(folder, configs, make_series, monkeypatch):
    copy = folder.parent / "other"
    shutil.copytree(folder, copy)

    def fit(self, *args, **kwargs):
        raise InputError("trained")

    monkeypatch.setattr(ContrastiveGANDetector, "fit", fit)
    EnsembleDetector(configs).fit(make_series(300), verbose=False, directory=copy)
    with pytest.raises(InputError, match="trained"):
        EnsembleDetector(configs).fit(make_series(300, seed=9), verbose=False, directory=copy)


def test_ranks_use_the_same_members_without_training(folder, configs, make_series, num_fits):
    ranked = EnsembleDetector(configs, "rank").fit(
        make_series(300), verbose=False, directory=folder
    )
    assert num_fits == []
    validation = ranked.decision_function(make_series(300)[-30:])  # as `fit` scored it
    assert 0.5 < np.median(validation) < 0.9  # ln 2: half of it ranks higher
    assert ranked.weights_sha256_ != load_detector(folder).weights_sha256_


def test_damage_is_one_line(folder, tmp_path):
    copy = tmp_path / "damaged"
    shutil.copytree(folder, copy)
    shutil.copy(copy / "members" / "1" / "detector.npz", copy / "members" / "0" / "detector.npz")
    with pytest.raises(InputError, match="members/0 is another model"):
        load_detector(copy)
    shutil.rmtree(copy / "members" / "0")
    with pytest.raises(InputError, match="members/0/detector.npz does not exist"):
        load_detector(copy)


def test_members_that_do_not_go_together_are_refused(configs):
    with pytest.raises(InputError, match="1 member came, expected at least 2"):
        EnsembleDetector(configs[:1])
    with pytest.raises(InputError, match="two members have the same settings and seed"):
        EnsembleDetector([configs[0], configs[0]])
    longer = Config.from_dict({**configs[0].to_dict(), "window_size": 40})
    with pytest.raises(InputError, match="window_size 20, 40, expected the same for all"):
        EnsembleDetector([configs[0], longer])
    with pytest.raises(InputError, match="not fitted"):
        EnsembleDetector(configs).decision_function(np.zeros((50, 3)))


def test_the_command_takes_seeds_or_files_and_goes_on(
    tmp_path, configs, make_series, num_fits, capsys
):
    np.savetxt(tmp_path / "n.csv", make_series(150), delimiter=",", header="a,b,c", comments="")
    names = [str(tmp_path / f"{number}.json") for number in range(2)]
    for name, config in zip(names, configs, strict=True):
        write_json(name, config.to_dict())
    words = ["ensemble", "--train-file", str(tmp_path / "n.csv"), "--quiet"]
    words += ["--model-dir", str(tmp_path / "m"), "--configs", *names]
    assert main(words) == 0 and main([*words, "--combine", "rank"]) == 0
    assert num_fits == [0, 2]
    assert load_detector(tmp_path / "m").combine == "rank"
    output = capsys.readouterr().out
    assert "member 1: seed 2" in output and "2 members, rank scores" in output
    assert main([*words, "--preset", "hybrid"]) == EXIT_BAD_INPUT
    assert "--preset came with --configs" in capsys.readouterr().err
    seeds = [*words[:-3], "--config", names[0], "--members", "1"]
    assert main(seeds) == EXIT_BAD_INPUT
    assert "expected at least 2; use `train` for one" in capsys.readouterr().err


def test_the_flag_knows_every_combination():
    from tsad_keras.cli import build_parser

    for mode in COMBINATIONS:
        words = ["ensemble", "--dataset", "synthetic", "--model-dir", "m", "--combine", mode]
        assert build_parser().parse_args(words).combine == mode
