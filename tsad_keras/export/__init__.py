"""Export to one SavedModel that TensorFlow Serving loads, and the checks of it."""
