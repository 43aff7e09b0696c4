"""Small networks without masks, adversary and contrast; what do these add to them?"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from tsad_keras.baselines.base import ErrorBaseline
from tsad_keras.scoring import CausalPointScorer, iterate_points, score_points
from tsad_keras.windows import gather_windows, starts_within_series

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

_MAX_WINDOWS = 2048  # of validation and of calibration, evenly spaced


class NeuralBaseline(ErrorBaseline):
    """A network trained with Adam on the mean squared error of windows.

    Training stops when the error on the validation tails has not fallen for some epochs, and the
    weights of the best epoch stay. By default a network sees about as many windows as the default
    detector does (400 steps of 32 windows in two views). It is trained once: the final scores, like
    the detector's, come from a model that did not learn from the validation tails.

    Args:
        seed: Of the weights and of the windows drawn.
        score_stride: Time steps between the windows of which a score is the mean.
        epochs: At most so many.
        steps_per_epoch: Steps in each.
        batch_size: Windows a step.
        learning_rate: Of Adam.
        patience: Epochs without a better validation error before it stops.
        score_batch_size: Windows a forward pass when scoring.
        **settings: As for `ErrorBaseline`.

    Attributes:
        network_: The Keras model.
        best_epoch_: The epoch (from 1) whose weights it has.
    """

    is_random = True
    looks_ahead = True
    refits = False

    def __init__(
        self,
        seed: int = 0,
        *,
        score_stride: int = 50,
        epochs: int = 20,
        steps_per_epoch: int = 50,
        batch_size: int = 32,
        learning_rate: float = 1e-3,
        patience: int = 4,
        score_batch_size: int = 64,
        **settings,
    ) -> None:
        super().__init__(**settings)
        self.seed = seed
        self.score_stride = score_stride
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.patience = patience
        self.score_batch_size = score_batch_size

    @abc.abstractmethod
    def _build(self, num_features: int) -> keras.Model:
        """Builds the network."""

    @abc.abstractmethod
    def _errors(self, windows: tf.Tensor, training: bool) -> tf.Tensor:
        """Squared errors `(batch_size, number of judged time steps, num_features)` of windows."""

    def _learn(self, train: list[np.ndarray], validation: list[np.ndarray]) -> None:
        from tsad_keras.models.seeding import seeded_initialisers

        with seeded_initialisers(self.seed):
            self.network_ = self._build(train[0].shape[1])
        self._compile(train[0].shape[1])
        joined, starts = self._windows_of(train)
        validation_windows = self._windows_of(validation)
        random = np.random.default_rng(self.seed)
        best, best_weights, self.best_epoch_ = np.inf, self.network_.get_weights(), 0
        for epoch in range(1, self.epochs + 1):
            for _ in range(self.steps_per_epoch):
                chosen = random.choice(starts, self.batch_size)
                self._step(gather_windows(joined, chosen, self.window_size))
            value = float(self._errors_of_windows(*validation_windows).mean())
            if value < best:
                best, best_weights, self.best_epoch_ = value, self.network_.get_weights(), epoch
            if epoch - self.best_epoch_ >= self.patience:
                break
        self.network_.set_weights(best_weights)
        self._set_error_scale(self._errors_of_windows(joined, starts))

    def _compile(self, num_features: int) -> None:
        """Sets `_step`, which learns from windows, and `_window_errors`, which judges them."""
        import keras
        import tensorflow as tf

        optimizer = keras.optimizers.Adam(self.learning_rate)
        variables = self.network_.trainable_variables
        optimizer.build(variables)
        spec = tf.TensorSpec([None, self.window_size, num_features], tf.float32)

        @tf.function(input_signature=[spec], autograph=False)
        def step(windows: tf.Tensor) -> None:
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(self._errors(windows, training=True))
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

        @tf.function(input_signature=[spec], autograph=False)
        def errors(windows: tf.Tensor) -> tf.Tensor:
            return self._errors(windows, training=False)

        self._step: Callable[[np.ndarray], None] = step
        self._window_errors = lambda windows: errors(tf.constant(windows, tf.float32)).numpy()

    def _windows_of(self, series: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        lengths = [len(values) for values in series]
        return np.concatenate(series), starts_within_series(lengths, self.window_size, 1)

    def _errors_of_windows(self, joined: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """Means `(num_windows, num_features)` over the judged steps of evenly spaced windows."""
        count = min(_MAX_WINDOWS, len(starts))
        chosen = starts[np.linspace(0, len(starts) - 1, count).astype(int)]
        means = []
        for first in range(0, count, self.score_batch_size):
            part = chosen[first : first + self.score_batch_size]
            errors = self._window_errors(gather_windows(joined, part, self.window_size))
            means.append(errors.mean(axis=1, dtype=np.float64))
        return np.concatenate(means)

    def _outputs(self, scaled: np.ndarray) -> np.ndarray:
        return score_points(
            scaled,
            self._window_errors,
            window_size=self.window_size,
            stride=self.score_stride,
            batch_size=self.score_batch_size,
        )


class _AutoencoderBaseline(NeuralBaseline):
    """A network that reconstructs its windows."""

    def _errors(self, windows: tf.Tensor, training: bool) -> tf.Tensor:
        import tensorflow as tf

        return tf.math.squared_difference(windows, self._reconstruct(windows, training))

    def _reconstruct(self, windows: tf.Tensor, training: bool) -> tf.Tensor:
        return self.network_(windows, training=training)


class DenseAutoencoderBaseline(_AutoencoderBaseline):
    """Dense layers around a narrow one, over flat windows."""

    name = "Dense autoencoder"

    def _build(self, num_features: int) -> keras.Model:
        from tsad_keras.models.plain import build_dense_autoencoder

        return build_dense_autoencoder(self.window_size, num_features)


class LSTMAutoencoderBaseline(_AutoencoderBaseline):
    """Two LSTMs with one vector between them; takes patches of `patch_size` time steps.

    Args:
        seed: As for `NeuralBaseline`.
        patch_size: Divides `window_size`.
        **settings: As for `NeuralBaseline`.
    """

    name = "LSTM autoencoder"

    def __init__(self, seed: int = 0, *, patch_size: int = 5, **settings) -> None:
        super().__init__(seed, **settings)
        self.patch_size = patch_size

    def _build(self, num_features: int) -> keras.Model:
        from tsad_keras.models.plain import build_lstm_autoencoder

        return build_lstm_autoencoder(self.window_size, num_features, patch_size=self.patch_size)


class TransformerAutoencoderBaseline(_AutoencoderBaseline):
    """The detector's autoencoder as it is, trained to reconstruct whole windows and nothing else.

    Args:
        seed: As for `NeuralBaseline`.
        patch_size: Divides `window_size`.
        hidden_dim: Width of a token.
        num_heads: Attention heads.
        intermediate_dim: Width inside the feed-forward part.
        num_layers: Encoder blocks.
        **settings: As for `NeuralBaseline`.
    """

    name = "Transformer autoencoder"

    def __init__(
        self,
        seed: int = 0,
        *,
        patch_size: int = 5,
        hidden_dim: int = 128,
        num_heads: int = 4,
        intermediate_dim: int = 256,
        num_layers: int = 1,
        **settings,
    ) -> None:
        super().__init__(seed, **settings)
        self.architecture = {
            "patch_size": patch_size,
            "hidden_dim": hidden_dim,
            "num_heads": num_heads,
            "intermediate_dim": intermediate_dim,
            "num_layers": num_layers,
        }

    def _build(self, num_features: int) -> keras.Model:
        from tsad_keras.models import build_autoencoder

        return build_autoencoder(self.window_size, num_features, **self.architecture)

    def _reconstruct(self, windows: tf.Tensor, training: bool) -> tf.Tensor:
        return self.network_(windows, training=training)["reconstruction"]


class CNNForecasterBaseline(NeuralBaseline):
    """Error of a forecast of each row from the `window_size - 1` rows before it.

    The first row of a series stands in for those before it, as in the detector's causal scores.
    """

    name = "CNN forecaster"
    looks_ahead = False

    def _build(self, num_features: int) -> keras.Model:
        from tsad_keras.models.plain import build_cnn_forecaster

        return build_cnn_forecaster(self.window_size - 1, num_features)

    def _errors(self, windows: tf.Tensor, training: bool) -> tf.Tensor:
        import tensorflow as tf

        forecast = self.network_(windows[:, :-1], training=training)
        return tf.math.squared_difference(windows[:, -1:], forecast[:, None])

    def _outputs(self, scaled: np.ndarray) -> np.ndarray:
        scorer = CausalPointScorer(
            self._window_errors, window_size=self.window_size, batch_size=8 * self.score_batch_size
        )
        return np.concatenate(list(iterate_points(scorer, [scaled])))
