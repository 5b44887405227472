"""Starts a sandbox and lets Node drive Microsoft's JavaScript SDK against it; exits as Node does."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from service.sandbox.command import Sandbox
from service.sandbox.options import SandboxOptions

HERE = Path(__file__).parent


def install() -> None:
    """Install what the lock file names.

    Raises:
        SystemExit: Node or npm is not there, or the installation failed.
    """
    missing = [tool for tool in ("node", "npm") if shutil.which(tool) is None]
    if missing:
        sys.exit(f"{' and '.join(missing)} not found: Node 20 or later is needed for this check")
    if subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=HERE, check=False).returncode:
        sys.exit("npm could not install the SDK")


async def check(folder: Path) -> int:
    """Run every file of tests against one sandbox; gives Node's exit code."""
    ready_file = folder / "ready.json"
    async with Sandbox.start(SandboxOptions(ready_file=ready_file)) as sandbox:
        told = {"SANDBOX_READY_FILE": str(ready_file), "NODE_EXTRA_CA_CERTS": sandbox.ready.ca_bundle}
        files = sorted(str(file) for file in HERE.glob("*.test.mjs"))
        node = await asyncio.create_subprocess_exec(
            "node", "--test", "--test-reporter=spec", *files, env=os.environ | told
        )
        return await node.wait()


if __name__ == "__main__":
    install()
    with tempfile.TemporaryDirectory(prefix="response-sync-sdk-") as name:
        sys.exit(asyncio.run(check(Path(name))))
