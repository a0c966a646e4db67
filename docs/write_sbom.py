"""Writes a bill of materials, CycloneDX 1.6, of an environment that faceauth is installed in, its weights included.

``python -m docs.write_sbom --out faceauth.cdx.json --python /opt/faceauth/bin/python``. The packages are listed by
``cyclonedx-py``, which knows nothing of weights; those are added here, each compared with its pinned digest first.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

VERSION = SchemaVersion.V1_6


def main() -> None:
    """Write the file, or end with a sentence and write nothing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the environment [default: this one]")
    given = parser.parse_args()
    text = bill_of(given.python)
    invalid = JsonStrictValidator(VERSION).validate_str(text)
    if invalid is not None:
        sys.exit(f"The bill of materials is not valid CycloneDX: {invalid}")
    given.out.write_text(text + "\n", encoding="utf-8")


def bill_of(python: str) -> str:
    """The bill of materials of the environment of an interpreter, as JSON."""
    listed = _output(sys.executable, *PACKAGES, python)
    bom: Any = Bom.from_json(json.loads(listed))  # type: ignore[attr-defined]
    faceauth = next((one for one in bom.components if one.name == "faceauth"), None)
    if faceauth is None:
        sys.exit(f"faceauth is not installed in the environment of {python}.")
    bom.metadata.component = faceauth
    weights = [_model(json.loads(line)) for line in _output(python, *VERIFIED).splitlines()]
    bom.components.remove(faceauth)
    bom.components.update(weights)
    bom.register_dependency(faceauth, weights)
    return make_outputter(bom, OutputFormat.JSON, VERSION).output_as_string(indent=2)


PACKAGES = ("-m", "cyclonedx_py", "environment", "--no-validate", "--output-reproducible", "-o", "-")
"""Lists the installed packages; what is written in the end is validated as a whole."""

VERIFIED = ("-P", "-m", "faceauth", "models", "verify", "--json")
"""Lists every shipped weight file, and fails unless each is the pinned one."""


def _model(facts: dict[str, Any]) -> Component:
    """A weight file as a component."""
    licence = facts["licence"]
    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=f"weights/{facts['name']}",
        group="faceauth weights",
        name=facts["name"],
        description=f"{facts['use']}. Origin: {facts['origin']}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=facts["sha256"])],
        licenses=[LicenseFactory().make_from_string(licence)],
        properties=[Property(name="faceauth:bytes", value=str(facts["size"]))],
    )


def _output(*command: str) -> str:
    own = {name: text for name, text in os.environ.items() if not name.startswith("FACEAUTH_")}  # the shipped weights
    done = subprocess.run(command, capture_output=True, text=True, env=own, check=False)
    if done.returncode:
        sys.exit(done.stderr.strip() or f"{command[0]} failed.")
    return done.stdout


if __name__ == "__main__":
    main()
