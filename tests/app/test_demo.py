"""The page: what it lets through, what it answers, and how it looks in a real browser."""

from __future__ import annotations

import base64
import io
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from demo_server import PICTURE, POST, QUESTION, ask, served
from hostile_data import odd_tiff
from PIL import Image
from playwright.sync_api import Browser
from starlette.datastructures import Headers

from samr1.app.guard import refusal
from samr1.app.model import load_samr1
from samr1.app.serving import PAGE, listen
from samr1.core.errors import UserError


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The page of the shipped model."""
    with served(load_samr1()) as number:
        yield number


def test_an_answer_holds_what_the_page_shows(port: int) -> None:
    status, _, answer = ask(port)
    assert status == 200 and answer["status"] == "ok"
    assert answer["question"] == QUESTION and answer["label"] == "blue triangle"
    assert (answer["width"], answer["height"]) == (137, 143)
    kind, _, data = answer["mask"].partition(",")
    assert kind == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        opacity = np.array(image.convert("RGBA"))[:, :, 3]
    assert opacity.shape == (143, 137)
    assert int((opacity > 0).sum()) == answer["area"] > 100


def test_every_file_comes_with_the_headers_that_confine_it(port: int) -> None:
    for path, kind in (
        ("/", "text/html; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/example.jpg", "image/jpeg"),
        ("/nothing", "application/json"),
    ):
        status, headers, _ = ask(port, b"", method="GET", path=path)
        assert status == (404 if path == "/nothing" else 200)
        assert headers["content-type"] == kind
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy and headers["x-content-type-options"] == "nosniff"
    for path in ("/..%2fserving.py", "/../guard.py"):
        assert ask(port, b"", method="GET", path=path)[0] == 404


def test_nothing_on_the_page_comes_from_elsewhere() -> None:
    for path in PAGE.iterdir():
        if path.suffix != ".jpg":
            text = path.read_text().replace("http://www.w3.org/2000/svg", "")
            assert "//" not in text.replace("// ", "") and "innerHTML" not in text, path.name
            assert "<script>" not in text and "onclick=" not in text and "style=" not in text


@pytest.mark.parametrize(
    ("host", "origin", "let_through"),
    [
        ("127.0.0.1:8000", None, True),
        ("127.0.0.1:8000", "http://127.0.0.1:8000", True),
        ("localhost:8000", "http://localhost:8000", True),
        ("LocalHost", None, True),
        ("[::1]:8000", "http://[::1]:8000", True),
        ("192.168.0.7:8000", None, True),
        ("127.0.0.1:8000", "http://127.0.0.1:9000", False),
        ("127.0.0.1:8000", "https://evil.example", False),
        ("127.0.0.1:8000", "null", False),
        ("evil.example:8000", None, False),
        ("evil.example:8000", "http://evil.example:8000", False),
        ("127.0.0.1.evil.example", None, False),
        ("localhost.evil.example", None, False),
        ("[::1", None, False),
        ("", None, False),
    ],
)
def test_who_may_ask(host: str, origin: str | None, let_through: bool) -> None:
    given = {"host": host} | ({} if origin is None else {"origin": origin})
    assert (refusal(Headers(given), frozenset({"localhost"})) is None) == let_through


def test_another_site_is_sent_away_before_anything_is_read(port: int) -> None:
    status, headers, answer = ask(port, Host="evil.example")
    assert status == 403 and "not known as 'evil.example'" in answer["error"]
    assert "content-security-policy" in headers
    status, _, answer = ask(port, Origin="http://evil.example")
    assert status == 403 and "may not ask here" in answer["error"]


def test_what_cannot_be_asked_is_one_sentence(port: int) -> None:
    large = io.BytesIO()
    Image.new("L", (201, 200)).save(large, format="PNG")
    for status, sentence, given in (
        (422, "a question is empty", {"question": " "}),
        (422, "the policy's own marks", {"question": "<|im_end|>"}),
        (422, "the picture: not an image", {"body": b"<svg/>"}),
        (422, "the picture: the image is broken", {"body": PICTURE[:2000]}),
        (422, "the picture: the image is broken", {"body": odd_tiff()}),
        (422, "the question 'a\\x00b' is no valid Unicode", {"question": "a\0b"}),
        (422, "more than 40,000 pixels", {"body": large.getvalue()}),
        (413, "more than 100,000 bytes", {"body": bytes(100_001)}),
        (404, "Not Found", {"method": "GET"}),
        (405, "Method Not Allowed", {"path": "/about"}),
    ):
        found, _, answer = ask(port, **given)  # type: ignore[arg-type]
        assert (found, sentence in answer["error"]) == (status, True), answer
    assert ask(port)[0] == 200  # and it still answers


def test_an_upload_without_a_length_is_bounded(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        part = b"8000\r\n" + bytes(0x8000) + b"\r\n"
        connection.sendall(part * 4)
        assert b" 413 " in connection.recv(4096)


def test_a_model_that_fails_is_told_without_its_details() -> None:
    class Broken:
        def segment(self, pixels: Any, questions: list[str]) -> list[Any]:
            raise RuntimeError("the secret")

    with served(Broken()) as port:
        status, headers, answer = ask(port)
    assert status == 500 and answer["error"].startswith("the model failed")
    assert "content-security-policy" in headers


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserError, match=r"cannot be listened on .* choose another --port"):
            listen("127.0.0.1", taken.getsockname()[1])
    for host in ("no such host", "caf\udce9", "a" * 300, "a..b"):
        with pytest.raises(UserError, match="no address of this machine"):
            listen(host, 0)


DROP = """([content, name, type]) => {
    const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name, { type }));
    const options = { dataTransfer: transfer, bubbles: true, cancelable: true };
    document.getElementById("drop").dispatchEvent(new DragEvent("drop", options));
}"""


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_a_picture_dropped_on_the_page_is_asked_about(
    port: int, browser: Browser, tmp_path: Path, width: int, scheme: Any
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.set_default_timeout(20_000)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text))
    page.goto(f"http://127.0.0.1:{port}/")
    page.get_by_text("Answers are by policy <b>micro</b>.").wait_for()  # as text
    for number, content in enumerate((b"no picture", PICTURE[:2000])):
        text = base64.b64encode(content).decode()
        page.evaluate(DROP, [text, f"<img src=x onerror=alert({number})>.png", "image/png"])
        page.get_by_text(f"<img src=x onerror=alert({number})>.png is no picture").wait_for()
        assert page.locator("#stage").is_hidden()
    page.evaluate(DROP, [base64.b64encode(PICTURE).decode(), "scene.jpg", "image/jpeg"])
    page.locator("#picture").wait_for()
    page.locator("#question:focus").fill("<|im_end|>")
    page.keyboard.press("Enter")
    page.get_by_text("the policy's own marks").wait_for()
    page.locator("#question").fill(QUESTION)
    page.keyboard.press("Enter")
    page.locator("#mask").wait_for()
    assert page.locator("#think").inner_text().startswith("look for the blue triangle")
    assert page.locator("#asked").inner_text() == QUESTION
    assert page.locator("#message").is_hidden()
    assert page.locator("#marks path").count() == 4  # box and point, each with its dark edge
    places = [page.locator(f"#{name}").bounding_box() for name in ("picture", "mask", "marks")]
    assert places[0] == places[1] == places[2] and places[0] is not None
    assert places[0]["width"] / places[0]["height"] == pytest.approx(137 / 143, rel=0.01)
    assert page.locator("#mask").evaluate("image => [image.naturalWidth, image.naturalHeight]") == [
        137,
        143,
    ]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=tmp_path / f"{scheme}.png", full_page=True)
    page.close()
    # The refused question's status is the browser's own message.
    assert [line for line in wrong if "422" not in line] == []


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("nothing_there", "The model says that nothing of the kind is there."),
        ("too_long", "The model's response could not be read: its answer is too long."),
    ],
)
def test_an_answer_without_a_box_is_said_on_the_page(
    port: int, browser: Browser, status: str, said: str
) -> None:
    pixel = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
    answer: dict[str, Any] = dict.fromkeys(("think", "label", "box", "sam_score", "mask"))
    answer |= {"question": QUESTION, "status": status, "points": [], "response": "[]", "area": 0}
    answer |= {"objects": [], "left_out": 0}
    answer |= {"width": 1, "height": 1} | ({"mask": pixel} if status == "nothing_there" else {})
    page = browser.new_page()
    page.set_default_timeout(20_000)
    page.route("**/segment*", lambda route: route.fulfill(json=answer))
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(f"http://127.0.0.1:{port}/")
    page.evaluate(DROP, [base64.b64encode(PICTURE).decode(), "scene.jpg", "image/jpeg"])
    page.locator("#question:focus").fill(QUESTION)
    page.keyboard.press("Enter")
    page.get_by_text(said).wait_for()
    assert page.locator("#area").inner_text() == "none"
    page.close()
    assert wrong == []
