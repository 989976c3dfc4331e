"""Judges SARIF by somebody else's word: the types of its version 2.1.0 that the page's tools bring.

TypeScript refuses fields that these types do not have, the lack of those that they need, and words
that are none of an enumeration.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from proofs.check import ROOT
from proofs.process import run

if TYPE_CHECKING:
    from pathlib import Path

MODULES = ROOT / "ui" / "node_modules"


def violations(folder: Path, log: Any) -> str:
    """Return what TypeScript says against a log; nothing when it is sound."""
    types = json.dumps(str(MODULES / "@types" / "sarif"))
    text = f"import type {{ Log }} from {types};\nexport const log: Log = {json.dumps(log)};\n"
    source = folder / "log.ts"
    source.write_text(text)
    types_folder = str(MODULES / "@types")
    options = ["--noEmit", "--strict", "--typeRoots", types_folder, "--types", "sarif"]
    code, said = run([MODULES / ".bin" / "tsc", *options, source], seconds=120)
    return "" if code == 0 else said[:2000] or f"exit code {code}"
