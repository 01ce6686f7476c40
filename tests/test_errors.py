from __future__ import annotations

import pickle

import pytest

from aidetect import errors


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_has_one_base_and_travels_between_processes(name: str) -> None:
    kind = getattr(errors, name)
    assert issubclass(kind, errors.AidetectError)
    back = pickle.loads(pickle.dumps(kind("song.mp3: damaged; get a fresh copy.")))
    assert (type(back), str(back)) == (kind, "song.mp3: damaged; get a fresh copy.")


def test_every_error_is_listed() -> None:
    found = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert found == set(errors.__all__)
