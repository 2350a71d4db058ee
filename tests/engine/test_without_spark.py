"""What a person reads when Spark is asked for and is not there."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import patch

import pytest

from reconlib.engine import Engine, open_spark
from reconlib.errors import SettingsError


def test_without_pyspark_the_error_says_what_to_install() -> None:
    with (
        patch.dict(sys.modules, {"pyspark.errors": None}),
        pytest.raises(SettingsError, match=r"pyspark is not installed\nHint: .*reconlib\[spark\]"),
    ):
        open_spark(Engine(name="spark"))


@pytest.mark.slow
def test_without_java_the_error_says_so(tmp_path: Path) -> None:
    if find_spec("pyspark") is None:
        pytest.skip("pyspark is not installed: pip install 'reconlib[spark]'")
    code = "from reconlib.engine import Engine, open_spark\nfrom reconlib.errors import SettingsError\n"
    code += "try:\n    open_spark(Engine(name='spark'))\nexcept SettingsError as error:\n    print(error)"
    tools = tmp_path / "bin"  # everything on the PATH but java
    tools.mkdir()
    for folder in ("/bin", "/usr/bin"):
        for tool in Path(folder).iterdir():
            if tool.name in ("bash", "env", "dirname", "uname", "sh", "readlink", "cat", "sed", "ls") and not (tools / tool.name).exists():
                (tools / tool.name).symlink_to(tool)
    environ = {name: value for name, value in os.environ.items() if name not in ("JAVA_HOME", "SPARK_HOME")} | {"PATH": str(tools)}
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environ, timeout=120)
    assert "Spark at local[2] did not start" in said.stdout, said.stderr
    assert "Hint: it needs Java 17 or newer" in said.stdout
