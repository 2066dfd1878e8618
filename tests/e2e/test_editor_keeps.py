"""What the composer keeps (issue 5, Deliver 1 and 2): pictures, files, what is sent, and what is typed while all breaks.

It is read back where it counts: the draft's row, and the message that the SMTP server got.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import signal
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, WebSocketRoute, expect

from tests.e2e.conftest import App, snap
from tests.e2e.pasted import WORD
from tests.e2e.writing import LENA, PNG, World, a_world, compose_japanese
from tests.integration.processes.test_serve import descendants
from tests.servers.dovecot import DovecotServer

OWN = "kim.editor@tidewater.example"


@pytest.fixture(scope="module")
def world(app: App, chromium: Browser, dovecot: DovecotServer) -> Iterator[World]:
    with a_world(app, chromium, dovecot, OWN) as made:
        yield made


@pytest.fixture
def writing(world: World) -> Iterator[World]:
    """An empty email is open, and thrown away afterwards."""
    world.compose()
    yield world
    world.clear()


def test_pictures_by_paste_drop_and_choice(writing: World) -> None:
    """M06: shown at once, stored as cid parts, resized by dragging and by keys; data: pictures become files too."""
    page = writing.page
    frames: list[str] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda payload: frames.append(str(payload))))
    writing.paste(picture=PNG)
    expect(page.get_by_test_id("picture")).to_have_attribute("data-state", "there")
    writing.drop(".mc-editor p", "dropped.png", "image/png", PNG)
    expect(page.locator('.mc-picture[data-state="there"]')).to_have_count(2)
    page.get_by_test_id("picture-input").set_input_files({"name": "c.png", "mimeType": "image/png", "buffer": PNG})
    expect(page.locator('.mc-picture[data-state="there"]')).to_have_count(3)
    data = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    writing.paste(html=f'<p>pasted <img src="{data}" width="40"> page</p>')
    html = writing.stored(lambda text: text.count('src="cid:') == 4)
    assert "data:" not in html
    assert "blob:" not in html
    for source in page.locator(".mc-picture img").evaluate_all("all => all.map((img) => [img.naturalWidth, img.src])"):
        assert source[0] == 4, source
    first = page.get_by_test_id("picture").first
    first.click()
    grip = first.get_by_test_id("picture-grip").bounding_box()
    assert grip
    page.mouse.move(grip["x"] + 6, grip["y"] + 6)
    page.mouse.down()
    page.mouse.move(grip["x"] + 126, grip["y"] + 90, steps=4)
    page.mouse.up()
    html = writing.stored(lambda text: re.search(r'<img [^>]*width="12\d"', text))
    first.click()
    page.keyboard.press("Alt+ArrowRight")
    writing.stored(lambda text: re.search(r'<img [^>]*width="13\d"', text))
    snap(page, "editor-pictures")
    assert not [each for each in frames if "base64" in each]


def test_what_is_no_picture_stays_out_and_says_why(writing: World) -> None:
    """An SVG is attached, not shown; a bomb renamed to .png is refused with a sentence, and Send waits for an answer."""
    page = writing.page
    writing.drop(".mc-editor", "logo.svg", "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    expect(page.get_by_test_id("attached")).to_contain_text("logo.svg")
    writing.drop(".mc-editor", "bomb.png", "image/png", b"not a png at all")
    expect(page.get_by_test_id("picture")).to_have_attribute("data-state", "failed")
    expect(page.locator(".mc-picture-note")).to_contain_text("isn’t an image")
    writing.address(LENA, "Never sent")
    page.get_by_test_id("compose-send").click()
    expect(page.get_by_test_id("ask-failed")).to_be_visible()
    snap(page, "editor-refused")
    page.get_by_test_id("answer-close").click()
    expect(writing.body).to_be_visible()


def test_files_are_dropped_shown_removed_and_brought_back(writing: World) -> None:
    page = writing.page
    writing.drop(".composer-bar", "見積書.pdf", "application/pdf", b"%PDF-1.4 plan")
    page.get_by_test_id("attach-input").set_input_files(
        {"name": "b.txt", "mimeType": "text/plain", "buffer": b"b" * 3000}
    )
    chips = page.get_by_test_id("attached")
    expect(chips).to_have_count(2)
    expect(page.locator(".mc-room")).to_have_text("3 KB of 25 MB")
    chips.filter(has_text="見積書").get_by_test_id("detach").click()
    expect(chips).to_have_count(1)
    page.get_by_role("button", name="Undo").last.click()
    expect(chips).to_have_count(2)
    with page.expect_download() as got:
        chips.filter(has_text="見積書").get_by_role("link").click()
    assert got.value.suggested_filename == "見積書.pdf"
    # too large is said before anything is sent
    uploads: list[str] = []
    page.on("request", lambda request: uploads.append(request.url) if request.method == "POST" else None)
    page.evaluate(
        """() => { const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(26 * 1024 * 1024)], "film.mov", { type: "video/quicktime" }));
          document.querySelector(".composer").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })); }"""
    )
    expect(page.get_by_test_id("uploading")).to_contain_text("25 MB")
    assert not uploads
    snap(page, "editor-files")


def test_a_slow_upload_shows_progress_and_holds_send_back(writing: World) -> None:
    """Send waits for what is under way, and goes by itself."""
    page = writing.page
    held: list[object] = []
    page.route(
        "**/drafts/*/files", lambda route: held.append(route) if route.request.method == "POST" else route.continue_()
    )
    try:
        page.get_by_test_id("attach-input").set_input_files(
            {"name": "slow.bin", "mimeType": "application/x-a", "buffer": b"z" * 90_000}
        )
        expect(page.get_by_test_id("uploading")).to_contain_text("of 88 KB")
        writing.address(LENA, "After the upload")
        page.get_by_test_id("compose-send").click()
        expect(page.get_by_test_id("ask-wait")).to_be_visible()
        snap(page, "editor-uploading")
        assert held
    finally:
        for route in held:
            route.continue_()  # type: ignore[attr-defined]
        page.unroute("**/drafts/*/files")
    expect(writing.body).to_have_count(0)
    message = writing.sent("After the upload")
    assert [part.get_filename() for part in message.iter_attachments()] == ["slow.bin"]


def test_what_is_sent_is_what_was_written(writing: World) -> None:
    """The whole way: three scripts, a picture, a table, a file; the forgotten-file question is asked once."""
    page = writing.page
    page.keyboard.type("The plan is attached.")
    page.keyboard.press("Enter")
    page.keyboard.type("مرحبا بكم")
    page.keyboard.press("Enter")
    compose_japanese(page.context.new_cdp_session(page), ["てがみ", "手紙"], "手紙です。")
    writing.paste(picture=PNG)
    expect(page.get_by_test_id("picture")).to_have_attribute("data-state", "there")
    writing.paste(html=WORD)
    writing.address(LENA, "Pilot 計画")
    snap(page, "editor-composer")
    page.get_by_test_id("compose-send").click()
    expect(page.get_by_test_id("ask-file")).to_be_visible()
    snap(page, "editor-ask-file")
    writing.drop(".composer-main", "計画.pdf", "application/pdf", b"%PDF plan")
    expect(page.get_by_test_id("attached")).to_have_count(1)
    page.get_by_test_id("answer-send").click()
    expect(writing.body).to_have_count(0)
    message = writing.sent("Pilot 計画")
    html = message.get_body(("html",))
    assert html is not None
    said = html.get_content()
    assert re.search(r'<p dir="rtl"[^>]*>مرحبا بكم</p>', said), said
    assert "手紙です。" in said
    assert "<table" in said
    assert "mso" not in said
    cid = re.search(r'src="cid:([^"]+)"', said)
    assert cid, said
    inline = [part for part in message.walk() if part.get("content-id") == f"<{cid[1]}>"]
    assert [part.get_payload(decode=True) for part in inline] == [PNG]
    assert [part.get_filename() for part in message.iter_attachments() if not part.is_multipart()] == ["計画.pdf"]
    plain = message.get_body(("plain",))
    assert plain is not None
    assert "手紙です。" in plain.get_content()


#: The back-off never ends: what arrives after a connection was lost arrives because there is a new one (after 6 s of doubt).
PATIENT = (
    "const real = setTimeout; window.setTimeout ="
    " (f, ms, ...a) => real(f, ms >= 2900 && ms <= 24000 && ms !== 6000 ? 1e8 : ms, ...a)"
)


def test_a_dropped_connection_keeps_what_is_typed_and_delivers_it(world: World) -> None:
    """A dead line swallows what is sent and never says so: the page opens another, and all arrives without a keystroke."""
    world.clear()
    page = world.page.context.new_page()
    page.add_init_script(PATIENT)
    gone, lines = [False], list[WebSocketRoute]()

    def carry(socket: WebSocketRoute) -> None:
        lines.append(socket)
        there = socket.connect_to_server()
        dead = lambda: gone[0] and socket is lines[0]  # noqa: E731
        socket.on_message(lambda message: None if dead() else there.send(message))
        there.on_message(lambda message: None if dead() else socket.send(message))

    page.route_web_socket(re.compile("/_event"), carry)
    page.goto(f"{world.app.url}/inbox")
    away = World(world.app, page, world.smtp)
    away.compose()
    page.get_by_test_id("compose-subject").fill("Dropped")
    away.body.click()
    page.keyboard.type("before ")
    away.stored(lambda text: "before" in text)
    gone[0] = True
    since = time.monotonic()
    page.keyboard.type("while away ")
    page.get_by_test_id("compose-subject").fill("Dropped twice")
    page.wait_for_timeout(1500)  # longer than any pause of typing: what is sent now goes nowhere
    assert "away" not in away.row()
    away.body.click()
    page.keyboard.press("Control+End")
    page.keyboard.type("and still ")
    page.wait_for_timeout(1500)
    assert "away" not in away.row()
    html = away.stored(lambda text: "and still" in text)
    print(f"\nfrom the line's death to the row: {time.monotonic() - since:.1f} s")
    assert len(lines) > 1
    assert re.sub("<[^>]+>|&nbsp;", " ", html).split() == "before while away and still".split()
    away.stored(lambda _: away.row("subject") == "Dropped twice")
    page.keyboard.type("after")
    away.stored(lambda text: "still after" in text.replace("&nbsp;", " "))
    away.discard()
    page.close()


def kill(app: App) -> float:
    """End every process of the server at once, as a power cut does; return when."""
    pids = [app.process.pid, *descendants(app.process.pid)]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    died = time.monotonic()
    app.process.wait(10)
    return died


def kept_until(written: list[tuple[float, str]], kept: str, died: float) -> None:
    """All that was typed more than a second before is there."""
    due = [text for at, text in written if at < died - 1.0]
    assert due
    said = re.sub("<[^>]+>", " ", kept).replace("&nbsp;", " ") + " "
    lost = [text for text in due if not re.search(rf"\b{text} ", said)]
    assert not lost, (lost, kept)


def test_a_killed_server_loses_nothing_older_than_a_second(world: World) -> None:
    """The row holds all but the last second of typing, without a pause in it; what the browser has comes back."""
    app, page = world.app, world.page
    world.compose()
    page.get_by_test_id("compose-to").fill("lena@nordlicht.example,")
    world.body.click()
    written: list[tuple[float, str]] = []
    for number in range(40):
        page.keyboard.type(f"{number} ")
        written.append((time.monotonic(), str(number)))
        page.wait_for_timeout(60)
    died = kill(app)
    kept_until(written, world.row(), died)
    page.keyboard.type("and after")
    page.get_by_test_id("compose-subject").fill("Typed while it was away")
    app.__enter__()  # the same port, the same data: the page finds it again by itself, and goes on
    world.stored(lambda text: "39 and after" in text.replace("&nbsp;", " "))
    world.stored(lambda _: world.row("subject") == "Typed while it was away")
    expect(page.get_by_test_id("compose-subject")).to_have_value("Typed while it was away")
    expect(page.get_by_test_id("chip-to")).to_have_count(1)
    expect(world.body).to_contain_text("39 and after")

    written.clear()
    subject = page.get_by_test_id("compose-subject")
    subject.fill("")
    subject.focus()
    for number in range(40, 80):
        page.keyboard.type(f"{number} ")
        written.append((time.monotonic(), str(number)))
        page.wait_for_timeout(60)
    died = kill(app)
    kept_until(written, world.row("subject"), died)
    world.body.click()
    page.keyboard.press("Control+End")
    page.keyboard.type(" closed")
    page.wait_for_timeout(600)
    page.goto("about:blank")
    app.__enter__()
    page.goto(f"{app.url}/drafts")
    page.get_by_test_id("outgoing-row").first.click()
    expect(page.get_by_test_id("ask-left")).to_be_visible()
    snap(page, "editor-left")
    page.get_by_test_id("answer-restore").click()
    world.stored(lambda text: "after closed" in text.replace("&nbsp;", " "))
    world.discard()
