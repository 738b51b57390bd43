"""The sandbox's console in a browser: it shows what is so now, and reads like a page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from grader.cloud import Cloud
from grader.sandbox import Sandbox, Server
from tests.replay.test_page import HOSTILE
from tests.site.test_site_browser import violations

TEMPLATE = """
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      StreamSpecification: {StreamViewType: KEYS_ONLY}
  Failed: {Type: AWS::SQS::Queue}
  Full:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Namespace: AWS/SQS
      MetricName: ApproximateNumberOfMessagesVisible
      Dimensions: [{Name: QueueName, Value: !GetAtt Failed.QueueName}]
      Statistic: Maximum
      Period: 60
      EvaluationPeriods: 1
      Threshold: 0
      ComparisonOperator: GreaterThanThreshold
"""


class NoNursery:
    """An account without functions starts no process."""


@pytest.fixture(name="server")
def _server() -> Iterator[Server]:
    cloud = Cloud(NoNursery(), live=True, change_takes_ms=1_000)
    cloud.create(cloud.resolve("shop", TEMPLATE, {}), TEMPLATE)
    sandbox = Sandbox(cloud)
    sandbox.pace.pause()
    cloud.account.put(cloud.resource("shop", "Orders").physical_id, {"id": HOSTILE})
    with Server(sandbox) as server:
        yield server
    cloud.close()


def test_it_shows_what_is_so_and_keeps_the_token_to_itself(page, server: Server) -> None:
    """What changes is announced once; the address keeps no token; what is read by keyboard stays."""
    said = []
    page.on("console", lambda line: said.append(line.text))
    page.goto(server.console)
    page.get_by_text("No alarm rings.").wait_for()
    assert page.url == f"{server.url}/"
    assert "table, 1 item" in page.locator("[data-part=pipeline]").inner_text()
    page.locator("[data-part=queues] .scroll").focus()
    cloud = server.sandbox.cloud
    with server.sandbox.lock:
        cloud.account.queues.send(cloud.resource("shop", "Failed").attributes["Arn"], "a note")
        cloud.run_for(180_000)
    page.get_by_text("In ALARM: Full.").wait_for()
    assert "! ALARM" in page.locator("[data-part=alarms]").inner_text()
    assert page.evaluate("document.activeElement.className") == "scroll"
    assert "0 messages" in page.locator("[data-part=queues]").inner_text()
    page.evaluate("document.activeElement.blur()")
    page.locator("[data-part=queues]").get_by_text("1 message").wait_for()
    page.reload()
    page.get_by_text("In ALARM: Full.").wait_for()
    assert page.locator("img").count() == 0 and said == []


def test_another_token_shows_nothing_and_the_right_one_is_asked_for(page, server: Server) -> None:
    """Pasting it is enough."""
    page.goto(f"{server.url}/#wrong")
    page.get_by_label("Token").wait_for()
    assert page.locator("#parts").is_hidden()
    page.get_by_label("Token").fill(server.token)
    page.get_by_role("button", name="Show the console").click()
    page.get_by_text("No alarm rings.").wait_for()
    page.get_by_role("button", name="Hold this page").click()
    assert page.locator("#hold").get_attribute("aria-pressed") == "true"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1100), ("dark", 375)])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_page(
    browser, server: Server, scheme: str, width: int
) -> None:
    """With a record that has a hostile name, and every table opened."""
    context = browser.new_context(
        bypass_csp=True, color_scheme=scheme, viewport={"width": width, "height": 800}
    )
    page = context.new_page()
    page.goto(server.console)
    page.get_by_text("No alarm rings.").wait_for()
    page.locator("#replay .viewer[data-ready]").wait_for()
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    found = violations(page)
    context.close()
    assert found == [] and over <= 0
