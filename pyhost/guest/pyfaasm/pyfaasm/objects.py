"""Faasm's module of shared objects: it has one class, which is empty there too."""


class Dictionary:
    """A placeholder that old functions import."""
