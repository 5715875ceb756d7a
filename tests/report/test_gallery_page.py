"""The gallery in a real browser, opened from disk: filters, comparison, laziness, hostile text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gallery_world import (
    GOOD,
    HOSTILE,
    POOR,
    TRUTH,
    WRONG,
    answer,
    predictions_table,
    sample,
    samples_table,
)
from playwright.sync_api import Browser, Page, expect

from samr1.report.gallery.kinds import Kind
from samr1.report.gallery.page import Shown, write_gallery

MANY = 400


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two benchmarks: 8 questions, of which one is hostile, with two runs; many with one run."""
    root = tmp_path_factory.mktemp("gallery")
    few = [sample(i, root) for i in range(8)]
    few[2]["query"] = HOSTILE
    masks = [GOOD, POOR, WRONG, None, TRUTH, TRUTH, POOR, WRONG]
    method = [answer(i, mask) for i, mask in enumerate(masks)]
    method[0] |= {"think": HOSTILE, "label": HOSTILE}
    method[3] |= {"text": HOSTILE}
    base = [answer(i, WRONG if i != 7 else GOOD, think=f"thought {i}") for i in range(8)]
    kinds: list[set[Kind]] = [set() for _ in range(8)]
    kinds[1] = kinds[4] = {"several"}
    many = [sample(i, root, image_path="0.png") for i in range(MANY)]
    answers = [answer(i, GOOD if i < 300 else POOR) for i in range(MANY)]
    benchmarks = [
        Shown(
            "few",
            samples_table(few),
            {"sam_r1": predictions_table(method), "base": predictions_table(base)},
            kinds,
        ),
        Shown(
            "many",
            samples_table(many),
            {"sam_r1": predictions_table(answers)},
            [set() for _ in range(MANY)],
        ),
    ]
    write_gallery(root / "gallery.html", benchmarks, root, "micro")
    return root / "gallery.html"


@pytest.fixture(params=["wide"])
def page(request: pytest.FixtureRequest, browser: Browser, path: Path) -> Iterator[Page]:
    """The page as it opens from disk; at the end it must have complained and asked for nothing."""
    width = {"wide": 1400, "narrow": 390}[request.param]
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    page.set_default_timeout(5000)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.locator("#overview .card").first.wait_for()
    yield page
    page.wait_for_timeout(50)
    outside = [url for url in asked if not url.startswith(("data:image/", path.as_uri()))]
    context.close()
    assert said == []
    assert outside == []


def ids(page: Page) -> list[str]:
    """The ids of the listed questions, of those that are near the window."""
    page.locator("#all").evaluate("section => section.scrollIntoView()")
    page.locator("#list .card").first.wait_for()
    return page.locator("#list .id").all_text_contents()


def test_the_first_view_is_the_method_beside_the_base(page: Page) -> None:
    expect(page.locator("#means")).to_contain_text("8 questions; gIoU, %: sam_r1 39.9, base 10.1")
    expect(page.locator("#count")).to_have_text("8 of 8 questions")
    headings = page.locator("#overview h3").all_text_contents()
    assert headings[0] == "One among several subjects"
    assert headings[-3:] == ["? unparseable", "✗ wrong object", "◐ right object, poor mask"]
    assert ids(page) == [f"s{i}" for i in range(8)]


def test_filters_change_what_is_shown_and_the_count(page: Page) -> None:
    page.get_by_label("Status").first.select_option("poor_mask")
    expect(page.locator("#count")).to_have_text("2 of 8 questions")
    assert ids(page) == ["s1", "s6"]
    page.get_by_label("Kind").select_option("several")
    assert ids(page) == ["s1"]
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator("#count")).to_have_text("8 of 8 questions")
    page.get_by_label("IoU from").first.fill("0.1")
    page.get_by_label("to", exact=True).first.fill("0.9")
    assert ids(page) == ["s0", "s1", "s6"]
    page.get_by_label("Question or id").fill("number 6")
    assert ids(page) == ["s6"]
    page.get_by_label("Question or id").fill("no such question")
    expect(page.locator("#count")).to_have_text("0 of 8 questions")
    expect(page.locator("#list .card")).to_have_count(0)


def test_two_runs_are_compared_on_the_same_question(page: Page) -> None:
    page.get_by_label("Status").nth(1).select_option("good")  # of base
    assert ids(page) == ["s7"]
    panels = page.locator("#list .card .answer")
    assert panels.locator(".run").all_text_contents() == ["sam_r1", "base"]
    assert panels.locator(".iou").all_text_contents() == ["IoU 0.00", "IoU 0.81"]
    expect(panels.nth(1)).to_contain_text("thought 7")
    images = [image.get_attribute("href") for image in panels.locator("image").all()]
    assert len(images) == 2 and images[0] == images[1]
    page.get_by_role("button", name="Clear filters").click()
    page.get_by_label("Order").select_option("loss")
    assert ids(page)[0] == "s7"
    page.get_by_label("Beside it").select_option("")
    assert page.locator("#list .card").first.locator(".answer").count() == 1


def test_a_failures_button_lists_them(page: Page) -> None:
    page.get_by_role("button", name="Show all 2").first.click()
    expect(page.locator("#count")).to_have_text("2 of 8 questions")
    assert ids(page) == ["s2", "s7"]


def test_pictures_hold_what_was_answered_and_layers_can_be_hidden(page: Page) -> None:
    page.get_by_label("Question or id").fill("s1")
    card = page.locator("#list .card")
    assert ids(page) == ["s1"]
    answer = card.locator(".answer").first
    assert answer.locator(".mask:not(.under)").get_attribute("d")
    assert answer.locator("circle.point").count() == answer.locator(".cross").count() == 1
    size = answer.locator("image").evaluate(
        "image => { const i = new Image(); i.src = image.getAttribute('href');"
        " return i.decode().then(() => [i.naturalWidth, i.naturalHeight]); }"
    )
    assert size == [60, 40]
    expect(answer.locator(".mask").last).to_be_visible()
    page.get_by_label("mask", exact=True).uncheck()
    expect(answer.locator(".mask").last).to_be_hidden()
    expect(answer.locator(".box").last).to_be_visible()


def test_hostile_text_is_only_text(page: Page) -> None:
    ids(page)
    assert page.locator("#list .query").nth(2).text_content() == HOSTILE
    assert page.locator("#list .think").first.text_content() == HOSTILE
    assert page.locator("#list .response").first.text_content() == HOSTILE
    assert page.locator("img").count() == 0
    assert page.evaluate("window.broken") is None


def test_thousands_cost_no_more_than_what_is_near_the_window(page: Page) -> None:
    page.get_by_label("Benchmark").select_option("many")
    expect(page.locator("#count")).to_have_text("400 of 400 questions")
    assert len(ids(page)) < MANY / 2
    for batch in page.locator("#list .batch").all():
        batch.evaluate("batch => batch.scrollIntoView()")
        batch.locator(".card").first.wait_for()
    expect(page.locator("#list .id", has_text=f"s{MANY - 1}")).to_be_attached()
    assert page.locator("#list .card").count() < MANY / 2
    page.get_by_label("Status").first.select_option("poor_mask")
    expect(page.locator("#count")).to_have_text("100 of 400 questions")
    assert ids(page)[0] == "s300"


def test_an_address_brings_back_a_view(page: Page, path: Path) -> None:
    page.get_by_label("Run").select_option("base")
    page.get_by_label("Status").first.select_option("good")
    address = page.url
    other = page.context.new_page()
    other.goto(address)
    expect(other.locator("#count")).to_have_text("1 of 8 questions")
    assert ids(other) == ["s7"]
    assert other.locator("#list .run").all_text_contents() == ["base", "sam_r1"]
    other.goto(path.as_uri() + "#benchmark=none&run=none&outcome0=none&order=none")
    expect(other.locator("#count")).to_have_text("8 of 8 questions")


@pytest.mark.parametrize("page", ["narrow"], indirect=True)
def test_a_narrow_window_is_never_scrolled_sideways(page: Page) -> None:
    ids(page)
    page.locator("summary").click()
    page.get_by_role("button", name="Enlarge").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_everything_can_be_reached_with_the_keyboard(page: Page) -> None:
    page.locator("summary").focus()
    names = []
    for _ in range(8):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.name || document.activeElement.id"))
    assert names[:7] == ["benchmark", "run", "beside", "mask", "box", "truth", "jump"]
