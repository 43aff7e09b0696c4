"""Scoring many files on many machines: the plan, the work on one file, and engines that spread it.

`plan` and `work` know no engine. Each engine is a module of its own that imports its package when
it is asked for; nothing else in the package imports an engine.
"""
