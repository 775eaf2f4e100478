from __future__ import annotations

import json
import pickle

import pytest
from celery import Celery

from curation import errors

ERRORS = [
    errors.CurationError("It broke."),
    errors.OperatorError("Bucket 'b' is denied. Grant s3:PutObject.", code="aws:s3:denied"),
    errors.RequestError("No video at 'x'.", code="source:no-video"),
    errors.TransientError("Try later.", code="http:429", retry_after_s=2.5),
    errors.SelectionFailed("Ended badly."),
    errors.RunEnded("Canceled."),
    errors.LeaseLost("Gone."),
]


def test_errors__are_all_listed_here() -> None:
    """A new error class is tested like the others."""
    classes = {errors.CurationError, *errors.CurationError.__subclasses__()}

    assert {type(error) for error in ERRORS} == classes


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_error__survives_pickling(error: errors.CurationError) -> None:
    """A pool process hands the whole error to its parent: class, message, code and delay."""
    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_error__survives_the_result_backend(error: errors.CurationError) -> None:
    """Celery's JSON keeps class and message, so that no one meets a wrapper in their place."""
    backend = Celery(backend="cache+memory://", set_as_current=False).backend

    stored = json.loads(json.dumps(backend.prepare_exception(error, serializer="json")))
    restored = backend.exception_to_python(stored)

    assert type(restored) is type(error)
    assert str(restored) == error.message


def test_error__has_the_code_of_its_class_unless_told() -> None:
    """An error always has a code that a program can act on."""
    codes = [errors.RequestError("x").code, errors.RequestError("x", code="source:x").code]

    assert codes == ["request", "source:x"]
