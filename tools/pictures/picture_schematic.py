"""Pictures of how things hang together: the pipeline, the fold of a batch, the decision tree."""

from __future__ import annotations

from picture_draw import Picture


def pipeline() -> str:
    """The system that the course builds."""
    picture = Picture(
        "The system of the course",
        "Writers change the table Orders. Its stream keeps the changes for 24 hours in shards. The "
        "event source mapping polls it, filters, forms batches and calls TotalsFunction, which "
        "writes MerchantTotals and CountedRecords in one transaction. What the mapping gives up "
        "goes as a note to the queue FailedRecords. Metrics of mapping, queue and function "
        "ring alarms, and a topic tells people.",
    )
    x, width, middle = 14, 208, 118
    y = picture.node(x, 14, width, ["The shop", "writes, changes and deletes orders"], "plain")
    picture.arrow((middle, y), (middle, y + 18))
    y = picture.node(x, y + 18, width, ["Orders", "table: merchant, id"])
    picture.arrow((middle, y), (middle, y + 18))
    picture.text(middle + 8, y + 13, "each item's changes, in order", "small soft")
    y = picture.node(
        x, y + 18, width, ["Stream", "old and new image, in shards", "kept for 24 hours"]
    )
    picture.arrow((middle, y), (middle, y + 18))
    picture.text(middle + 8, y + 13, "polled 4 times a second", "small soft")
    top = y + 18
    y = picture.node(
        x, top, width,
        ["OrdersToTotals", "event source mapping:", "filter, batch, retry, halve, give up",
         "one position for each shard"],
    )  # fmt: skip
    picture.arrow((x + width, top + 34), (246, top + 34), kind="linebad dash")
    queue = picture.node(246, top + 12, 104, ["FailedRecords", "notes, no records"], "boxbad")
    picture.arrow((middle - 40, y), (middle - 40, y + 26))
    picture.text(middle - 34, y + 17, "batch", "small soft")
    picture.arrow((middle + 40, y + 26), (middle + 40, y))
    picture.text(middle + 46, y + 17, "batchItemFailures", "small soft")
    top = y + 26
    y = picture.node(x, top, width, ["TotalsFunction", "your handler, at least once"])
    picture.arrow((x + width, top + 20), (246, top + 20))
    # Most alarms read what the mapping and the queue publish.
    picture.arrow((x + width, top - 34), (272, top - 34), (272, top - 2))
    picture.arrow((334, queue), (334, top - 2))
    picture.node(246, top - 2, 104, ["Metrics", "lag, failures"], "plain")
    picture.arrow((298, top + 38), (298, top + 58))
    bottom = picture.node(246, top + 58, 104, ["Alarms"], "boxwait")
    picture.arrow((298, bottom), (298, bottom + 18))
    pager = picture.node(246, bottom + 18, 104, ["Pager", "topic: a person"], "boxwait")
    picture.arrow((middle, y), (middle, y + 26))
    picture.text(middle + 8, y + 17, "one transaction", "small soft")
    top = y + 26
    picture.box(6, top, 230, 52, "faint dash")
    picture.node(11, top + 6, 107, ["MerchantTotals", "the money"], "boxgood")
    y = picture.node(124, top + 6, 107, ["CountedRecords", "what is in it"], "boxgood")
    return picture.svg(max(y + 6, pager) + 12)


def fold() -> str:
    """Twelve records, three merchants: three writes."""
    amounts = [
        ("acme", 10), ("bolt", 7), ("acme", 5), ("cord", 9), ("acme", 20), ("bolt", 3),
        ("acme", 5), ("cord", 1), ("bolt", 10), ("acme", 15), ("acme", 5), ("bolt", 2),
    ]  # fmt: skip
    sums: dict[str, tuple[int, int]] = {}
    for merchant, amount in amounts:
        count, total = sums.get(merchant, (0, 0))
        sums[merchant] = count + 1, total + amount
    picture = Picture(
        "A batch is folded before it is written",
        f"A batch of {len(amounts)} records of {len(sums)} merchants. Written record by record, it "
        f"takes {len(amounts)} updates of a total. Folded, it takes {len(sums)}: one sum for each "
        "merchant, in one transaction together with the markers of its records.",
    )
    picture.text(14, 24, f"A batch of {len(amounts)} records", "strong")
    for at, (merchant, amount) in enumerate(amounts):
        x, y = 14 + at % 6 * 56, 34 + at // 6 * 34
        picture.box(x, y, 52, 28, "box")
        picture.text(x + 26, y + 12, merchant, "small", anchor="middle")
        picture.text(x + 26, y + 24, f"+{amount}", "small strong", anchor="middle")
    picture.arrow((96, 104), (96, 130))
    picture.text(106, 121, "add up by merchant, in memory", "small soft")
    for at, (merchant, (count, total)) in enumerate(sums.items()):
        y = 136 + at * 54
        picture.box(14, y, 332, 46, "faint dash")
        picture.box(20, y + 7, 132, 32, "boxgood")
        picture.text(86, y + 21, f"{merchant}: total +{total}", "small strong", anchor="middle")
        picture.text(86, y + 34, f"orders +{count}", "small", anchor="middle")
        picture.text(160, y + 27, "+", "strong")
        for mark in range(count):
            picture.box(174 + mark * 26, y + 12, 22, 22, "boxwait")
            picture.text(185 + mark * 26, y + 27, "✓", "small", anchor="middle")
    bottom = 136 + len(sums) * 54
    picture.lines(
        14, bottom + 14,
        [f"{len(sums)} transactions, and {len(sums)} updates of a total instead of {len(amounts)}.",
         "✓ is the marker of a record: it says that it is in the sum.",
         "A sum without its markers would count again when the",
         "batch comes again."],
        "small soft",
    )  # fmt: skip
    return picture.svg(bottom + 66)


SYMPTOMS = "../../operations/index.html#"
PROCEDURES = "../../operations/procedures.html#"


def decision_tree() -> str:
    """What grows when the iterator age grows."""
    picture = Picture(
        "When iterator age grows",
        "Four questions, from top to bottom. Is the mapping enabled? If not, resume it. Does the "
        "function run at all? If not: nothing is invoked. Do Errors or FailedInvokeEventCount "
        "grow? A batch that never ends, or time-outs. Do Throttles grow? Throttling. None of them: "
        "it works and is too slow. Each answer is a link to its page.",
    )
    picture.text(14, 24, "IteratorAge grows, or stands still", "strong")
    rows = [
        (["Is it enabled?", "the mapping's State"], "no",
         [(["Resume it"], PROCEDURES + "resume", 1)], "yes"),
        (["Does the function run?", "Invocations above zero"], "no",
         [(["Nothing is", "invoked"], SYMPTOMS + "nothing-is-invoked", 2)], "yes"),
        (["Does it fail?", "Errors or FailedInvoke-", "EventCount above zero"], "yes",
         [(["A batch that", "never ends"], SYMPTOMS + "stuck-batch", 2),
          (["Time-outs", "log: timed out"], SYMPTOMS + "time-outs", 1)], "no"),
        (["Is it held back?", "Throttles above zero"], "yes",
         [(["Throttling"], SYMPTOMS + "throttling", 1)], "no"),
    ]  # fmt: skip
    y = 36.0
    for question, way, answers, on in rows:
        height = max(
            12 + 14 * len(question), sum(20 + 14 * len(words) for words, _, _ in answers) - 8
        )
        picture.node(14, y, 166, question)
        at = y
        for words, link, bold in answers:
            middle = at + (12 + 14 * len(words)) / 2
            picture.arrow((180, y + 18), (206, y + 18), (206, middle), (232, middle))
            at = picture.node(232, at, 114, words, "boxbad", link, bold=bold) + 8
        picture.text(193, y + 13, way, "small strong", anchor="middle")
        picture.arrow((97, y + 12 + 14 * len(question)), (97, y + height + 24))
        picture.text(105, y + height + 18, on, "small strong")
        y += height + 24
    picture.node(14, y, 166, ["It works, too slowly", "more comes than it can do"], "boxwait",
                 SYMPTOMS + "too-slow")  # fmt: skip
    picture.lines(
        232, y + 14, ["No age at all, though", "items change? Then it", "is not invoked."],
        "small soft",
    )  # fmt: skip
    return picture.svg(y + 56)
