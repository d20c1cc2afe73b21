from pathlib import Path

from streaming_eval.local.call_log import Call, CallLog, body_sha256, read_calls


def test_calls_are_read_back_as_written(tmp_path: Path) -> None:
    log = CallLog(tmp_path / "calls", clock_ns=iter([5, 6]).__next__)
    log.write("a\nb\tc", "ab", 200, "html_page")
    log.write("", "cd", 400)
    log.close()
    assert read_calls(tmp_path / "calls") == [
        Call(5, "a\nb\tc", "ab", 200, "html_page"),
        Call(6, "", "cd", 400),
    ]


def test_a_line_that_is_still_being_written_does_not_count(tmp_path: Path) -> None:
    log = CallLog(tmp_path / "calls")
    log.write("m", "ab", 200)
    log.close()
    with (tmp_path / "calls").open("ab") as file:
        file.write(b'{"time_ns":1')
    assert len(read_calls(tmp_path / "calls")) == 1


def test_a_log_goes_on_where_an_earlier_one_stopped(tmp_path: Path) -> None:
    for _ in range(2):
        log = CallLog(tmp_path / "calls")
        log.write("m", "ab", 200)
        log.close()
    assert len(read_calls(tmp_path / "calls")) == 2


def test_no_file_means_no_calls(tmp_path: Path) -> None:
    assert read_calls(tmp_path / "none") == []


def test_equal_requests_share_a_digest_whatever_their_spelling() -> None:
    one, other = b'{"a": 1, "b": "\\u00e9"}', '{"b":"é","a":1}'.encode()
    assert body_sha256(one, {"a": 1, "b": "é"}) == body_sha256(other, {"b": "é", "a": 1})
    assert body_sha256(b"x", None) != body_sha256(b"y", None)
