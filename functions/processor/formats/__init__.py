"""Reads the structure of files while their bytes stream by: one module for each family of formats."""
