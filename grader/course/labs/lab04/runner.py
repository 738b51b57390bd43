"""Copied beside a learner's files: runs `redrive.redrive` in the function process.

Nothing of `grader` is imported here, and nothing that this file says is believed beyond what the
learner's function returned: totals are read from the tables.
"""

import importlib
import json
import os

# So many records are told of: the note of one order has one.
MOST_TOLD = 10

# Imported here, so that a tool that cannot be imported ends the initialisation, as in Lambda.
redrive = importlib.import_module("redrive").redrive


def run(event, context):  # type: ignore[no-untyped-def]
    """Redrive one note; ``event`` has the ``note``, and the sequence number that ``raises`` if any.

    Returns what ``redrive`` returned, the records that it handed to ``replay``, and the first
    exception that this raised, as a text: a tool that catches it as it should may not tell of it.
    """
    raised: list[str] = []
    handed: list[object] = []
    module, _, name = os.environ["TOTALS_HANDLER"].rpartition(".")
    function = getattr(importlib.import_module(module.replace("/", ".")), name)

    def replay(records):  # type: ignore[no-untyped-def]
        # As over the wire: what Lambda hands over is JSON, and so is what comes back.
        try:
            sent = json.loads(json.dumps({"Records": list(records)}))
            # Of its own: the function may change what it is handed.
            handed.extend(json.loads(json.dumps(sent["Records"][: MOST_TOLD - len(handed)])))
            if event.get("raises") and event["raises"] in json.dumps(sent):
                raise MemoryError("the function's environment has run out of memory")
            return json.loads(json.dumps(function(sent, context)))
        except Exception as error:
            raised.append(f"{type(error).__name__}: {error}"[:200])
            raise

    said = redrive(event["note"], replay)
    return {"said": said, "raised": raised[0] if raised else None, "handed": handed}
