"""The recipe that turns CPython's source into python.wasm, the reactor and the stdlib image.

console.py, runner.py and downloads.py say how steps run; every other file defines steps, and its text is part of their keys.
"""
