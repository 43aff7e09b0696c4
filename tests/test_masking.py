"""Masks: forced (ratio 0 and 1), and by the law of the chain that they shall follow."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tsad_keras.masking import add_jitter, apply_mask, draw_mask, geometric_mask, random_mask

SHAPE = (200, 100, 6)
LAWS = [(0.15, 3.0), (0.5, 5.0), (0.3, 1.0), (0.6, 1.5), (0.75, 3.0), (0.05, 20.0)]


def chain_in_numpy(num_chains, length, ratio, mean_length, seed=0):
    """The definition, step by step."""
    rng = np.random.default_rng(seed)
    to_kept = 1 / mean_length
    to_hidden = to_kept * ratio / (1 - ratio)
    hidden = np.zeros((num_chains, length), bool)
    hidden[:, 0] = rng.random(num_chains) < ratio
    for step in range(1, length):
        change = rng.random(num_chains) < np.where(hidden[:, step - 1], to_kept, to_hidden)
        hidden[:, step] = hidden[:, step - 1] ^ change
    return hidden


def as_chains(mask):
    """(batch_size, window_size, num_features) -> (batch_size * num_features, window_size)"""
    return np.moveaxis(np.asarray(mask), 1, 2).reshape(-1, mask.shape[1])


def geometric(shape=SHAPE, seed=(1, 2), **law):
    return geometric_mask(shape, tf.constant(seed, tf.int64), **law).numpy()


def run_lengths(chains):
    """Lengths of the hidden runs that begin and end inside a window."""
    lengths = []
    for chain in chains:
        edges = np.flatnonzero(np.diff(np.concatenate([[0], chain.astype(int), [0]])))
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            if start > 0 and end < len(chain):
                lengths.append(end - start)
    return np.array(lengths)


def assert_share(hits, tries, expected):
    """Five standard deviations of a binomial share; draws must be independent."""
    deviation = np.sqrt(expected * (1 - expected) / tries)
    assert abs(hits / tries - expected) <= 5 * deviation + 1e-12, (hits / tries, expected)


@pytest.mark.parametrize("mask_type", ["geometric", "random"])
@pytest.mark.parametrize("mask_mode", ["separate", "concurrent"])
@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_ratio_zero_hides_nothing_and_one_everything(mask_type, mask_mode, ratio):
    mask = draw_mask(
        SHAPE,
        tf.constant([3, 4]),
        mask_type=mask_type,
        mask_mode=mask_mode,
        masking_ratio=ratio,
        mean_mask_length=3.0,
    )
    assert mask.dtype == tf.bool
    assert mask.shape == SHAPE
    assert (mask.numpy() == bool(ratio)).all()


def test_type_none_hides_nothing():
    mask = draw_mask(
        SHAPE,
        tf.constant([3, 4]),
        mask_type="none",
        mask_mode="separate",
        masking_ratio=0.9,
        mean_mask_length=3.0,
    )
    assert not mask.numpy().any()


@pytest.mark.parametrize(("ratio", "mean_length"), LAWS)
def test_first_state_and_transitions_follow_the_chain(ratio, mean_length):
    chains = as_chains(geometric(masking_ratio=ratio, mean_mask_length=mean_length))
    assert_share(chains[:, 0].sum(), len(chains), ratio)
    before, after = chains[:, :-1], chains[:, 1:]
    to_kept = 1 / mean_length
    to_hidden = to_kept * ratio / (1 - ratio)
    assert_share((before & ~after).sum(), before.sum(), to_kept)
    assert_share((~before & after).sum(), (~before).sum(), to_hidden)


@pytest.mark.parametrize(("ratio", "mean_length"), LAWS)
def test_hidden_share_is_the_ratio_at_every_step(ratio, mean_length):
    chains = as_chains(geometric(masking_ratio=ratio, mean_mask_length=mean_length))
    for step in (0, 1, 2, 50, 99):
        assert_share(chains[:, step].sum(), len(chains), ratio)


@pytest.mark.parametrize(("ratio", "mean_length"), [law for law in LAWS if law[1] <= 5])
def test_hidden_runs_are_geometric_with_the_mean_length(ratio, mean_length):
    # Long windows, so that few runs are cut off by the edge.
    chains = as_chains(geometric((60, 2000, 2), masking_ratio=ratio, mean_mask_length=mean_length))
    lengths = run_lengths(chains)
    assert len(lengths) > 5000
    # The mean of n geometric lengths has standard deviation sqrt(l (l - 1) / n); 2 % for the edges.
    deviation = np.sqrt(mean_length * (mean_length - 1) / len(lengths))
    assert abs(lengths.mean() - mean_length) <= 5 * deviation + 0.02 * (mean_length > 1)
    if mean_length == 1:
        assert (lengths == 1).all()
        return
    probability = 1 / mean_length
    longest = 1 + int(np.log(20 / len(lengths)) / np.log(1 - probability))
    observed = np.bincount(np.minimum(lengths, longest), minlength=longest + 1)[1:]
    expected = stats.geom.pmf(np.arange(1, longest + 1), probability)
    expected[-1] = stats.geom.sf(longest - 1, probability)
    assert stats.chisquare(observed, expected * len(lengths)).pvalue > 1e-3


@pytest.mark.parametrize(("ratio", "mean_length"), LAWS)
def test_same_statistics_as_a_chain_written_in_numpy(ratio, mean_length):
    ours = as_chains(geometric(masking_ratio=ratio, mean_mask_length=mean_length))
    theirs = chain_in_numpy(len(ours), ours.shape[1], ratio, mean_length)
    # Each pair of statistics is a mean over 1200 independent chains.
    for statistic in (
        lambda c: c.mean(axis=1),  # share
        lambda c: (c[:, 1:] != c[:, :-1]).mean(axis=1),  # changes
        lambda c: (c[:, 4:] & c[:, :-4]).mean(axis=1),  # memory over four steps
    ):
        a, b = statistic(ours), statistic(theirs)
        deviation = np.sqrt(a.var() / len(a) + b.var() / len(b))
        assert abs(a.mean() - b.mean()) <= 4.5 * deviation


def test_a_bernoulli_mask_would_fail_the_law():
    """The checks above can tell a geometric mask from independent hiding."""
    mask = random_mask((60, 2000, 2), tf.constant([1, 2]), masking_ratio=0.15)
    assert run_lengths(as_chains(mask.numpy())).mean() < 1.3


@pytest.mark.parametrize("mask_type", ["geometric", "random"])
def test_separate_features_are_independent_and_concurrent_ones_equal(mask_type):
    law = {"mask_type": mask_type, "masking_ratio": 0.4, "mean_mask_length": 3.0}
    seed = tf.constant([5, 6])
    separate = draw_mask(SHAPE, seed, mask_mode="separate", **law).numpy()
    concurrent = draw_mask(SHAPE, seed, mask_mode="concurrent", **law).numpy()
    assert concurrent.shape == SHAPE
    assert (concurrent == concurrent[..., :1]).all()
    assert_share(concurrent[:, 0, 0].sum(), 200, 0.4)
    # Across features and across windows: both hidden in a share of ratio squared.
    assert_share((separate[:, 0, 0] & separate[:, 0, 1]).sum(), 200, 0.16)
    together = (separate[:, :, 0] & separate[:, :, 1]).mean(axis=1)
    assert abs(together.mean() - 0.16) <= 5 * together.std() / np.sqrt(200)
    across = (separate[::2] & separate[1::2]).mean(axis=(1, 2))
    assert abs(across.mean() - 0.16) <= 5 * across.std() / np.sqrt(100)


def test_random_mask_is_independent_over_time():
    chains = as_chains(random_mask(SHAPE, tf.constant([1, 2]), masking_ratio=0.3).numpy())
    assert_share(chains.sum(), chains.size, 0.3)
    assert_share((chains[:, 1::2] & chains[:, ::2]).sum(), chains.size / 2, 0.09)


@pytest.mark.parametrize("mask_type", ["geometric", "random"])
def test_same_seed_same_mask_and_other_seed_other_mask(mask_type):
    law = {"masking_ratio": 0.4, "mean_mask_length": 3.0, "mask_mode": "separate"}
    draw = tf.function(lambda seed: draw_mask((4, 50, 3), seed, mask_type=mask_type, **law))
    first = draw(tf.constant([1, 2])).numpy()
    eager = draw_mask((4, 50, 3), tf.constant([1, 2]), mask_type=mask_type, **law).numpy()
    np.testing.assert_array_equal(first, draw(tf.constant([1, 2])).numpy())
    np.testing.assert_array_equal(first, eager)
    assert (first != draw(tf.constant([1, 3])).numpy()).any()
    assert (first != draw(tf.constant([2, 2])).numpy()).any()


@pytest.mark.parametrize("window_size", [1, 2, 3, 7, 64, 65])
def test_any_window_size(window_size):
    chains = as_chains(geometric((500, window_size, 4), masking_ratio=0.5, mean_mask_length=4.0))
    assert chains.shape == (2000, window_size)
    assert_share(chains[:, -1].sum(), 2000, 0.5)


def test_impossible_or_unknown_laws_raise():
    with pytest.raises(ValueError, match="no mask has runs of mean length 2.0"):
        geometric(masking_ratio=0.8, mean_mask_length=2.0)
    with pytest.raises(ValueError, match="no mask has runs of mean length 0.5"):
        geometric(masking_ratio=0.1, mean_mask_length=0.5)
    assert geometric(masking_ratio=0.9, mean_mask_length=9.0).any()
    with pytest.raises(ValueError, match="mask_mode is 'both'"):
        geometric(mask_mode="both")
    with pytest.raises(ValueError, match="mask_mode is 'both'"):
        random_mask(SHAPE, tf.constant([1, 2]), mask_mode="both")
    with pytest.raises(ValueError, match="mask_type is 'other'"):
        draw_mask(
            SHAPE,
            tf.constant([1, 2]),
            mask_type="other",
            masking_ratio=0.1,
            mean_mask_length=3.0,
            mask_mode="separate",
        )


def test_hidden_values_become_zero_and_others_stay():
    windows = tf.random.stateless_normal((3, 10, 2), [1, 2]) + 5.0
    mask = random_mask((3, 10, 2), tf.constant([1, 2]), masking_ratio=0.5)
    view = apply_mask(windows, mask).numpy()
    assert (view[mask.numpy()] == 0).all()
    np.testing.assert_array_equal(view[~mask.numpy()], windows.numpy()[~mask.numpy()])
    # Even what is no number is hidden.
    hidden = apply_mask(tf.constant([np.nan, 1.0]), tf.constant([True, False]))
    assert hidden.numpy().tolist() == [0, 1]


def test_jitter_has_its_standard_deviation_and_zero_changes_nothing():
    windows = tf.random.stateless_normal(SHAPE, [1, 2])
    noise = (add_jitter(windows, tf.constant([3, 4]), 0.03) - windows).numpy()
    assert noise.std() == pytest.approx(0.03, rel=0.02)
    assert abs(noise.mean()) < 5 * 0.03 / np.sqrt(noise.size)
    assert stats.kstest(noise.ravel()[:5000] / 0.03, "norm").pvalue > 1e-3
    np.testing.assert_array_equal(add_jitter(windows, tf.constant([3, 4]), 0.0), windows)
