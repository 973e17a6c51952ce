"""The record file: nothing is lost, torn or mixed up, whoever writes and whenever it is killed."""

import json
import multiprocessing
import os
import signal
import time

import pytest

from giftune.benchmark.record import RecordFile


def line(worker, number):
    return {"worker": worker, "number": number, "text": "é" * (number % 50)}


def write(path, worker, count):
    for number in range(count):
        RecordFile(path).append([line(worker, number)])


def processes(path, count, each):
    spawn = multiprocessing.get_context("fork")
    started = [spawn.Process(target=write, args=(path, worker, each)) for worker in range(count)]
    for process in started:
        process.start()
    return started


def test_what_is_appended_is_read_back(tmp_path):
    file = RecordFile(tmp_path / "results.jsonl")
    assert list(file.lines()) == []
    file.append([line(0, 1), line(0, 2)])
    file.append([])
    file.append([line(1, 3)])
    assert list(file.lines()) == [line(0, 1), line(0, 2), line(1, 3)]
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize("cut", range(1, 12))
def test_half_a_line_is_skipped_and_spoils_no_other(tmp_path, cut):
    path = tmp_path / "results.jsonl"
    file = RecordFile(path)
    file.append([line(0, 0), line(0, 1)])
    path.write_bytes(path.read_bytes()[:-cut])
    torn = cut > 1
    file.append([line(0, 2)])
    assert list(file.lines()) == [line(0, 0), *([] if torn else [line(0, 1)]), line(0, 2)]


def test_numbers_that_json_cannot_say_are_refused_before_anything_is_written(tmp_path):
    file = RecordFile(tmp_path / "results.jsonl")
    with pytest.raises(ValueError):
        file.append([line(0, 0), {"value": float("nan")}])
    assert list(file.lines()) == []


def test_two_processes_write_whole_lines(tmp_path):
    path = tmp_path / "results.jsonl"
    for process in processes(path, count=2, each=60):
        process.join()
        assert process.exitcode == 0
    found = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]
    for worker in range(2):
        assert [one for one in found if one["worker"] == worker] == [line(worker, n) for n in range(60)]


def test_a_killed_process_leaves_the_file_to_the_others(tmp_path):
    path = tmp_path / "results.jsonl"
    victim, other = processes(path, count=2, each=80)
    while not path.exists() or path.stat().st_size < 400:
        time.sleep(0.001)
    os.kill(victim.pid, signal.SIGKILL)
    victim.join()
    other.join()
    found = list(RecordFile(path).lines())
    assert [one for one in found if one["worker"] == 1] == [line(1, n) for n in range(80)]
    survived = [one for one in found if one["worker"] == 0]
    assert survived == [line(0, n) for n in range(len(survived))]
