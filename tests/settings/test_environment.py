"""Which variables set something, what their text becomes, and which are refused or left alone."""

import subprocess
import sys

import pytest

from faceauth.config import PipelineConfig, load_config
from faceauth.errors import UsageError


def set_by(**settings: str) -> dict[str, object]:
    config = load_config(environ={f"FACEAUTH_{name.upper()}": text for name, text in settings.items()})
    return config.model_dump(exclude_unset=True)


def test_two_underscores_reach_into_a_table() -> None:
    assert set_by(gate__min_face_px="80", limits__max_bytes="1000") == {
        "gate": {"min_face_px": 80},
        "limits": {"max_bytes": 1000},
    }


def test_a_table_may_be_one_variable_and_finer_ones_go_before_it() -> None:
    assert set_by(gate='{"min_face_px": 80, "max_yaw_deg": 9}', gate__max_yaw_deg="8") == {
        "gate": {"min_face_px": 80, "max_yaw_deg": 8.0}
    }


@pytest.mark.parametrize(
    ("setting", "text", "value"),
    [
        ("require_match", "true", True),
        ("require_match", "1", True),
        ("require_liveness", "off", False),
        ("threshold", "0.7", 0.7),
        ("threshold", "1", 1.0),
        ("threshold", "strict", "strict"),
        ("match_threshold", "-0.25", -0.25),
        ("stage_timeout_s", "4", 4.0),
        ("liveness", "minifasnet", ("minifasnet",)),
        ("liveness", '["minifasnet"]', ("minifasnet",)),
        ("liveness", "2", ("2",)),
        ("detector", "2", "2"),
        ("allowed_plugins", "[]", ()),
        ("allowed_plugins", '["a", "b"]', ("a", "b")),
    ],
)
def test_a_text_becomes_what_its_setting_is(setting: str, text: str, value: object) -> None:
    assert set_by(**{setting: text}) == {setting: value}


def test_an_option_is_json_where_it_is_json() -> None:
    found = set_by(options__spoofnet__threads="2", options__spoofnet__provider="cpu", options__yunet='{"id": "2"}')
    assert found == {"options": {"spoofnet": {"threads": 2, "provider": "cpu"}, "yunet": {"id": "2"}}}


@pytest.mark.parametrize(
    ("setting", "text", "said"),
    [
        ("threshold", "false", "the environment: threshold is 'false'; expected"),
        ("match_threshold", "true", "the environment: match_threshold is 'true'; expected"),
        ("threshold", "NaN", "the environment: threshold is nan; expected"),
        ("threshold", "[" * 9999, "the environment: threshold is '"),
        ("gate__min_face_px", "true", "the environment: gate.min_face_px is 'true'; input should be a valid integer"),
        ("gate", '{"min_face_px": "80"}', "gate.min_face_px is '80'; input should be a valid integer"),
        ("gate", "strict", "the environment: gate is 'strict'"),
        ("gate__min_face", "80", "There is no setting 'gate.min_face'; did you mean min_face_px"),
        ("require_match", "maybe", "the environment: require_match is 'maybe'; input should be a valid boolean"),
        ("liveness__threads", "2", "the environment: liveness is a table of 1; expected a name or a list of names"),
        ("allowed_plugins", "", "The variable FACEAUTH_ALLOWED_PLUGINS is empty: unset it, or give it a value"),
    ],
)
def test_a_text_that_does_not_fit_is_refused(setting: str, text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        set_by(**{setting: text})
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("FACEAUTH_LIVNESS", "FACEAUTH_LIVENESS"),
        ("FACEAUTH_LIVE_THRESHOLD", "FACEAUTH_THRESHOLD"),
        ("FACEAUTH_POLICY__REQUIRE_MATCH", "FACEAUTH_REQUIRE_MATCH"),
        ("FACEAUTH_MIN_FACE_PX", "FACEAUTH_GATE__MIN_FACE_PX"),
        ("FACEAUTH_GATE_MIN_FACE_PX", "FACEAUTH_GATE__MIN_FACE_PX"),
        ("FACEAUTH_MAX_BYTES", "FACEAUTH_LIMITS__MAX_BYTES"),
        ("FACEAUTH_LIVENESS_OPTIONS", "FACEAUTH_LIVENESS"),
        ("FACEAUTH_WEIGHT", "FACEAUTH_WEIGHTS"),
        ("FACEAUTH_DISABLE_PLUGINS_AUTOLOAD", "FACEAUTH_DISABLE_PLUGIN_AUTOLOAD"),
    ],
)
def test_a_variable_near_one_that_sets_something_is_refused(variable: str, meant: str) -> None:
    with pytest.raises(UsageError, match=rf"{variable} sets nothing; did you mean {meant}\?"):
        load_config(environ={variable: "1"})


def test_a_table_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError, match="sets nothing: the tables are FACEAUTH_OPTIONS__, FACEAUTH_GATE__, "):
        load_config(environ={"FACEAUTH_XYZ__ABC": "1"})


def test_variables_of_others_are_left_alone() -> None:
    environ = {
        "FACEAUTH_DISABLE_PLUGIN_AUTOLOAD": "1",
        "FACEAUTH_MODEL_WHEEL": "a.whl",
        "FACEAUTH_MESH_WHEEL": "a.whl",
        "FACEAUTH_SHARED": "/shared",
        "FACEAUTH_MINIFASNET_WEIGHTS": "/models",
        "FACEAUTH_MY_PLUGIN_FOLDER": "/models",
        "LIVENESS": "x",
    }
    assert load_config(environ=environ) == PipelineConfig()


@pytest.mark.parametrize(
    "service", ["FACEAUTH", "FACEAUTH_API", "FACEAUTH_LIVENESS", "FACEAUTH_GATE", "FACEAUTH_WEIGHTS"]
)
def test_variables_that_kubernetes_makes_of_services_are_no_settings(service: str) -> None:
    links = {
        f"{service}_SERVICE_HOST": "10.0.0.1",
        f"{service}_SERVICE_PORT": "80",
        f"{service}_SERVICE_PORT_HTTP": "80",
        f"{service}_PORT": "tcp://10.0.0.1:80",
        f"{service}_PORT_8000_TCP": "tcp://10.0.0.1:8000",
        f"{service}_PORT_8000_TCP_PROTO": "tcp",
        f"{service}_PORT_8000_TCP_PORT": "8000",
        f"{service}_PORT_8000_TCP_ADDR": "10.0.0.1",
    }
    assert load_config(environ=links) == PipelineConfig()


def test_an_option_named_port_is_an_option() -> None:
    assert set_by(options__spoofnet__port="80") == {"options": {"spoofnet": {"port": 80}}}


def test_import_faceauth_leaves_pydantic_settings_to_those_who_load_a_configuration() -> None:
    code = "import sys, faceauth; print('pydantic_settings' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
