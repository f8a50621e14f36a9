"""The one exception of this half of the package."""


class AdapterError(ValueError):
    """One sentence: the thing that is wrong, its value and what is allowed."""
