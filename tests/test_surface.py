"""What `faceauth` exports: a name appears or disappears only together with this list."""

import enum
import inspect

import faceauth

PUBLIC = [
    "API_VERSION",
    "Aligner",
    "BackendBroken",
    "BackendConflict",
    "BackendError",
    "BackendNotAllowed",
    "BackendNotFound",
    "UsageError",
    "Crop",
    "CropSpec",
    "Detector",
    "Embedder",
    "Face",
    "FaceAuthError",
    "GatePolicy",
    "ImageError",
    "ImageLimits",
    "ImageSource",
    "ImageTooLarge",
    "ImageUnreadable",
    "LivenessBackend",
    "LivenessResult",
    "MatchResult",
    "MeasuredRate",
    "OperatingPoint",
    "OperatingPoints",
    "Pipeline",
    "PipelineConfig",
    "Policy",
    "Provenance",
    "ProviderUnavailable",
    "Reason",
    "ScoreError",
    "StageTimeout",
    "Template",
    "TemplateMismatch",
    "Thresholds",
    "Verdict",
    "Verification",
    "WeightsError",
    "WeightsMismatch",
    "WeightsMissing",
    "load_config",
    "load_image",
]

WITHOUT_DOCSTRING = {"API_VERSION", "ImageSource"}
"""A number and a type alias cannot carry one at run time; both have one in the source."""


def test_all_is_the_checked_in_list() -> None:
    assert sorted(faceauth.__all__) == sorted(PUBLIC)


def test_every_exported_name_exists_and_every_public_name_is_exported() -> None:
    submodules = {name for name, value in vars(faceauth).items() if inspect.ismodule(value)}
    public = {name for name in vars(faceauth) if not name.startswith("_")} - submodules
    assert public == set(faceauth.__all__)


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
    assert ours <= set(faceauth.__all__)
    for name in ours:
        assert issubclass(classes[name], faceauth.FaceAuthError)
        assert name in (errors.__doc__ or "")
