"""`make docs`: writes every page of the reference."""

from __future__ import annotations

from pathlib import Path

from docs.generate.pages import PAGES

FOLDER = Path(__file__).parents[1] / "reference"

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        (FOLDER / name).write_text(make(), encoding="utf-8")
