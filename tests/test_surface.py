"""What `faceauth` exports: a name appears or disappears only together with this list."""

import enum
import inspect
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import faceauth

PUBLIC = [
    "Face",
    "FaceAuthError",
    "GatePolicy",
    "ImageError",
    "ImageLimits",
    "Pipeline",
    "PipelineConfig",
    "Reason",
    "Template",
    "UsageError",
    "Verdict",
    "Verification",
    "__version__",
    "list_backends",
    "load_config",
    "similarity",
]

WITHOUT_DOCSTRING = {"__version__"}


def test_all_is_the_checked_in_list() -> None:
    assert sorted(faceauth.__all__) == sorted(PUBLIC)


def test_every_exported_name_exists_and_no_other() -> None:
    for name in faceauth.__all__:
        assert getattr(faceauth, name) is not None and name in dir(faceauth)
    defined = {name for names in faceauth._DEFINED_IN.values() for name in names}
    assert defined == set(faceauth.__all__) - {"__version__"}
    with pytest.raises(AttributeError, match="has no attribute 'Pipelin'"):
        _ = faceauth.Pipelin


def test_every_public_name_has_a_docstring_of_its_own() -> None:
    bare = [
        name
        for name in faceauth.__all__
        if name not in WITHOUT_DOCSTRING and not vars(getattr(faceauth, name)).get("__doc__")
        if not inspect.isfunction(getattr(faceauth, name)) or not getattr(faceauth, name).__doc__
    ]
    assert bare == []


def test_every_public_method_has_a_docstring() -> None:
    bare = [
        f"{name}.{attribute}"
        for name in faceauth.__all__
        if inspect.isclass(getattr(faceauth, name)) and not issubclass(getattr(faceauth, name), enum.Enum)
        for attribute, value in vars(getattr(faceauth, name)).items()
        if not attribute.startswith("_") and (inspect.isfunction(value) or isinstance(value, property))
        if not inspect.getdoc(value)
    ]
    assert bare == []


def test_every_error_is_a_faceauth_error_and_drawn_in_the_tree() -> None:
    from faceauth import errors

    classes = {name: value for name, value in vars(errors).items() if inspect.isclass(value) and name[0] != "_"}
    ours = {name for name, value in classes.items() if value.__module__ == errors.__name__}
    assert len(ours) > 10
    for name in ours:
        assert issubclass(classes[name], faceauth.FaceAuthError)
        assert name in (errors.__doc__ or "")


def test_the_version_is_a_constant_that_the_build_reads() -> None:
    """Read from the metadata it would be that of whatever else calls itself faceauth, or fail with damaged metadata."""
    root = Path(__file__).parents[1]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"]
    source = (root / project["tool"]["hatch"]["version"]["path"]).read_text(encoding="utf-8")
    assert re.findall('^__version__ = "(.+)"$', source, re.M) == [faceauth.__version__]


def test_damaged_metadata_of_its_own_does_not_stop_the_import(tmp_path: Path) -> None:
    info = tmp_path / "faceauth-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_bytes(b"Name: faceauth\nVersion: \xff\n")
    root = Path(__file__).parents[1]
    code = "import faceauth; print(faceauth.__version__, {entry.version for entry in faceauth.list_backends()})"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(root)))}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert ran.stdout.startswith(faceauth.__version__), ran.stderr
