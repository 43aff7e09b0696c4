"""AdamW whose update of a variable is one operation."""

from __future__ import annotations

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="tsad_keras")
class FusedAdamW(keras.optimizers.AdamW):
    """Keras' AdamW, computed by TensorFlow's fused kernel instead of a dozen small operations.

    The formulas are the same, bias correction and place of epsilon included.

    Args:
        learning_rate: As for `keras.optimizers.AdamW`; so are all others. `amsgrad` has no fused
            kernel and is refused.

    Reference:
        Kingma & Ba, "Adam", ICLR 2015, algorithm 1 with the remark at the end of section 2;
        Loshchilov & Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2.
    """

    def __init__(self, learning_rate=0.001, *, name="fused_adamw", **kwargs) -> None:
        if kwargs.get("amsgrad"):
            raise ValueError("amsgrad is True, expected False; use keras.optimizers.AdamW")
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)

    def update_step(self, gradient, variable, learning_rate) -> None:
        """Updates one variable (TensorFlow's, which Keras hands in) and its two moments."""
        index = self._get_variable_index(variable)
        number = tf.cast(self.iterations + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(tf.cast(self.beta_1, variable.dtype), number),
            beta2_power=tf.pow(tf.cast(self.beta_2, variable.dtype), number),
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=tf.cast(self.beta_1, variable.dtype),
            beta2=tf.cast(self.beta_2, variable.dtype),
            epsilon=tf.cast(self.epsilon, variable.dtype),
            grad=gradient,
        )
