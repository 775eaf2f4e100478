"""A page in a real browser, and what can be said about it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserContext, Page

# Texts whose contrast with what is behind them is below 4.5 to 1 (WCAG 2.2, 1.4.3).
LOW_CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const painted = new Map();
  const paint = (color) => {
    if (!painted.has(color)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      painted.set(color, [...canvas.getImageData(0, 0, 1, 1).data]);
    }
    return painted.get(color);
  };
  const light = (rgb) => rgb.slice(0, 3)
    .map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const rgb = paint(getComputedStyle(at).backgroundColor);
      if (rgb[3] === 255) return rgb;
    }
    return [255, 255, 255];
  };
  const hasText = (element) =>
    [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  return [...document.body.querySelectorAll("*")]
    .filter((element) => hasText(element) && element.checkVisibility())
    .map((element) => {
      const both = [light(paint(getComputedStyle(element).color)), light(behind(element))];
      return [element.textContent.trim(), (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05)];
    })
    .filter(([, ratio]) => ratio < 4.5);
}"""


# Redis has 2.5 s to answer, which is not always enough for a machine under load. The page says then
# that one is to load it again, and so does a person.
_AGAIN = 10
# A slow machine's, not a page's.
_PATIENCE_MS = 90_000


@dataclass(frozen=True)
class Look:
    """A page that is open.

    Attributes:
        page: The page.
        status: The HTTP status of its answer.
        width: Of the window, in pixels.
        noise: What it has written into the console, and what it has thrown.
    """

    page: Page
    status: int
    width: int
    noise: list[str]


@contextmanager
def open_page(window: BrowserContext, address: str) -> Iterator[Look]:
    """Opens a page, and closes it."""
    page, noise = window.new_page(), list[str]()
    page.on("console", lambda message: noise.append(message.text))
    page.on("pageerror", lambda error: noise.append(str(error)))
    page.set_default_timeout(_PATIENCE_MS)
    answer = page.goto(address)
    for _ in range(_AGAIN):
        if answer is None or answer.status != HTTPStatus.SERVICE_UNAVAILABLE:
            break
        noise.clear()
        answer = page.reload()
    assert answer
    assert page.viewport_size
    yield Look(page, answer.status, page.viewport_size["width"], noise)
    page.close()
