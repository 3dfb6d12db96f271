"""What runs in a cluster keeps to Kubernetes' "restricted" pod security standard, which most namespaces ask for."""

from __future__ import annotations

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
