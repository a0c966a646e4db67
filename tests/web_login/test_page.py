"""The page in Chromium, before a service that follows a script: what people see and hear, and what is sent."""

import itertools
import re
import statistics

import pytest

pytest.importorskip("playwright", reason="needs the extra dev")

from playwright.sync_api import Page, expect

from tests.web_login.conftest import FAKE_CAMERA, PATIENCE_MS, Launch, Served, Visit
from tests.web_login.scripted_service import LOOK, REFUSED, Script

pytestmark = pytest.mark.slow

expect.set_options(timeout=PATIENCE_MS)

WELCOME = re.compile(r"/welcome$")
WATCHED = """() => {
const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wanted) => (window.stream = await open(wanted));
}"""
IN_USE = """() => {
navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("", "NotReadableError"); };
}"""


def start(page: Page, name: str = "ada", kind: str = "passive") -> None:
    """Fill in the form and send it, by the keyboard alone."""
    page.get_by_label("User name").first.fill(name)
    page.locator(f"[name=kind][value={kind}]").check()
    page.get_by_label("User name").first.press("Enter")


def test_who_is_accepted_sees_the_inside_and_can_leave(site: Served, visit: Visit) -> None:
    page = visit(site)
    start(page)
    expect(page).to_have_url(WELCOME)
    expect(page.get_by_role("heading")).to_have_text("Welcome, ada")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Who are you?")).to_be_visible()
    page.goto(f"{site.url}/welcome")
    expect(page).not_to_have_url(WELCOME)


def test_who_is_refused_reads_why_and_may_try_again_or_go_another_way(
    site: Served, script: Script, visit: Visit
) -> None:
    script.result = dict(REFUSED)
    page = visit(site)
    start(page)
    expect(page.get_by_role("heading", name="You were not signed in")).to_be_focused()
    expect(page.get_by_text(REFUSED["message"])).to_be_visible()
    assert page.get_by_role("link", name="Sign in another way").is_visible()
    page.get_by_role("button", name="Try again").press("Enter")
    expect(page.get_by_role("heading", name="Who are you?")).to_be_focused()
    assert page.locator("video").count() == 0, "the camera is let go of"


def test_frames_come_in_order_in_chunks_of_a_third_of_a_second(site: Served, script: Script, visit: Visit) -> None:
    script.ends_after = 6
    page = visit(site)
    start(page)
    expect(page).to_have_url(WELCOME)
    ((numbers, chunks),) = [(list(chunks), list(chunks.values())) for chunks in script.frames.values()]
    times_ms = [time_ms for chunk in chunks for time_ms in chunk]
    assert numbers == list(range(6)) and all(chunks)
    assert all(earlier < later for earlier, later in itertools.pairwise(times_ms))
    assert statistics.median(chunk[-1] - chunk[0] for chunk in chunks) < 800


def test_prompts_are_spoken_once_each_and_shown(site: Served, script: Script, visit: Visit) -> None:
    script.ends_after = 8
    said = ["Look into the camera.", "Turn your head slowly to your left.", "Move closer."]
    script.prompts = [{**LOOK, "message": said[number // 3]} for number in range(9)]
    page = visit(site)
    page.evaluate(
        """() => {
        window.spoken = [];
        const prompt = document.getElementById("prompt");
        new MutationObserver(() => window.spoken.push(prompt.textContent)).observe(prompt, {childList: true});
        window.addEventListener("pagehide", () => sessionStorage.setItem("spoken", JSON.stringify(window.spoken)));
        }"""
    )
    start(page)
    expect(page.get_by_role("status").filter(has_text=said[1])).to_have_attribute("aria-live", "polite")
    expect(page).to_have_url(WELCOME)
    spoken = page.evaluate("() => JSON.parse(sessionStorage.getItem('spoken'))")
    assert [sentence for sentence in spoken if sentence in said] == said


def test_the_oval_says_when_the_face_is_well_placed(site: Served, script: Script, visit: Visit) -> None:
    script.ends_after, script.prompts = 99, [{**LOOK, "obstacle": "no_face"}] * 4 + [LOOK]
    page = visit(site)
    start(page)
    expect(page.locator(".camera:not(.seen) ellipse")).to_be_visible()
    expect(page.locator(".camera.seen ellipse")).to_be_visible()


@pytest.mark.parametrize("how", ["Escape", "button"])
def test_a_check_can_be_stopped(site: Served, script: Script, visit: Visit, how: str) -> None:
    script.ends_after = 99
    page = visit(site)
    start(page)
    expect(page.locator("video")).to_be_visible()
    if how == "Escape":
        page.keyboard.press("Escape")
    else:
        page.get_by_role("button", name="Stop").first.press("Space")
    expect(page.get_by_role("heading", name="Who are you?")).to_be_focused()
    assert page.locator("video").count() == 0 and page.locator("#problem").is_hidden()
    for _ in range(100):  # it is told without waiting for an answer
        if script.left:
            break
        page.wait_for_timeout(50)
    assert script.left == list(script.frames)


# Without the camera.


def test_a_refused_camera_is_explained(site: Served, script: Script, visit: Visit) -> None:
    page = visit(site, camera=False)
    start(page)
    expect(page.get_by_role("alert")).to_contain_text("The camera was not allowed.")
    expect(page.get_by_role("alert")).to_be_focused()
    assert page.get_by_role("link", name="Sign in another way").is_visible() and script.kinds == []


def test_a_missing_camera_is_explained(site: Served, script: Script, visit: Visit, launch: Launch) -> None:
    page = visit(site, browser=launch(f"{FAKE_CAMERA}=device-count=0"))
    start(page)
    expect(page.get_by_role("alert")).to_contain_text("No camera was found.")
    assert script.kinds == []


def test_a_camera_in_use_is_explained(site: Served, visit: Visit) -> None:
    page = visit(site)
    page.evaluate(IN_USE)
    start(page)
    expect(page.get_by_role("alert")).to_contain_text("in use by another program")


def test_a_camera_that_is_unplugged_ends_the_check(site: Served, script: Script, visit: Visit) -> None:
    script.ends_after = 99
    page = visit(site)
    page.evaluate(WATCHED)
    start(page)
    expect(page.locator("video")).to_be_visible()
    page.evaluate("() => window.stream.getVideoTracks()[0].dispatchEvent(new Event('ended'))")
    expect(page.get_by_role("alert")).to_contain_text("The camera is gone.")


def test_one_tab_at_a_time_uses_the_camera_and_a_login_counts_in_all(
    site: Served, script: Script, visit: Visit
) -> None:
    script.ends_after = 10
    first = visit(site)
    second = first.context.new_page()
    second.goto(site.url)
    start(second)
    expect(second.locator("video")).to_be_visible()
    first.evaluate("() => { document.getElementById('name').value = 'ada'; }")
    first.locator("#sign-in").evaluate("form => form.requestSubmit()")
    expect(first.get_by_role("alert")).to_contain_text("Another tab of this page uses the camera.")
    expect(second).to_have_url(WELCOME)
    expect(first).to_have_url(WELCOME)
    second.get_by_role("button", name="Sign out").click()
    expect(first).not_to_have_url(WELCOME)


# Less light and motion.


AMBER, BLUE, DARK = [255, 205, 140], [140, 190, 255], [70, 70, 75]
PAINTED = """() => {
window.painted = [];
const half = document.querySelector("#light > div");
new MutationObserver(() => window.painted.push([performance.now(), half.style.background]))
    .observe(half, {attributes: true});
}"""


def test_light_paints_both_halves_as_the_service_asks(site: Served, script: Script, visit: Visit) -> None:
    colors = [{"left": AMBER, "right": DARK}, {"left": BLUE, "right": BLUE}]
    script.ends_after, script.prompts = 99, [{**LOOK, "screen": color} for color in colors for _ in range(8)]
    page = visit(site)
    start(page, kind="light")
    left, right = page.locator("#light > div").all()
    expect(left).to_have_css("background-color", "rgb(255, 205, 140)")
    expect(right).to_have_css("background-color", "rgb(70, 70, 75)")
    expect(right).to_have_css("background-color", "rgb(140, 190, 255)")
    page.keyboard.press("Escape")
    expect(page.locator("#light")).to_be_hidden()
    assert script.kinds == ["light"]


def test_a_colour_is_painted_when_it_is_due_and_the_one_before_does_not_come_back(
    site: Served, script: Script, visit: Visit
) -> None:
    amber, blue = {"left": AMBER, "right": AMBER}, {"left": BLUE, "right": BLUE}
    script.ends_after = 99
    page = visit(site)
    due_ms = page.evaluate("() => performance.now()") + 2500
    script.prompts = [{**LOOK, "screen": amber, "next_screen": {"at_ms": due_ms, **blue}}]
    page.evaluate(PAINTED)
    start(page, kind="light")
    expect(page.locator("#light > div").first).to_have_css("background-color", "rgb(140, 190, 255)")
    page.wait_for_timeout(600)  # more prompts come, which still call amber the colour of now
    painted = page.evaluate("() => window.painted")
    colors = [color for _, color in painted]
    first_blue = colors.index("rgb(140, 190, 255)")
    assert first_blue > 0 and set(colors[:first_blue]) == {"rgb(255, 205, 140)"}
    assert set(colors[first_blue:]) == {"rgb(140, 190, 255)"}
    assert painted[first_blue][0] >= due_ms - 5


def test_who_asks_for_less_motion_turns_the_head_instead(site: Served, script: Script, visit: Visit) -> None:
    page = visit(site, reduced_motion="reduce")
    expect(page.get_by_text("Your system asks for less motion")).to_be_visible()
    expect(page.locator("[name=kind][value=light]")).to_be_hidden()
    assert page.locator("[name=kind]:enabled").evaluate_all("all => all.map(one => one.value)") == ["passive", "turn"]
    start(page, kind="turn")
    expect(page).to_have_url(WELCOME)
    assert script.kinds == ["turn"]


# When something fails.


@pytest.mark.parametrize(
    ("status", "detail"),
    [(423, "5 attempts in a row failed: wait 30 s."), (429, "Too many attempts: wait."), (404, "Nobody of that name.")],
)
def test_a_refusal_of_the_service_is_shown(
    site: Served, script: Script, visit: Visit, status: int, detail: str
) -> None:
    page = visit(site)
    script.problem = (status, "because", detail, {"Retry-After": "30"})
    start(page)
    expect(page.get_by_role("alert")).to_have_text(detail)


def test_a_service_that_is_busy_for_a_moment_is_asked_again(site: Served, script: Script, visit: Visit) -> None:
    page = visit(site)
    page.route(re.compile("/chunks/1$"), lambda route: _busy(script, route))
    start(page)
    expect(page).to_have_url(WELCOME)
    assert [sorted(chunks) for chunks in script.frames.values()] == [[0, 1]]


def _busy(script: Script, route: object) -> None:
    if script.problem is None:
        script.problem, script.problems_left = (503, "busy", "Busy.", {"Retry-After": "1"}), 1
    route.continue_()  # type: ignore[attr-defined]


def test_a_lost_connection_is_bridged_and_then_explained(site: Served, script: Script, visit: Visit) -> None:
    script.ends_after = 99
    page = visit(site)
    lost = itertools.count()
    page.route(re.compile("/chunks/0$"), lambda route: route.abort() if next(lost) == 0 else route.continue_())
    page.route(re.compile("/chunks/2$"), lambda route: route.abort())
    start(page)
    expect(page.get_by_role("alert")).to_have_text("The connection was lost. Try again when it is back.")
    assert [sorted(chunks) for chunks in script.frames.values()] == [[0, 1]]


# Enrolment.


def test_an_attended_enrolment_takes_three_photos(site: Served, script: Script, visit: Visit) -> None:
    page = visit(site)
    page.get_by_role("button", name="Enrol with an attendant").press("Enter")
    expect(page.get_by_role("heading", name="Enrol with an attendant")).to_be_focused()
    page.locator("#new-name").fill("grace")
    page.locator("#code").fill(site.codes[-1])
    page.locator("#agreed").press("Space")
    page.locator("#code").press("Enter")
    for number in (1, 2, 3):
        expect(page.get_by_role("status").filter(has_text=f"Photo {number} of 3")).to_be_visible()
        page.get_by_role("button", name="Take photo").press("Enter")
    expect(page.get_by_role("heading", name="Enrolled")).to_be_focused()
    ((name, _, _, photos),) = script.enrolled
    assert name == "grace" and [photo[:2] for photo in photos] == [b"\xff\xd8"] * 3
    page.get_by_role("button", name="Sign in").first.press("Enter")
    expect(page.locator("#name")).to_have_value("grace")


def test_a_wrong_code_enrols_nobody(site: Served, script: Script, visit: Visit) -> None:
    page = visit(site)
    page.get_by_role("button", name="Enrol with an attendant").click()
    page.locator("#new-name").fill("grace")
    page.locator("#code").fill("nothing")
    page.locator("#agreed").check()
    page.get_by_role("button", name="Take photos").click()
    for _ in range(3):
        page.get_by_role("button", name="Take photo", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("This is not the code.")
    assert script.enrolled == [] and page.locator("video").count() == 0


# For everybody.


@pytest.mark.parametrize("width", [320, 768, 1280])
def test_nothing_is_wider_than_the_window(site: Served, script: Script, visit: Visit, width: int) -> None:
    script.ends_after = 99
    page = visit(site, viewport={"width": width, "height": 800})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    start(page)
    expect(page.locator("video")).to_be_visible()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    low = page.locator("#prompt").bounding_box()
    assert low is not None and low["y"] >= 0 and low["y"] + low["height"] <= 800, "the prompt is seen without scrolling"


def test_every_control_has_a_name_and_is_large_enough(site: Served, visit: Visit) -> None:
    page = visit(site, viewport={"width": 320, "height": 800})
    for section in ("start", "enrol"):
        if section == "enrol":
            page.get_by_role("button", name="Enrol with an attendant").click()
        for control in page.locator(f"#{section} :is(button, a, input)").all():
            if control.is_visible():
                box = control.bounding_box()
                assert box is not None and box["height"] >= 18, control
                assert control.evaluate("one => (one.labels?.[0] ?? one).textContent.trim()") != ""


def test_nothing_is_loaded_from_elsewhere_and_nothing_breaks_the_policy(site: Served, visit: Visit) -> None:
    page = visit(site)
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.reload()
    start(page)
    expect(page).to_have_url(WELCOME)
    assert asked and [url for url in asked if not url.startswith(site.url)] == [] and complaints == []
