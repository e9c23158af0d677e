"""keys/root/pkcs11_errand.py: the process in which a PKCS#11 module runs, and what becomes of it."""

import contextlib
import importlib.util
import os
import threading

import psutil
import pytest

from strongroom.errors import RootKeyMissing, RootLibraryMissing, RootUnreachable
from strongroom.keys.root import pkcs11_errand
from strongroom.keys.root.pkcs11_errand import Errand, run
from strongroom.secret import Secret
from strongroom.testing.softhsm import PIN, SoftHsm
from strongroom.testing.waiting import wait_until


def errand(softhsm: SoftHsm) -> Errand:
    return Errand("check", str(softhsm.module), (("token", "strongroom"),), "root", None, Secret(PIN), "here")


def modules() -> list[psutil.Process]:
    """The processes of ours in which a module runs; other tests leave servers beside them."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if pkcs11_errand._PROCESS in child.cmdline():  # there is no other mark of it
                found.append(child)
    return found


def block(softhsm: SoftHsm) -> None:
    """The module now waits for somebody to write its settings into a FIFO, and nobody does."""
    configuration = softhsm.folder / "softhsm2.conf"
    configuration.unlink()
    os.mkfifo(configuration)


def test_the_answer_or_the_error_comes_back(softhsm: SoftHsm) -> None:
    """An error with all that it has to say."""
    with pytest.raises(RootKeyMissing) as caught:
        run(errand(softhsm))
    assert "here" in caught.value.message
    assert "roots-hsm.md" in caught.value.hint
    softhsm.add_key("strongroom", "root")
    assert run(errand(softhsm)) == b""


def test_a_module_that_hangs_is_ended(softhsm: SoftHsm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is left."""
    block(softhsm)
    monkeypatch.setattr(pkcs11_errand, "ERRAND_SECONDS", 1.0)
    with pytest.raises(RootUnreachable, match="did not answer in 1 seconds"):
        run(errand(softhsm))
    assert not modules()


def test_a_module_that_crashes_takes_nothing_along(softhsm: SoftHsm) -> None:
    """The signal is named."""
    block(softhsm)

    def crash() -> None:
        (process,) = wait_until(modules, "the process of the module")
        process.kill()

    killer = threading.Thread(target=crash)
    killer.start()
    with pytest.raises(RootUnreachable, match="signal 9"):
        run(errand(softhsm))
    killer.join()


def test_a_module_that_ends_the_process_is_named(softhsm: SoftHsm, monkeypatch: pytest.MonkeyPatch) -> None:
    """So is a process that cannot even begin."""
    monkeypatch.setattr(pkcs11_errand, "_PROCESS", "strongroom.absent")
    with pytest.raises(RootUnreachable, match="status 1"):
        run(errand(softhsm))


def test_without_the_library_the_hint_says_how_to_get_it(
    softhsm: SoftHsm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an optional dependency."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(RootLibraryMissing) as caught:
        run(errand(softhsm))
    assert "strongroom[pkcs11]" in caught.value.hint
