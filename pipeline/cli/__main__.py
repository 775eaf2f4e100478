"""Lets `python -m pipeline.cli` be `curate`, for whoever starts it without a path to programs."""

from pipeline.cli import app

app(prog_name="curate")
