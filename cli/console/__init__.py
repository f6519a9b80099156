"""The audit console: a server on 127.0.0.1, and the page that it serves.

The server signs what the page asks for with the credentials or the token of the person who runs it, so the
page may do what they may. It keeps nothing on disk.
"""
