"""The gallery in a real browser, opened from disk: filters, comparison, laziness, hostile text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from answer_world import (
    GOOD,
    HOSTILE,
    POOR,
    TRUTH,
    WRONG,
    answer,
    predictions,
    sample,
    samples,
    write_image,
)
from playwright.sync_api import Browser, Page, expect

from samr1.report.gallery.kinds import Kind
from samr1.report.gallery.page import write_gallery
from samr1.report.predictions import Answers

MANY = 400


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two benchmarks: 8 questions, of which one is hostile, with two runs; many with one run."""
    root = tmp_path_factory.mktemp("gallery")
    write_image(root)
    few = [sample(query=f"question number {i}") for i in range(8)]
    few[2]["query"] = HOSTILE
    boxes = [GOOD, POOR, WRONG, None, TRUTH, TRUTH, POOR, WRONG]
    method = [answer(box, [(50 if box == WRONG else 20, 20, 1), (50, 5, 0)]) for box in boxes]
    method[0] |= {"think": HOSTILE, "label": HOSTILE}
    method[3] |= {"text": HOSTILE}
    base = [answer(WRONG if i != 7 else GOOD, think=f"thought {i}") for i in range(8)]
    answers = [answer(GOOD if i < 300 else POOR) for i in range(MANY)]
    kinds: list[list[set[Kind]]] = [[set() for _ in range(count)] for count in (8, MANY)]
    kinds[0][1] = kinds[0][4] = {"several"}
    runs = {"sam_r1": [predictions(method)], "base": [predictions(base)]}
    benchmarks = [
        Answers("few", samples(few), runs),
        Answers("many", samples([sample()] * MANY), {"sam_r1": [predictions(answers)]}),
    ]
    write_gallery(root / "gallery.html", benchmarks, kinds, root, "micro", True)
    return root / "gallery.html"


@pytest.fixture(params=[1400])
def page(request: pytest.FixtureRequest, browser: Browser, path: Path) -> Iterator[Page]:
    """The page as it opens from disk; at the end it must have complained and asked for nothing."""
    context = browser.new_context(viewport={"width": request.param, "height": 900})
    page = context.new_page()
    page.set_default_timeout(5000)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.locator(".card").first.wait_for()
    yield page
    outside = [url for url in asked if not url.startswith(("data:image/", path.as_uri()))]
    context.close()
    assert said == []
    assert outside == []


def ids(page: Page) -> list[str]:
    """The ids of the questions that are listed so far."""
    return page.locator(".id").all_text_contents()


def test_the_first_view_is_the_method_beside_the_base(page: Page) -> None:
    count = "8 of 8 questions; mean mask IoU, %: sam_r1 39.9, base 10.1"
    expect(page.locator("#count")).to_have_text(count)
    assert ids(page) == [f"s{i}" for i in range(8)]


def test_filters_change_what_is_shown_and_the_count(page: Page) -> None:
    page.get_by_label("Status").first.select_option("◐ right object, low IoU (2)")
    expect(page.locator("#count")).to_contain_text("2 of 8 questions; mean mask IoU, %: sam_r1 19")
    assert ids(page) == ["s1", "s6"]
    page.get_by_label("Kind").select_option("One among several subjects (2)")
    assert ids(page) == ["s1"]
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator("#count")).to_contain_text("8 of 8 questions")
    page.get_by_label("IoU from").first.fill("0.1")
    page.get_by_label("to", exact=True).first.fill("0.9")
    assert ids(page) == ["s0", "s1", "s6"]
    page.get_by_label("Question or id").fill("number 6")
    assert ids(page) == ["s6"]
    page.get_by_label("Question or id").fill("no such question")
    expect(page.locator("#count")).to_have_text("0 of 8 questions")
    assert ids(page) == []


def test_two_runs_are_compared_on_the_same_question(page: Page) -> None:
    page.get_by_label("Status").nth(1).select_option("good")  # of base
    assert ids(page) == ["s7"]
    panels = page.locator(".card .answer")
    assert panels.locator(".run").all_text_contents() == ["sam_r1", "base"]
    assert panels.locator(".iou").all_text_contents() == ["IoU 0.00", "IoU 0.81"]
    expect(panels.nth(1)).to_contain_text("thought 7")
    images = [image.get_attribute("href") for image in panels.locator("image").all()]
    assert len(images) == 2 and images[0] == images[1]
    page.get_by_role("button", name="Clear filters").click()
    page.get_by_label("Order").select_option("loss")
    expect(page.locator(".id").first).to_have_text("s7")
    page.get_by_label("Beside it").select_option("")
    assert page.locator(".card").first.locator(".answer").count() == 1


def test_pictures_hold_what_was_answered_and_can_be_hidden_and_enlarged(page: Page) -> None:
    page.get_by_label("Question or id").fill("s1")
    answer = page.locator(".answer").first
    assert answer.locator(".dot.over").count() == answer.locator(".cross.over").count() == 1
    size = answer.locator("image").evaluate(
        "image => { const i = new Image(); i.src = image.getAttribute('href');"
        " return i.decode().then(() => [i.naturalWidth, i.naturalHeight]); }"
    )
    assert size == [60, 40]
    expect(answer.locator(".mask.over")).to_be_visible()
    page.get_by_label("mask", exact=True).uncheck()
    expect(answer.locator(".mask.over")).to_be_hidden()
    expect(answer.locator(".box.over")).to_be_visible()
    width = "svg => svg.getBoundingClientRect().width"
    small = answer.locator("svg").evaluate(width)
    page.get_by_role("button", name="Enlarge").click()
    assert answer.locator("svg").evaluate(width) > 2 * small


def test_hostile_text_is_only_text(page: Page) -> None:
    assert page.locator(".query").nth(2).text_content() == HOSTILE
    assert page.locator(".think").first.text_content() == HOSTILE
    assert page.locator(".response").first.text_content() == HOSTILE
    assert page.locator("img").count() == 0
    assert page.evaluate("window.broken") is None


def test_cards_are_made_as_their_place_comes_near_the_window(page: Page) -> None:
    page.get_by_label("Benchmark").select_option("many")
    expect(page.locator("#count")).to_contain_text("400 of 400 questions")
    assert len(ids(page)) < MANY / 2
    last = page.locator(".id", has_text=f"s{MANY - 1}")
    for _ in range(MANY):
        if last.count():
            break
        page.locator("#more").scroll_into_view_if_needed()
    assert ids(page) == [f"s{i}" for i in range(MANY)]
    page.get_by_label("Status").first.select_option("low_iou")
    expect(page.locator("#count")).to_contain_text("100 of 400 questions")
    assert ids(page)[0] == "s300"


def test_an_address_brings_back_a_view(page: Page, path: Path) -> None:
    page.get_by_label("Run").select_option("base")
    page.get_by_label("Status").first.select_option("good")
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.locator("#count")).to_contain_text("1 of 8 questions")
    assert ids(other) == ["s7"]
    assert other.locator(".run").all_text_contents() == ["base", "sam_r1"]
    third = page.context.new_page()
    third.goto(path.as_uri() + "#benchmark=none&run=none&outcome0=none&order=none")
    expect(third.locator("#count")).to_contain_text("8 of 8 questions")


@pytest.mark.parametrize("page", [390], indirect=True)
def test_a_narrow_window_is_never_scrolled_sideways(page: Page) -> None:
    page.locator("summary").click()
    page.get_by_role("button", name="Enlarge").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
