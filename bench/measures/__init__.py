"""The measures: what `measure` of each does is told in its module's docstring, which the page repeats."""
