"""The page for a browser: in a headless one it answers as `nas predict` does, from disk, with no
network."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from nas.seeding import numpy_rng
from parts.command_line import nas

PICTURES = 20
# Behind the page's own script: each picture in turn, and what comes out as text of the document.
ASK = """<script>
(async () => {
  const found = [];
  for (const text of PICTURES) {
    const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
    const picture = new Blob([bytes], {type: "image/png"});
    await show(picture);
    const {shares, milliseconds} = await classified(picture);
    found.push({name: shares[0].name, share: shares[0].share, milliseconds});
  }
  return JSON.stringify(found);
})().catch(problem => "failed: " + problem).then(
  text => fetch("http://127.0.0.1:PORT/", {method: "POST", mode: "no-cors", body: text})
);
</script>"""


def runtime() -> Path:
    root = Path(__file__).parents[2]
    places = [Path(os.environ.get("ONNXRUNTIME_WEB", "nowhere"))]
    places.append(root / "node_modules" / "onnxruntime-web")
    there = [place for place in places if (place / "package.json").is_file()]
    if not there:
        pytest.skip("onnxruntime-web is not here: set ONNXRUNTIME_WEB to the npm package's folder")
    return there[0]


def browser() -> str:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if (path := shutil.which(name))), None)
    return found or pytest.skip("no Chromium is installed")


def pictures(folder: Path) -> list[Path]:
    """Coloured blobs of all shapes, some with transparent parts."""
    library = pytest.importorskip("PIL.Image")
    rng, files = numpy_rng(0, "pictures"), []
    for number in range(PICTURES):
        height, width = (int(side) for side in rng.integers(5, 90, 2))
        channels = 4 if number % 5 == 4 else 3
        coarse = rng.integers(0, 256, (4, 4, channels)).astype(np.uint8)
        image = library.fromarray(coarse).resize((width, height), library.Resampling.BICUBIC)
        files.append(folder / f"{number}.png")
        image.save(files[-1])
    return files


def said_by(chromium: str, page: Path, text: str) -> str:
    """What the page, opened from disk, sends to a port of this machine; there is no other
    network."""
    heard: list[str] = []

    class Ear(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *words: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Ear) as server:
        server.timeout = 120
        page.write_text(text.replace("PORT", str(server.server_port)))
        words = [
            *(chromium, "--headless", "--no-sandbox", "--disable-gpu"),
            f"--user-data-dir={page.with_name('profile')}",
            "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests",
            *("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", page.as_uri()),
            "--remote-debugging-port=0",  # else it leaves when the page is loaded
        ]
        nowhere = subprocess.DEVNULL
        browsing = subprocess.Popen(words, stdout=nowhere, stderr=nowhere)
        try:
            server.handle_request()
        finally:
            browsing.terminate()
            browsing.wait()
    assert heard, "the page said nothing for two minutes"
    return heard[0]


@pytest.mark.slow
def test_it_agrees_with_predict_on_twenty_pictures(tmp_path: Path) -> None:
    package, chromium = runtime(), browser()
    tiny = ("--set", "recipe.epochs=2", "--set", "recipe.train_images=600", "--to", "none")
    nas("search", "--space", "ladder", "--trials", "1", *tiny, "--out", tmp_path / "study")
    out = tmp_path / "out"
    words = ("export", tmp_path / "study", "--to", "web", "--runtime", package, "--out", out)
    assert nas(*words).code == 0

    files = pictures(tmp_path)
    texts = json.dumps([base64.b64encode(file.read_bytes()).decode() for file in files])
    page = tmp_path / "asked.html"
    asked = ASK.replace("PICTURES", texts)
    browsed = json.loads(said_by(chromium, page, (out / "model.html").read_text() + asked))

    told = nas("predict", tmp_path / "study", *files, "--json").json
    for seen, expected in zip(browsed, told["predictions"], strict=True):
        best = expected["classes"][0]
        assert seen["share"] == pytest.approx(best["share"], abs=0.02)
        assert seen["name"] == best["name"]
        assert seen["milliseconds"] > 0


def test_a_package_that_is_not_there_is_said_with_the_command(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    words = ("export", "enas", "--set", "skeleton.filters=4", "--set", "skeleton.image_size=8")
    answer = nas(*words, "--to", "web", "--runtime", tmp_path, "--out", tmp_path / "out")
    assert "run `npm install onnxruntime-web` here, or give its folder" in answer.sentence
