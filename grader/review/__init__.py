"""Any template: checklist, tuning, prices, estimate, lint.

What enters is a template, or settings and a traffic; what leaves are statements with their sources,
and figures. It knows no lab. A small map, from the bottom up::

    pricing    the price list of one Region, each price with its source and date
    lint       cfn-lint, beside other work
    tuning/    a mapping's settings played on a traffic without records: lag, throttles, calls
    estimate   a month's bill of a stack
    checklist/ the production checklist: an item is a function under ``@item``
"""
