"""Makes the reference in docs/reference from the code; `make docs` runs it."""
