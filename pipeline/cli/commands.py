"""Commands and groups as `--help` should show them: a flag takes no value, so it shows no type."""

from typing import Any

from typer.core import TyperCommand, TyperGroup, TyperOption


class Command(TyperCommand):
    """A command whose flags are not followed by `<bool>`."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401  # typer has its own copy of click
        """Returns the arguments and options, that for help included."""
        return _plain(super().get_params(ctx))


class Group(TyperGroup):
    """A group whose flags are not followed by `<bool>`."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401  # as above
        """Returns the options, that for help included."""
        return _plain(super().get_params(ctx))


def _plain(params: list[Any]) -> list[Any]:
    for param in params:
        if isinstance(param, TyperOption) and param.is_flag:
            param.metavar = ""
    return params
