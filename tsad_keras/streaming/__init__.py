"""The same scores, row by row as they come, with bounded memory."""

from tsad_keras.streaming.events import AlarmEvent
from tsad_keras.streaming.stream import StreamingDetector, StreamUpdate

__all__ = ["AlarmEvent", "StreamUpdate", "StreamingDetector"]
