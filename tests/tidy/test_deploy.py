"""What runs in a cluster keeps to Kubernetes' "restricted" pod security standard, which most namespaces ask for; and the Dockerfile,
which no test builds, fits to the tree that it is for."""

from __future__ import annotations

import fnmatch
import os
import re
import shlex

import pytest

import tree

RESTRICTED = ("runAsNonRoot: true", "seccompProfile: {type: RuntimeDefault}", "allowPrivilegeEscalation: false",
              "capabilities: {drop: [ALL]}", "readOnlyRootFilesystem: true")
FORBIDDEN = ("hostNetwork", "hostPID", "hostPath", "privileged: true")


@pytest.mark.parametrize("path", sorted(path for path in tree.files() if str(path).startswith("deploy/doctor/")), ids=str)
def test_pods_are_restricted(path):
    text = tree.read(str(path))
    assert [line for line in RESTRICTED if line not in text] == []
    assert [word for word in FORBIDDEN if word in text] == []


# ---- the Dockerfile ----

DOCKERFILE = "deploy/image/Dockerfile"


def instructions(text: str) -> list[tuple[str, str]]:
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#")).replace("\\\n", " ").splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines if line.strip()]


def dockerfile_problems(text: str) -> list[str]:
    """What it copies, runs and says that is not so."""
    ignored = [line for line in tree.read(".dockerignore").split() if not line.startswith("#")]
    groups = re.findall(r"^  \[([a-z]+)\]=", tree.read("scripts/setup-packages"), re.M)
    version = re.search(r"^project\(trunkline VERSION ([0-9.]+)", tree.read("CMakeLists.txt"), re.M)[1]
    found, stages = [], []
    for what, rest in instructions(text):
        if what == "FROM":
            stages += re.findall(r" AS (\S+)", rest)
        elif what == "COPY":
            found += _copy_problems(shlex.split(rest), stages, ignored)
        elif what == "RUN":
            for command in re.split(r"&&|;", rest):
                found += _command_problems(shlex.split(command), groups)
    found += [f"version {each} is not {version}" for each in re.findall(r'image\.version="([^"]*)"|-t trunkline:(\S+)', text)
              if version not in each]
    return found


def _copy_problems(words: list[str], stages: list[str], ignored: list[str]) -> list[str]:
    if words[0].startswith("--from="):
        return [] if words[0].removeprefix("--from=") in stages else [f"no stage {words[0]}"]
    return [f"copies {each}, which is not in the context" for each in words[:-1]
            if not (tree.ROOT / each).exists() or any(fnmatch.fnmatch(each.split("/")[0], one) for one in ignored)]


def _command_problems(words: list[str], groups: list[str]) -> list[str]:
    words = [each for each in words if not re.match(r"[A-Z]+=", each)]
    program = words[0].removeprefix("./")
    if not os.access(tree.ROOT / program, os.X_OK):
        return [f"runs {program}, which is no program of the tree"]
    if program == "scripts/setup-packages":
        return [f"setup-packages knows no {each}" for each in words[1:] if each not in groups]
    if program == "dev" and f"verb_{words[1]}()" not in tree.read("dev"):
        return [f"./dev knows no {words[1]}"]
    return []


def test_the_dockerfile_fits_to_the_tree():
    text = tree.read(DOCKERFILE)
    assert dockerfile_problems(text) == []
    debian = re.search(r"^FROM debian:(\d+)", text, re.M)[1]
    assert f"Debian {debian}" in tree.read("CONTRIBUTING.md"), "what the rest is built on"
    ignored = tree.read(".dockerignore").split()
    assert {"build", ".git"} <= set(ignored), "what is built here is not copied"
    assert {"6432", "9631"} == set(re.search(r"^EXPOSE (.*)", text, re.M)[1].split())


@pytest.mark.parametrize(("right", "wrong"), [
    ("COPY scripts/setup-packages scripts/", "COPY scripts/setup scripts/"), ("COPY scripts/setup-packages", "COPY build/release"),
    ("setup-packages build image", "setup-packages build images"), ("./dev build", "./dev compile"),
    ("&& deploy/image/root-fs", "&& deploy/image/rootfs"), ("--from=build", "--from=builder"), ('version="0.1.0"', 'version="9.9.9"')])
def test_a_dockerfile_that_has_rotted_is_found(right, wrong):
    text = tree.read(DOCKERFILE)
    assert right in text
    assert len(dockerfile_problems(text.replace(right, wrong, 1))) == 1
