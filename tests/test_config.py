"""Layers of settings: which one wins, what a mistake in one says, and what a file forbids the environment."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faceauth.config import PipelineConfig, load_config, with_settings
from faceauth.errors import UsageError
from faceauth.gate import GatePolicy
from faceauth.imaging.limits import ImageLimits

Write = Callable[[str], Path]

BOTH = {"liveness": ["spoofnet", "minifasnet"], "combine": "mean"}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "faceauth.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def with_defaults(settings: dict[str, Any]) -> PipelineConfig:
    return with_settings(PipelineConfig(), settings)


def variables(**settings: str) -> dict[str, str]:
    return {f"FACEAUTH_{name.upper()}": text for name, text in settings.items()}


class TestPrecedence:
    def test_without_any_layer_the_defaults_hold(self) -> None:
        assert load_config(environ={}) == PipelineConfig()

    def test_defaults_need_no_download_and_require_liveness(self) -> None:
        config = PipelineConfig()
        assert (config.detector, config.liveness, config.embedder) == ("yunet", ("spoofnet",), "sface")
        assert config.require_liveness and config.threshold == "balanced" and config.faces == "exactly_one"

    def test_file_beats_defaults(self, write: Write) -> None:
        assert load_config(write('liveness = "minifasnet"'), environ={}).liveness == ("minifasnet",)

    def test_environment_beats_what_the_file_leaves_open(self, write: Write) -> None:
        config = load_config(write('embedder = "arcface"\nstage_timeout_s = 5'), environ=variables(stage_timeout_s="6"))
        assert (config.embedder, config.stage_timeout_s) == ("arcface", 6.0)

    def test_arguments_beat_environment_and_file(self, write: Write) -> None:
        path = write('liveness = "minifasnet"\nrequire_match = true')
        config = load_config(path, arguments={"liveness": "mine", "require_match": False}, environ={})
        assert (config.liveness, config.require_match) == (("mine",), False)
        assert load_config(arguments={"liveness": "mine"}, environ=variables(liveness="other")).liveness == ("mine",)

    def test_an_argument_of_none_is_not_given(self) -> None:
        arguments = {"liveness": None, "gate": {"min_face_px": None}}
        assert load_config(arguments=arguments, environ=variables(liveness="other")).liveness == ("other",)

    def test_layers_merge_key_by_key_inside_a_table(self, write: Write) -> None:
        path = write("[gate]\nmin_face_px = 80\n[limits]\nmin_side_px = 40")
        config = load_config(
            path,
            environ=variables(gate__max_yaw_deg="20", options__spoofnet__provider="cpu"),
            arguments={"gate": {"max_roll_deg": 10}, "options": {"spoofnet": {"threads": 2}}},
        )
        assert config.gate == GatePolicy(min_face_px=80, max_yaw_deg=20, max_roll_deg=10)
        assert config.limits == ImageLimits(min_side_px=40)
        assert config.options == {"spoofnet": {"threads": 2, "provider": "cpu"}}

    def test_a_threshold_of_a_higher_layer_replaces_that_below(self, write: Write) -> None:
        path = write('threshold = "strict"\nmatch_threshold = 0.4')
        config = load_config(path, environ={}, arguments={"threshold": 0.7, "match_threshold": "convenience"})
        assert (config.threshold, config.match_threshold) == (0.7, "convenience")

    def test_the_process_environment_is_read_by_default_and_never_by_the_configuration_itself(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(os.environ, "FACEAUTH_DETECTOR", "scrfd")
        assert load_config().detector == "scrfd"
        assert PipelineConfig().detector == "yunet"

    def test_options_of_a_backend_that_a_later_layer_swaps_are_dropped(self, write: Write) -> None:
        path = write("[options.spoofnet]\nthreads = 2\n[options.yunet]\nthreads = 3")
        config = load_config(path, environ={}, arguments={"liveness": "minifasnet"})
        assert config.options == {"yunet": {"threads": 3}}

    def test_options_beside_the_swap_for_the_backend_that_goes_are_an_error(self) -> None:
        arguments = {"liveness": "minifasnet", "options": {"spoofnet": {"threads": 2}}}
        with pytest.raises(UsageError, match="options are for 'spoofnet', which is none of the chosen backends"):
            load_config(environ={}, arguments=arguments)


class TestTypes:
    def test_a_single_name_is_a_list_of_one(self) -> None:
        config = with_defaults({"liveness": "mine", "allowed_plugins": "faceauth-mine"})
        assert (config.liveness, config.allowed_plugins) == (("mine",), ("faceauth-mine",))

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"threshold": False}, "threshold is False; expected convenience, balanced, strict or a number above 0"),
            ({"threshold": True}, "threshold is True; expected"),
            ({"threshold": "0.5"}, "threshold is '0.5'; expected"),
            ({"threshold": 0.0}, "threshold is 0.0; expected"),
            ({"threshold": 1.5}, "threshold is 1.5; expected"),
            ({"threshold": 10**400}, "threshold is 1000"),
            ({"threshold": float("nan")}, "threshold is nan; expected"),
            ({"threshold": "safe"}, "threshold is 'safe'; expected convenience, balanced, strict"),
            ({"threshold": None}, "threshold is None; expected"),
            ({"match_threshold": False}, "match_threshold is False; expected"),
            (
                {"match_threshold": -1.1},
                "match_threshold is -1.1; expected convenience, balanced, strict or a number from",
            ),
            ({"match_threshold": float("nan")}, "match_threshold is nan; expected"),
            ({"require_liveness": "false"}, "require_liveness is 'false'; input should be a valid boolean"),
            ({"require_liveness": 0}, "require_liveness is 0; input should be a valid boolean"),
            ({"require_match": 1}, "require_match is 1; input should be a valid boolean"),
            ({"faces": "all"}, "faces is 'all'; input should be 'exactly_one' or 'largest'"),
            ({"stage_timeout_s": 0}, "stage_timeout_s is 0; input should be greater than 0"),
            ({"stage_timeout_s": 3601}, "stage_timeout_s is 3601; input should be less than or equal to 3600"),
            ({"stage_timeout_s": True}, "stage_timeout_s is True; input should be a valid number"),
            ({"stage_timeout_s": "3"}, "stage_timeout_s is '3'; input should be a valid number"),
            ({"gate": {"min_face_px": True}}, "gate.min_face_px is True; input should be a valid integer"),
            ({"gate": {"max_yaw_deg": "9"}}, "gate.max_yaw_deg is '9'; input should be a valid number"),
            ({"limits": {"max_pixels": True}}, "limits.max_pixels is True; input should be a valid integer"),
            ({"limits": {"max_pixels": -1}}, "limits.max_pixels is -1; input should be greater than or equal to 1"),
            ({"gate": 3}, "gate is 3; "),
            ({"detector": 3}, "detector is 3; input should be a valid string"),
            ({"detector": ""}, "detector is ''; "),
            ({"liveness": 3}, "liveness is 3; expected a name or a list of names"),
            ({"liveness": []}, "liveness is empty; expected at least one name"),
            ({"liveness": ["a", ""]}, "liveness is a list of 2; expected a name or a list of names"),
            ({"liveness": ["a", "a"], "combine": "all"}, "liveness names 'a' twice"),
            ({"options": {"spoofnet": 3}}, "options.spoofnet is 3; input should be a valid dictionary"),
        ],
    )
    def test_a_value_that_does_not_fit_names_key_value_and_what_is_expected(
        self, settings: dict[str, Any], said: str
    ) -> None:
        with pytest.raises(UsageError) as refused:
            with_defaults(settings)
        assert said in str(refused.value)
        assert "\n" not in str(refused.value) and "pydantic" not in str(refused.value)

    @pytest.mark.parametrize("threshold", ["convenience", "balanced", "strict", 0.001, 1, 1.0])
    def test_a_threshold_is_a_name_or_a_number(self, threshold: str | float) -> None:
        assert with_defaults({"threshold": threshold}).threshold == threshold

    @pytest.mark.parametrize("threshold", ["strict", -1, 0, 1.0])
    def test_a_match_threshold_is_a_name_or_a_cosine(self, threshold: str | float) -> None:
        assert with_defaults({"match_threshold": threshold}).match_threshold == threshold

    def test_false_in_a_file_is_no_threshold(self, write: Write) -> None:
        with pytest.raises(UsageError, match="threshold is False"):
            load_config(write("threshold = false"), environ={})

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            *((key, "QUJD" * 1000) for key in ("threshold", "gate", "faces", "options", "require_match")),
            *((key, [0.123456] * 512) for key in ("threshold", "detector", "liveness", "points", "gate", "options")),
            *((key, {"values": [0.123456] * 512}) for key in ("threshold", "detector", "points", "gate", "options")),
            ("QUJD" * 1000, 1),
        ],
    )
    def test_an_error_shows_little_of_a_value_and_nothing_of_a_vector(self, key: str, value: object) -> None:
        with pytest.raises(UsageError) as refused:
            with_defaults({key: value})
        assert len(str(refused.value)) < 400 and "0.123456" not in str(refused.value)

    def test_a_configuration_survives_json(self) -> None:
        given = {**BOTH, "threshold": 0.7, "combine_weights": [2, 1], "points": "p.json", "allowed_plugins": []}
        config = with_defaults({**given, "options": {"spoofnet": {"threads": 2}}, "gate": {"min_face_px": 80}})
        assert PipelineConfig.model_validate_json(config.model_dump_json()) == config

    def test_a_configuration_cannot_be_changed(self) -> None:
        with pytest.raises(ValueError, match="frozen"):
            PipelineConfig().threshold = 0.1  # type: ignore[misc]

    def test_what_was_built_past_the_checks_is_checked_again(self) -> None:
        with pytest.raises(UsageError, match="threshold is 7"):
            with_settings(PipelineConfig().model_copy(update={"threshold": 7}), {})


class TestReplacedSettings:
    def test_single_settings_are_replaced_and_tables_whole(self) -> None:
        config = with_defaults({"require_match": True, "gate": GatePolicy(min_face_px=80)})
        changed = with_settings(config, {"gate": GatePolicy(max_yaw_deg=9), "threshold": "strict"})
        assert changed == with_defaults(
            {"require_match": True, "gate": GatePolicy(max_yaw_deg=9), "threshold": "strict"}
        )

    def test_a_number_does_not_outlive_the_backend_it_was_chosen_for(self) -> None:
        with pytest.raises(UsageError, match=r"threshold = 0\.12 was chosen for liveness = spoofnet"):
            with_settings(with_defaults({"threshold": 0.12}), {"liveness": "minifasnet"})

    def test_options_of_a_backend_that_is_swapped_are_dropped(self) -> None:
        config = with_defaults({"options": {"spoofnet": {"threads": 2}, "yunet": {"threads": 3}}})
        assert with_settings(config, {"liveness": "mine"}).options == {"yunet": {"threads": 3}}


class TestTogether:
    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"liveness": ["a", "b"]}, "liveness names 2 backends, so combine has to say how they decide"),
            ({"combine": "mean"}, "combine is 'mean', but liveness names a single backend"),
            ({**BOTH, "combine": "all", "combine_weights": [1, 1]}, 'combine_weights belongs to combine = "mean"'),
            ({"combine_weights": [1]}, 'combine_weights belongs to combine = "mean"'),
            ({**BOTH, "combine_weights": [1]}, "combine_weights holds 1 numbers, expected one for each of the 2"),
            ({**BOTH, "combine_weights": [1, 0]}, "combine_weights.1 is 0; input should be greater than 0"),
            ({**BOTH, "combine_weights": [1, float("inf")]}, "combine_weights.1 is inf; "),
            ({**BOTH, "combine_weights": [1, True]}, "combine_weights.1 is True; "),
            ({**BOTH, "combine": "all", "threshold": 0.5}, "each backend has a threshold of its own"),
            ({"options": {"spofnet": {}}}, "options are for 'spofnet', which is none of the chosen backends: yunet,"),
        ],
    )
    def test_settings_that_contradict_each_other_are_refused(self, settings: dict[str, Any], said: str) -> None:
        with pytest.raises(UsageError) as refused:
            with_defaults(settings)
        assert said in str(refused.value)

    @pytest.mark.parametrize("combine", ["mean", "all", "deny_only"])
    def test_several_backends_have_a_rule_and_options_of_their_own(self, combine: str) -> None:
        options = {name: {"threads": 2} for name in ("yunet", "spoofnet", "minifasnet", "sface")}
        config = with_defaults({**BOTH, "combine": combine, "options": options})
        assert config.combine == combine and config.options == options

    def test_layers_are_compared_together_only(self, write: Write) -> None:
        path = write('liveness = ["spoofnet", "minifasnet"]\ncombine = "mean"')
        config = load_config(path, environ={}, arguments={"combine_weights": [1, 2]})
        assert config.combine_weights == (1.0, 2.0)


class TestThresholdOfAnotherBackend:
    def test_a_number_does_not_outlive_the_backend_it_was_chosen_for(self, write: Write) -> None:
        path = write("threshold = 0.12")
        with pytest.raises(UsageError) as refused:
            load_config(path, environ={}, arguments={"liveness": "minifasnet"})
        assert str(refused.value) == (
            "threshold = 0.12 was chosen for liveness = spoofnet, but the arguments set liveness = minifasnet: set a "
            "threshold there too."
        )

    def test_a_match_number_does_not_outlive_its_embedder(self) -> None:
        with pytest.raises(UsageError, match=r"match_threshold = 0\.37 was chosen for embedder = sface"):
            load_config(environ=variables(match_threshold="0.37"), arguments={"embedder": "arcface"})

    @pytest.mark.parametrize("rule", [{"combine": "deny_only"}, {"combine_weights": [1, 3]}])
    def test_a_number_does_not_outlive_the_rule_it_was_chosen_for(self, write: Write, rule: dict[str, Any]) -> None:
        path = write('liveness = ["a", "b"]\ncombine = "mean"\nthreshold = 0.5')
        with pytest.raises(UsageError, match=r"threshold = 0\.5 was chosen for combine"):
            load_config(path, environ={}, arguments=rule)

    def test_a_threshold_beside_the_swap_a_name_or_the_same_backend_are_fine(self, write: Write) -> None:
        path = write('liveness = "spoofnet"\nthreshold = 0.12')
        swap = {"liveness": "minifasnet", "threshold": 0.4}
        assert load_config(path, environ={}, arguments=swap).threshold == 0.4
        assert load_config(path, environ={}, arguments={"liveness": "spoofnet"}).threshold == 0.12
        assert load_config(write('threshold = "strict"'), environ={}, arguments={"liveness": "b"}).threshold == "strict"


FORBIDDEN = [
    ("allowed_plugins = []", {"allowed_plugins": '["evil"]'}, "allowed_plugins"),
    ('allowed_plugins = ["a"]', {"allowed_plugins": "null"}, "allowed_plugins"),
    ('allowed_plugins = ["a"]', {"allowed_plugins": '["a", "b"]'}, "allowed_plugins"),
    ("require_match = true", {"require_match": "0"}, "require_match"),
    ("require_liveness = true", {"require_liveness": "false"}, "require_liveness"),
    ('faces = "exactly_one"', {"faces": "largest"}, "faces"),
    ("threshold = 0.5", {"threshold": "0.4"}, "threshold"),
    ("threshold = 0.5", {"threshold": "strict"}, "threshold"),
    ('threshold = "strict"', {"threshold": "balanced"}, "threshold"),
    ('threshold = "strict"', {"threshold": "0.99"}, "threshold"),
    ("match_threshold = 0.3", {"match_threshold": "-1"}, "match_threshold"),
    ('match_threshold = "balanced"', {"match_threshold": "convenience"}, "match_threshold"),
    ("[gate]\nmin_face_px = 80", {"gate__min_face_px": "79"}, "gate.min_face_px"),
    ("[gate]\nmax_yaw_deg = 30", {"gate__max_yaw_deg": "31"}, "gate.max_yaw_deg"),
    ("[limits]\nmax_pixels = 1000", {"limits__max_pixels": "1001"}, "limits.max_pixels"),
    ('points = "a.json"', {"points": "b.json"}, "points"),
    ('camera_profile = "a.json"', {"camera_profile": "b.json"}, "camera_profile"),
    ('weights = "a"', {"weights": "b"}, "weights"),
    ('weights = "a"', {"options__spoofnet__weights_folder": "b"}, "weights"),
    ('detector = "yunet"', {"detector": "scrfd"}, "detector"),
    ('embedder = "sface"', {"embedder": "arcface"}, "embedder"),
    ('liveness = "spoofnet"', {"liveness": "minifasnet"}, "liveness"),
    ('liveness = "spoofnet"', {"options__spoofnet__weights_folder": "b"}, "the backend spoofnet"),
    ("[options.spoofnet]\nthreads = 2", {"options__spoofnet__threads": "3"}, "the backend spoofnet"),
    ('liveness = ["a", "b"]\ncombine = "all"', {"combine": "deny_only"}, "combine"),
    ('liveness = ["a", "b"]\ncombine = "mean"', {"combine_weights": "[1, 9]"}, "combine"),
    # A threshold means what it says for these backends, points and weights only.
    ('threshold = "strict"', {"liveness": "minifasnet"}, "threshold"),
    ('threshold = "strict"', {"points": "b.json"}, "threshold"),
    ('threshold = "strict"', {"camera_profile": "b.json"}, "threshold"),
    ('threshold = "strict"', {"weights": "b"}, "threshold"),
    ('threshold = "strict"', {"options__spoofnet__weights_folder": "b"}, "the backend spoofnet"),
    ("match_threshold = 0.3", {"embedder": "arcface", "match_threshold": "0.4"}, "match_threshold"),
    ("match_threshold = 0.3", {"weights": "b"}, "match_threshold"),
]

STRICTER = [
    ('allowed_plugins = ["a", "b"]', {"allowed_plugins": '["a"]'}),
    ("require_match = false", {"require_match": "true"}),
    ('faces = "largest"', {"faces": "exactly_one"}),
    ("threshold = 0.5", {"threshold": "0.5"}),
    ("threshold = 0.5", {"threshold": "0.6"}),
    ('threshold = "balanced"', {"threshold": "strict"}),
    ("match_threshold = 0.3", {"match_threshold": "0.4"}),
    ("[gate]\nmin_face_px = 80", {"gate__min_face_px": "81"}),
    ("[gate]\nmax_yaw_deg = 30", {"gate__max_yaw_deg": "29"}),
    ("[limits]\nmax_pixels = 1000", {"limits__max_pixels": "999"}),
    ('liveness = "spoofnet"', {"liveness": "spoofnet"}),
    ('points = "a.json"', {"points": "a.json"}),
    ("require_match = true", {"options__spoofnet__threads": "2", "weights": "b", "points": "b.json"}),
]


class TestWhatTheFileForbids:
    @pytest.mark.parametrize(("text", "settings", "settled"), FORBIDDEN)
    def test_no_variable_loosens(self, write: Write, text: str, settings: dict[str, str], settled: str) -> None:
        path = write(text)
        with pytest.raises(UsageError) as refused:
            load_config(path, environ=variables(**settings))
        assert str(refused.value) == (
            f"The variable {sorted(variables(**settings))[0]} may not loosen what {path} sets with {settled}: unset "
            "the variable, or change the file."
        )

    @pytest.mark.parametrize(("text", "settings"), STRICTER)
    def test_a_variable_may_be_stricter_or_say_the_same(
        self, write: Write, text: str, settings: dict[str, str]
    ) -> None:
        path = write(text)
        assert load_config(path, environ=variables(**settings)) == load_config(
            path, environ={}, arguments=load_config(environ=variables(**settings)).model_dump(exclude_unset=True)
        )

    def test_a_table_as_one_variable_is_named(self, write: Write) -> None:
        with pytest.raises(UsageError, match=r"The variable FACEAUTH_GATE may not loosen"):
            load_config(write("[gate]\nmin_face_px = 80"), environ=variables(gate='{"min_face_px": 1}'))

    def test_arguments_may_loosen(self, write: Write) -> None:
        path = write('require_match = true\nthreshold = "strict"\nallowed_plugins = []')
        arguments = {"require_match": False, "threshold": 0.1, "allowed_plugins": ["mine"]}
        assert load_config(path, environ={}, arguments=arguments) == with_defaults(arguments)


class TestFile:
    def test_an_unknown_key_names_itself_its_file_and_near_matches(self, write: Write) -> None:
        path = write('livenes = "spoofnet"')
        with pytest.raises(UsageError) as refused:
            load_config(path, environ={})
        assert str(refused.value).startswith(f"{path}: There is no setting 'livenes'; did you mean liveness")

    def test_an_unknown_key_far_from_all_lists_them(self, write: Write) -> None:
        with pytest.raises(UsageError, match=r"no setting 'gate.xyz'; known: min_face_px, max_outside"):
            load_config(write("[gate]\nxyz = 1"), environ={})

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"none\.toml cannot be read: No such file"):
            load_config(tmp_path / "none.toml", environ={})

    @pytest.mark.parametrize("content", [b"liveness = ", b"\xff\xfe", b"a = 1\na = 2", b"a = " + b"[" * 9999])
    def test_a_file_that_is_no_toml_says_so(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "broken.toml"
        path.write_bytes(content)
        with pytest.raises(UsageError, match="is not a TOML file"):
            load_config(path, environ={})

    def test_a_byte_order_mark_is_no_part_of_the_first_key(self, tmp_path: Path) -> None:
        path = tmp_path / "notepad.toml"
        path.write_bytes(b'\xef\xbb\xbfdetector = "scrfd"\r\n')
        assert load_config(path, environ={}).detector == "scrfd"

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
    def test_a_fifo_a_device_and_a_folder_are_refused_at_once(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "fifo")
        for path in (tmp_path / "fifo", Path("/dev/zero"), tmp_path):
            with pytest.raises(UsageError, match="not a regular file"):
                load_config(path, environ={})

    @pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX")
    def test_root_refuses_what_others_may_write(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "faceauth.toml"
        path.write_text("")
        path.chmod(0o777)
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        with pytest.raises(UsageError, match="decides who gets in, but others than root may change"):
            load_config(path, environ={})
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        load_config(path, environ={})

    def test_a_table_that_is_a_plain_value_says_so(self, write: Write) -> None:
        with pytest.raises(UsageError, match="gate is 3; "):
            load_config(write("gate = 3"), environ=variables(gate__min_face_px="80"))


@pytest.mark.parametrize(("key", "model"), [("gate", GatePolicy()), ("limits", ImageLimits())])
def test_a_model_among_the_arguments_is_refused_instead_of_hiding_the_file(key: str, model: object) -> None:
    with pytest.raises(UsageError, match=f"{key} is a {type(model).__name__}: load_config merges mappings"):
        load_config(arguments={key: model}, environ={})
