"""Writes the files that are generated from the code: settings, OpenAPI document, schemas, policies."""
