"""A module for each measure. Its docstring is what the page says of it, with the values filled in."""
