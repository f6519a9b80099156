"""A module for each measure. Its docstring is the text on the page, with the values filled in."""
