"""Where compiled kernels are kept, if neither the package's folder nor a user's cache can be."""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from numba import config
from numba.core import caching as numba_caching

from triptych.models.compiled import caching
from triptych.records import temporary_cache


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Return a folder for what is temporary, in which nothing is yet."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(config, "CACHE_DIR", "")
    temporary_cache.cache_clear()
    yield tmp_path
    temporary_cache.cache_clear()


@pytest.fixture
def read_only(monkeypatch):
    """Let no folder be written in which Numba would keep kernels by itself."""
    ensure = numba_caching._CacheLocator.ensure_cache_path

    def refuse(self):
        if not isinstance(self, numba_caching.UserProvidedCacheLocator):
            raise PermissionError(self.get_cache_path())
        ensure(self)

    monkeypatch.setattr(numba_caching._CacheLocator, "ensure_cache_path", refuse)


def kernel():
    @caching.kernel()
    def twice(x):
        return 2 * x * (caching.SOURCE > 0)

    return twice


@pytest.mark.fault(47)
def test_kernels_have_a_temporary_folder_and_one_notice(elsewhere, read_only):
    with pytest.warns(UserWarning, match="^the user's cache cannot be written; .* is used") as told:
        made = [kernel(), kernel()]
    assert len(told) == 1
    assert all(one(np.float64(3.0)) == 6.0 for one in made)
    assert [path.name for path in elsewhere.iterdir()] == [f"triptych-cache-{os.getuid()}"]
    assert list(elsewhere.rglob("*.nbc"))  # the compiled kernel, which the next process finds


@pytest.mark.fault(47)
def test_without_a_home_no_folder_of_its_name_is_made(elsewhere, read_only, monkeypatch):
    def nobody(*_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.chdir(elsewhere)
    monkeypatch.setattr(Path, "home", nobody)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.warns(UserWarning, match="is used instead"):
        assert kernel()(3.0) == 6.0
    assert not (elsewhere / "~").exists()


@pytest.mark.fault(47)
def test_where_the_user_says_where_kernels_go_nothing_is_told(elsewhere, read_only, monkeypatch):
    monkeypatch.setattr(config, "CACHE_DIR", str(elsewhere / "mine"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kernel()(3.0) == 6.0
    assert [path.name for path in elsewhere.iterdir()] == ["mine"]


def test_a_folder_of_numbas_own_that_cannot_be_written_costs_the_cache_only(tmp_path, monkeypatch):
    (tmp_path / "file").touch()  # to root nothing is read-only
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "file" / "cache"))

    def refuse(self):
        raise PermissionError(self.get_cache_path())

    monkeypatch.setattr(numba_caching._CacheLocator, "ensure_cache_path", refuse)
    assert kernel()(np.float64(3.0)) == 6.0
