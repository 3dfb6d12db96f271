"""What `trunkline doctor` says of a path, as a text that is the same in each run; and the texts that were recorded.
TRUNKLINE_RECORD=1 writes them anew: read the difference before it is committed."""

from __future__ import annotations

import os
import re

from harness.system import REPOSITORY

_FOLDER = REPOSITORY / "tests/integration/expected"
_ANYWHERE = (
    (r"(?<=127\.0\.0\.1:)\d+", "PORT"),
    (r"PostgreSQL \d[\w.]*( \(Debian [^)]*\))?", "PostgreSQL VERSION"),
)
_MEASURED = _ANYWHERE + (
    (r"\d+(\.\d+)? (us|ms|s)\b", "TIME"),
    (r"trunkline_doctor_\w+", "trunkline_doctor_ID"),
    (r"process \d+", "process PID"),
    (r"runs in \d+", "runs in PID"),
    (r"\d+ of (\d+) (executions|later)", r"N of \1 \2"),
    (r"read it \d+ times", "read it N times"),
)


def text_of(diagnosis, path: str = "A") -> str:
    """The hops, what was found (the worst first) and what could not be tested."""
    (of,) = [each for each in diagnosis.report["paths"] if each["label"] == path]
    lines = ["hops"] + [f"  {_without(_MEASURED, each)}" for each in of["hops"]] + [""]
    for found in diagnosis.report["findings"]:
        lines += ["  ".join([found["severity"], found["check"], *found["pathologies"], found["confidence"]])]
        lines += [f"  {_without(_ANYWHERE, found['summary'])}", f"  where {_without(_ANYWHERE, found['where'])}"]
        lines += [f"  seen  {_without(_MEASURED, each)}" for each in found["evidence"]]
        lines += [f"  {head}   {found[key]}" for head, key in (("why", "explanation"), ("fix", "fix")) if found[key]] + [""]
    unknown = [(each["id"], one["summary"]) for each in of["checks"] for one in each["judgements"]
               if one["verdict"] == "unknown"]
    lines += [f"not tested: {name}: {_without(_MEASURED, why)}" for name, why in unknown]
    return "\n".join(lines).rstrip() + "\n"


def assert_as_recorded(name: str, diagnosis) -> None:
    file = _FOLDER / f"{name}.txt"
    text = text_of(diagnosis)
    if os.environ.get("TRUNKLINE_RECORD"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8"), f"not as in {file}"


def _without(chance: tuple, text: str) -> str:
    for what, name in chance:
        text = re.sub(what, name, text)
    return text
