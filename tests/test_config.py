"""Layers of settings: which one wins, and what a mistake in one says."""

import os
from pathlib import Path

import pytest

from faceauth.config import PipelineConfig, load_config
from faceauth.errors import UsageError
from faceauth.gate import GatePolicy
from faceauth.policy import Policy


@pytest.fixture
def write(tmp_path: Path):  # type: ignore[no-untyped-def]
    def write(text: str) -> Path:
        path = tmp_path / "faceauth.toml"
        path.write_text(text)
        return path

    return write


class TestPrecedence:
    def test_without_any_layer_the_defaults_hold(self) -> None:
        assert load_config(environ={}) == PipelineConfig()

    def test_defaults_need_no_download_and_require_liveness(self) -> None:
        config = PipelineConfig()
        assert (config.detector, config.liveness, config.embedder) == ("yunet", "spoofnet", "sface")
        assert config.policy.require_liveness and config.policy.operating_point == "balanced"

    def test_file_beats_defaults(self, write) -> None:  # type: ignore[no-untyped-def]
        assert load_config(write('liveness = "minifasnet"'), environ={}).liveness == "minifasnet"

    def test_environment_beats_file(self, write) -> None:  # type: ignore[no-untyped-def]
        path = write('liveness = "minifasnet"\nembedder = "arcface"')
        config = load_config(path, environ={"FACEAUTH_LIVENESS": "other"})
        assert (config.liveness, config.embedder) == ("other", "arcface")

    def test_arguments_beat_environment(self) -> None:
        config = load_config(arguments={"liveness": "mine"}, environ={"FACEAUTH_LIVENESS": "other"})
        assert config.liveness == "mine"

    def test_an_argument_of_none_is_not_given(self) -> None:
        arguments = {"liveness": None, "policy": {"live_threshold": None}}
        assert load_config(arguments=arguments, environ={"FACEAUTH_LIVENESS": "other"}).liveness == "other"

    def test_layers_merge_key_by_key_inside_a_table(self, write) -> None:  # type: ignore[no-untyped-def]
        path = write('[policy]\nfaces = "largest"\nstage_timeout_s = 3\n[liveness_options]\nthreads = 2')
        config = load_config(
            path,
            environ={"FACEAUTH_POLICY__STAGE_TIMEOUT_S": "4", "FACEAUTH_LIVENESS_OPTIONS__PROVIDER": "cpu"},
            arguments={"policy": {"require_match": True}},
        )
        assert (config.policy.faces, config.policy.stage_timeout_s, config.policy.require_match) == ("largest", 4, True)
        assert config.liveness_options == {"threads": 2, "provider": "cpu"}

    def test_a_threshold_of_null_leaves_the_operating_point_below(self, write) -> None:  # type: ignore[no-untyped-def]
        path = write('[policy]\noperating_point = "strict"')
        policy = load_config(path, environ={"FACEAUTH_POLICY__LIVE_THRESHOLD": "null"}).policy
        assert policy.operating_point == "strict"

    def test_a_threshold_of_a_higher_layer_replaces_the_operating_point_below(self, write) -> None:  # type: ignore[no-untyped-def]
        path = write('[policy]\noperating_point = "strict"\nfaces = "largest"')
        policy = load_config(path, environ={}, arguments={"policy": {"live_threshold": 0.7}}).policy
        assert (policy.live_threshold, policy.operating_point, policy.faces) == (0.7, None, "largest")

    def test_an_operating_point_of_a_higher_layer_replaces_the_threshold_below(self, write) -> None:  # type: ignore[no-untyped-def]
        path = write("[policy]\nlive_threshold = 0.7")
        policy = load_config(path, environ={"FACEAUTH_POLICY__OPERATING_POINT": "strict"}).policy
        assert (policy.live_threshold, policy.operating_point) == (None, "strict")

    def test_the_process_environment_is_read_by_default(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(os.environ, "FACEAUTH_DETECTOR", "scrfd")
        assert load_config().detector == "scrfd"
        assert PipelineConfig().detector == "yunet"


class TestEnvironment:
    def test_two_underscores_reach_into_a_table(self) -> None:
        environ = {"FACEAUTH_POLICY__REQUIRE_MATCH": "true", "FACEAUTH_LIMITS__MAX_BYTES": "1000"}
        config = load_config(environ=environ)
        assert config.policy.require_match is True and config.limits.max_bytes == 1000

    def test_lists_and_options_are_json(self) -> None:
        environ = {"FACEAUTH_ALLOWED_PLUGINS": '["faceauth-minifasnet"]', "FACEAUTH_LIVENESS_OPTIONS": '{"threads": 2}'}
        config = load_config(environ=environ)
        assert config.allowed_plugins == ("faceauth-minifasnet",) and config.liveness_options == {"threads": 2}

    def test_a_backend_name_that_looks_like_a_number_stays_a_name(self) -> None:
        assert load_config(environ={"FACEAUTH_LIVENESS": "2"}).liveness == "2"

    def test_variables_of_others_are_left_alone(self) -> None:
        environ = {
            "FACEAUTH_WEIGHTS": "/weights",
            "FACEAUTH_DISABLE_PLUGIN_AUTOLOAD": "1",
            "FACEAUTH_SHARED": "/shared",
            "FACEAUTH_MY_PLUGIN_FOLDER": "/models",
            "LIVENESS": "x",
        }
        assert load_config(environ=environ) == PipelineConfig()

    def test_a_misspelt_variable_is_refused_with_its_near_match(self) -> None:
        with pytest.raises(UsageError, match=r"FACEAUTH_LIVNESS sets nothing; did you mean FACEAUTH_LIVENESS\?"):
            load_config(environ={"FACEAUTH_LIVNESS": "mine"})

    @pytest.mark.parametrize(
        ("variable", "meant"),
        [
            ("FACEAUTH_REQUIRE_MATCH", "FACEAUTH_POLICY__REQUIRE_MATCH"),
            ("FACEAUTH_OPERATING_POINT", "FACEAUTH_POLICY__OPERATING_POINT"),
            ("FACEAUTH_THRESHOLD", "FACEAUTH_POLICY__LIVE_THRESHOLD"),
            ("FACEAUTH_GATE__MIN_FACE_PX", "FACEAUTH_POLICY__GATE"),
            ("FACEAUTH_MAX_BYTES", "FACEAUTH_LIMITS__MAX_BYTES"),
            ("FACEAUTH_WEIGHT", "FACEAUTH_WEIGHTS"),
            ("FACEAUTH_DISABLE_PLUGINS_AUTOLOAD", "FACEAUTH_DISABLE_PLUGIN_AUTOLOAD"),
        ],
    )
    def test_a_variable_without_its_table_or_near_one_that_is_read_elsewhere_is_refused(
        self, variable: str, meant: str
    ) -> None:
        with pytest.raises(UsageError, match=rf"{variable} sets nothing; did you mean {meant}\?"):
            load_config(environ={variable: "1"})

    def test_a_variable_of_a_table_with_one_underscore_is_refused(self) -> None:
        with pytest.raises(UsageError, match=r"sets nothing; did you mean FACEAUTH_POLICY__REQUIRE_MATCH\?"):
            load_config(environ={"FACEAUTH_POLICY_REQUIRE_MATCH": "true"})

    def test_a_misspelt_variable_of_a_table_is_refused_with_its_near_match(self) -> None:
        with pytest.raises(UsageError, match=r"the environment: .*'policy.operating_pont'; did you mean oper"):
            load_config(environ={"FACEAUTH_POLICY__OPERATING_PONT": "strict"})

    def test_a_table_cannot_be_a_plain_value(self) -> None:
        with pytest.raises(UsageError, match="policy is 'strict'"):
            load_config(environ={"FACEAUTH_POLICY": "strict"})

    def test_a_name_and_a_table_of_one_key_contradict(self) -> None:
        with pytest.raises(UsageError, match="liveness"):
            load_config(environ={"FACEAUTH_LIVENESS": "mine", "FACEAUTH_LIVENESS__THREADS": "2"})


class TestErrors:
    def test_an_unknown_key_names_itself_its_file_and_near_matches(self, write) -> None:  # type: ignore[no-untyped-def]
        path = write('livenes = "spoofnet"')
        with pytest.raises(UsageError) as refused:
            load_config(path, environ={})
        assert str(refused.value).startswith(f"{path}: There is no setting 'livenes'; did you mean liveness")

    def test_an_unknown_key_far_from_all_lists_them(self, write) -> None:  # type: ignore[no-untyped-def]
        with pytest.raises(UsageError, match=r"no setting 'policy.xyz'; known: require_liveness, require_match"):
            load_config(write("[policy]\nxyz = 1"), environ={})

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("[policy]\nlive_threshold = 1.5", "policy.live_threshold is 1.5; input should be less than or equal to 1"),
            ("[policy]\nlive_threshold = nan", "policy.live_threshold is nan; "),
            ('[policy]\noperating_point = "safe"', "policy.operating_point is 'safe'; input should be 'convenience'"),
            (
                '[policy]\nrequire_liveness = "maybe"',
                "policy.require_liveness is 'maybe'; input should be a valid bool",
            ),
            ('[policy]\nfaces = "all"', "policy.faces is 'all'; input should be 'exactly_one' or 'largest'"),
            ("[policy]\nstage_timeout_s = 0", "policy.stage_timeout_s is 0; input should be greater than 0"),
            ("[limits]\nmax_pixels = -1", "limits.max_pixels is -1; input should be greater than or equal to 1"),
            ("liveness = 3", "liveness is 3; input should be a valid string"),
            ('[policy]\noperating_point = "strict"\nlive_threshold = 0.5', "set exactly one of operating_point and"),
        ],
    )
    def test_a_value_that_does_not_fit_names_key_value_and_what_is_expected(self, write, text, said) -> None:  # type: ignore[no-untyped-def]
        with pytest.raises(UsageError) as refused:
            load_config(write(text), environ={})
        assert said in str(refused.value)
        assert "\n" not in str(refused.value) and "pydantic" not in str(refused.value)

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"none\.toml cannot be read: No such file"):
            load_config(tmp_path / "none.toml", environ={})

    @pytest.mark.parametrize("content", [b"liveness = ", b"\xff\xfe", b"a = 1\na = 2"])
    def test_a_file_that_is_no_toml_says_so(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "broken.toml"
        path.write_bytes(content)
        with pytest.raises(UsageError, match="is no TOML file"):
            load_config(path, environ={})

    def test_a_policy_that_is_no_table_says_so(self, write) -> None:  # type: ignore[no-untyped-def]
        with pytest.raises(UsageError, match="policy is 3; "):
            load_config(write("policy = 3"), environ={"FACEAUTH_POLICY__FACES": "largest"})


def test_a_configuration_survives_json() -> None:
    config = load_config(environ={"FACEAUTH_POLICY__LIVE_THRESHOLD": "0.7", "FACEAUTH_ALLOWED_PLUGINS": "[]"})
    assert PipelineConfig.model_validate_json(config.model_dump_json()) == config


def test_a_model_among_the_arguments_is_refused_instead_of_hiding_the_file(write) -> None:  # type: ignore[no-untyped-def]
    path = write("[policy]\nrequire_match = true")
    with pytest.raises(UsageError, match="policy is a Policy: load_config merges mappings"):
        load_config(path, arguments={"policy": Policy(faces="largest")}, environ={})
    with pytest.raises(UsageError, match="gate is a GatePolicy"):
        load_config(arguments={"policy": {"gate": GatePolicy()}}, environ={})
