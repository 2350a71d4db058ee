"""The rules behind a finding: file, key, and the text as somebody wrote it in YAML, comments included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from reconlib.rules import Rules


def rule_text(rules: Rules, key: str, root: Path) -> dict[str, Any]:
    """One rule as it stands on disk: key, file, line and text; the text is null where no such key is written.

    ``services.EDR`` may be deeper: the text is that of the innermost key that is written down.
    """
    file, _, there = rules.where(key).rpartition(": ")
    path = Path(file)
    if not there or not path.is_absolute():
        return {"key": key, "file": None, "line": None, "text": None}
    shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
    text, line = written_block(path, there)
    return {"key": there, "file": shown, "line": line, "text": text}


def written_block(path: Path, key: str) -> tuple[str | None, int | None]:
    """Lines of a YAML file that hold one key, from its name to its last value, and the number of the first; null where there is none."""
    try:
        content = path.read_text("utf-8")
        root: Any = yaml.compose(content, Loader=yaml.SafeLoader)
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return None, None
    lines = content.splitlines()
    found = _find(root, key)
    if found is None:
        return None, None
    start, end = found
    last = end.line if end.column else end.line - 1
    block = lines[start.line : min(last, len(lines) - 1) + 1]
    while block and (not block[-1].strip() or block[-1].lstrip().startswith("#")):  # what stands above the next key is the next key's
        block.pop()
    indent = min((len(text) - len(text.lstrip()) for text in block if text.strip()), default=0)
    return "\n".join(text[indent:].rstrip() for text in block), start.line + 1


def _find(node: Any, key: str) -> tuple[Any, Any] | None:
    """Where a key begins and ends; keys of people may hold dots."""
    if not key:
        return node.start_mark, _end(node)
    if isinstance(node, yaml.SequenceNode):
        number, _, rest = key.partition(".")
        if not number.isdecimal() or int(number) >= len(node.value):
            return None
        return _find(node.value[int(number)], rest)
    if not isinstance(node, yaml.MappingNode):
        return None
    for name, value in node.value:
        if key == name.value or key.startswith(f"{name.value}."):
            inner = _find(value, key[len(name.value) + 1 :])
            return inner and ((name.start_mark if key == name.value else inner[0]), inner[1])
    return None


def _end(node: Any) -> Any:
    """Where a value's last character stands: a block's own mark is only where the next thing begins."""
    if isinstance(node, yaml.ScalarNode) or node.flow_style or not node.value:
        return node.end_mark
    last = node.value[-1]
    return _end(last[1] if isinstance(last, tuple) else last)
