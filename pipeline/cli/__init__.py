"""The command line `curate`."""

from pipeline.cli.app import app

__all__ = ["app"]
