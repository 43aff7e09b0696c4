"""What a trained model does with series, whether it lies in Keras networks or in an export.

Nothing here imports Keras, so that an export can be used where Keras is not installed.
"""
