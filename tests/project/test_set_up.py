"""The set-up that `make demo` and `make test` begin with: what it says where it cannot go on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ..support.paths import ROOT


def _interpreter(folder: Path, *, lies: str = "", pip_says: str = "") -> Path:
    """Write a stand-in for an interpreter; the pip of the environments that it makes fails with these words."""
    python = folder / "python"
    python.write_text(f"""#!/bin/sh
case "$1 $2" in
    "-m venv")
        mkdir -p "$4/bin"
        printf '#!/bin/sh\\necho "{pip_says}"\\nexit 1\\n' >"$4/bin/python"
        chmod +x "$4/bin/python" ;;
    *) shift; exec "{sys.executable}" -c "{lies}
$1" ;;
esac
""")
    python.chmod(0o700)
    return python


def _failure(folder: Path, python: Path) -> str:
    (folder / ".ci").mkdir()
    (folder / "pyproject.toml").write_text("")
    (folder / "lock.txt").write_text("acme==1.0\n")
    done = subprocess.run(  # noqa: S603
        [str(ROOT / ".ci" / "set-up"), "environment", "lock.txt"],
        cwd=folder,
        env={**os.environ, "PYTHON": str(python)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert not (folder / "environment" / "made-of").exists()
    return done.stderr


def test_without_an_interpreter_it_says_what_to_install(tmp_path: Path) -> None:
    told = _failure(tmp_path, tmp_path / "python9")
    assert told.startswith(f"There is no {tmp_path}/python9 on this machine.\nInstall Python 3.11 or newer")


def test_an_interpreter_that_is_too_old_is_refused(tmp_path: Path) -> None:
    told = _failure(tmp_path, _interpreter(tmp_path, lies="import sys; sys.version_info = (3, 10, 4)"))
    assert "is Python 3.10.4, and 3.11 or newer is needed" in told


def test_debian_without_its_venv_package_is_told_which_one_it_is(tmp_path: Path) -> None:
    told = _failure(tmp_path, _interpreter(tmp_path, lies="import sys; sys.modules['ensurepip'] = None"))
    assert "apt install python3-venv" in told


@pytest.mark.parametrize(
    ("pip_says", "told"),
    [
        ("NewConnectionError: Failed to establish a new connection", "the package index was not reached"),
        ("SSLError(SSLCertVerificationError: CERTIFICATE_VERIFY_FAILED", "a certificate that this machine does not"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "is not the one that lock.txt pins"),
        ("ERROR: Could not install packages due to an OSError: No space left on device", "the disk is full"),
        ("error: subprocess-exited-with-error", "has no ready-made build for Python"),
        ("ERROR: something nobody thought of", "pip failed"),
    ],
)
def test_what_pip_fails_with_is_said_in_a_sentence(tmp_path: Path, pip_says: str, told: str) -> None:
    failure = _failure(tmp_path, _interpreter(tmp_path, pip_says=pip_says))
    assert told in failure
    assert "then run the command again.\nAll that pip said: environment/set-up.log\n" in failure
    assert (tmp_path / "environment" / "set-up.log").read_text() == f"{pip_says}\n"
