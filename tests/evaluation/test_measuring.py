"""The report of an evaluation: hand-worked figures, what it leaves open, and what it never mixes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceauth.errors import ScoreError
from faceauth.evaluation.measuring import measure
from faceauth.evaluation.records import Record
from faceauth.evaluation.report import EvaluationReport, RobustnessPoint
from faceauth.evaluation.scoring import Scored, Threshold
from faceauth.metrics import error_rates

HALF = Threshold(0.5, "explicit")


def presentation(
    p_live: float | None, species: str = "none", domain: str = "a", *, context: float | None = 2.7, recording: str = ""
) -> Scored:
    """One scored presentation; ``species`` none is live, ``p_live`` None drew no response."""
    row = Record(Path("x.png"), int(species != "none"), species, domain, "test", recording=recording or None)
    return Scored(row, p_live, "no_face" if p_live is None else None, context)


def report(scored: list[Scored], *, threshold: Threshold = HALF, seed: int = 0) -> EvaluationReport:
    """Evaluated with the fewest draws."""
    return measure(scored, threshold, backend="fake", data="toy test", mode="network", draws=1000, seed=seed)


def two_domains() -> list[Scored]:
    """Domain a: AUC 1, one print of two let in, no live refused; domain b: AUC 0.75, one of two refused."""
    return [
        presentation(0.9), presentation(0.8), presentation(0.6, "print"), presentation(0.1, "print"),
        presentation(0.7, domain="b"), presentation(0.2, domain="b"),
        presentation(0.3, "replay", "b"), presentation(0.1, "replay", "b"),
    ]  # fmt: skip


def test_figures_by_hand() -> None:
    found = report(two_domains())
    overall = found.overall
    assert overall.macro_auc is not None and overall.macro_auc.value == pytest.approx((1 + 0.75) / 2)
    assert overall.macro_hter is not None and overall.macro_hter.value == pytest.approx((0.25 + 0.25) / 2)
    assert {name: (rate.errors, rate.n) for name, rate in overall.apcer.items()} == {"print": (1, 2), "replay": (0, 2)}
    assert overall.worst_species == "print"
    assert overall.apcer_pooled is not None and (overall.apcer_pooled.errors, overall.apcer_pooled.n) == (1, 4)
    assert overall.bpcer is not None and (overall.bpcer.errors, overall.bpcer.n) == (1, 4)
    assert overall.acer == pytest.approx((0.5 + 0.25) / 2), "of the worst species, not of the pool"
    assert found.worst_domain == "b"
    assert [domain.domain for domain in found.domains] == ["a", "b"]
    assert (found.threshold, found.threshold_origin) == (0.5, "explicit")


def test_reference_report_by_hand() -> None:
    found = report(two_domains()).reference
    assert found is not None
    assert found.accuracy == pytest.approx(6 / 8)
    assert found.confusion == {"live": {"live": 3, "spoof": 1}, "spoof": {"live": 1, "spoof": 3}}
    live = found.classes["live"]
    assert (live.precision, live.recall, live.f1, live.support) == (0.75, 0.75, 0.75, 4)
    assert live.mean_confidence == pytest.approx((0.9 + 0.8 + 0.7 + 0.2) / 4)
    assert found.classes["spoof"].mean_confidence == pytest.approx(1 - (0.6 + 0.1 + 0.3 + 0.1) / 4)


def test_reference_report_agrees_with_scikit_learn() -> None:
    sk = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    scored = [presentation(float(rng.random()), kind) for kind in rng.choice(["none", "print"], 200)]
    labels = [one.record.label for one in scored]
    predicted = [int((one.p_live or 0) < 0.5) for one in scored]
    expected = sk.classification_report(labels, predicted, target_names=["live", "spoof"], output_dict=True)
    found = report(scored).reference
    assert found is not None
    for name in ("live", "spoof"):
        mine = found.classes[name]
        for key, value in (("precision", mine.precision), ("recall", mine.recall), ("f1-score", mine.f1)):
            assert value == pytest.approx(expected[name][key])
    assert found.accuracy == pytest.approx(expected["accuracy"])


def test_nothing_classified_as_live_leaves_its_precision_open() -> None:
    found = report([presentation(0.1), presentation(0.2, "print")]).reference
    assert found is not None
    assert (found.classes["live"].precision, found.classes["live"].f1) == (None, 0.0)


def test_a_report_survives_json() -> None:
    found = report([*two_domains(), presentation(None), presentation(0.4, "mask", "only spoof", context=1.0)])
    assert EvaluationReport.model_validate_json(found.model_dump_json()) == found


def test_no_response_stands_beside_the_rates_never_in_them() -> None:
    silent = [presentation(None), presentation(None, "print"), presentation(None, "print", "b")]
    found, without = report([*two_domains(), *silent]), report(two_domains())
    assert found.overall == without.overall
    assert found.no_response.bpnrr is not None
    assert (found.no_response.bpnrr.errors, found.no_response.bpnrr.n) == (1, 5)
    assert {name: (rate.errors, rate.n) for name, rate in found.no_response.apnrr.items()} == {
        "print": (2, 4),
        "replay": (0, 2),
    }
    assert found.no_response.reasons == {"no_face": 3}


def test_a_domain_that_never_answers_is_not_a_perfect_one() -> None:
    found = report([*two_domains(), presentation(None, domain="silent"), presentation(None, "print", "silent")])
    assert [domain.domain for domain in found.domains] == ["a", "b"]


def test_a_domain_of_one_class_has_no_auc_and_counts_for_no_macro_figure() -> None:
    found = report([*two_domains(), presentation(0.9, domain="only live")])
    (single,) = (domain for domain in found.domains if domain.domain == "only live")
    assert (single.auc, single.hter, single.apcer, single.n_spoof) == (None, None, {}, 0)
    assert single.bpcer is not None and single.bpcer.n == 1
    assert found.overall.macro_auc == report(two_domains()).overall.macro_auc
    assert found.overall.n_domains == 3


def test_attacks_alone_leave_open_what_needs_live_people() -> None:
    found = report([presentation(0.9, "print"), presentation(0.1, "print")])
    assert (found.overall.bpcer, found.overall.acer, found.ranking, found.reference) == (None, None, None, None)
    assert (found.worst_domain, found.overall.macro_auc, found.no_response.bpnrr) == (None, None, None)
    assert found.overall.apcer["print"].value == 0.5


def test_tight_crops_and_whole_frames_stand_apart() -> None:
    near = [presentation(0.9, context=1.29), presentation(0.8, "print", context=0.8)]
    wide = [presentation(0.9, context=1.3), presentation(0.1, "print"), presentation(0.1, "print")]
    found = report([*near, *wide, presentation(0.9, context=None)])
    assert found.tight is not None and (found.tight.n_live, found.tight.n_spoof) == (1, 1)
    assert found.whole_frames is not None and (found.whole_frames.n_live, found.whole_frames.n_spoof) == (1, 2)
    assert report([presentation(0.9, context=None)]).tight is None


def test_several_domains_are_resampled_as_domains() -> None:
    overall = report(two_domains(), seed=7).overall
    assert overall.macro_auc is not None
    assert overall.macro_auc.interval == "domain bootstrap 95 %, 1000 draws, seed 7"
    assert (overall.macro_auc.low, overall.macro_auc.high) == (0.75, 1.0)
    assert overall.bpcer is not None and "domain bootstrap 95 %, 1000 draws, seed 7" in overall.bpcer.interval


def test_one_domain_is_resampled_by_its_recordings() -> None:
    scored = [presentation(p, kind, recording=f"{kind}{i % 3}") for i, p in enumerate([0.9, 0.4, 0.6, 0.7, 0.2, 0.8])
              for kind in ("none", "print")]  # fmt: skip
    found = report(scored)
    assert found.overall.bpcer is not None
    assert found.overall.bpcer.interval.startswith("recording bootstrap 95 %")
    assert found.overall.macro_auc is not None
    assert (found.overall.macro_auc.low, found.overall.macro_auc.interval) == (None, "none: one domain")
    assert found.domains[0].auc is not None and found.domains[0].auc.interval.startswith("recording bootstrap")


def test_a_presentation_of_no_named_recording_is_one_by_itself_and_parts_no_recording() -> None:
    frames = [presentation(0.9 if r else 0.1, recording=f"r{r}") for r in (0, 1, 2) for _ in range(20)]
    named, mixed = report(frames).overall.bpcer, report([*frames, presentation(0.9)]).overall.bpcer
    assert named is not None and mixed is not None
    assert mixed.interval.startswith("recording bootstrap 95 %")
    assert mixed.high == pytest.approx(named.high, abs=0.05), "20 frames of each recording are one piece of evidence"


def test_one_domain_without_recordings_falls_to_presentations_and_says_so() -> None:
    scored = [presentation(p, kind) for p in (0.9, 0.4, 0.6, 0.7) for kind in ("none", "print")]
    found = report(scored)
    assert found.overall.bpcer is not None and found.overall.bpcer.interval == "wilson 95 %"
    assert found.ranking is not None and found.ranking.eer.interval.startswith("presentation bootstrap")


def test_a_species_of_one_domain_among_several_is_resampled_by_its_recordings() -> None:
    prints = [
        presentation(p, "print", "p", recording=f"r{i % 3}") for i, p in enumerate([0.9, 0.4, 0.6, 0.7, 0.2, 0.8])
    ]
    others = [presentation(p, kind, domain) for p in (0.9, 0.1) for kind in ("none", "replay") for domain in "ab"]
    found = report([*prints, *others])
    assert found.overall.apcer["print"].interval.startswith("recording bootstrap 95 %")
    assert found.overall.apcer["print"] == next(d for d in found.domains if d.domain == "p").apcer["print"]
    assert found.overall.apcer["replay"].interval.startswith("domain bootstrap 95 %")


@pytest.mark.parametrize("seed", range(6))
def test_one_group_of_each_class_gives_no_interval_for_a_ranking_whatever_the_seed(seed: int) -> None:
    found = report([presentation(0.9), presentation(0.1, "print")], seed=seed)
    assert found.ranking is not None and (found.ranking.auc.value, found.ranking.auc.low) == (1.0, None)
    assert found.ranking.auc.interval == "none: too few presentations hold live and spoof"


def test_domains_of_one_class_each_give_no_interval_for_a_ranking() -> None:
    found = report([presentation(0.9, domain="l1"), presentation(0.8, domain="l2"), presentation(0.1, "print", "s")])
    assert found.ranking is not None
    assert (found.ranking.auc.value, found.ranking.auc.low) == (1.0, None)
    assert found.ranking.auc.interval == "none: too few domains hold live and spoof"


def test_ranking_figures_are_those_of_the_metrics() -> None:
    rng = np.random.default_rng(2)
    scored = [
        presentation(float(np.clip(rng.normal(0.6 - 0.2 * (kind != "none"), 0.2), 0, 1)), kind, domain)
        for kind in ("none", "print", "replay")
        for domain in "abc"
        for _ in range(20)
    ]
    p_live, labels = [one.p_live for one in scored], [one.record.label for one in scored]
    species = np.array([one.record.species for one in scored])
    found = report(scored).ranking
    assert found is not None
    assert found.auc.value == error_rates.auc(p_live, labels)
    assert found.eer.value == error_rates.eer(p_live, labels)
    for target, figure in ((0.1, found.bpcer10), (0.05, found.bpcer20), (0.01, found.bpcer100)):
        assert figure.value == error_rates.bpcer_at_apcer(p_live, labels, species, target).value
        assert figure.low is not None and figure.high is not None and figure.low <= figure.value <= figure.high


def test_the_threshold_decides_and_a_tie_is_accepted() -> None:
    scored = [presentation(0.5), presentation(0.5, "print")]
    at, above = report(scored).overall, report(scored, threshold=Threshold(0.51, "explicit")).overall
    assert at.bpcer is not None and above.bpcer is not None
    assert (at.bpcer.errors, at.apcer["print"].errors) == (0, 1)
    assert (above.bpcer.errors, above.apcer["print"].errors) == (1, 0)


def test_liveness_and_match_together_by_hand() -> None:
    scored = [
        replace(one, accepted=accepted)
        for one, accepted in zip(
            [*two_domains(), presentation(None), presentation(None, "print")],
            [True, False, True, False, True, None, False, False, False, False],
            strict=True,
        )
    ]
    found = report(scored, threshold=Threshold(0.5, "explicit", match=0.3)).full_system
    assert found is not None and found.frr is not None and found.match_threshold == 0.3
    assert (found.frr.errors, found.frr.n) == (2, 4), "no response is a refusal here, no reference is nothing"
    counts = {name: (rate.errors, rate.n) for name, rate in found.iapar.items()}
    assert counts == {"print": (1, 3), "replay": (0, 2)}
    assert found.riapar == pytest.approx(1 / 3 + 2 / 4), "IAPAR of the worst species + FRR"


def test_without_references_or_without_one_class_there_is_no_riapar() -> None:
    assert report(two_domains()).full_system is None
    live_only = [replace(presentation(0.9), accepted=True)]
    found = report([*live_only, presentation(0.1, "print")]).full_system
    assert found is not None and (found.iapar, found.riapar, found.match_threshold) == ({}, None, None)


def test_rates_under_worse_pictures_are_kept_as_given() -> None:
    rate = report(two_domains()).overall.bpcer
    assert rate is not None
    curves = {"blur": (RobustnessPoint(level=1, bpcer=rate, apcer_pooled=rate),)}
    found = measure(two_domains(), HALF, backend="fake", data="toy", mode="network", robustness=curves, draws=1000)
    assert found.robustness == curves
    assert EvaluationReport.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize("scored", [[], [presentation(None)]])
def test_without_a_response_there_is_no_report(scored: list[Scored]) -> None:
    with pytest.raises(ValueError, match="drew a response"):
        report(scored)


def test_a_score_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(ScoreError):
        report([presentation(float("nan")), presentation(0.2, "print")])
