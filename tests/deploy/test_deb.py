"""The Debian package: what is in it, what it says of itself, and a unit that gives the gateway little."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import tools

UNIT = tools.REPOSITORY / "deploy/systemd/trunkline.service"


def run(*command, **more) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def package(binary, tmp_path_factory) -> Path:
    config = binary.parent / "CPackConfig.cmake"
    if not config.exists():
        pytest.skip(f"{binary} is in no build folder")
    folder = tmp_path_factory.mktemp("deb")
    run("cpack", "--config", config, "-B", folder, cwd=folder)
    (made,) = folder.glob("*.deb")
    return made


def test_it_says_what_it_needs(package):
    fields = dict(re.findall(r"(?m)^ ?([A-Z][\w-]+): (.*)$", run("dpkg-deb", "--field", package)))
    assert fields["Package"] == "trunkline" and fields["Version"] == "0.1.0" and fields["Section"] == "database"
    assert package.name == f"trunkline_0.1.0_{fields['Architecture']}.deb"
    needs = fields["Depends"]
    assert all(word in needs for word in ("libc6 (>=", "libssl3 (>=", "libstdc++6 (>=", "libsqlite3-0", "ca-certificates", "tzdata"))


def test_it_holds_a_gateway_that_runs(package, tmp_path):
    run("dpkg-deb", "--extract", package, tmp_path)
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert files == ["usr/bin/trunkline", "usr/lib/systemd/system/trunkline.service", "usr/lib/sysusers.d/trunkline.conf",
                     "usr/share/doc/trunkline/copyright", "usr/share/doc/trunkline/examples/trunkline.yaml"]
    assert "0.1.0" in run(tmp_path / "usr/bin/trunkline", "version")
    assert "not stripped" not in run("file", tmp_path / "usr/bin/trunkline")
    assert not any(path.stat().st_mode & 0o022 for path in tmp_path.rglob("*") if path.is_file())


def test_its_example_is_right(package, binary, secrets, tmp_path):
    example = tools.REPOSITORY / "deploy/systemd/trunkline.yaml"
    shutil.copy(example, tmp_path)
    for name, content in {**secrets["gateway-trunkline-tls"], **secrets["app-db-ca"], "users.txt": secrets["app-db"]["users.txt"]}.items():
        (tmp_path / name).write_bytes(content)
    run(binary, "check", "-c", tmp_path / "trunkline.yaml")


def test_scripts_are_shell_and_make_the_user(package, tmp_path):
    run("dpkg-deb", "--control", package, tmp_path)
    for name in ("postinst", "prerm", "postrm"):
        run("sh", "-n", tmp_path / name)
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o755
    assert "systemd-sysusers trunkline.conf" in (tmp_path / "postinst").read_text()
    assert (tools.REPOSITORY / "deploy/systemd/sysusers.conf").read_text().startswith("u trunkline ")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_the_unit_gives_little(tmp_path):
    told = run("systemd-analyze", "security", "--offline=true", "--no-pager", UNIT)
    level = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", told)[1])
    assert level <= 1.5, told
