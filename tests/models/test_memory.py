"""The memory of training patterns: what is kept, and how far windows lie from it."""

import numpy as np
import pytest
import tensorflow as tf

from tsad_keras.models.memory import MemoryErrors, PatternMemory, build_memory

SIZE, PATTERN, STRIDE, FEATURES = 20, 4, 2, 3
RANDOM = np.random.default_rng(0)
TRAIN = [RANDOM.normal(0, 3, (150, FEATURES)).astype(np.float32) for _ in range(2)]


def make(memory_size=40, num_neighbours=5):
    memory = build_memory(TRAIN, window_size=SIZE, pattern_size=PATTERN, memory_size=memory_size)
    return memory, MemoryErrors(
        memory,
        window_size=SIZE,
        pattern_size=PATTERN,
        stride=STRIDE,
        num_neighbours=num_neighbours,
    )


def windows_of(count, seed=1):
    return np.random.default_rng(seed).normal(0, 3, (count, SIZE, FEATURES)).astype(np.float32)


def look_up(errors, windows):
    found = errors(tf.constant(windows)).numpy()
    assert found.shape == (len(windows), SIZE, 2 * FEATURES)
    return np.split(found, 2, axis=2)


def test_cut_outs_are_evenly_spaced_and_never_cross_a_border():
    memory, _ = make(memory_size=40)
    assert memory.patterns.shape == (40, PATTERN * FEATURES)
    assert memory.levels.shape == (40, SIZE // PATTERN * FEATURES)
    known = {
        np.arcsinh(series[start : start + PATTERN]).astype(np.float32).tobytes(): (number, start)
        for number, series in enumerate(TRAIN)
        for start in range(150 - PATTERN + 1)
    }
    places = [known[row.tobytes()] for row in memory.patterns]
    assert places[0] == (0, 0) and places[-1] == (1, 150 - PATTERN)
    flat = [number * (150 - PATTERN + 1) + start for number, start in places]
    assert set(np.diff(flat)) <= {7, 8}


def test_a_small_series_is_kept_whole():
    memory, _ = make(memory_size=10_000)
    assert len(memory.patterns) == 2 * (150 - PATTERN + 1)
    assert len(memory.levels) == 2 * (150 - SIZE + 1)


def reference(windows, memory, num_neighbours):
    """The rule with loops and float64."""

    def nearest(query, rows):
        differences = (rows.astype(np.float64) - query) ** 2
        distances = differences.sum(axis=1)
        order = np.argsort(distances)[: num_neighbours + 1]
        weights = 1.001 * distances[order].max() - distances[order] + 1e-12
        return weights @ differences[order] / weights.sum()

    patterns = np.zeros((*windows.shape[:2], FEATURES))
    counts = np.zeros(SIZE)
    levels = np.zeros((len(windows), FEATURES))
    for number, window in enumerate(np.arcsinh(windows.astype(np.float64))):
        for start in range(0, SIZE - PATTERN + 1, STRIDE):
            cut = slice(start, start + PATTERN)
            found = nearest(window[cut].ravel(), memory.patterns).reshape(PATTERN, FEATURES)
            patterns[number, cut] += found.mean(axis=0)
            counts[cut] += number == 0
        pieces = window.reshape(-1, PATTERN, FEATURES).mean(axis=1)
        found = nearest(pieces.ravel(), memory.levels).reshape(-1, FEATURES)
        levels[number] = found.mean(axis=0)
    return patterns / counts[:, None], np.repeat(levels[:, None], SIZE, axis=1)


@pytest.mark.parametrize("num_neighbours", [1, 5])
def test_errors_are_distances_to_the_nearest(num_neighbours):
    memory, errors = make(num_neighbours=num_neighbours)
    windows = windows_of(6)
    for found, expected in zip(
        look_up(errors, windows), reference(windows, memory, num_neighbours), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_what_was_seen_is_near_and_only_the_strange_feature_is_far():
    _, errors = make(memory_size=1000, num_neighbours=1)
    window = TRAIN[0][30 : 30 + SIZE][None].copy()
    patterns, levels = look_up(errors, window)
    assert patterns.max() < 0.05 and levels.max() < 0.05
    window[0, :, 1] += 400
    changed, _ = look_up(errors, window)
    assert changed[..., 1].min() > 3 * changed[..., [0, 2]].max()


def test_rows_that_are_equally_near_share_the_weight():
    rows = np.array([[2.0, 0.0], [0.0, 2.0], [9.0, 9.0]], np.float32)
    memory = PatternMemory(rows, rows)
    errors = MemoryErrors(memory, window_size=1, pattern_size=1, stride=1, num_neighbours=1)
    found = errors(tf.zeros((1, 1, 2))).numpy()
    np.testing.assert_allclose(found, 2.0, rtol=1e-5)


def test_constant_training_data_do_not_divide_by_nothing():
    flat = [np.zeros((50, FEATURES), np.float32)]
    memory = build_memory(flat, window_size=SIZE, pattern_size=PATTERN, memory_size=10)
    errors = MemoryErrors(
        memory, window_size=SIZE, pattern_size=PATTERN, stride=STRIDE, num_neighbours=5
    )
    for found in look_up(errors, np.zeros((2, SIZE, FEATURES), np.float32)):
        np.testing.assert_array_equal(found, 0.0)


def test_a_window_does_not_depend_on_its_batch():
    _, errors = make()
    windows = windows_of(9)
    whole = errors(tf.constant(windows)).numpy()
    alone = np.concatenate([errors(tf.constant(window[None])).numpy() for window in windows])
    np.testing.assert_allclose(alone, whole, rtol=1e-4, atol=1e-6)
