from pathlib import Path

import pytest

from grader.desk.testing import Setup, eventually


@pytest.fixture(scope="session")
def pipeline_setup():
    return Setup(Path(__file__).with_name("template.yaml"))


def test_only_what_expired_is_archived_and_a_crash_loses_none(pipeline):
    end = pipeline.clock.now // 1000 + 600
    for name in ("s-1", "s-2", "logout"):
        pipeline.put("Sessions", {"id": name, "expires": end, "user": "ann"})
    pipeline.delete("Sessions", {"id": "logout"})
    pipeline.expire_every(minutes=60)
    pipeline.kill_at("Archiver", 1, "after")
    crash = eventually(pipeline, lambda: pipeline.invocations("Archiver")[0].result, minutes=90)
    assert crash.kind == "error"
    pipeline.kill_at("Archiver", None)

    def kept(name):
        return pipeline.item("Archive", {"id": f"{name}@{end}"})

    eventually(pipeline, lambda: kept("s-1") and kept("s-2"))
    assert kept("s-1")["session"]["user"] == "ann"
    assert kept("logout") is None
    assert pipeline.item("Sessions", {"id": "s-1"}) is None
