from pathlib import Path

import pytest

from grader.desk.testing import Setup, eventually


@pytest.fixture(scope="session")
def pipeline_setup():
    return Setup(Path(__file__).with_name("template.yaml"))


def price(pipeline):
    return pipeline.item("Prices", {"id": "p-1"})["price"]


def test_an_older_batch_that_comes_late_changes_nothing(pipeline):
    for version in (1, 2, 3):
        pipeline.put("Products", {"id": "p-1", "version": version, "price": 10 * version})
    eventually(pipeline, lambda: price(pipeline) == 30)
    first, second, third = pipeline.stream("Products").shards[0].records
    pipeline.deliver("Viewer", [first, second])
    assert price(pipeline) == 30
    # Two environments at once, the newer batch first.
    pipeline.deliver_together("Viewer", [[third], [first, second]], apart_ms=1)
    assert price(pipeline) == 30


def test_a_deleted_product_stays_deleted(pipeline):
    pipeline.put("Products", {"id": "p-1", "version": 1, "price": 10})
    pipeline.delete("Products", {"id": "p-1"})
    eventually(pipeline, lambda: pipeline.item("Prices", {"id": "p-1"})["gone"])
    pipeline.deliver("Viewer", pipeline.stream("Products").shards[0].records[:1])
    assert "price" not in pipeline.item("Prices", {"id": "p-1"})
