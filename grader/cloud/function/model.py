"""How long things take in virtual time: the one place with the constants.

AWS publishes none of these figures; they are documented choices of the usual order of magnitude.
What matters to a criterion is their shape: a cold start costs once, work grows with the records and
shrinks with memory, and waiting for AWS does not.
"""

from __future__ import annotations

from dataclasses import dataclass

# Lambda gives one whole vCPU at this memory and shares in proportion.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
MEMORY_OF_ONE_VCPU_MB = 1769

# The init phase may take ten seconds; after that Lambda starts it again inside the invocation.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
INIT_LIMIT_MS = 10_000

# The largest response of a synchronous invocation, as Lambda's own message states it.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_RESPONSE_BYTES = 6_291_556

# What an error document may take; our runtime cuts text and stack trace far below it.
MAX_ERROR_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Model:
    """Durations in nanoseconds unless the name says otherwise; ``_cpu_`` at one whole vCPU.

    ``cold_start_ms`` is what comes before the function's own initialisation code: the environment,
    the interpreter, importing boto3. Lambda does not slow that phase down for little memory.
    ``memory_used_mb`` is what a REPORT line says; memory is not modelled.
    """

    cold_start_ms: int = 350
    invoke_cpu_ns: int = 200_000
    record_cpu_ns: int = 150_000
    call_cpu_ns: int = 500_000
    log_line_ns: int = 20_000
    memory_used_mb: int = 74

    def scaled(self, cpu_ns: int, memory_mb: int) -> int:
        """CPU time of one thread at this memory: below one vCPU it stretches."""
        return cpu_ns * MEMORY_OF_ONE_VCPU_MB // min(memory_mb, MEMORY_OF_ONE_VCPU_MB)

    def work_ns(self, event: dict[str, object], memory_mb: int) -> int:
        """The function's own work on one event, beside calls and waiting."""
        records = event.get("Records")
        count = len(records) if isinstance(records, list) else 1
        return self.scaled(self.invoke_cpu_ns + count * self.record_cpu_ns, memory_mb)
