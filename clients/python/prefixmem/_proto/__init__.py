"""Generated from proto/prefixmem/v1 by stubs.py, when the package is built; not part of the API."""
